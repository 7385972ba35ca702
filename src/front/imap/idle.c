/// idle — waits for input or news, whichever is first; at rest the session holds no memory but its own.
#include "front/imap/idle.h"

#include "base/clock.h"
#include "front/imap/update.h"

enum {
	IDLE_PULSE_MS = 4 * 60000, // "Still here" so often: keeps address translators on the way awake
	IDLE_LINE_MAX = 64,        // DONE
};

/// Gives back what the command used; only the tag, which stands in `im`, is needed again.
static void rest_memory(struct cx *cx, struct imap *im)
{
	frame_free(&im->frame);
	arena_free(&im->cmd);
	arena_init(&im->cmd, IMAP_COMMAND_MEMORY);
	cx_end(cx);
}

/// Waits for a pulse at most. out: *input — the client has said something; *news — the mailbox may have changed.
FIB static enum ec wait_any(struct cx *cx, struct imap *im, int64_t until_ns, bool *input, bool *news)
{
	int64_t pulse_ns = clock_mono_ns() + (int64_t)IDLE_PULSE_MS * 1000000;
	enum ec e = session_rest(im->s);

	*news = false;
	cx->deadline_ns = pulse_ns < until_ns ? pulse_ns : until_ns;
	if (e == E_OK)
		e = io_fill_or(cx, im->io, &im->news, news);
	session_busy(im->s);
	*input = e == E_OK && !*news;
	return e == E_TIMEOUT && clock_mono_ns() < until_ns ? E_OK : e;
}

/// The line that ends IDLE.
FIB static enum ec read_done(struct cx *cx, struct imap *im)
{
	struct sl line;

	cx_deadline_in(cx, IMAP_ANSWER_MS);
	enum ec e = io_line(cx, im->io, IDLE_LINE_MAX, &line);
	if (e == E_TOOBIG || (e == E_OK && !imap_is_done(line))) {
		im->refusal = (struct imap_words){ "BAD", NULL, "Only DONE ends IDLE" };
		return E_SYNTAX;
	}
	return e;
}

/// Tells news; trouble with the store does not end IDLE: the next pulse or event asks again.
FIB static enum ec tell_news(struct cx *cx, struct imap *im)
{
	enum ec e = update_tell(cx, im, false);

	if (e == E_OK || e == E_AUTH || imap_is_wire_error(e))
		return e;
	log_failure(cx, LOG_WARN, "imap.idle.deferred", e);
	im->news.set = false;
	return E_OK;
}

FIB enum ec imap_idle_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)IMAP_AUTOLOGOUT_MS * 1000000;
	bool input = false, news = true;
	enum ec e = io_put(cx, im->io, SL("+ Idling\r\n"));

	(void)cmd;
	while (e == E_OK && !input) {
		e = tell_news(cx, im);
		if (e == E_OK && !news)
			e = imap_say(cx, im, "OK Still here");
		if (e == E_OK)
			e = io_flush(cx, im->io);
		rest_memory(cx, im);
		if (e == E_OK)
			e = wait_any(cx, im, until_ns, &input, &news);
	}
	return e == E_OK ? read_done(cx, im) : e;
}
