/// top — roles in a table, then rates, latencies, queues and budgets in a grid of four cells a line.
///
/// Calm: what is well is plain, labels are dim, and only what somebody should look at has a colour.
#include "main/top.h"

#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "front/front.h"
#include "main/amount.h"
#include "main/stats.h"
#include "main/text.h"

enum {
	HEAD_COLUMNS = 10,
	CELLS = 4,
	OTHER_LINES = 17, // than those of roles
	LONG_DOING_NS = 1000000000,
};

/// One screen being written: a line is put together with its width known, then cut.
struct screen {
	struct buf *out;
	const struct top_look *look;
	double s;            // between the two looks
	unsigned extra;      // columns that each column of the table has more than 80 allow
	unsigned cell, used; // of the line
};

enum style { PLAIN, DIM, BOLD, ALERT };

static void put(struct screen *c, enum style style, const char *s, unsigned columns, bool right)
{
	static const char *const codes[] = {
		[PLAIN] = "", [DIM] = "\x1b[2m", [BOLD] = "\x1b[1m", [ALERT] = "\x1b[1;31m"
	};
	bool coloured = c->look->colours && style != PLAIN;
	unsigned left = c->look->columns - c->used;

	columns = columns < left ? columns : left;
	c->used += columns;
	if (coloured)
		buf_puts(c->out, codes[style]);
	text_put(c->out, s, columns, right);
	if (coloured)
		buf_puts(c->out, "\x1b[0m");
}

static void end_line(struct screen *c)
{
	while (c->out->n && c->out->p[c->out->n - 1] == ' ')
		c->out->n--;
	buf_addc(c->out, '\n');
	c->used = 0;
}

// ---- what came between two looks

static uint64_t less(uint64_t now, uint64_t before)
{
	uint64_t d = now - before;

	return d > INT64_MAX ? 0 : d; // counters only grow; a page may say otherwise
}

static double rate(const struct screen *c, enum figure f, unsigned label)
{
	return (double)less(stats_sum(c->look->now, f, label), stats_sum(c->look->before, f, label)) / c->s;
}

static double rate_all(const struct screen *c, enum figure f)
{
	return (double)less(stats_total(c->look->now, f), stats_total(c->look->before, f)) / c->s;
}

/// A figure of PROTO and LOGIN: all protocols with one outcome.
static double rate_logins(const struct screen *c, unsigned outcome)
{
	double sum = 0;

	for (unsigned k = outcome; k < figure_infos[FIG_LOGINS].labels; k += LABELS_LOGIN)
		sum += rate(c, FIG_LOGINS, k);
	return sum;
}

static struct board_times times(const struct screen *c, enum figure f)
{
	struct board_times t = stats_times(c->look->now, f, UINT32_MAX),
			   b = stats_times(c->look->before, f, UINT32_MAX);

	board_times_less(&t, &b);
	return t;
}

/// The same of one role, of all labels.
static void role_times(const struct screen *c, uint32_t i, enum figure f, struct board_times *t)
{
	struct board_times before = { 0 };

	for (unsigned k = 0; k < figure_infos[f].labels; k++) {
		board_times_add(t, &c->look->now->role[i], f, k);
		board_times_add(&before, &c->look->before->role[i], f, k);
	}
	board_times_less(t, &before);
}

// ---- the table of roles

struct row {
	char name[64];
	bool up, is_store;
	double cpu;
	uint64_t memory, sessions, operations;
	struct board_times times;
};

static uint64_t role_less(const struct screen *c, uint32_t i, enum figure f)
{
	return less(board_get(&c->look->now->role[i], f, 0, 0), board_get(&c->look->before->role[i], f, 0, 0));
}

/// Adds role i to the row: for the store what it is asked; for fronts their commands, and of the mx, which has no
/// histogram of them, deliveries.
static void row_add(const struct screen *c, uint32_t i, struct row *w)
{
	const struct board_role *r = &c->look->now->role[i];
	struct board_times t = { 0 };

	w->is_store = strcmp(r->kind, "store") == 0;
	w->up = w->up && board_get(r, FIG_UP, 0, 0);
	w->cpu += (double)role_less(c, i, FIG_CPU) / 1e7 / c->s;
	w->memory += c->look->memory[i];
	for (unsigned k = 0; k < LABELS_PROTO && !w->is_store; k++)
		w->sessions += less(board_get(r, FIG_SESSIONS, k, 0), 0);
	if (w->is_store)
		role_times(c, i, FIG_REQUESTS, &t);
	for (unsigned k = 0; k < 2 && !w->is_store; k++)
		role_times(c, i, k ? FIG_POP3_COMMANDS : FIG_IMAP_COMMANDS, &t);
	w->operations += board_times_count(&t);
	if (!w->is_store) {
		w->operations += role_less(c, i, FIG_SMTP_COMMANDS);
		role_times(c, i, FIG_SMTP_DELIVER, &t);
	}
	for (unsigned k = 0; k <= BUCKETS; k++)
		w->times.bucket[k] += t.bucket[k];
}

