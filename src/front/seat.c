/// seat — see the header.
#include "front/seat.h"

#include <string.h>

FIB void seat_keep(struct cx *cx, struct session *s, const struct handle *handle)
{
	// It is there: too late to be refused.
	struct req_seat_take req = { .handle = *handle, .session = cx->sid, .most = UINT32_MAX };
	struct client *store = s->front->store;
	struct ans_seat_take ans;

	if (!s->seat.account || s->seat.epoch == client_epoch(store))
		return;
	memcpy(req.peer_ip, io_peer(s->io)->ip, sizeof req.peer_ip);
	if (call_seat_take(cx, store, &req, &ans) == E_OK) // an answer is of the newest connection, or of none
		s->seat.epoch = client_epoch(store);
	else
		cx_forget(cx);
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
