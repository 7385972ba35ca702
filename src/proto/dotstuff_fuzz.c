/// Fuzzes dot-stuffing against the decoder of DATA: what goes out comes back whole, with nothing before or behind. The
/// first octet chooses the pieces.
#include <stdlib.h>

#include "base/buf.h"
#include "proto/dotstuff.h"
#include "proto/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct sl in, size_t piece, size_t room, struct buf *out)
{
	struct dotstuff d = dotstuff_start();

	for (size_t at = 0; at < in.n;) {
		uint8_t *p = buf_room(out, room);
		if (!p)
			abort();
		struct dotstuff_step s = dotstuff_feed(&d, sl_sub(in, at, at + piece), p, room);
		buf_took(out, s.written);
		at += s.consumed;
		if (s.full || (s.consumed == 0 && s.written == 0))
			abort();
	}
	uint8_t *p = buf_room(out, DOTSTUFF_END_MAX);
	if (!p)
		abort();
	buf_took(out, dotstuff_finish(&d, p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF(1 << 24), parts = BUF(1 << 24), back = BUF(1 << 24), again = BUF(1 << 24);

	if (size == 0 || size > 1 << 20)
		return 0;
	struct sl in = { data + 1, size - 1 };
	encode(in, size, 2 * size + 8, &whole);
	encode(in, 1 + (data[0] & 15), DOTSTUFF_ROOM_MIN + (data[0] >> 4), &parts);
	if (!sl_eq(buf_sl(&whole), buf_sl(&parts)))
		abort();
	struct smtp_data d = smtp_data_start(true);
	uint8_t *p = buf_room(&back, whole.n + 8);
	if (!p)
		abort();
	struct smtp_data_step s = smtp_data_feed(&d, buf_sl(&whole), p, whole.n + 8);
	buf_took(&back, s.written);
	if (!s.ended || s.consumed != whole.n || d.bare_cr || d.bare_lf)
		abort();
	encode(buf_sl(&back), back.n + 1, 2 * back.n + 8, &again);
	if (!sl_eq(buf_sl(&whole), buf_sl(&again)))
		abort();
	buf_free(&whole);
	buf_free(&parts);
	buf_free(&back);
	buf_free(&again);
	return 0;
}