static void put_row(struct screen *c, const struct row *w)
{
	char cpu[AMOUNT], memory[AMOUNT], sessions[AMOUNT], operations[AMOUNT], middle[AMOUNT] = "-",
										most[AMOUNT] = "-";

	snprintf(cpu, sizeof cpu, "%.1f%%", w->cpu);
	amount_octets(memory, w->memory);
	amount_count(sessions, w->sessions);
	amount_rate(operations, (double)w->operations / c->s);
	if (board_times_count(&w->times)) {
		amount_time(middle, board_times_quantile(&w->times, 500));
		amount_time(most, board_times_quantile(&w->times, 990));
	}
	put(c, PLAIN, "", 2, false);
	put(c, w->up ? PLAIN : ALERT, w->name, 17, false);
	put(c, PLAIN, cpu, 8 + c->extra, true);
	put(c, PLAIN, memory, 10 + c->extra, true);
	put(c, w->is_store ? DIM : PLAIN, w->is_store ? "-" : sessions, 11 + c->extra, true);
	put(c, PLAIN, operations, 10 + c->extra, true);
	put(c, PLAIN, middle, 10 + c->extra, true);
	put(c, PLAIN, most, 10 + c->extra, true);
	if (!w->up)
		put(c, ALERT, text_of("  starting"), 12, false);
	end_line(c);
}

/// What threads have been at for long, one line for a role.
static void put_doing(struct screen *c, const struct board_role *r)
{
	struct buf what = BUF(8192);
	char name[64];

	board_print_doing(&what, &r->figures, c->look->now_ns, LONG_DOING_NS);
	buf_addc(&what, 0);
	if (what.n > 1 && what.err == E_OK) {
		stats_role(name, r);
		put(c, PLAIN, "", 2, false);
		put(c, ALERT, name, 17, false);
		put(c, PLAIN, (const char *)what.p, UINT_MAX, false);
		end_line(c);
	}
	buf_free(&what);
}

static void put_roles(struct screen *c)
{
	const struct board *b = c->look->now;
	bool fold = c->look->lines && b->n_roles + OTHER_LINES > c->look->lines;
	struct row users = { .up = true };
	unsigned n_users = 0;

	put(c, PLAIN, "", 2, false);
	put(c, DIM, text_of("role"), 17, false);
	put(c, DIM, text_of("cpu"), 8 + c->extra, true);
	put(c, DIM, c->look->memory_is_pss ? "pss" : "rss", 10 + c->extra, true);
	put(c, DIM, text_of("sessions"), 11 + c->extra, true);
	put(c, DIM, text_of("ops/s"), 10 + c->extra, true);
	put(c, DIM, "p50", 10 + c->extra, true);
	put(c, DIM, "p99", 10 + c->extra, true);
	end_line(c);
	for (uint32_t i = 0; i < b->n_roles; i++) {
		struct row one = { .up = true };
		bool user = strcmp(b->role[i].kind, "user") == 0;
		stats_role(one.name, &b->role[i]);
		row_add(c, i, fold && user ? &users : &one);
		n_users += user;
		if (!fold || !user)
			put_row(c, &one);
	}
	snprintf(users.name, sizeof users.name, "front user ×%u", n_users);
	if (fold && n_users)
		put_row(c, &users);
	for (uint32_t i = 0; i < b->n_roles; i++)
		put_doing(c, &b->role[i]);
}

// ---- the grid

static void head(struct screen *c, const char *title)
{
	put(c, PLAIN, "", 2, false);
	put(c, BOLD, text_of(title), HEAD_COLUMNS, false);
}

/// A label and its value; labels give way.
static void cell(struct screen *c, const char *label, const char *value, bool alert)
{
	unsigned most = c->cell - 2, width = text_columns(sl_cstr(value));

	width = width < most ? width : most;
	put(c, DIM, text_of(label), most - width - (width < most), false);
	put(c, PLAIN, "", width < most, false);
	put(c, alert ? ALERT : PLAIN, value, width, true);
	put(c, PLAIN, "", 2, false);
}

