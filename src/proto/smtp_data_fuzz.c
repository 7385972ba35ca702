/// Fuzzes the DATA decoder: however the input is cut, the output is the same, has CRLF line ends only, and ends at the
/// first CRLF.CRLF. The first octet of the input chooses the cut and the room.
#include <stdlib.h>

#include "base/buf.h"
#include "proto/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t decode(struct sl in, size_t piece, size_t room, struct buf *out)
{
	struct smtp_data d = smtp_data_start(true);
	size_t at = 0;

	while (at < in.n) {
		uint8_t *p = buf_room(out, room);
		if (!p)
			abort();
		struct smtp_data_step s = smtp_data_feed(&d, sl_sub(in, at, at + piece), p, room);
		buf_took(out, s.written);
		at += s.consumed;
		if (s.ended)
			return at;
		if (s.consumed == 0)
			abort();
	}
	return at;
}

static void check_line_ends(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) ||
			(s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF(1 << 24), parts = BUF(1 << 24);

	if (size == 0 || size > 1 << 20)
		return 0;
	struct sl in = { data + 1, size - 1 };
	size_t end = decode(in, in.n ? in.n : 1, 2 * size + 8, &whole);
	if (decode(in, 1 + (data[0] & 15), SMTP_DATA_ROOM_MIN + (data[0] >> 4), &parts) != end)
		abort();
	if (!sl_eq(buf_sl(&whole), buf_sl(&parts)))
		abort();
	check_line_ends(buf_sl(&whole));
	size_t mark = sl_starts(in, SL(".\r\n")) ? 3 : sl_find_sl(in, SL("\r\n.\r\n")) + 5;
	if (end != (mark > in.n ? in.n : mark))
		abort();
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}
