/// cmd_figures — `hongyan stats` and `hongyan top`: what the running server's board shows.
///
/// The master gives the board's descriptor to whoever may ask (the socket run/figures); from then on it is read, and
/// the server notices nothing of it.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "main/amount.h"
#include "main/channel.h"
#include "main/commands.h"
#include "main/stats.h"
#include "main/text.h"
#include "main/top.h"

enum {
	GIVEN_MS = 5000,
	STALE_MS = 5000, // the master writes ten times a second
	REFRESH_MS = 1000,
	LOOKS = 6, // rates are of so many seconds less one
	COLUMNS = 80,
	SCREEN_OCTETS = 1 << 20,
};

// ---- the board

/// The board of the server that runs; NULL, with words said, where there is none.
static const struct board *open_board(struct cx *cx, struct cli *cli)
{
	const struct board *b = NULL;
	struct channel_message m;
	int fd = -1, channel = cli_connect(cx, &cli->place, "figures");

	if (channel < 0 && errno == EACCES) {
		(void)cli_fail_as(cli, NULL, E_DENIED, "may not ask the server; run this as its owner or as root");
		return NULL;
	}
	if (channel < 0) {
		(void)cli_fail_as(cli, NULL, E_NOTFOUND, "no server runs here; start it with `hongyan serve`");
		return NULL;
	}
	enum ec e = channel_wait(cx, channel, GIVEN_MS, &m, &fd);
	close(channel);
	if (e == E_OK)
		e = board_map(cx, fd, &b);
	if (fd >= 0)
		close(fd);
	if (e == E_UNSUPPORTED)
		(void)cli_fail_as(cli, NULL, e, "the server that runs is of another version; restart it");
	else if (e != E_OK)
		(void)cli_fail_as(cli, cx, e, "the server does not give its figures");
	return b;
}

/// False where the master has not written for long: it is gone, or stuck.
static bool is_fresh(const struct board *b)
{
	int64_t fresh_ns = (int64_t)(b->fresh_ns & INT64_MAX);

	return clock_mono_ns() - fresh_ns < (int64_t)STALE_MS * 1000000;
}

int cmd_stats(struct cx *cx, struct cli *cli)
{
	struct buf out = BUF(SCREEN_OCTETS);
	const struct board *b = open_board(cx, cli);
	int code = CLI_OK;

	if (!b)
		return CLI_FAILED;
	for (int i = 0; b->fresh_ns == 0 && i < 20; i++)
		poll(NULL, 0, 50); // it has just started
	if (cli->json)
		json_puts(stats_json(b, clock_mono_ns()));
	else
		stats_print(&out, b, clock_mono_ns());
	fwrite(out.p, 1, out.n, stdout);
	buf_free(&out);
	if (!is_fresh(b))
		code = cli_fail_as(cli, NULL, E_TEMP, "the server does not answer; these figures are old");
	board_unmap(b);
	return code;
}

// ---- memory

/// Pss of a process, of /proc/PID/smaps_rollup; 0 where it may not be read.
static uint64_t pss_of(uint32_t pid)
{
	char path[64], text[4096];
	struct sl mark = SL("\nPss:");
	uint64_t kib = 0;

	snprintf(path, sizeof path, "/proc/%u/smaps_rollup", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
	if (fd >= 0)
		close(fd);
	struct sl all = { (const uint8_t *)text, n > 0 ? (size_t)n : 0 };
	struct sl rest = sl_trim(sl_from(all, sl_find_sl(all, mark) + mark.n));
	return num_parse(sl_head(rest, sl_find(rest, ' ')), UINT64_MAX / 1024, &kib) ? kib * 1024 : 0;
}

/// Of all roles the same: shared pages by parts where that may be read, else all resident ones.
static void look_at_memory(struct top_look *look)
{
	const struct board *b = look->now;

	look->memory_is_pss = true;
	for (uint32_t i = 0; i < b->n_roles && look->memory_is_pss; i++) {
		look->memory[i] = b->role[i].pid ? pss_of(b->role[i].pid) : 0;
		look->memory_is_pss = look->memory[i] > 0 || !b->role[i].pid;
	}
	for (uint32_t i = 0; i < b->n_roles && !look->memory_is_pss; i++)
		look->memory[i] = board_get(&b->role[i], FIG_RESIDENT, 0, 0);
}

// ---- the terminal

struct terminal {
	struct termios was;
	sigset_t signals_were;
	int signals;
	bool changed;
};

/// Keys come one by one and unseen, on a screen of its own; what was there comes back at the end.
static enum ec terminal_begin(struct cx *cx, struct terminal *t)
{
	static const char begin[] = "\x1b[?1049h\x1b[?25l";
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &t->signals_were);
	t->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (t->signals < 0)
		return fail(cx, E_IO, "signalfd: %m");
	if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &t->was) == 0) {
		struct termios raw = t->was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		t->changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	return write(STDOUT_FILENO, begin, sizeof begin - 1) > 0 ? E_OK : fail(cx, E_IO, "writing to the terminal: %m");
}

static void terminal_end(struct terminal *t)
{
	static const char end[] = "\x1b[?25h\x1b[?1049l";

	if (write(STDOUT_FILENO, end, sizeof end - 1) < 0)
		errno = 0; // it is gone
	if (t->changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &t->was);
	if (t->signals >= 0)
		close(t->signals);
	sigprocmask(SIG_SETMASK, &t->signals_were, NULL);
}

enum wish { WISH_NONE, WISH_REDRAW, WISH_END };

static enum wish hear_key(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return WISH_END; // the terminal is gone
	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 3 || keys[i] == 4) // Ctrl-C, Ctrl-D
			return WISH_END;
	return WISH_NONE;
}

