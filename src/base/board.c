/// board — the memfd and its seals, reading what is on it, and printing.
#include "base/board.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/num.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static size_t board_octets(uint32_t n_roles)
{
	return sizeof(struct board) + n_roles * sizeof(struct board_role);
}

/// Changes whenever a place would be read as another's.
static uint64_t board_layout(void)
{
	struct hash_key key = { sizeof(struct board), sizeof(struct board_role) };
	struct buf b = BUF(1 << 20);

	for (unsigned f = 0; f < FIGURES; f++)
		buf_printf(&b, "%s %d %u %u;", figure_infos[f].name, (int)figure_infos[f].kind, figure_infos[f].labels,
			figure_infos[f].at);
	uint64_t layout = hash_keyed(&key, buf_sl(&b)) | 1;
	buf_free(&b);
	return layout;
}

enum ec board_new(struct cx *cx, uint32_t n_roles, int *fd, struct board **out)
{
	enum { SEALS = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };
	size_t octets = board_octets(n_roles);

	if (n_roles > BOARD_ROLES_MAX)
		return fail(cx, E_RANGE, "a board of %u roles", n_roles);
	int memfd = memfd_create("hongyan-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return fail(cx, E_IO, "memfd of the board: %m");
	struct board *map = MAP_FAILED;
	if (ftruncate(memfd, (off_t)octets) == 0)
		map = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (map == MAP_FAILED || fcntl(memfd, F_ADD_SEALS, SEALS) < 0) {
		enum ec e = fail(cx, E_IO, "mapping and sealing the board: %m");
		if (map != MAP_FAILED)
			munmap(map, octets);
		close(memfd);
		return e;
	}
	map->layout = board_layout();
	map->n_roles = n_roles;
	*fd = memfd;
	*out = map;
	return E_OK;
}

enum ec board_map(struct cx *cx, int fd, const struct board **out)
{
	enum { SEALS = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK };
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct board))
		return fail(cx, E_CORRUPT, "no board");
	const struct board *b = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return fail(cx, E_IO, "mmap of the board: %m");
	if (b->layout == board_layout() && b->n_roles <= BOARD_ROLES_MAX &&
		board_octets(b->n_roles) == (size_t)st.st_size) {
		*out = b;
		return E_OK;
	}
	munmap((void *)(uintptr_t)b, (size_t)st.st_size);
	return fail(cx, E_UNSUPPORTED, "the board of another build");
}

void board_unmap(const struct board *b)
{
	if (b)
		munmap((void *)(uintptr_t)b, board_octets(b->n_roles));
}

struct board *board_copy(const struct board *b)
{
	struct board *copy = malloc(board_octets(b->n_roles));

	if (!copy)
		return NULL;
	memcpy(copy, b, sizeof *copy);
	for (uint32_t i = 0; i < b->n_roles; i++) {
		memcpy(&copy->role[i], &b->role[i], offsetof(struct board_role, figures));
		figures_copy(&copy->role[i].figures, &b->role[i].figures, true);
	}
	return copy;
}

// ---- reading

uint64_t board_get(const struct board_role *r, enum figure f, unsigned label, unsigned i)
{
	const struct figure_info *info = &figure_infos[f];
	unsigned places = info->kind == KIND_TIMES ? TIMES_PLACES : 1;

	if (label >= info->labels || i >= places)
		return 0;
	return atomic_load_explicit(&r->figures.place[info->at + label * places + i], memory_order_relaxed);
}

bool board_tells(const struct board_role *r, enum figure f)
{
	bool store = strcmp(r->kind, "store") == 0;

	switch (figure_infos[f].who) {
	case BY_FRONTS: return !store;
	case BY_STORE: return store;
	case BY_FRONTS_AND_STORE:
	case BY_MASTER: break;
	}
	return true;
}

void board_times_add(struct board_times *t, const struct board_role *r, enum figure f, unsigned label)
{
	for (unsigned i = 0; i <= BUCKETS; i++)
		t->bucket[i] += board_get(r, f, label, i);
	t->sum_ns += board_get(r, f, label, BUCKETS + 1);
}

