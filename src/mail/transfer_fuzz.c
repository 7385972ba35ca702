/// Fuzz target of mail/transfer: a body decodes the same in one piece and in two, and never to more than it was.
#include <assert.h>

#include "mail/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// in: data[0] — the encoding; data[1] — where to cut, in 256ths.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transfer_decoder d;
	struct buf whole = BUF(1 << 24), pieces = BUF(1 << 24);

	if (size < 2)
		return 0;
	enum transfer kind = (enum transfer)(data[0] % (TRANSFER_UNKNOWN + 1));
	struct sl in = { data + 2, size - 2 };
	size_t cut = in.n * data[1] / 256;

	bool clean = transfer_decode(kind, in, &whole);
	transfer_begin(&d, kind);
	transfer_feed(&d, sl_head(in, cut), &pieces);
	transfer_feed(&d, sl_from(in, cut), &pieces);
	transfer_end(&d, &pieces);
	assert(whole.err == E_OK && sl_eq(buf_sl(&whole), buf_sl(&pieces)) && clean == !d.broken);
	assert(kind == TRANSFER_UUENCODE || whole.n <= in.n);
	assert(whole.n <= in.n * 48); // a uuencoded line of one count octet stands for at most 63
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