static void cell_rate(struct screen *c, const char *label, double per_s, bool alert)
{
	char value[AMOUNT + 2];

	amount_rate(value, per_s);
	memcpy(value + strlen(value), "/s", 3);
	cell(c, label, value, alert && per_s > 0);
}

static void cell_octets_rate(struct screen *c, const char *label, double per_s)
{
	char value[AMOUNT + 2];

	amount_octets(value, per_s < 1e18 ? (uint64_t)per_s : 0);
	memcpy(value + strlen(value), "/s", 3);
	cell(c, label, value, false);
}

static void cell_count(struct screen *c, const char *label, uint64_t n)
{
	char value[AMOUNT];

	amount_count(value, n);
	cell(c, label, value, false);
}

static void cell_octets(struct screen *c, const char *label, uint64_t octets)
{
	char value[AMOUNT];

	amount_octets(value, octets);
	cell(c, label, value, false);
}

static void cell_time(struct screen *c, const char *label, const struct board_times *t, unsigned permille)
{
	char value[AMOUNT] = "-";

	if (board_times_count(t))
		amount_time(value, board_times_quantile(t, permille));
	cell(c, label, value, false);
}

static void cell_part(struct screen *c, const char *label, enum figure used, enum figure limit)
{
	uint64_t most = stats_total(c->look->now, limit), n = stats_total(c->look->now, used);
	double part = most ? (double)n * 100 / (double)most : 0;
	char value[AMOUNT];

	snprintf(value, sizeof value, "%.0f %%", part < 100 ? part : 100);
	cell(c, label, value, part >= 90);
}

static uint64_t sessions_of(const struct screen *c, enum port_kind from, enum port_kind to)
{
	uint64_t n = 0;

	for (unsigned k = from; k <= to; k++)
		n += stats_sum(c->look->now, FIG_SESSIONS, k);
	return n;
}

static void put_mail(struct screen *c)
{
	struct board_times stored = times(c, FIG_SMTP_DELIVER);

	head(c, T("mail"));
	cell_rate(c, T("stored"), rate(c, FIG_SMTP_MESSAGES, VERDICT_ACCEPTED), false);
	cell_time(c, "p99", &stored, 990);
	cell_rate(c, T("refused"), rate(c, FIG_SMTP_MESSAGES, VERDICT_REFUSED), false);
	cell_rate(c, T("deferred"), rate(c, FIG_SMTP_MESSAGES, VERDICT_DEFERRED), true);
	end_line(c);
	head(c, T("logins"));
	cell_rate(c, T("good"), rate_logins(c, LOGIN_OK), false);
	cell_rate(c, T("failed"), rate_logins(c, LOGIN_WRONG) + rate_logins(c, LOGIN_ERROR), false);
	cell_rate(c, T("hashes"), rate_all(c, FIG_PASSWORD_HASHES), false);
	cell_rate(c, "tls", rate(c, FIG_TLS, OUTCOME_OK), false);
	end_line(c);
}

static void put_protocols(struct screen *c)
{
	struct board_times imap = times(c, FIG_IMAP_COMMANDS), pop3 = times(c, FIG_POP3_COMMANDS);

	head(c, T("commands"));
	cell_rate(c, "smtp", rate_all(c, FIG_SMTP_COMMANDS), false);
	cell_rate(c, "imap", (double)board_times_count(&imap) / c->s, false);
	cell_rate(c, "pop3", (double)board_times_count(&pop3) / c->s, false);
	cell_time(c, "imap p99", &imap, 990);
	end_line(c);
	head(c, T("sessions"));
	cell_count(c, "smtp", sessions_of(c, PORT_SMTP, PORT_SUBMISSIONS));
	cell_count(c, "imap", sessions_of(c, PORT_IMAP, PORT_IMAPS));
	cell_count(c, "pop3", sessions_of(c, PORT_POP3, PORT_POP3S));
	cell_rate(c, T("refused"), rate_all(c, FIG_REFUSED), true);
	end_line(c);
	head(c, T("traffic"));
	cell_octets_rate(c, T("in"), rate_all(c, FIG_RECEIVED));
	cell_octets_rate(c, T("out"), rate_all(c, FIG_SENT));
	cell_rate(c, T("new"), rate_all(c, FIG_CONNECTIONS), false);
	cell_rate(c, T("evicted"), rate_all(c, FIG_EVICTED), true);
	end_line(c);
}

