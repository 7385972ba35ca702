/// smtp — the session loop, the table of commands, greetings and the small commands.
///
/// Events:
///   smtp.reject why=plaintext-behind-starttls   commands were sent in plain behind STARTTLS; the session was ended
///   (session.start and session.end are front.c's)
#include "front/smtp/smtp.h"

#include <stdlib.h>
#include <string.h>

#include "auth/sasl.h"
#include "base/figures.h"
#include "base/log.h"
#include "base/num.h"
#include "front/seat.h"
#include "proto/smtp_reply.h"

enum { REPLY_MAX = 4096, EHLO_LINES_MAX = 12, EHLO_LINE = 320 };

FIB enum ec smtp_say(struct cx *cx, struct smtp *m, struct smtp_words w)
{
	struct buf b = BUF(REPLY_MAX);

	smtp_print_reply1(&b, w.code, w.enhanced, sl_cstr(w.text));
	enum ec e = b.err;
	if (e == E_OK)
		e = io_put(cx, m->io, buf_sl(&b));
	buf_free(&b);
	return e;
}

FIB enum ec smtp_sayf(struct cx *cx, struct smtp *m, unsigned code, const char *enhanced, const char *fmt, ...)
{
	struct buf text = BUF(REPLY_MAX / 4), b = BUF(REPLY_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	smtp_print_reply1(&b, code, enhanced, buf_sl(&text));
	enum ec e = b.err;
	if (e == E_OK)
		e = io_put(cx, m->io, buf_sl(&b));
	buf_free(&text);
	buf_free(&b);
	return e;
}

FIB enum ec smtp_say_bad(struct cx *cx, struct smtp *m, struct smtp_words w)
{
	if (++m->bad > SMTP_BAD_FREE)
		smtp_pause(cx, SMTP_DELAY_MS);
	if (m->bad < SMTP_BAD_MAX)
		return smtp_say(cx, m, w);
	return smtp_bye(cx, m, fail(cx, E_LIMIT, "too many bad commands"),
		(struct smtp_words){ 421, "4.7.0", "Too many commands that made no sense, closing" });
}

FIB enum ec smtp_bye(struct cx *cx, struct smtp *m, enum ec end, struct smtp_words w)
{
	m->over = true;
	m->end = end;
	cx_deadline_in(cx, SMTP_BYE_MS);
	return smtp_say(cx, m, w);
}

FIB enum ec smtp_flush(struct cx *cx, struct smtp *m)
{
	struct sl in = io_input(m->io);

	if (sl_find(in, '\n') < in.n)
		return E_OK;
	arena_free(&m->memory); // an idle session holds nothing
	arena_init(&m->memory, SMTP_COMMAND_MEMORY);
	cx_deadline_in(cx, SMTP_COMMAND_MS);
	return io_flush(cx, m->io);
}

FIB void smtp_pause(struct cx *cx, int64_t ms)
{
	cx_deadline_in(cx, 0);
	if (fib_sleep(cx, ms) != E_OK)
		cx_forget(cx); // cancelled: the next wait says so again
}

FIB void smtp_mail_end(struct cx *cx, struct smtp *m)
{
	intake_drop(cx, &m->mail.body);
	smtp_targets_free(&m->mail.targets);
	arena_free(&m->mail.memory);
	m->mail = (struct smtp_mail){ 0 };
	if (m->phase != PHASE_START)
		m->phase = PHASE_READY;
}

/// TLS can still be started here. Local delivery comes over loopback or a trusted network and needs none.
static bool may_starttls(const struct smtp *m)
{
	return m->s->conf->tls && !io_is_tls(m->io) && !smtp_is_lmtp(m);
}

/// Appends one keyword line to the answer.
struct ehlo {
	struct buf text;
	struct sl line[EHLO_LINES_MAX];
	size_t at[EHLO_LINES_MAX + 1]; // where each line begins in text
	size_t n;
};

[[gnu::format(printf, 2, 3)]] static void ehlo_add(struct ehlo *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&h->text, fmt, ap);
	va_end(ap);
	h->at[++h->n] = h->text.n;
}

