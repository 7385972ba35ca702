/// Fuzz target of mail/header: the walk has no gaps and agrees with header_octets; NOT of nothing gives it all back.
#include <assert.h>

#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in = { data, size };
	struct header_iter it = header_over(in);
	struct header_field f;
	struct header_names none = { .not_these = true };
	struct buf out = BUF(1 << 24);
	size_t at = 0;

	while (header_next(&it, &f)) {
		struct arena a;
		struct sl text;
		assert(f.whole.p == data + at && f.whole.n > 0);
		at += f.whole.n;
		arena_init(&a, 1 << 21);
		assert(header_text(&a, f.value, &text) == E_OK && text.n <= f.value.n);
		arena_free(&a);
	}
	assert(it.limited || it.at == header_octets(in));
	assert(header_subset(in, &none, &out) == E_OK);
	assert(sl_eq(buf_sl(&out), sl_head(in, header_octets(in))));
	buf_free(&out);
	return 0;
}
