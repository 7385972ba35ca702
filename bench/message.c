/// message — a header as mail has it, then lines of words chosen by a small generator.
#include "bench/message.h"

#include <stdlib.h>

#include "base/buf.h"

enum { LINE = 72, ID_DIGITS = 12 };

static const char header[] = "From: Wang Fang <wang.fang@elsewhere.test>\r\n"
			     "To: Li Lei <li.lei@bench.test>\r\n"
			     "Subject: The figures of this week, and what we make of them\r\n"
			     "Date: Mon, 03 Feb 2025 09:30:00 +0800\r\n"
			     "MIME-Version: 1.0\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Message-ID: <";

/// Words until `octets` are full; each line ends in CRLF, and so does the last.
static void add_text(struct buf *b, size_t octets)
{
	static const char *const words[] = { "figures ", "week ", "market ", "of ", "the ", "and ", "harbour ",
		"goose ", "letter ", "spring ", "north ", "river ", "by ", "seven ", "hundred ", "answer " };
	uint32_t seed = 20250203;
	size_t column = 0;

	while (b->n < octets - 2 && !b->err) {
		seed = seed * 1664525 + 1013904223;
		struct sl word = sl_cstr(words[seed >> 28]);
		if (column > LINE && b->n + 4 < octets) {
			buf_puts(b, "\r\n");
			column = 0;
		}
		word = sl_head(word, octets - 2 - b->n);
		buf_add(b, word);
		column += word.n;
	}
	buf_puts(b, "\r\n");
}

enum ec message_make(struct cx *cx, uint64_t octets, struct message *out)
{
	struct buf b = BUF(MESSAGE_MAX);
	struct message m = { .id_at = sizeof header - 1 };

	if (octets < MESSAGE_MIN || octets > MESSAGE_MAX)
		return fail(cx, E_RANGE, "size: %d to %d octets", MESSAGE_MIN, MESSAGE_MAX);
	buf_puts(&b, header);
	buf_printf(&b, "%0*d@elsewhere.test>\r\n\r\n", ID_DIGITS, 0);
	add_text(&b, octets);
	if (b.err)
		return fail(cx, b.err, "no memory for a message");
	m.p = b.p;
	m.n = b.n;
	*out = m;
	return E_OK;
}

void message_free(struct message *m)
{
	free(m->p);
	*m = (struct message){ 0 };
}

struct sl message_number(struct message *m, uint64_t number)
{
	for (size_t i = ID_DIGITS; i; i--, number /= 10)
		m->p[m->id_at + i - 1] = (uint8_t)('0' + number % 10);
	return (struct sl){ m->p, m->n };
}
