#pragma once
/// figures — what a role counts and times, and what its threads are doing, on a page that others may read.
///
/// The table is base/figures.def. Each process counts on one page: its own private one until figures_begin gives it
/// the page that the master made for its role. A page outlives the process, so counters go on when a role is started
/// again. Only its role writes to it; whoever reads takes all of it for numbers from a stranger (base/board.h).
/// Threads: counting and doing from any thread, without locks and without order between figures: a few nanoseconds.
/// The only mutable state is which page it is, set once at start, and each thread's place on it.
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cx.h"
#include "base/sl.h"

enum figure_kind { KIND_COUNTER, KIND_GAUGE, KIND_TIMES };
enum figure_unit { UNIT_NUMBER, UNIT_BYTES, UNIT_SECONDS };
enum figure_who { BY_FRONTS_AND_STORE, BY_FRONTS, BY_STORE, BY_MASTER };

/// FIG_SESSIONS … and how many there are.
enum figure {
#define FIGURE(id, ...) FIG_##id,
#include "base/figures.def"
#undef FIGURE
	FIGURES
};
enum figure_labels {
#define LABELS(set, ...) LABEL_##set,
#include "base/figures.def"
#undef LABELS
	LABEL_SETS
};

enum {
	BUCKETS = 19,               // with an upper bound: 10 µs to 10 s in steps of 1, 2, 5; one more is without
	TIMES_PLACES = BUCKETS + 2, // all buckets, then the sum of nanoseconds
	DOING_MAX = 64,             // threads of a role: workers, writer, helpers
	DOING_WHO = 16,
	DOING_WHAT = 24,
};
/// Upper bounds of the buckets, in nanoseconds.
extern const int64_t figure_bounds_ns[BUCKETS];

/// Labels of more than one place in the code, in the order of the table. A PROTO is an enum port_kind, a VERB an enum
/// verb less one.
enum { OUTCOME_OK, OUTCOME_FAILED };
enum { LOGIN_OK, LOGIN_WRONG, LOGIN_ERROR };
enum { VERDICT_ACCEPTED, VERDICT_REFUSED, VERDICT_DEFERRED };
enum { REFUSED_SESSIONS, REFUSED_ADDRESS, REFUSED_PROXY, REFUSED_MEMORY, REFUSED_STOPPING };

/// LABELS_PROTO …: how many values a set has. PLACES_…: of one label.
enum {
#define LABELS(set, key, ...) LABELS_##set = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *),
#include "base/figures.def"
#undef LABELS
	PLACES_COUNTER = 1,
	PLACES_GAUGE = 1,
	PLACES_TIMES = TIMES_PLACES,
};
/// Where on a page each figure has its places, and how many a page has.
enum {
#define FIGURE(id, kind, unit, who, first, second, ...) \
	AT_##id, AT_END_##id = AT_##id + PLACES_##kind * LABELS_##first * LABELS_##second - 1,
#include "base/figures.def"
#undef FIGURE
	FIGURE_PLACES
};

struct figure_info {
	const char *name, *help;
	enum figure_kind kind;
	enum figure_unit unit;
	enum figure_who who;
	enum figure_labels first, second;
	unsigned labels; // a label is first * (values of second) + second
	unsigned at;
};
extern const struct figure_info figure_infos[FIGURES];
/// A set of labels: its key, its values.
struct figure_set {
	const char *key;
	const char *const *word;
	unsigned n;
};
extern const struct figure_set figure_sets[LABEL_SETS];

/// What one thread does, since when. All zeros: nothing, it waits.
struct figures_doing {
	_Atomic uint64_t since_ns; // CLOCK_MONOTONIC, which all processes of a machine share
	_Atomic uint64_t who[DOING_WHO / 8], what[DOING_WHAT / 8]; // texts filled up with zeros
};
struct figures {
	_Atomic uint64_t place[FIGURE_PLACES];
	struct figures_doing doing[DOING_MAX];
};

// ---- counting

/// Counts `n` more of a counter or gauge. A label beyond its set is left out.
void figure_add(enum figure f, unsigned label, uint64_t n);
/// Counts `n` fewer of a gauge.
void figure_less(enum figure f, unsigned label, uint64_t n);
void figure_set(enum figure f, unsigned label, uint64_t value);
/// Adds one duration to a histogram.
void figure_time(enum figure f, unsigned label, int64_t ns);
/// One place of the process's own page, as it is now (tests).
uint64_t figure_get(enum figure f, unsigned label);

// ---- doing

/// Gives the calling thread a place for what it does, "worker" 3. Without one, doing() does nothing.
void doing_begin(const char *who, unsigned number);
/// The calling thread does `what` from now on, or since a time just read; NULL: it waits for work. Cut at DOING_WHAT
/// octets.
void doing(const char *what);
void doing_at(const char *what, int64_t since_ns);
/// The same for a text that is filled up with zeros already.
void doing_since(const char what[DOING_WHAT], int64_t since_ns);
/// The thread ends: its place is another's.
void doing_end(void);

// ---- pages

/// A page for one role as a memfd that cannot change its size. errors: E_IO.
[[nodiscard]] enum ec figures_new(struct cx *cx, int *fd);
/// Counts on that page from here on: gauges and what threads do begin at nothing, counters go on. Before threads.
/// Closes fd. errors: E_IO, E_CORRUPT (no such page); then the private page stays.
[[nodiscard]] enum ec figures_begin(struct cx *cx, int fd);
/// Maps it for reading; fd stays the caller's. errors: E_IO, E_CORRUPT.
[[nodiscard]] enum ec figures_map(struct cx *cx, int fd, const struct figures **out);
/// Copies a page, place by place: the other process writes meanwhile. `lives`: it does; otherwise the gauges of a
/// process that has ended are left out.
void figures_copy(struct figures *to, const struct figures *from, bool lives);
/// What malloc holds, into the gauges of the heap.
void figures_look_at_heap(void);
