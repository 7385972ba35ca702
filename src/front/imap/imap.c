/// imap — the session's loop: wait at rest, read a command, find its row, run it, answer.
///
/// Errors: a failed command is answered and the loop goes on; E_CLOSED, E_TIMEOUT and E_CANCELED mean the connection
/// and end the loop. say_goodbye is the only place that says BYE.
#include "front/imap/imap.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/num.h"
#include "front/imap/append.h"
#include "front/imap/fetch.h"
#include "front/imap/idle.h"
#include "front/imap/list.h"
#include "front/imap/login.h"
#include "front/imap/search.h"
#include "front/imap/select.h"
#include "front/imap/store.h"
#include "front/imap/tree.h"
#include "front/imap/update.h"
#include "front/login.h"

/// CHECK, NOOP: the news that follow every command are all there is.
FIB static enum ec noop_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cx, (void)cmd;
	im->news.set = true;
	return E_OK;
}

FIB static enum ec logout_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cmd;
	im->over = true;
	return imap_say(cx, im, "BYE Logging out");
}

/// When the news are told: behind the command, unless it may not bring EXPUNGE (IMAP_NO_EXPUNGE) or left the mailbox.
enum { NEWS_NO, NEWS_AFTER };

/// How long commands take is told by their class, in the order of base/figures.def; of some it says nothing.
enum {
	CLASS_LOGIN,
	CLASS_SELECT,
	CLASS_LIST,
	CLASS_FETCH,
	CLASS_SEARCH,
	CLASS_STORE,
	CLASS_APPEND,
	CLASS_COPY,
	CLASS_EXPUNGE,
	CLASS_FOLDER,
	CLASS_OTHER,
	CLASS_UNTIMED,
};
_Static_assert((int)CLASS_UNTIMED == (int)LABELS_IMAP, "base/figures.def");

static const struct {
	imap_run *run;
	int news;
	unsigned class;
} commands[IMAP_VERB_COUNT] = {
	[IMAP_APPEND] = { imap_append_run, NEWS_AFTER, CLASS_APPEND },
	[IMAP_AUTHENTICATE] = { imap_authenticate_run, NEWS_NO, CLASS_LOGIN },
	[IMAP_CAPABILITY] = { imap_capability_run, NEWS_AFTER, CLASS_OTHER },
	[IMAP_CHECK] = { noop_run, NEWS_AFTER, CLASS_OTHER },
	[IMAP_CLOSE] = { imap_close_run, NEWS_NO, CLASS_SELECT },
	[IMAP_COPY] = { imap_copy_run, NEWS_AFTER, CLASS_COPY },
	[IMAP_CREATE] = { imap_create_run, NEWS_AFTER, CLASS_FOLDER },
	[IMAP_DELETE] = { imap_delete_run, NEWS_AFTER, CLASS_FOLDER },
	[IMAP_ENABLE] = { imap_enable_run, NEWS_AFTER, CLASS_OTHER },
	[IMAP_EXAMINE] = { imap_select_run, NEWS_NO, CLASS_SELECT },
	[IMAP_EXPUNGE] = { imap_expunge_run, NEWS_AFTER, CLASS_EXPUNGE },
	[IMAP_FETCH] = { imap_fetch_run, NEWS_AFTER, CLASS_FETCH },
	[IMAP_ID] = { imap_id_run, NEWS_AFTER, CLASS_OTHER },
	[IMAP_IDLE] = { imap_idle_run, NEWS_AFTER, CLASS_UNTIMED },
	[IMAP_LIST] = { imap_list_run, NEWS_AFTER, CLASS_LIST },
	[IMAP_LOGIN] = { imap_login_run, NEWS_NO, CLASS_LOGIN },
	[IMAP_LOGOUT] = { logout_run, NEWS_NO, CLASS_OTHER },
	[IMAP_LSUB] = { imap_lsub_run, NEWS_AFTER, CLASS_LIST },
	[IMAP_MOVE] = { imap_copy_run, NEWS_AFTER, CLASS_COPY },
	[IMAP_NAMESPACE] = { imap_namespace_run, NEWS_AFTER, CLASS_OTHER },
	[IMAP_NOOP] = { noop_run, NEWS_AFTER, CLASS_OTHER },
	[IMAP_RENAME] = { imap_rename_run, NEWS_AFTER, CLASS_FOLDER },
	[IMAP_SEARCH] = { imap_search_run, NEWS_AFTER, CLASS_SEARCH },
	[IMAP_SELECT] = { imap_select_run, NEWS_NO, CLASS_SELECT },
	[IMAP_STARTTLS] = { imap_starttls_run, NEWS_NO, CLASS_UNTIMED },
	[IMAP_STATUS] = { imap_status_run, NEWS_AFTER, CLASS_LIST },
	[IMAP_STORE] = { imap_store_run, NEWS_AFTER, CLASS_STORE },
	[IMAP_SUBSCRIBE] = { imap_subscribe_run, NEWS_AFTER, CLASS_FOLDER },
	[IMAP_UNSELECT] = { imap_unselect_run, NEWS_NO, CLASS_SELECT },
	[IMAP_UNSUBSCRIBE] = { imap_subscribe_run, NEWS_AFTER, CLASS_FOLDER },
};

