/// Fuzzes the sequence-set grammar; what parses must print and parse to the same set, sorted and apart.
#include <stdlib.h>

#include "proto/seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct seqset s, again;
	struct buf first = BUF(1 << 20), second = BUF(1 << 20);
	struct cur c = cur_over((struct sl){ data, size });

	arena_init(&a, 1 << 20);
	seqset_parse(&c, &a, &s);
	if (cur_ok(&c)) {
		for (size_t i = 0; i < s.n; i++)
			if (s.ranges[i].first > s.ranges[i].last ||
				(i && s.ranges[i].first - 1 <= s.ranges[i - 1].last))
				abort();
		seqset_print(&first, &s);
		struct cur d = cur_over(buf_sl(&first));
		seqset_parse(&d, &a, &again);
		cur_need_end(&d);
		if (!cur_ok(&d))
			abort();
		seqset_print(&second, &again);
		if (!sl_eq(buf_sl(&first), buf_sl(&second)))
			abort();
		if (seqset_resolve(&s, &a, 1000) == E_OK && s.star_from)
			abort();
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(&a);
	return 0;
}