/// ehlo-ok-rsp with what is offered at this moment on this port.
/// source: RFC 5321 §4.1.1.1, RFC 9422 (LIMITS).
static void ehlo_lines(const struct smtp *m, struct ehlo *h)
{
	const struct front_conf *conf = m->s->conf;

	ehlo_add(h, "%.*s", SLF(conf->hostname));
	ehlo_add(h, "PIPELINING");
	ehlo_add(h, "SIZE %llu", (unsigned long long)conf->message_max);
	ehlo_add(h, "8BITMIME");
	ehlo_add(h, "CHUNKING");
	ehlo_add(h, "ENHANCEDSTATUSCODES");
	ehlo_add(h, "LIMITS MAILMAX=%d RCPTMAX=%u", SMTP_MAILS_MAX, conf->recipients_max);
	if (may_starttls(m))
		ehlo_add(h, "STARTTLS");
	if (smtp_is_submission(m) && session_may_login(m->s))
		ehlo_add(h, "AUTH %.*s", SLF(sasl_mechanisms(conf->no_scram)));
	ehlo_add(h, "HELP");
	for (size_t i = 0; i < h->n; i++)
		h->line[i] = sl_sub(buf_sl(&h->text), h->at[i], h->at[i + 1]);
}

/// EHLO, LHLO and HELO begin anew; a name that breaks the grammar is no reason to refuse (RFC 5321 §4.1.4).
FIB static enum ec do_hello(struct cx *cx, struct smtp *m, const struct smtp_command *c)
{
	struct sl name = sl_head(c->hello.name, sizeof m->helo);

	m->phase = PHASE_READY;
	smtp_mail_end(cx, m);
	m->esmtp = c->verb != SMTP_HELO;
	m->helo_octets = (uint16_t)name.n;
	if (name.n)
		memcpy(m->helo, name.p, name.n);
	if (!m->esmtp)
		return smtp_sayf(cx, m, 250, NULL, "%.*s", SLF(m->s->conf->hostname));

	struct ehlo *h = arena_alloc(&m->memory, 1, sizeof *h);
	struct buf reply = BUF(REPLY_MAX);
	if (!h)
		return smtp_say(cx, m, smtp_words(E_TEMP, false));
	h->text = BUF(EHLO_LINES_MAX * EHLO_LINE);
	ehlo_lines(m, h);
	smtp_print_reply(&reply, 250, NULL, h->line, h->n);
	enum ec e = h->text.err ? h->text.err : reply.err;
	if (e == E_OK)
		e = io_put(cx, m->io, buf_sl(&reply));
	buf_free(&reply);
	buf_free(&h->text);
	return e;
}

FIB static enum ec do_rset(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	smtp_mail_end(cx, m);
	return smtp_say(cx, m, (struct smtp_words){ 250, "2.0.0", "Forgotten" });
}

FIB static enum ec do_noop(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	return smtp_say(cx, m, (struct smtp_words){ 250, "2.0.0", "OK" });
}

/// Whether an address exists is told to those who bring mail for it, at RCPT (RFC 5321 §7.3).
FIB static enum ec do_vrfy(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	return smtp_say(
		cx, m, (struct smtp_words){ 252, "2.5.0", "Cannot tell, but send the mail and it will be tried" });
}

FIB static enum ec do_expn(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	return smtp_say(cx, m, (struct smtp_words){ 502, "5.5.1", "Lists are not told here" });
}

FIB static enum ec do_help(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	return smtp_say(cx, m, (struct smtp_words){ 214, "2.0.0", "See RFC 5321; people: ask the postmaster" });
}

FIB static enum ec do_quit(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	return smtp_bye(cx, m, E_OK, (struct smtp_words){ 221, "2.0.0", "Goodbye" });
}

