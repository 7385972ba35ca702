/// pop3 — the session loop, the table of commands, and the small commands.
///
/// Events:
///   pop3.quit user= messages= deleted= end=    UPDATE is done; end: ok, or why some messages were not removed
#include "front/pop3/pop3.h"

#include <stdlib.h>

#include "auth/sasl.h"
#include "base/clock.h"
#include "base/figures.h"
#include "base/log.h"
#include "front/login.h"

enum { LINE_OUT_MAX = 512 };

FIB enum ec pop3_ok(struct cx *cx, struct pop3 *p, const char *fmt, ...)
{
	struct buf b = BUF(LINE_OUT_MAX);
	va_list ap;

	buf_puts(&b, "+OK ");
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_puts(&b, "\r\n");
	enum ec e = b.err;
	if (e == E_OK)
		e = io_put(cx, p->io, buf_sl(&b));
	buf_free(&b);
	return e;
}

FIB enum ec pop3_err(struct cx *cx, struct pop3 *p, struct pop3_words w)
{
	if (w.code)
		return io_printf(cx, p->io, "-ERR [%s] %s\r\n", w.code, w.text);
	return io_printf(cx, p->io, "-ERR %s\r\n", w.text);
}

FIB enum ec pop3_bad(struct cx *cx, struct pop3 *p, const char *text)
{
	if (++p->bad > POP3_BAD_FREE)
		pop3_pause(cx, POP3_DELAY_MS);
	if (p->bad >= POP3_BAD_MAX) {
		p->over = true;
		p->end = fail(cx, E_LIMIT, "too many bad commands");
		text = "Too many bad commands, closing";
	}
	return pop3_err(cx, p, (struct pop3_words){ NULL, text });
}

FIB void pop3_pause(struct cx *cx, int64_t ms)
{
	cx_deadline_in(cx, 0);
	if (fib_sleep(cx, ms) != E_OK)
		cx_forget(cx); // cancelled: the next wait says so again
	cx_deadline_in(cx, POP3_IDLE_MS);
}

FIB void pop3_unlock(struct cx *cx, struct pop3 *p)
{
	struct req_pop3_lock req = { .handle = p->handle, .on = 0 };
	struct ans_pop3_lock ans;

	if (p->locked && call_pop3_lock(cx, p->store, &req, &ans) != E_OK)
		cx_forget(cx); // the store's locks end with its connection to this front
	p->locked = false;
}

static bool may_stls(const struct pop3 *p)
{
	return p->s->conf->tls && !io_is_tls(p->io);
}