/// Sets the limits that hold before and after login. Only between commands.
static void set_limits(struct imap *im)
{
	bool in = im->phase != IMAP_NOAUTH;
	size_t memory = in ? IMAP_COMMAND_MEMORY : IMAP_LOGIN_MEMORY;
	uint64_t drop = im->s->conf->message_max;

	im->frame.line_max = in ? IMAP_LINE_MAX : IMAP_LOGIN_LINE_MAX;
	im->frame.command_max = memory;
	im->frame.share.room = &im->s->front->room;
	im->frame.tellers = &im->s->front->tellers;
	im->frame.share.account = im->handle.account; // 0 before login: of nobody
	im->frame.drop_max = !in ? IMAP_LOGIN_MEMORY : drop < UINT64_MAX / 2 ? drop * 2 : drop;
	im->frame.piece_ms = in ? IMAP_ANSWER_MS : IMAP_LOGIN_MS;
	arena_free(&im->cmd);
	arena_init(&im->cmd, memory);
}

static struct imap *imap_new(struct session *s)
{
	struct imap *im = calloc(1, sizeof *im);

	if (!im)
		return NULL;
	*im = (struct imap){ .s = s, .io = s->io, .store = s->front->store, .phase = IMAP_NOAUTH };
	im->frame.io = s->io;
	im->code = BUF(IMAP_CODE_MAX);
	arena_init(&im->memory, IMAP_LOGIN_MEMORY);
	set_limits(im);
	return im;
}

FIB static void imap_free(struct cx *cx, struct imap *im)
{
	if (!im)
		return;
	select_leave(cx, im);
	frame_free(&im->frame);
	buf_free(&im->code);
	arena_free(&im->cmd);
	arena_free(&im->memory);
	free(im);
}

