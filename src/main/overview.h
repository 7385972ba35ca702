#pragma once
/// overview — the master's side of figures: a page for each role, and the board that shows all of them.
///
/// Pages are made once; each process of a role gets its role's (CHAN_FIGURES) and can write to that one alone. The
/// master maps them for reading and copies them to the board (base/board.h), with what it knows itself: what runs,
/// since when, its processor time and memory from /proc. Nothing from a page decides anything; it is shown.
#include "base/board.h"
#include "main/config.h"
#include "main/role.h"

enum { OVERVIEW_COPY_MS = 100, OVERVIEW_LOOK_MS = 1000 };

struct overview;
/// in: config — of which hostname. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec overview_new(struct cx *cx, const struct config *config, struct overview **out);
void overview_free(struct overview *o); // accepts NULL
/// Adds a role; its index is the number of calls before. errors: E_IO, E_LIMIT.
[[nodiscard]] enum ec overview_add(struct cx *cx, struct overview *o, enum role role, unsigned number);
/// All roles are added: makes the board. errors: those of board_new.
[[nodiscard]] enum ec overview_begin(struct cx *cx, struct overview *o);

/// The hostname may have changed. Does nothing before overview_begin.
void overview_named(struct overview *o, struct sl hostname);
/// Descriptors to be sent, still the overview's.
int overview_page(const struct overview *o, size_t i);
int overview_board(const struct overview *o);

void overview_started(struct overview *o, size_t i, pid_t pid);
void overview_ready(struct overview *o, size_t i);
void overview_died(struct overview *o, size_t i);
void overview_hung(struct overview *o, size_t i);
/// Brings the board up to date where OVERVIEW_COPY_MS have passed.
void overview_step(struct overview *o, int64_t now_ms);

/// What the threads of a role do, those that do it for `at_least_ms` (board_print_doing).
void overview_doing(const struct overview *o, size_t i, int64_t at_least_ms, struct buf *out);
