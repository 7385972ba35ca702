#pragma once
/// vector — for tests only: the files of tests/vectors, one case per line, its fields in hex separated by spaces.
#include "base/check.h"

#include <stdio.h>

/// The whole file, malloc'd; the test fails where it cannot be read (tests run in the source folder).
static inline struct sl vector_read(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		print_error("cannot read %s\n", path), abort();
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f);
	rewind(f);
	uint8_t *p = malloc(n + 1);
	if (!p || fread(p, 1, n, f) != n)
		abort();
	fclose(f);
	return (struct sl){ p, n };
}

/// The next field of a line, decoded and malloc'd; .p is NULL for "-" and at the end of the line.
static inline struct sl vector_hex(struct sl *line)
{
	struct sl word = sl_cut(line, ' ');
	if (word.n == 0 || sl_eq(word, SL("-")))
		return (struct sl){ 0 };
	uint8_t *p = malloc(word.n / 2 + 1);
	if (!p)
		abort();
	for (size_t i = 0; i + 1 < word.n; i += 2)
		p[i / 2] = (uint8_t)(hex_value(word.p[i]) << 4 | hex_value(word.p[i + 1]));
	return (struct sl){ p, word.n / 2 };
}

static inline void vector_free(struct sl s)
{
	free((void *)(uintptr_t)s.p);
}