/// source: RFC 2449 §5, §6.
FIB static enum ec do_capa(struct cx *cx, struct pop3 *p, const struct pop3_command *)
{
	struct buf b = BUF(LINE_OUT_MAX);

	buf_puts(&b, "+OK What this server can do\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
	// messages that reading removes may not stay: EXPIRE 0 (§6.7)
	buf_puts(&b, p->phase == POP3_TRANSACTION && p->retr == POP3_DELETE ? "EXPIRE 0\r\n" : "EXPIRE NEVER\r\n");
	if (session_may_login(p->s)) {
		buf_puts(&b, "USER\r\nSASL ");
		buf_add(&b, sasl_mechanisms(p->s->conf->no_scram));
		buf_puts(&b, "\r\n");
	}
	if (p->phase == POP3_AUTHORIZATION && may_stls(p))
		buf_puts(&b, "STLS\r\n");
	buf_puts(&b, "IMPLEMENTATION Hongyan\r\n.\r\n");
	enum ec e = b.err;
	if (e == E_OK)
		e = io_put(cx, p->io, buf_sl(&b));
	buf_free(&b);
	return e;
}

FIB static enum ec do_noop(struct cx *cx, struct pop3 *p, const struct pop3_command *)
{
	return pop3_ok(cx, p, "Still here");
}

/// source: RFC 1939 §6 (UPDATE).
FIB static enum ec do_quit(struct cx *cx, struct pop3 *p, const struct pop3_command *)
{
	enum ec e = E_OK;

	p->over = true;
	if (p->phase == POP3_AUTHORIZATION)
		return pop3_ok(cx, p, "Goodbye");
	e = pop3_update(cx, p);
	LOG(cx, e == E_OK ? LOG_INFO : LOG_WARN, "pop3.quit", kv_sl("user", (struct sl){ p->user, p->user_octets }),
		kv_u("messages", p->drop.n), kv_u("deleted", p->drop.deleted), kv_word("end", ec_name(e)));
	if (e == E_OK)
		return pop3_ok(cx, p, "Goodbye");
	return pop3_err(
		cx, p, (struct pop3_words){ "SYS/TEMP", "Some messages were not removed, they are still there" });
}

/// Whoever sends more in plain behind the command is cut off; what was said before is forgotten.
/// source: RFC 2595 §4.
FIB static enum ec do_stls(struct cx *cx, struct pop3 *p, const struct pop3_command *)
{
	if (!may_stls(p))
		return pop3_bad(cx, p, "TLS cannot be started here");
	if (io_input(p->io).n) {
		p->over = true;
		p->end = fail(cx, E_STATE, "plaintext behind STLS");
		return pop3_err(cx, p, (struct pop3_words){ NULL, "Nothing may be sent behind STLS before TLS is up" });
	}
	enum ec e = pop3_ok(cx, p, "Ready for TLS");
	if (e == E_OK)
		e = io_flush(cx, p->io);
	if (e == E_OK)
		e = io_starttls(cx, p->io, p->s->conf->tls);
	p->has_user = false;
	return e ? wrap(cx, e, "STLS") : E_OK;
}

/// In the order of enum pop3_verb; states are proto/pop3_command's. NULL: not supported, the parser says so.
static const struct {
	FIB enum ec (*run)(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
} commands[POP3_VERB_COUNT] = {
	[POP3_AUTH] = { pop3_do_auth },
	[POP3_CAPA] = { do_capa },
	[POP3_DELE] = { pop3_do_dele },
	[POP3_LIST] = { pop3_do_list },
	[POP3_NOOP] = { do_noop },
	[POP3_PASS] = { pop3_do_pass },
	[POP3_QUIT] = { do_quit },
	[POP3_RETR] = { pop3_do_retr },
	[POP3_RSET] = { pop3_do_rset },
	[POP3_STAT] = { pop3_do_stat },
	[POP3_STLS] = { do_stls },
	[POP3_TOP] = { pop3_do_top },
	[POP3_UIDL] = { pop3_do_uidl },
	[POP3_USER] = { pop3_do_user },
};

FIB static enum ec run_line(struct cx *cx, struct pop3 *p, struct sl line)
{
	struct pop3_command c;
	enum ec e = pop3_parse_command(line, &c);

	if (e == E_NOTFOUND)
		return pop3_bad(cx, p, "No such command");
	if (e == E_UNSUPPORTED)
		return pop3_bad(cx, p, "That command is not supported here");
	if (e != E_OK)
		return pop3_bad(cx, p, "Cannot understand what follows the command");
	if (!(pop3_verbs[c.verb].states & p->phase))
		return pop3_bad(cx, p, p->phase == POP3_AUTHORIZATION ? "Log in first" : "Already logged in");
	if (p->phase == POP3_TRANSACTION)
		login_keep(cx, p->s, &p->handle);
	session_doing(p->s, pop3_verbs[c.verb].name);
	int64_t began_ns = clock_mono_ns();
	e = commands[c.verb].run(cx, p, &c);
	figure_time(FIG_POP3_COMMANDS, 0, clock_mono_ns() - began_ns);
	figure_add(FIG_POP3_RETRS, 0, c.verb == POP3_RETR);
	return e;
}

/// Sends what waits, unless the client has already sent another whole command.
FIB static enum ec flush(struct cx *cx, struct pop3 *p)
{
	struct sl in = io_input(p->io);

	if (sl_find(in, '\n') < in.n)
		return E_OK;
	arena_free(&p->memory); // an idle session holds nothing of the last command
	arena_init(&p->memory, POP3_COMMAND_MEMORY);
	pop3_ahead_rest(p, false);
	cx_deadline_in(cx, POP3_IDLE_MS);
	return io_flush(cx, p->io);
}

FIB static enum ec one_command(struct cx *cx, struct pop3 *p)
{
	size_t line_max = (p->phase == POP3_AUTHORIZATION ? POP3_AUTH_LINE_MAX : POP3_LINE_MAX) - 2;
	struct sl line = { 0 };
	enum ec e = flush(cx, p);

	if (e != E_OK)
		return e;
	arena_reset(&p->memory);
	e = session_rest(p->s);
	if (e == E_OK) {
		cx_deadline_in(cx, POP3_IDLE_MS);
		e = io_line(cx, p->io, line_max, &line);
	}
	session_busy(p->s);
	if (e == E_TOOBIG)
		return pop3_bad(cx, p, "The line is too long");
	return e == E_OK ? run_line(cx, p, line) : e;
}

/// After a long silence the connection just ends (RFC 1939 §3: "without … sending any response"); at a stop of the
/// server a client that waits is told.
FIB static void say_end(struct cx *cx, struct pop3 *p, enum ec why)
{
	if (why != E_CANCELED)
		return;
	cx_deadline_in(cx, POP3_BYE_MS);
	enum ec e = pop3_err(cx, p, (struct pop3_words){ "SYS/TEMP", "This server is stopping, try again soon" });
	if (e == E_OK && io_flush(cx, p->io) != E_OK)
		cx_forget(cx);
}

FIB enum ec pop3_session(struct cx *cx, struct session *s)
{
	struct pop3 *p = calloc(1, sizeof *p);

	if (!p)
		return fail(cx, E_TEMP, "no memory for a session");
	*p = (struct pop3){ .s = s, .io = s->io, .store = s->front->store, .phase = POP3_AUTHORIZATION };
	arena_init(&p->memory, POP3_COMMAND_MEMORY);
	cx_deadline_in(cx, POP3_IDLE_MS);
	enum ec e = pop3_ok(cx, p, "%.*s Hongyan POP3 ready", SLF(s->conf->hostname));
	while (e == E_OK && !p->over)
		e = one_command(cx, p);
	if (e == E_OK)
		e = io_flush(cx, p->io);
	say_end(cx, p, e);
	if (e == E_OK)
		e = p->end;
	pop3_ahead_rest(p, true);
	pop3_unlock(cx, p);
	drop_free(&p->drop);
	arena_free(&p->memory);
	free(p);
	return e;
}
