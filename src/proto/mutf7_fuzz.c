/// Fuzzes modified UTF-7 and the mailbox name rules; each accepted text has one spelling in the other form.
#include <stdlib.h>

#include "base/utf8.h"
#include "proto/mboxname.h"
#include "proto/mutf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in = { data, size }, name;
	struct buf there = BUF(1 << 20), back = BUF(1 << 20);
	struct arena a;

	if (mutf7_to_utf8(in, &there) == E_OK &&
		(!utf8_valid(buf_sl(&there)) || mutf7_from_utf8(buf_sl(&there), &back) || !sl_eq(in, buf_sl(&back))))
		abort();
	buf_clear(&there);
	buf_clear(&back);
	if (mutf7_from_utf8(in, &there) == E_OK && (mutf7_to_utf8(buf_sl(&there), &back) || !sl_eq(in, buf_sl(&back))))
		abort();
	buf_free(&there);
	buf_free(&back);
	arena_init(&a, 65536);
	for (int utf8 = 0; utf8 < 2; utf8++)
		if (mboxname_from_wire(in, utf8, &a, &name) == E_OK && mboxname_check(name) != E_OK)
			abort();
	arena_free(&a);
	return 0;
}
