#pragma once
/// check — what unit tests include: cmocka, a CHECK that names its case, and exact-size heap copies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail // base/cx.h means another thing by it
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sl.h"

/// Fails the running test with the case's name where `cond` is false.
#define CHECK(cond, name)                                                                   \
	do {                                                                                \
		if (!(cond)) {                                                              \
			print_error("ERROR: case \"%s\": %s\n", (name), #cond);             \
			_fail(__FILE__, __LINE__); /* fail_msg would need the macro fail */ \
		}                                                                           \
	} while (0)

/// The same on fibers and threads, which cmocka's longjmp cannot leave: ends the process.
#define MUST(cond)                                                                          \
	do {                                                                                \
		if (!(cond)) {                                                              \
			fprintf(stderr, "%s:%d: must be: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                            \
		}                                                                           \
	} while (0)

/// A malloc'd copy of exactly `s.n` octets, so that ASan sees one octet too many; free() it. Never NULL.
static inline struct sl heap_copy(struct sl s)
{
	uint8_t *p = malloc(s.n ? s.n : 1);

	if (!p)
		abort();
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct sl){ p, s.n };
}
