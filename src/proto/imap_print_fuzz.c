/// Fuzzes the printers of IMAP words: every output parses back to what was printed (NUL as '?').
#include <stdlib.h>
#include <string.h>

#include "proto/imap_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const print[3])(
		struct buf *, struct sl, bool) = { imap_print_string, imap_print_astring, imap_print_nstring };
	static struct sl (*const parse[3])(
		struct cur *, struct arena *) = { imap_parse_string, imap_parse_astring, imap_parse_nstring };

	if (size && memchr(data, 0, size))
		return 0;
	for (int i = 0; i < 6; i++) {
		struct buf b = BUF(1 << 22);
		struct arena a;
		arena_init(&a, 1 << 22);
		print[i % 3](&b, (struct sl){ size ? data : (const uint8_t *)"", size }, i >= 3);
		struct cur c = cur_over(buf_sl(&b));
		struct sl out = parse[i % 3](&c, &a);
		cur_need_end(&c);
		if (!cur_ok(&c) || !sl_eq(out, (struct sl){ data, size }))
			abort();
		buf_free(&b);
		arena_free(&a);
	}
	return 0;
}