void board_times_less(struct board_times *t, const struct board_times *before)
{
	for (unsigned i = 0; i <= BUCKETS; i++)
		t->bucket[i] -= before->bucket[i];
	t->sum_ns -= before->sum_ns;
}

uint64_t board_times_count(const struct board_times *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= BUCKETS; i++)
		n += t->bucket[i];
	return n;
}

int64_t board_times_quantile(const struct board_times *t, unsigned permille)
{
	uint64_t n = board_times_count(t), below = 0;
	double want = (double)n * permille / 1000;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		int64_t low = i ? figure_bounds_ns[i - 1] : 0;
		uint64_t here = t->bucket[i];
		if (here && want <= (double)below + (double)here) {
			double part = (want - (double)below) / (double)here;
			return low + (int64_t)((double)(figure_bounds_ns[i] - low) * part);
		}
		below += here;
	}
	return figure_bounds_ns[BUCKETS - 1];
}

// ---- Prometheus

/// label-value: backslash, quote and newline are escaped; what else is no plain text is left out.
static void print_label_value(struct buf *b, const char *s, size_t most)
{
	for (size_t i = 0; i < most && s[i]; i++) {
		if (s[i] == '\\' || s[i] == '"')
			buf_addc(b, '\\');
		if (s[i] == '\n')
			buf_puts(b, "\\n");
		else if ((uint8_t)s[i] >= ' ' && (uint8_t)s[i] < 0x7f)
			buf_addc(b, (uint8_t)s[i]);
	}
}

static void print_label(struct buf *b, const char *key, const char *value, size_t most)
{
	buf_printf(b, "%s=\"", key);
	print_label_value(b, value, most);
	buf_addc(b, '"');
}

static void print_seconds(struct buf *b, uint64_t ns)
{
	buf_printf(b, "%llu.%09llu", (unsigned long long)(ns / 1000000000), (unsigned long long)(ns % 1000000000));
}

/// `name_suffix{role="…",number="…",first="…",second="…",le="…"} `; le may be NULL.
static void print_name(struct buf *b, const struct figure_info *f, const char *suffix, const struct board_role *r,
	unsigned label, const char *le)
{
	const struct figure_set *first = &figure_sets[f->first], *second = &figure_sets[f->second];

	buf_printf(b, "hongyan_%s%s{", f->name, suffix);
	print_label(b, "role", r->kind, sizeof r->kind);
	buf_printf(b, ",number=\"%u\"", r->number);
	if (f->first != LABEL_NONE) {
		buf_addc(b, ',');
		print_label(b, first->key, first->word[label / second->n], SIZE_MAX);
	}
	if (f->second != LABEL_NONE) {
		buf_addc(b, ',');
		print_label(b, second->key, second->word[label % second->n], SIZE_MAX);
	}
	if (le)
		buf_printf(b, ",le=\"%s\"", le);
	buf_puts(b, "} ");
}

/// A bound in seconds, without zeros behind.
static void bound_words(char out[24], int64_t ns)
{
	size_t n = (size_t)snprintf(
		out, 24, "%lld.%05lld", (long long)(ns / 1000000000), (long long)(ns % 1000000000 / 10000));

	while (out[n - 1] == '0')
		n--;
	out[out[n - 1] == '.' ? n - 1 : n] = 0;
}

static void print_times(struct buf *b, enum figure f, const struct board_role *r, unsigned label)
{
	const struct figure_info *info = &figure_infos[f];
	struct board_times t = { 0 };
	uint64_t n = 0;
	char le[24];

	board_times_add(&t, r, f, label);
	for (unsigned i = 0; i <= BUCKETS; i++) {
		n += t.bucket[i];
		if (i < BUCKETS)
			bound_words(le, figure_bounds_ns[i]);
		print_name(b, info, "_bucket", r, label, i < BUCKETS ? le : "+Inf");
		buf_num(b, n);
		buf_addc(b, '\n');
	}
	print_name(b, info, "_sum", r, label, NULL);
	print_seconds(b, t.sum_ns);
	buf_addc(b, '\n');
	print_name(b, info, "_count", r, label, NULL);
	buf_num(b, n);
	buf_addc(b, '\n');
}

