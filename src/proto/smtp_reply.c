/// smtp_reply — Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
#include "proto/smtp_reply.h"

#include <assert.h>

#include "base/num.h"
#include "base/utf8.h"

/// How much of `text` fits into one line of `max` octets; a UTF-8 character is not cut.
static size_t fitting(struct sl text, size_t max)
{
	size_t n = min_size(text.n, max);

	while (n < text.n && n + 3 > max && (text.p[n] & 0xc0) == 0x80)
		n--; // at most three steps back: longer runs are not UTF-8
	return n;
}

static void print_line(struct buf *b, unsigned code, const char *enhanced, struct sl text, bool last)
{
	buf_num(b, code);
	buf_addc(b, last ? ' ' : '-');
	if (enhanced)
		buf_printf(b, "%s ", enhanced);
	for (size_t i = 0; i < text.n; i++)
		buf_addc(b, text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i]);
	buf_puts(b, "\r\n");
}

void smtp_print_reply(struct buf *b, unsigned code, const char *enhanced, const struct sl *lines, size_t n)
{
	size_t head = 4 + (enhanced ? sl_cstr(enhanced).n + 1 : 0); // "250-" and "2.1.5 "
	size_t max = SMTP_REPLY_LINE_MAX - 2 - head;

	assert(code >= 200 && code <= 599 && head < 32);
	if (n == 0)
		print_line(b, code, enhanced, SL(""), true);
	for (size_t i = 0; i < n; i++) {
		struct sl rest = lines[i];
		while (rest.n > max) {
			size_t k = fitting(rest, max);
			print_line(b, code, enhanced, sl_head(rest, k), false);
			rest = sl_from(rest, k);
		}
		print_line(b, code, enhanced, rest, i + 1 == n);
	}
}

void smtp_print_reply1(struct buf *b, unsigned code, const char *enhanced, struct sl line)
{
	smtp_print_reply(b, code, enhanced, &line, 1);
}
