/// stats — sums over roles, as a table and as JSON.
#include "main/stats.h"

#include <string.h>

#include "base/num.h"
#include "main/amount.h"
#include "main/text.h"

enum { NAME_COLUMNS = 34, VALUE_COLUMNS = 10 };

uint64_t stats_sum(const struct board *b, enum figure f, unsigned label)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < b->n_roles; i++)
		if (board_tells(&b->role[i], f))
			sum += board_get(&b->role[i], f, label, 0);
	return figure_infos[f].kind == KIND_GAUGE && sum > INT64_MAX ? 0 : sum;
}

uint64_t stats_total(const struct board *b, enum figure f)
{
	uint64_t sum = 0;

	for (unsigned k = 0; k < figure_infos[f].labels; k++)
		sum += stats_sum(b, f, k);
	return sum;
}

struct board_times stats_times(const struct board *b, enum figure f, unsigned label)
{
	struct board_times t = { 0 };

	for (uint32_t i = 0; i < b->n_roles; i++)
		for (unsigned k = 0; k < figure_infos[f].labels && board_tells(&b->role[i], f); k++)
			if (label == UINT32_MAX || label == k)
				board_times_add(&t, &b->role[i], f, k);
	return t;
}

void stats_label(char out[64], enum figure f, unsigned label)
{
	const struct figure_set *first = &figure_sets[figure_infos[f].first],
				*second = &figure_sets[figure_infos[f].second];

	snprintf(out, 64, "%s%s%s", first->word[label / second->n], second->n > 1 ? " " : "",
		second->word[label % second->n]);
}

void stats_role(char out[64], const struct board_role *r)
{
	char kind[BOARD_WORD];

	snprintf(kind, sizeof kind, "%.*s", (int)sizeof r->kind - 1, r->kind);
	if (strcmp(kind, "store") == 0)
		snprintf(out, 64, "%s", kind);
	else
		snprintf(out, 64, "front %s %u", kind, r->number);
}

static double age_s(const struct board *b, int64_t now_ns)
{
	double s = ((double)now_ns - (double)b->began_ns) / 1e9;

	return s > 0.001 ? s : 0.001;
}

// ---- as a table

static void put_name(struct buf *out, const char *name, unsigned indent)
{
	for (unsigned i = 0; i < indent; i++)
		buf_addc(out, ' ');
	text_put(out, name, NAME_COLUMNS - indent, false);
}

static void put_times(struct buf *out, const struct board_times *t, double s)
{
	uint64_t n = board_times_count(t);
	char count[AMOUNT], rate[AMOUNT], middle[AMOUNT] = "-", most[AMOUNT] = "-";

	snprintf(count, sizeof count, "%llu", (unsigned long long)n);
	amount_rate(rate, (double)n / s);
	if (n)
		amount_time(middle, board_times_quantile(t, 500));
	if (n)
		amount_time(most, board_times_quantile(t, 990));
	text_put(out, count, VALUE_COLUMNS, true);
	text_put(out, rate, VALUE_COLUMNS - 2, true);
	buf_puts(out, "/s   p50 ");
	text_put(out, middle, 7, true);
	buf_puts(out, "   p99 ");
	text_put(out, most, 7, true);
	buf_addc(out, '\n');
}

static void put_value(struct buf *out, const struct figure_info *f, uint64_t v, double s)
{
	char value[AMOUNT], rate[AMOUNT];

	if (f->unit == UNIT_BYTES)
		amount_octets(value, v);
	else if (f->unit == UNIT_SECONDS)
		amount_time(value, (int64_t)(v & INT64_MAX));
	else
		snprintf(value, sizeof value, "%llu", (unsigned long long)v);
	text_put(out, value, VALUE_COLUMNS, true);
	if (f->kind == KIND_COUNTER) {
		if (f->unit == UNIT_BYTES)
			amount_octets(rate, (uint64_t)((double)v / s));
		else
			amount_rate(rate, (double)v / s);
		text_put(out, rate, VALUE_COLUMNS - 2, true);
		buf_puts(out, "/s");
	}
	buf_addc(out, '\n');
}

/// A figure of all roles, and below it what of it each label has, where there is any.
static void put_figure(struct buf *out, const struct board *b, enum figure f, double s)
{
	const struct figure_info *info = &figure_infos[f];
	struct board_times all = stats_times(b, f, info->kind == KIND_TIMES ? UINT32_MAX : info->labels);
	char label[64];

	put_name(out, info->name, 2);
	if (info->kind == KIND_TIMES)
		put_times(out, &all, s);
	else
		put_value(out, info, stats_total(b, f), s);
	for (unsigned k = 0; info->labels > 1 && k < info->labels; k++) {
		struct board_times t = stats_times(b, f, info->kind == KIND_TIMES ? k : info->labels);
		uint64_t v = info->kind == KIND_TIMES ? board_times_count(&t) : stats_sum(b, f, k);
		if (v == 0)
			continue;
		stats_label(label, f, k);
		put_name(out, label, 6);
		if (info->kind == KIND_TIMES)
			put_times(out, &t, s);
		else
			put_value(out, info, v, s);
	}
}