/// Waits until the next look is due, a key is pressed or a signal comes.
static enum wish terminal_wait(const struct terminal *t, int ms)
{
	struct pollfd p[2] = { { .fd = t->signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct signalfd_siginfo si;

	if (poll(p, t->changed ? 2 : 1, ms) <= 0)
		return WISH_NONE;
	while (p[0].revents && read(t->signals, &si, sizeof si) == sizeof si)
		if (si.ssi_signo != SIGWINCH)
			return WISH_END;
	if (p[1].revents)
		return hear_key();
	return WISH_REDRAW;
}

// ---- top

/// The last few looks, the oldest first.
struct looks {
	struct board *look[LOOKS];
	unsigned n;
};

static bool looks_add(struct looks *l, const struct board *b)
{
	struct board *copy = board_copy(b);

	if (!copy)
		return false;
	if (l->n == LOOKS) {
		free(l->look[0]);
		memmove(l->look, l->look + 1, (LOOKS - 1) * sizeof l->look[0]);
		l->n--;
	}
	l->look[l->n++] = copy;
	return true;
}

static void looks_free(struct looks *l)
{
	while (l->n)
		free(l->look[--l->n]);
}

static unsigned count_lines(struct sl text)
{
	unsigned n = 0;

	while (text.n) {
		sl_cut(&text, '\n');
		n++;
	}
	return n;
}

/// Each line cleared to its end, the rest of the screen too: nothing flickers. Where not all fits the last line says
/// so.
static void put_screen(struct buf *frame, struct sl text, const struct top_look *look)
{
	unsigned lines = look->lines ? look->lines : UINT_MAX, all = count_lines(text);
	bool small = look->columns < COLUMNS || all > lines;
	unsigned shown = all < lines - small ? all : lines - small;

	buf_puts(frame, "\x1b[H");
	for (unsigned i = 0; i < shown; i++) {
		buf_add(frame, sl_cut(&text, '\n'));
		buf_puts(frame, i + 1 < shown + small ? "\x1b[K\n" : "\x1b[K");
	}
	if (small)
		text_put(frame, text_of("  the window is too small; q ends"), look->columns, false);
	buf_puts(frame, "\x1b[J");
}

static void draw(const struct looks *l, bool terminal)
{
	struct buf text = BUF(SCREEN_OCTETS), frame = BUF(SCREEN_OCTETS);
	struct top_look look = { .before = l->look[0], .now = l->look[l->n - 1], .columns = COLUMNS };
	struct winsize size;
	char clock[16];
	int64_t now_s = clock_now_s();
	struct civil c = clock_civil(now_s + (int64_t)clock_local_offset_min(now_s) * 60);

	snprintf(clock, sizeof clock, "%02d:%02d:%02d", c.hour, c.minute, c.second);
	look.clock = clock;
	look.now_ns = clock_mono_ns();
	look.colours = look.keys = terminal;
	if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		look.columns = size.ws_col;
		look.lines = size.ws_row;
	}
	look_at_memory(&look);
	top_print(&text, &look);
	if (terminal)
		put_screen(&frame, buf_sl(&text), &look);
	else
		buf_add(&frame, buf_sl(&text));
	fwrite(frame.p, 1, frame.n, stdout);
	fflush(stdout);
	buf_free(&text);
	buf_free(&frame);
}

/// Looks and draws each second until somebody ends it. False: the server is gone.
static bool watch(const struct board *b, const struct terminal *t, struct looks *l)
{
	enum wish wish = WISH_NONE;

	while (wish != WISH_END) {
		if (wish == WISH_NONE && !looks_add(l, b))
			return true;
		draw(l, true);
		int64_t due_ns = clock_mono_ns() + (int64_t)(l->n == 1 ? REFRESH_MS / 4 : REFRESH_MS) * 1000000;
		do { // other keys are no reason to look earlier
			int64_t left = (due_ns - clock_mono_ns()) / 1000000;
			wish = left > 0 ? terminal_wait(t, (int)left) : WISH_NONE;
		} while (wish == WISH_NONE && clock_mono_ns() < due_ns);
		if (!is_fresh(b))
			return false;
	}
	return true;
}

static int top_live(struct cx *cx, struct cli *cli, const struct board *b)
{
	struct terminal t = { .signals = -1 };
	struct looks l = { .n = 0 };
	bool gone = false;
	enum ec e = terminal_begin(cx, &t);

	if (e == E_OK)
		gone = !watch(b, &t, &l);
	terminal_end(&t);
	looks_free(&l);
	if (gone)
		return cli_fail_as(cli, NULL, E_CLOSED, "the server has stopped, or does not answer");
	return e == E_OK ? CLI_OK : cli_fail_as(cli, cx, e, "the terminal cannot be used");
}

/// One picture, of the second that passes meanwhile.
static int top_once(struct cli *cli, const struct board *b)
{
	struct looks l = { .n = 0 };
	bool ok = looks_add(&l, b);

	poll(NULL, 0, REFRESH_MS + REFRESH_MS / 10);
	ok = ok && looks_add(&l, b);
	if (ok)
		draw(&l, false);
	looks_free(&l);
	if (!is_fresh(b))
		return cli_fail_as(cli, NULL, E_CLOSED, "the server has stopped, or does not answer");
	return ok ? CLI_OK : cli_fail(cli, NULL, "no memory to look at figures");
}

int cmd_top(struct cx *cx, struct cli *cli)
{
	if (cli->json)
		return cmd_stats(cx, cli);
	const struct board *b = open_board(cx, cli);
	if (!b)
		return CLI_FAILED;
	int code = isatty(STDOUT_FILENO) ? top_live(cx, cli, b) : top_once(cli, b);
	board_unmap(b);
	return code;
}
