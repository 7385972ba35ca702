/// login — see the header. A failed login is answered in the same words whoever was named, after a delay that grows.
#include "front/imap/login.h"

#include "base/num.h"
#include "front/login.h"
#include "proto/imap_print.h"
#include "proto/sasl_msg.h"

enum { DELAY_MAX_MS = 5000, RESPONSE_MAX = 12288 }; // RFC 4422 leaves the length to us; PLAIN needs 3 * 1023 in base64

static bool offers_tls(const struct imap *im)
{
	return im->s->conf->tls && !io_is_tls(im->io);
}

static void print_mechanisms(struct buf *b, bool no_scram)
{
	for (struct sl rest = sasl_mechanisms(no_scram); rest.n;) {
		struct sl name = sl_cut(&rest, ' ');
		buf_printf(b, " AUTH=%.*s", SLF(name));
	}
}

void imap_print_capabilities(struct buf *b, const struct imap *im)
{
	buf_puts(b, "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE");
	if (im->phase == IMAP_NOAUTH) {
		if (offers_tls(im))
			buf_puts(b, " STARTTLS");
		if (session_may_login(im->s))
			print_mechanisms(b, im->s->conf->no_scram);
		else
			buf_puts(b, " LOGINDISABLED");
		return;
	}
	buf_puts(b, " NAMESPACE IDLE UIDPLUS UNSELECT MOVE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED"
		    " LIST-STATUS STATUS=SIZE ESEARCH APPENDLIMIT=");
	buf_num(b, im->s->conf->message_max);
}

FIB enum ec imap_capability_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct buf b = BUF(4096);

	(void)cmd;
	buf_puts(&b, "* CAPABILITY ");
	imap_print_capabilities(&b, im);
	buf_puts(&b, "\r\n");
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

/// The answer must leave before the handshake, and nothing sent in plain may be left over behind it.
/// source: RFC 9051 §6.2.1 (BAD where TLS is on), §11.1.
FIB enum ec imap_starttls_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cmd;
	if (io_is_tls(im->io)) {
		im->refusal = (struct imap_words){ "BAD", "CLIENTBUG", "TLS is on already" };
		return E_STATE;
	}
	if (!offers_tls(im))
		return imap_refuse(im, E_UNSUPPORTED, "CANNOT", "This server has no certificate");
	cx_deadline_in(cx, IMAP_LOGIN_MS);
	enum ec e = io_printf(cx, im->io, "%.*s OK Begin TLS now\r\n", (int)im->tag_octets, (const char *)im->tag);
	if (e == E_OK)
		e = io_flush(cx, im->io);
	im->answered = true;
	if (e == E_OK)
		e = io_starttls(cx, im->io, im->s->conf->tls);
	if (e == E_STATE)
		im->bye = "Commands may not be sent together with STARTTLS";
	return e == E_OK ? E_OK : wrap(cx, E_CLOSED, "STARTTLS");
}

// ---- login

/// Waits longer with each failure; after too many the session ends.
FIB static enum ec pause_failed(struct cx *cx, struct imap *im)
{
	im->failed_logins++;
	cx_deadline_in(cx, IMAP_LOGIN_MS);
	enum ec slept = fib_sleep(cx, (int64_t)min_size(im->failed_logins * 1000, DELAY_MAX_MS));
	if (slept != E_OK)
		return slept;
	if (im->failed_logins >= IMAP_LOGIN_FAILS_MAX) {
		im->over = true;
		im->bye = "Too many failed logins";
	}
	return E_OK;
}

FIB static enum ec login_failed(struct cx *cx, struct imap *im, enum ec e)
{
	enum ec slept = pause_failed(cx, im);

	if (slept != E_OK)
		return slept;
	if (e == E_DENIED)
		return imap_refuse(im, e, "AUTHORIZATIONFAILED", "IMAP is switched off for this account");
	if (e == E_LIMIT) // RFC 5530 §3: a failure that passes, so that clients keep the password
		return imap_refuse(im, e, "UNAVAILABLE", "Too many failed logins, try again later");
	if (e == E_QUOTA)
		return imap_refuse(im, e, "LIMIT", "Too many sessions of this user from your address");
	return e;
}

