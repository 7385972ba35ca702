/// seat — see the header.
#include "front/seat.h"

#include <string.h>

#include "base/log.h"

FIB static enum ec ask(struct cx *cx, struct session *s, const struct handle *handle, uint32_t most)
{
	struct req_seat_take req = { .handle = *handle, .session = cx->sid, .most = most };
	struct ans_seat_take ans;

	memcpy(req.peer_ip, io_peer(s->io)->ip, sizeof req.peer_ip);
	enum ec e = call_seat_take(cx, s->front->store, &req, &ans);
	if (e == E_OK) // asked only now: an answer is of the newest connection, or of none
		s->seat.epoch = client_epoch(s->front->store);
	else
		cx_forget(cx);
	return e;
}

FIB enum ec seat_sit(struct cx *cx, struct session *s, const struct handle *handle, struct sl user)
{
	struct buf ip = BUF(64);

	seat_leave(cx, s);
	if (ask(cx, s, handle, s->conf->sessions_user_ip_max) != E_LIMIT) {
		s->seat.account = handle->account;
		return E_OK;
	}
	addr_print(&ip, io_peer(s->io));
	LOG(cx, LOG_NOTICE, "login.crowded", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
		kv_word("proto", port_name(s->kind)));
	buf_free(&ip);
	return fail(cx, E_LIMIT, "the user has %u sessions from there", s->conf->sessions_user_ip_max);
}

FIB void seat_keep(struct cx *cx, struct session *s, const struct handle *handle)
{
	if (s->seat.account && s->seat.epoch != client_epoch(s->front->store))
		(void)ask(cx, s, handle, UINT32_MAX); // it is there: too late to be refused
}

FIB void seat_leave(struct cx *cx, struct session *s)
{
	struct client *store = s->front->store;
	struct req_seat_give req = { .account = s->seat.account, .session = cx->sid };
	struct ans_seat_give ans;
	bool known = s->seat.account && s->seat.epoch == client_epoch(store);

	s->seat = (struct seat){ 0 };
	if (!known || !client_is_up(store) || s->front->stopping)
		return; // it ended with the connection, or will
	memcpy(req.peer_ip, io_peer(s->io)->ip, sizeof req.peer_ip);
	if (call_seat_give(cx, store, &req, &ans) != E_OK)
		cx_forget(cx);
}
