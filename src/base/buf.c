/// buf — growing octets; capacity doubles from 256 up to the maximum.
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

uint8_t *buf_room(struct buf *b, size_t n)
{
	size_t need, cap;
	uint8_t *p;

	if (b->err)
		return NULL;
	if (!num_add(b->n, n, &need) || need > b->max) {
		b->err = E_TOOBIG;
		return NULL;
	}
	if (need <= b->cap && b->p)
		return b->p + b->n;
	cap = max_size(need, min_size(max_size(256, b->cap * 2), b->max));
	p = realloc(b->p, cap);
	if (!p) {
		b->err = E_TEMP;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->n;
}

void buf_took(struct buf *b, size_t n)
{
	b->n += n;
}

void buf_add(struct buf *b, struct sl s)
{
	uint8_t *p = buf_room(b, s.n);

	if (!p)
		return;
	if (s.n)
		memcpy(p, s.p, s.n);
	b->n += s.n;
}

void buf_addc(struct buf *b, uint8_t c)
{
	if (b->n < b->cap && !b->err) {
		b->p[b->n++] = c;
		return;
	}
	buf_add(b, (struct sl){ &c, 1 });
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, sl_cstr(s));
}

void buf_num(struct buf *b, uint64_t v)
{
	uint8_t digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (uint8_t)('0' + v % 10);
	while (v /= 10);
	buf_add(b, (struct sl){ digits + at, sizeof digits - at });
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	// vsnprintf wants room for a NUL, which is then not counted as taken.
	uint8_t *p = n >= 0 ? buf_room(b, (size_t)n) : NULL;
	if (p && b->cap - b->n > (size_t)n) {
		vsnprintf((char *)p, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	} else if (p) { // the maximum leaves no octet for the NUL
		char *text = malloc((size_t)n + 1);
		if (!text) {
			b->err = E_TEMP;
		} else {
			vsnprintf(text, (size_t)n + 1, fmt, again);
			buf_add(b, (struct sl){ (const uint8_t *)text, (size_t)n });
		}
		free(text);
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_drop(struct buf *b, size_t n)
{
	n = min_size(n, b->n);
	if (n && n < b->n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void buf_cut(struct buf *b, size_t n)
{
	b->n = min_size(n, b->n);
	b->err = E_OK;
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->err = E_OK;
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF(b->max);
}