FIB static enum ec login_done(struct cx *cx, struct imap *im, struct sl mechanism, const struct sasl_result *r)
{
	struct sl address = { r->address, r->address_octets };

	im->address = arena_copy(&im->memory, address);
	if (!im->address.p)
		return fail(cx, E_TEMP, "no memory for a session");
	im->handle = r->handle;
	im->phase = IMAP_AUTH;
	im->failed_logins = 0;
	login_log(cx, im->s, mechanism, address, E_OK);
	buf_puts(&im->code, "CAPABILITY ");
	imap_print_capabilities(&im->code, im);
	return E_OK;
}

/// What came of a login as `mechanism`; user — the name that was tried.
FIB static enum ec finish(
	struct cx *cx, struct imap *im, enum ec e, struct sl mechanism, struct sl user, const struct sasl_result *r)
{
	if (e == E_OK)
		return login_done(cx, im, mechanism, r);
	login_log(cx, im->s, mechanism, user, e);
	if (e != E_AUTH && e != E_DENIED && e != E_LIMIT && e != E_QUOTA)
		return e;
	return login_failed(cx, im, e);
}

static enum ec refuse_plain(struct imap *im)
{
	return imap_refuse(im, E_DENIED, "PRIVACYREQUIRED", "Use STARTTLS first");
}

FIB enum ec imap_login_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct sasl_result r;

	if (!session_may_login(im->s))
		return refuse_plain(im);
	struct sasl_login l = login_ready(cx, im->s, SERVICE_IMAP, NULL, NULL);
	enum ec e = sasl_password(cx, &l, cmd->login.user, cmd->login.password, &r);
	return finish(cx, im, e, SL("LOGIN"), cmd->login.user, &r);
}

FIB static enum ec authenticate(struct cx *cx, struct imap *im, const struct imap_authenticate *auth, struct buf *tried)
{
	struct login_asking a = {
		.io = im->io, .prefix = SL("+ "), .line_max = RESPONSE_MAX, .wait_ms = IMAP_LOGIN_MS, .memory = &im->cmd
	};
	struct sasl_login l = login_ready(cx, im->s, SERVICE_IMAP, &a, tried);
	struct sasl_result r;
	struct sl initial = { 0 };
	enum ec e = auth->has_initial ? sasl_decode_response(auth->initial, &im->cmd, &initial) : E_OK;

	if (e == E_OK)
		e = sasl_run(cx, &l, auth->mechanism, initial, &r);
	if (e == E_CANCELED && !cx->canceled) { // the client sent "*": RFC 9051 §6.2.2 wants BAD
		im->refusal = (struct imap_words){ "BAD", NULL, "Authentication cancelled" };
		return E_SYNTAX;
	}
	if (e == E_UNSUPPORTED)
		return imap_refuse(im, e, "CANNOT", "No such mechanism");
	return finish(cx, im, e, auth->mechanism, buf_sl(tried), &r);
}

FIB enum ec imap_authenticate_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct buf tried = BUF(1024);

	if (!session_may_login(im->s))
		return refuse_plain(im);
	enum ec e = authenticate(cx, im, &cmd->authenticate, &tried);
	buf_free(&tried);
	return e;
}

// ---- small commands

/// source: RFC 2971 §3.1, §3.2.
FIB enum ec imap_id_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	const struct imap_id *id = &cmd->id;
	struct buf b = BUF(4096);
	struct sl name = { 0 }, version = { 0 };

	for (size_t i = 0; i < id->names.n; i++) {
		if (sl_eq_ci(id->names.p[i], SL("name")))
			name = id->values.p[i];
		if (sl_eq_ci(id->names.p[i], SL("version")))
			version = id->values.p[i];
	}
	LOG(cx, LOG_DEBUG, "imap.id", kv_sl("name", name), kv_sl("version", version));
	buf_puts(&b, "* ID (\"name\" \"Hongyan\" \"version\" ");
	imap_print_string(&b, im->s->conf->version, false);
	buf_puts(&b, ")\r\n");
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

/// source: RFC 9051 §6.3.10.
FIB enum ec imap_namespace_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cmd;
	return imap_say(cx, im, "NAMESPACE ((\"\" \"/\")) NIL NIL");
}

/// Nothing can be enabled yet; what is not known is ignored.
/// source: RFC 9051 §6.3.1, §7.2.1.
FIB enum ec imap_enable_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cmd;
	return imap_say(cx, im, "ENABLED");
}
