#pragma once
/// top — what `hongyan top` shows: one screen, made from two looks at the board. Pure; the terminal is cmd_figures.c's.
#include "base/board.h"

struct top_look {
	const struct board *before, *now; // rates are of the time between them
	int64_t now_ns;                   // monotonic
	const char *clock;                // "14:02:33"
	uint64_t memory[BOARD_ROLES_MAX]; // octets of each role
	bool memory_is_pss;               // shared pages by parts; else resident ones
	unsigned columns, lines;          // of the screen; lines 0: as many as there are
	bool colours;                     // escape sequences may stand in it
	bool keys;                        // somebody could press one
};
/// Appends lines ended by LF, none of them wider than `columns`.
void top_print(struct buf *out, const struct top_look *look);
