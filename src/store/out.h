#pragma once
/// out — room for an answer: up to 16 pieces of memory that are filled as one text.
///
/// The pieces may lie in memory that another process writes (a front's arena): what is put is never read back.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "base/sl.h"

enum { OUT_PIECES = 16 };
struct out {
	struct iovec v[OUT_PIECES];
	int n, at;   // pieces, and the present one
	size_t off;  // within the present piece
	size_t left; // octets of room
};

/// Room over one piece.
static inline struct out out_over(void *p, size_t n)
{
	return (struct out){ .v = { { p, n } }, .n = 1, .left = n };
}
/// Adds a piece; more than OUT_PIECES are ignored.
static inline void out_piece(struct out *o, void *p, size_t n)
{
	if (o->n == OUT_PIECES)
		return;
	o->v[o->n++] = (struct iovec){ p, n };
	o->left += n;
}
/// Puts all `n` octets, or nothing (false) where they do not fit.
static inline bool out_put(struct out *o, const void *p, size_t n)
{
	const uint8_t *from = p;

	if (n > o->left)
		return false;
	o->left -= n;
	while (n) {
		size_t room = o->v[o->at].iov_len - o->off;
		size_t k = n < room ? n : room;
		if (k)
			memcpy((uint8_t *)o->v[o->at].iov_base + o->off, from, k);
		from += k;
		n -= k;
		o->off += k;
		if (k == room && n) {
			o->at++;
			o->off = 0;
		}
	}
	return true;
}
