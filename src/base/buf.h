#pragma once
/// buf — octets that grow, with a hard maximum given at birth and a sticky error: append ten times, check once.
///
/// After the first failure every append does nothing, `err` keeps E_TOOBIG (maximum reached) or E_TEMP (no memory)
/// and the octets before it stay as they were. Owns malloc'd memory; not shared between threads.
#include <stdarg.h>
#include <stdint.h>

#include "base/ec.h"
#include "base/sl.h"

struct buf {
	uint8_t *p;
	size_t n, cap, max;
	enum ec err;
};

/// An empty buffer that may grow to `max_octets`; takes no memory yet.
#define BUF(max_octets) ((struct buf){ .max = (max_octets) })

/// Appends octets, one octet, a C string, a decimal number.
void buf_add(struct buf *b, struct sl s);
void buf_addc(struct buf *b, uint8_t c);
void buf_puts(struct buf *b, const char *s);
void buf_num(struct buf *b, uint64_t v);
/// Appends formatted text; use SLF() with "%.*s" for slices.
[[gnu::format(printf, 2, 3)]] void buf_printf(struct buf *b, const char *fmt, ...);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);

/// Room for `n` more octets behind the present end, for a read() or a decoder; NULL (and the sticky error) where that
/// passes the maximum. Follow with buf_took of what was really written (≤ n).
[[nodiscard]] uint8_t *buf_room(struct buf *b, size_t n);
void buf_took(struct buf *b, size_t n);

/// Removes the first `n` octets (all where there are fewer).
void buf_drop(struct buf *b, size_t n);
/// Back to the first `n` octets (n ≤ b->n), error cleared: what was appended since is taken back.
void buf_cut(struct buf *b, size_t n);
/// Empty again, error cleared, memory kept.
void buf_clear(struct buf *b);
/// The same with zeros over all of the memory, for secrets; before buf_free. What grew left copies behind where it was.
void buf_wipe(struct buf *b);
/// Gives the memory back; the buffer is empty and may be used again. Accepts a zeroed one.
void buf_free(struct buf *b);

/// What is in it, borrowed until the next change.
static inline struct sl buf_sl(const struct buf *b)
{
	return (struct sl){ b->p, b->n };
}
