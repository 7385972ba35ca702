/// Fuzzes the reply printer: whatever the text, the output is lines of one reply. The first octet says how many texts.
#include <stdlib.h>

#include "proto/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = BUF(1 << 24);
	struct sl lines[4];

	if (size == 0)
		return 0;
	size_t n = data[0] & 3, each = (size - 1) / (n ? n : 1);
	for (size_t i = 0; i < n; i++)
		lines[i] = (struct sl){ data + 1 + i * each, each };
	smtp_print_reply(&b, 550, "5.1.1", lines, n);
	for (struct sl rest = buf_sl(&b); rest.n;) {
		size_t end = sl_find(rest, '\n') + 1;
		if (end < 5 || end > SMTP_REPLY_LINE_MAX || sl_find(rest, '\r') != end - 2)
			abort();
		if (!sl_starts(rest, end == rest.n ? SL("550 ") : SL("550-")))
			abort();
		rest = sl_from(rest, end);
	}
	buf_free(&b);
	return 0;
}