FIB static enum ec greet(struct cx *cx, struct imap *im)
{
	struct buf b = BUF(4096);

	buf_puts(&b, "* OK [CAPABILITY ");
	imap_print_capabilities(&b, im);
	buf_printf(&b, "] %.*s ready\r\n", SLF(im->s->conf->hostname));
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

/// Waits until the client says something. At rest the session holds no memory but its own, and a stop may end it.
FIB static enum ec wait_command(struct cx *cx, struct imap *im)
{
	struct sl input = io_input(im->io);
	enum ec e = E_OK;

	if (sl_find(input, '\n') == input.n) // pipelined commands are answered together
		e = io_flush(cx, im->io);
	if (e != E_OK || input.n)
		return e;
	set_limits(im);
	frame_free(&im->frame);
	buf_free(&im->code);
	cx_end(cx);
	e = session_rest(im->s);
	cx_deadline_in(cx, im->phase == IMAP_NOAUTH ? IMAP_LOGIN_MS : IMAP_AUTOLOGOUT_MS);
	if (e == E_OK)
		e = io_fill(cx, im->io);
	session_busy(im->s);
	return e;
}

/// "tag STATUS [code] text"; `at` is the octet of a syntax error, 0 = none.
FIB static enum ec answer_words(struct cx *cx, struct imap *im, const struct imap_words *w, size_t at)
{
	struct buf b = BUF(IMAP_LINES_MAX);

	if (im->tag_octets)
		buf_add(&b, (struct sl){ im->tag, im->tag_octets });
	else
		buf_addc(&b, '*');
	buf_printf(&b, " %s ", w->status);
	if (w->code)
		buf_printf(&b, "[%s] ", w->code);
	buf_puts(&b, w->text);
	if (at)
		buf_printf(&b, " at octet %zu", at);
	buf_puts(&b, "\r\n");
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

FIB static enum ec answer_bad(struct cx *cx, struct imap *im, const char *text, size_t at)
{
	struct imap_words w = { "BAD", NULL, text };

	im->bad++;
	return answer_words(cx, im, &w, at);
}

FIB static enum ec answer_ok(struct cx *cx, struct imap *im, const struct imap_head *head)
{
	struct buf b = BUF(IMAP_LINES_MAX);

	buf_add(&b, (struct sl){ im->tag, im->tag_octets });
	buf_puts(&b, " OK ");
	if (im->code.n && !im->code.err)
		buf_printf(&b, "[%.*s] ", SLF(buf_sl(&im->code)));
	buf_printf(&b, "%s%.*s completed\r\n", head->uid ? "UID " : "", SLF(head->row->name));
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

/// Failures that only the operator can mend are logged with their whole story.
static void log_trouble(struct cx *cx, enum ec e)
{
	if (e == E_IO || e == E_CORRUPT || e == E_FULL)
		log_failure(cx, LOG_ERROR, "imap.command.failed", e);
	else if (e == E_TEMP)
		log_failure(cx, LOG_WARN, "imap.command.deferred", e);
}

FIB static enum ec answer(struct cx *cx, struct imap *im, const struct imap_head *head, enum ec e)
{
	if (imap_is_wire_error(e))
		return e;
	log_trouble(cx, e);
	cx_forget(cx);
	if (im->answered)
		return E_OK;
	if (e == E_OK) {
		if (im->phase != IMAP_NOAUTH)
			im->bad = 0;
		return answer_ok(cx, im, head);
	}
	struct imap_words w = im->refusal.text ? im->refusal : imap_words(e);
	im->bad += sl_eq(sl_cstr(w.status), SL("BAD"));
	return answer_words(cx, im, &w, 0);
}

/// The store takes the session's handle no more: it ends, so that whoever knew the old password is out.
/// source: RFC 5530 §3 (EXPIRED).
static void login_lost(struct imap *im)
{
	im->over = true;
	im->bye = "The password or the account was changed; log in again";
	im->refusal = (struct imap_words){ "NO", "EXPIRED", im->bye };
}

/// Runs a parsed command and tells the news where it may.
FIB static enum ec run(struct cx *cx, struct imap *im, const struct imap_head *head, const struct imap_command *cmd)
{
	bool logged_in = im->phase != IMAP_NOAUTH;
	const struct imap_verb_row *row = head->row;

	if (row->flags & IMAP_WRITES && im->view && im->view->read_only)
		return imap_refuse(im, E_DENIED, "READ-ONLY", "The mailbox is open for reading only");
	if (logged_in)
		login_keep(cx, im->s, &im->handle);
	enum ec e = commands[row->verb].run(cx, im, cmd);
	if (e == E_AUTH && logged_in)
		login_lost(im);
	bool told = commands[row->verb].news == NEWS_AFTER && (cmd->uid || !(row->flags & IMAP_NO_EXPUNGE));
	if (!imap_is_wire_error(e) && told && !im->over && update_is_due(im)) {
		enum ec news = update_tell(cx, im, cmd->uid);
		if (imap_is_wire_error(news))
			return news;
		if (news == E_AUTH)
			login_lost(im);
		else if (news != E_OK)
			log_trouble(cx, news); // told after a later command
	}
	return e;
}

/// Runs a command, answers, and takes the time.
FIB static enum ec run_timed(
	struct cx *cx, struct imap *im, const struct imap_head *head, const struct imap_command *cmd)
{
	int64_t began_ns = clock_mono_ns();

	session_doing(im->s, head->row->name);
	enum ec e = answer(cx, im, head, run(cx, im, head, cmd));
	figure_time(FIG_IMAP_COMMANDS, commands[head->row->verb].class, clock_mono_ns() - began_ns);
	figure_add(FIG_IMAP_IDLES, 0, head->row->verb == IMAP_IDLE);
	return e;
}

static const struct imap_words crowded = { "NO", "LIMIT", "Too much memory is in use for long commands; try again" };

/// Parses the command in im->frame and runs it.
FIB static enum ec do_command(struct cx *cx, struct imap *im)
{
	struct cur c = cur_over(buf_sl(&im->frame.text));
	struct imap_head head;
	struct imap_command cmd;

	if (imap_parse_tag_verb(&c, &head) != E_OK)
		return answer_bad(cx, im, "A command begins with a tag", 0);
	memcpy(im->tag, head.tag.p, head.tag.n);
	im->tag_octets = (uint8_t)head.tag.n;
	if (im->frame.fault == E_SYNTAX)
		return answer_bad(cx, im, "NUL may not stand in a command", 0);
	if (im->frame.fault == E_TEMP)
		return answer_words(cx, im, &crowded, 0);
	if (im->frame.fault != E_OK) {
		struct imap_words w = { "NO", "LIMIT", "The command is too long" };
		im->bad++;
		return answer_words(cx, im, &w, 0);
	}
	if (!head.row)
		return answer_bad(cx, im, head.name.n ? "Unknown command" : "No command behind the tag", 0);
	if (!(head.row->states & im->phase))
		return answer_bad(cx, im, "Not in this state", 0);
	enum ec e = imap_parse_args(&c, &head, &im->cmd, &cmd);
	if (e == E_SYNTAX || e == E_RANGE)
		return answer_bad(cx, im, e == E_SYNTAX ? "Cannot parse that" : "Number too large", c.err_at + 1);
	if (e != E_OK) {
		struct imap_words w = { "NO", "LIMIT", "The command is too large" };
		return answer_words(cx, im, &w, 0);
	}
	if (arena_used(&im->cmd) > ROOM_FREE_OCTETS)
		e = frame_take_room(cx, &im->frame, IMAP_COMMAND_MEMORY);
	if (e == E_TEMP)
		return answer_words(cx, im, &crowded, 0);
	return e ? answer(cx, im, &head, e) : run_timed(cx, im, &head, &cmd);
}

/// One turn of the loop: a whole command, from the wait for it to its answer.
FIB static enum ec take_command(struct cx *cx, struct imap *im)
{
	enum ec e = wait_command(cx, im);
	enum imap_state phase = im->phase;

	im->tag_octets = 0;
	im->answered = false;
	im->refusal = (struct imap_words){ 0 };
	buf_clear(&im->code);
	if (e == E_OK)
		e = frame_read(cx, &im->frame);
	if (im->frame.held.evicted)
		im->bye = "[LIMIT] A long command came too slowly while others waited";
	if (e == E_OK || e == E_SYNTAX || e == E_TOOBIG || (e == E_TEMP && im->frame.fault == e))
		e = do_command(cx, im);
	arena_reset(&im->cmd);
	if (e == E_OK)
		e = frame_skip(cx, &im->frame);
	if (phase != im->phase)
		set_limits(im);
	if (e == E_OK && im->bad > IMAP_BAD_MAX)
		e = fail(cx, E_LIMIT, "too many bad commands");
	return e;
}

static const char *bye_words(const struct imap *im, enum ec e)
{
	static const struct {
		enum ec e;
		const char *words;
	} table[] = {
		{ E_CANCELED, "The server is shutting down" },
		{ E_TIMEOUT, "Autologout: idle for too long" },
		{ E_LIMIT, "[TOOBIG] A line or literal is too long" },
		{ E_STATE, "Commands may not be sent together with STARTTLS" },
		{ E_TEMP, "Out of memory" },
	};

	if (im->bye || e == E_OK)
		return im->bye;
	if (im->bad > IMAP_BAD_MAX)
		return "Too many bad commands";
	for (size_t i = 0; i < ARRAY_N(table); i++)
		if (table[i].e == e)
			return table[i].words;
	return NULL; // the connection is gone
}

/// Where we end the session, says why. The connection may be dead already, so errors are nothing new here.
FIB static void say_goodbye(struct cx *cx, struct imap *im, enum ec e)
{
	const char *words = bye_words(im, e);

	cx_deadline_in(cx, 5000);
	if (words && io_printf(cx, im->io, "* BYE %s\r\n", words) != E_OK)
		return;
	(void)io_flush(cx, im->io);
}

FIB enum ec imap_session(struct cx *cx, struct session *s)
{
	struct imap *im = imap_new(s);
	enum ec e = im ? greet(cx, im) : fail(cx, E_TEMP, "no memory for a session");

	while (e == E_OK && !im->over)
		e = take_command(cx, im);
	if (im)
		say_goodbye(cx, im, e);
	imap_free(cx, im);
	return e;
}