/// What was said in plain is forgotten once TLS is up; whoever sent more in plain behind the command is cut off.
/// source: RFC 3207 §4, §4.2.
FIB static enum ec do_starttls(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	if (!may_starttls(m))
		return smtp_say_bad(cx, m,
			(struct smtp_words){ io_is_tls(m->io) ? 503 : 502, "5.5.1", "TLS cannot be started here" });
	if (io_input(m->io).n) {
		LOG(cx, LOG_NOTICE, "smtp.reject", kv_word("why", "plaintext-behind-starttls"));
		return smtp_bye(cx, m, fail(cx, E_STATE, "plaintext behind STARTTLS"),
			(struct smtp_words){ 421, "4.7.0", "Nothing may be sent behind STARTTLS before TLS is up" });
	}
	enum ec e = smtp_say(cx, m, (struct smtp_words){ 220, "2.0.0", "Ready for TLS" });
	if (e == E_OK)
		e = io_flush(cx, m->io);
	if (e == E_OK)
		e = io_starttls(cx, m->io, m->s->conf->tls);
	if (e != E_OK)
		return wrap(cx, e, "STARTTLS");
	m->phase = PHASE_START;
	m->authed = m->esmtp = false;
	m->helo_octets = m->user_octets = 0;
	return E_OK;
}

enum {
	ON_LMTP = 1 << PORT_LMTP,
	ON_USERS = 1 << PORT_SUBMISSION | 1 << PORT_SUBMISSIONS,
	ON_SMTP = 1 << PORT_SMTP | ON_USERS,
	ON_ALL = ON_SMTP | ON_LMTP,
	IN_MAIL = PHASE_MAIL | PHASE_RCPT,
};

/// In the order of enum smtp_verb. BDAT looks at the phase itself, since its octets come in any case.
static const struct command {
	unsigned phases, ports;
	FIB enum ec (*run)(struct cx *cx, struct smtp *m, const struct smtp_command *c);
	const char *source;
} commands[SMTP_VERB_COUNT] = {
	[SMTP_AUTH] = { PHASE_READY, ON_USERS, smtp_do_auth, "RFC 4954 §4" },
	[SMTP_BDAT] = { PHASE_ANY, ON_ALL, smtp_do_bdat, "RFC 3030 §2" },
	[SMTP_DATA] = { IN_MAIL, ON_ALL, smtp_do_data, "RFC 5321 §4.1.1.4" },
	[SMTP_EHLO] = { PHASE_ANY, ON_SMTP, do_hello, "RFC 5321 §4.1.1.1" },
	[SMTP_EXPN] = { PHASE_ANY, ON_ALL, do_expn, "RFC 5321 §4.1.1.7" },
	[SMTP_HELO] = { PHASE_ANY, ON_SMTP, do_hello, "RFC 5321 §4.1.1.1" },
	[SMTP_HELP] = { PHASE_ANY, ON_ALL, do_help, "RFC 5321 §4.1.1.8" },
	[SMTP_LHLO] = { PHASE_ANY, ON_LMTP, do_hello, "RFC 2033 §4.1" },
	[SMTP_MAIL] = { PHASE_READY, ON_ALL, smtp_do_mail, "RFC 5321 §4.1.1.2" },
	[SMTP_NOOP] = { PHASE_ANY, ON_ALL, do_noop, "RFC 5321 §4.1.1.9" },
	[SMTP_QUIT] = { PHASE_ANY, ON_ALL, do_quit, "RFC 5321 §4.1.1.10" },
	[SMTP_RCPT] = { IN_MAIL, ON_ALL, smtp_do_rcpt, "RFC 5321 §4.1.1.3" },
	[SMTP_RSET] = { PHASE_ANY, ON_ALL, do_rset, "RFC 5321 §4.1.1.5" },
	[SMTP_STARTTLS] = { PHASE_START | PHASE_READY, ON_SMTP, do_starttls, "RFC 3207 §4" },
	[SMTP_VRFY] = { PHASE_ANY, ON_ALL, do_vrfy, "RFC 5321 §4.1.1.6" },
};

static struct smtp_words words_phase(const struct smtp *m)
{
	switch (m->phase) {
	case PHASE_START:
		return (struct smtp_words){ 503, "5.5.1", smtp_is_lmtp(m) ? "Say LHLO first" : "Say EHLO first" };
	case PHASE_READY: return (struct smtp_words){ 503, "5.5.1", "Send MAIL first" };
	case PHASE_BDAT: return (struct smtp_words){ 503, "5.5.1", "Send the rest with BDAT, or RSET" };
	case PHASE_MAIL:
	case PHASE_RCPT:
	case PHASE_ANY: break;
	}
	return (struct smtp_words){ 503, "5.5.1", "A message is under way, finish it or RSET" };
}

