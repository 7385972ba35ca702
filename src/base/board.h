#pragma once
/// board — the figures of all roles in one place, written by the master alone and read by whoever shows them.
///
/// A memfd sealed against resizing and, once the master has mapped it, against any further writing
/// (F_SEAL_FUTURE_WRITE): whoever gets its descriptor can only read, whatever else they have taken over. What comes
/// from the pages of roles is untrusted: numbers may be any, texts are cut and cleaned where they are printed,
/// nothing is used as an index.
#include "base/buf.h"
#include "base/figures.h"

enum { BOARD_ROLES_MAX = 66, BOARD_WORD = 16, BOARD_HOST = 256 };

struct board_role {
	char kind[BOARD_WORD]; // "store", "mx", "user"; NUL-terminated
	uint32_t number;
	_Atomic uint32_t pid;      // 0: it does not run
	_Atomic uint64_t since_ns; // monotonic clock, when it was started
	struct figures figures;
};
struct board {
	uint64_t layout; // of this struct and the table of figures
	uint32_t n_roles;
	char version[BOARD_WORD], hostname[BOARD_HOST]; // NUL-terminated
	uint64_t began_s;                               // UTC, when the server started
	uint64_t began_ns;                              // by the monotonic clock
	_Atomic uint64_t fresh_ns;                      // when it was written last
	struct board_role role[];
};

/// Makes one for `n_roles`, mapped for the master; roles are filled in by it. errors: E_IO, E_RANGE.
[[nodiscard]] enum ec board_new(struct cx *cx, uint32_t n_roles, int *fd, struct board **out);
/// Maps one for reading; fd stays the caller's. errors: E_UNSUPPORTED (another build's), E_CORRUPT (none), E_IO.
[[nodiscard]] enum ec board_map(struct cx *cx, int fd, const struct board **out);
void board_unmap(const struct board *b); // accepts NULL; also for board_new's
/// A copy that stays as it is; free() it. NULL: no memory.
struct board *board_copy(const struct board *b);

/// One place of a role: of a counter or gauge its value, of TIMES bucket `i` (BUCKETS: the one without a bound; BUCKETS
/// + 1: the sum of nanoseconds). 0 where there is no such place.
uint64_t board_get(const struct board_role *r, enum figure f, unsigned label, unsigned i);
/// True where the figure is told of such a role.
bool board_tells(const struct board_role *r, enum figure f);

/// A histogram by itself: what several roles or labels make together, or what came since another look.
struct board_times {
	uint64_t bucket[BUCKETS + 1], sum_ns;
};
/// Adds one label's to *t.
void board_times_add(struct board_times *t, const struct board_role *r, enum figure f, unsigned label);
void board_times_less(struct board_times *t, const struct board_times *before);
uint64_t board_times_count(const struct board_times *t);
/// The duration that `permille` of 1,000 did not pass, between the bounds of its bucket by linear interpolation; beyond
/// the last bound that bound; 0 where there are none.
int64_t board_times_quantile(const struct board_times *t, unsigned permille);

/// Prometheus's text format 0.0.4 of all figures of all roles.
/// source: https://prometheus.io/docs/instrumenting/exposition_formats/
void board_print(struct buf *b, const struct board *board);
/// What threads of a role do: "writer: flush of the log 31.2 s; worker 1: mbox_rows 0.0 s", those that do nothing left
/// out, none at all: "nothing". in: at_least_ns — shorter ones are left out too.
void board_print_doing(struct buf *b, const struct figures *f, int64_t now_ns, int64_t at_least_ns);