static void print_one(struct buf *b, enum figure f, const struct board_role *r, unsigned label)
{
	const struct figure_info *info = &figure_infos[f];
	uint64_t v = board_get(r, f, label, 0);

	if (info->kind == KIND_TIMES) {
		print_times(b, f, r, label);
		return;
	}
	print_name(b, info, "", r, label, NULL);
	if (info->unit == UNIT_SECONDS)
		print_seconds(b, v);
	else if (info->kind == KIND_GAUGE && v > INT64_MAX)
		buf_printf(b, "-%llu", (unsigned long long)(0 - v)); // one fewer than none: a fault of ours, to be seen
	else
		buf_num(b, v);
	buf_addc(b, '\n');
}

static void print_head(struct buf *b, const char *name, const char *help, const char *type)
{
	buf_printf(b, "# HELP hongyan_%s %s\n# TYPE hongyan_%s %s\n", name, help, name, type);
}

void board_print(struct buf *b, const struct board *board)
{
	static const char *const types[] = {
		[KIND_COUNTER] = "counter", [KIND_GAUGE] = "gauge", [KIND_TIMES] = "histogram"
	};

	print_head(b, "build_info", "1; the version is its label.", "gauge");
	buf_puts(b, "hongyan_build_info{");
	print_label(b, "version", board->version, sizeof board->version);
	buf_puts(b, "} 1\n");
	print_head(b, "start_time_seconds", "When the server was started, since 1970-01-01 UTC.", "gauge");
	buf_printf(b, "hongyan_start_time_seconds %llu\n", (unsigned long long)board->began_s);
	for (unsigned f = 0; f < FIGURES; f++) {
		print_head(b, figure_infos[f].name, figure_infos[f].help, types[figure_infos[f].kind]);
		for (uint32_t i = 0; i < board->n_roles; i++)
			for (unsigned k = 0; board_tells(&board->role[i], (enum figure)f) && k < figure_infos[f].labels;
				k++)
				print_one(b, (enum figure)f, &board->role[i], k);
	}
}

// ---- doing

/// What a thread wrote of itself, or somebody in its place: printable ASCII, the rest as '?'.
static void print_text(struct buf *b, const _Atomic uint64_t *words, size_t octets)
{
	char text[DOING_WHAT];

	for (size_t i = 0; i < octets / 8; i++) {
		uint64_t w = atomic_load_explicit(&words[i], memory_order_relaxed);
		memcpy(text + i * 8, &w, 8);
	}
	for (size_t i = 0; i < octets && text[i]; i++)
		buf_addc(b,
			text[i] >= ' ' && text[i] < 0x7f && text[i] != '"' && text[i] != '\\' ? (uint8_t)text[i] : '?');
}

void board_print_doing(struct buf *b, const struct figures *f, int64_t now_ns, int64_t at_least_ns)
{
	size_t before = b->n;

	for (unsigned i = 0; i < DOING_MAX; i++) {
		const struct figures_doing *d = &f->doing[i];
		uint64_t since = atomic_load_explicit(&d->since_ns, memory_order_relaxed);
		if (since == 0 || atomic_load_explicit(&d->who[0], memory_order_relaxed) == 0)
			continue;
		uint64_t ns = since < (uint64_t)now_ns ? (uint64_t)now_ns - since : 0;
		if (ns < (uint64_t)at_least_ns)
			continue;
		buf_puts(b, b->n > before ? "; " : "");
		print_text(b, d->who, DOING_WHO);
		buf_puts(b, ": ");
		print_text(b, d->what, DOING_WHAT);
		buf_printf(b, " %llu.%llu s", (unsigned long long)(ns / 1000000000),
			(unsigned long long)(ns / 100000000 % 10));
	}
	if (b->n == before && at_least_ns == 0)
		buf_puts(b, "nothing");
}