FIB static enum ec run_line(struct cx *cx, struct smtp *m, struct sl line)
{
	struct smtp_command c;
	enum ec e = smtp_parse_command(line, &m->memory, &c);

	if (e != E_OK) {
		const struct smtp_verb_row *row = smtp_find_verb(line);
		if (row && row->verb == SMTP_BDAT) // what follows may be a message: never take its lines for commands
			return smtp_bye(cx, m, fail(cx, E_SYNTAX, "BDAT without a size"),
				(struct smtp_words){ 501, "5.5.4", "Cannot tell how much follows BDAT, closing" });
		return smtp_say_bad(cx, m, smtp_words_syntax(e));
	}
	if (m->authed)
		seat_keep(cx, m->s, &m->handle);
	const struct command *row = &commands[c.verb];
	session_doing(m->s, smtp_verbs[c.verb].name);
	figure_add(FIG_SMTP_COMMANDS, 0, 1);
	if (!(row->ports & 1u << m->s->kind))
		return smtp_say_bad(cx, m, (struct smtp_words){ 502, "5.5.1", "Not offered on this port" });
	if (row->phases & m->phase)
		return row->run(cx, m, &c);
	if (c.verb == SMTP_RCPT || c.verb == SMTP_DATA) // sent ahead of the answer that refused MAIL: no mistake
		return smtp_say(cx, m, words_phase(m));
	return smtp_say_bad(cx, m, words_phase(m));
}

FIB static enum ec one_command(struct cx *cx, struct smtp *m)
{
	size_t line_max = smtp_is_submission(m) ? SMTP_AUTH_LINE_MAX - 2 : SMTP_MAIL_LINE_MAX - 2;
	struct sl line = { 0 };
	enum ec e = smtp_flush(cx, m);

	if (e != E_OK)
		return e;
	arena_reset(&m->memory);
	e = session_rest(m->s);
	if (e == E_OK) {
		cx_deadline_in(cx, SMTP_COMMAND_MS);
		e = io_line(cx, m->io, line_max, &line);
	}
	session_busy(m->s);
	if (e == E_TOOBIG)
		return smtp_say_bad(cx, m, (struct smtp_words){ 500, "5.5.2", "The line is too long" });
	return e == E_OK ? run_line(cx, m, line) : e;
}

FIB static enum ec greet(struct cx *cx, struct smtp *m)
{
	cx_deadline_in(cx, SMTP_COMMAND_MS);
	return smtp_sayf(
		cx, m, 220, NULL, "%.*s %s Hongyan", SLF(m->s->conf->hostname), smtp_is_lmtp(m) ? "LMTP" : "ESMTP");
}

/// Tells a client that is still there why the session ends. The connection may be dead: then this does nothing.
FIB static void say_end(struct cx *cx, struct smtp *m, enum ec why)
{
	if (why != E_TIMEOUT && why != E_CANCELED)
		return;
	cx_deadline_in(cx, SMTP_BYE_MS);
	struct smtp_words w = smtp_words(why, false);
	if (m->mail.body.held.evicted)
		w = (struct smtp_words){ 421, "4.3.2", "Too slow while others wait, try again later" };
	if (smtp_say(cx, m, w) == E_OK && io_flush(cx, m->io) != E_OK)
		cx_forget(cx);
}

FIB enum ec smtp_session(struct cx *cx, struct session *s)
{
	struct smtp *m = calloc(1, sizeof *m);

	if (!m)
		return fail(cx, E_TEMP, "no memory for a session");
	*m = (struct smtp){ .s = s, .io = s->io, .store = s->front->store, .phase = PHASE_START };
	arena_init(&m->memory, SMTP_COMMAND_MEMORY);
	enum ec e = greet(cx, m);
	while (e == E_OK && !m->over)
		e = one_command(cx, m);
	if (e == E_OK)
		e = io_flush(cx, m->io);
	say_end(cx, m, e);
	if (e == E_OK)
		e = m->end;
	smtp_mail_end(cx, m);
	arena_free(&m->memory);
	free(m);
	return e;
}