static void put_store(struct screen *c)
{
	struct board_times commits = times(c, FIG_COMMITS), flushes = times(c, FIG_FLUSHES);
	struct board_times index = times(c, FIG_INDEX_COMMITS);

	head(c, T("commit"));
	cell_time(c, "p50", &commits, 500);
	cell_time(c, "p99", &commits, 990);
	cell_rate(c, T("changes"), rate_all(c, FIG_JOBS), false);
	cell_rate(c, T("batches"), rate_all(c, FIG_BATCHES), false);
	end_line(c);
	head(c, T("flush"));
	cell_time(c, "p50", &flushes, 500);
	cell_time(c, "p99", &flushes, 990);
	cell_rate(c, T("flushes"), (double)board_times_count(&flushes) / c->s, false);
	cell_time(c, T("index"), &index, 990);
	end_line(c);
}

static void put_limits(struct screen *c)
{
	const struct board *b = c->look->now;

	head(c, T("waiting"));
	cell_count(c, T("writer"), stats_total(b, FIG_WRITER_QUEUE));
	cell_count(c, T("store"), stats_total(b, FIG_REQUESTS_IN_FLIGHT));
	cell_count(c, T("fronts"), stats_total(b, FIG_IPC_IN_FLIGHT));
	cell_count(c, T("passwords"), stats_total(b, FIG_PASSWORD_QUEUE));
	end_line(c);
	head(c, T("budgets"));
	cell_part(c, T("chunks"), FIG_CHUNKS_USED, FIG_CHUNKS);
	cell_part(c, T("room"), FIG_ROOM_USED, FIG_ROOM);
	cell_part(c, T("workers"), FIG_WORKERS_BUSY, FIG_WORKERS);
	cell_rate(c, T("waits"), rate_all(c, FIG_CHUNK_WAITS) + rate_all(c, FIG_ROOM_WAITS), true);
	end_line(c);
	head(c, T("disk"));
	cell_octets_rate(c, T("log"), rate_all(c, FIG_LOG_WRITTEN));
	cell_count(c, T("segments"), stats_total(b, FIG_SEGMENTS));
	cell_octets(c, T("index"), stats_total(b, FIG_INDEX_SIZE));
	cell_octets(c, T("free"), stats_total(b, FIG_DISK_FREE));
	end_line(c);
	if (stats_total(b, FIG_READ_ONLY)) {
		put(c, ALERT, text_of("  The store is read-only: nothing can be written. The log says why."), UINT_MAX,
			false);
		end_line(c);
	}
}

/// The program, the host, how long it is up, and the time of day.
static void put_title(struct screen *c)
{
	const struct board *b = c->look->now;
	char age[AMOUNT], up[64], host[BOARD_HOST + 1];
	unsigned width = 78 + 6 * c->extra;

	amount_age(age, ((uint64_t)c->look->now_ns - b->began_ns) / 1000000000);
	snprintf(up, sizeof up, text_of("up %s"), age);
	snprintf(host, sizeof host, "%.*s", (int)sizeof b->hostname - 1, b->hostname);
	put(c, PLAIN, "", 2, false);
	put(c, BOLD, text_of("Hongyan"), 17, false);
	put(c, PLAIN, host, width - 2 - 17 - 30, false);
	put(c, PLAIN, up, 20, true);
	put(c, DIM, c->look->clock, 12, true);
	end_line(c);
	end_line(c);
}

void top_print(struct buf *out, const struct top_look *look)
{
	struct screen c = { .out = out, .look = look };
	unsigned wide = look->columns > 80 ? (look->columns - 80) / 12 : 0;

	c.extra = 2 * (wide < 2 ? wide : 2);
	c.cell = (68 + 6 * c.extra) / CELLS;
	c.s = (double)less(look->now->fresh_ns, look->before->fresh_ns) / 1e9;
	c.s = c.s > 0.01 ? c.s : 0.01;
	put_title(&c);
	put_roles(&c);
	end_line(&c);
	put_mail(&c);
	put_protocols(&c);
	end_line(&c);
	put_store(&c);
	put_limits(&c);
	if (look->keys) {
		end_line(&c);
		put(&c, DIM, text_of("  q ends"), 20, false);
		end_line(&c);
	}
}