static void put_role(struct buf *out, const struct board_role *r, int64_t now_ns)
{
	char name[64], age[AMOUNT], cpu[AMOUNT], memory[AMOUNT];
	struct buf doing = BUF(8192);

	stats_role(name, r);
	amount_age(age, board_get(r, FIG_AGE, 0, 0) / 1000000000);
	snprintf(cpu, sizeof cpu, "%.2f s", (double)board_get(r, FIG_CPU, 0, 0) / 1e9);
	amount_octets(memory, board_get(r, FIG_RESIDENT, 0, 0));
	put_name(out, name, 2);
	text_put(out, board_get(r, FIG_UP, 0, 0) ? age : text_of("starting"), VALUE_COLUMNS, true);
	text_put(out, cpu, VALUE_COLUMNS + 2, true);
	text_put(out, memory, VALUE_COLUMNS, true);
	buf_puts(out, "   ");
	buf_printf(out, text_of("starts %llu"), (unsigned long long)board_get(r, FIG_STARTS, 0, 0));
	board_print_doing(&doing, &r->figures, now_ns, 1000000000);
	if (doing.n)
		buf_printf(out, "   %.*s", SLF(buf_sl(&doing)));
	buf_addc(out, '\n');
	buf_free(&doing);
}

void stats_print(struct buf *out, const struct board *b, int64_t now_ns)
{
	double s = age_s(b, now_ns);
	char age[AMOUNT];

	amount_age(age, (uint64_t)s);
	buf_printf(out, text_of("%.*s, Hongyan %.*s, up %s\n\n"), (int)sizeof b->hostname - 1, b->hostname,
		(int)sizeof b->version - 1, b->version, age);
	buf_puts(out, text_of("Roles\n"));
	for (uint32_t i = 0; i < b->n_roles; i++)
		put_role(out, &b->role[i], now_ns);
	buf_puts(out, text_of("\nFigures of all roles together, since the start\n"));
	for (unsigned f = 0; f < FIGURES; f++)
		if (figure_infos[f].who != BY_MASTER)
			put_figure(out, b, (enum figure)f, s);
}

// ---- as JSON

static json_t *json_times(const struct board_times *t, double s)
{
	double n = (double)board_times_count(t);

	return json_pack("{s:I, s:f, s:f, s:f, s:f}", "count", (json_int_t)(board_times_count(t) & INT64_MAX), "per_s",
		n / s, "mean_s", n > 0 ? (double)t->sum_ns / 1e9 / n : 0.0, "p50_s",
		(double)board_times_quantile(t, 500) / 1e9, "p99_s", (double)board_times_quantile(t, 990) / 1e9);
}

static json_t *json_value(const struct figure_info *f, uint64_t v, double s)
{
	json_t *o = json_object();

	if (f->unit == UNIT_SECONDS)
		json_object_set_new(o, "total", json_real((double)v / 1e9));
	else
		json_object_set_new(o, "total", json_integer((json_int_t)(v & INT64_MAX)));
	if (f->kind == KIND_COUNTER)
		json_object_set_new(o, "per_s", json_real((double)v / s));
	return o;
}

static json_t *json_figure(const struct board *b, enum figure f, double s)
{
	const struct figure_info *info = &figure_infos[f];
	struct board_times all = stats_times(b, f, info->kind == KIND_TIMES ? UINT32_MAX : info->labels);
	json_t *o = info->kind == KIND_TIMES ? json_times(&all, s) : json_value(info, stats_total(b, f), s);
	json_t *by = info->labels > 1 ? json_object() : NULL;
	char label[64];

	for (unsigned k = 0; by && k < info->labels; k++) {
		struct board_times t = stats_times(b, f, info->kind == KIND_TIMES ? k : info->labels);
		stats_label(label, f, k);
		json_object_set_new(by, label,
			info->kind == KIND_TIMES ? json_times(&t, s)
						 : json_integer((json_int_t)(stats_sum(b, f, k) & INT64_MAX)));
	}
	if (by)
		json_object_set_new(o, "by", by);
	return o;
}

static json_t *json_role(const struct board_role *r, int64_t now_ns)
{
	struct buf doing = BUF(8192);

	board_print_doing(&doing, &r->figures, now_ns, 0);
	json_t *o = json_pack("{s:s, s:i, s:i, s:b, s:f, s:I, s:I, s:f, s:I, s:s%}", "role", r->kind, "number",
		(int)r->number, "pid", (int)r->pid, "up", board_get(r, FIG_UP, 0, 0) != 0, "age_s",
		(double)board_get(r, FIG_AGE, 0, 0) / 1e9, "starts", (json_int_t)board_get(r, FIG_STARTS, 0, 0),
		"hangs", (json_int_t)board_get(r, FIG_HANGS, 0, 0), "cpu_s", (double)board_get(r, FIG_CPU, 0, 0) / 1e9,
		"resident_bytes", (json_int_t)board_get(r, FIG_RESIDENT, 0, 0), "doing", doing.p, doing.n);
	buf_free(&doing);
	return o;
}

json_t *stats_json(const struct board *b, int64_t now_ns)
{
	double s = age_s(b, now_ns);
	json_t *roles = json_array(), *figures = json_object();

	for (uint32_t i = 0; i < b->n_roles; i++)
		json_array_append_new(roles, json_role(&b->role[i], now_ns));
	for (unsigned f = 0; f < FIGURES; f++)
		if (figure_infos[f].who != BY_MASTER)
			json_object_set_new(figures, figure_infos[f].name, json_figure(b, (enum figure)f, s));
	return json_pack("{s:s, s:s, s:f, s:o, s:o}", "hostname", b->hostname, "version", b->version, "up_s", s,
		"roles", roles, "figures", figures);
}
