/// Fuzz target: whatever the message, its ENVELOPE, BODY and BODYSTRUCTURE are well-formed.
#include <assert.h>

#include "front/imap/structure_check.h"
#include "front/imap/structure_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct charset_cache charsets;

static void check(const struct buf *b, bool utf8)
{
	assert(b->err == E_OK);
	assert(check_structure(buf_sl(b), utf8));
}

/// The first octet chooses the style.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct structure_style style = { &charsets, size && data[0] & 1 };
	struct sl message = sl_from((struct sl){ data, size }, 1);
	struct buf out = BUF(64 << 20);
	struct mime_tree tree;
	struct envelope env;
	struct arena a;

	arena_init(&a, 64 << 20);
	if (mime_parse(message, &a, &tree) == E_OK && envelope_parse(message, &a, &env) == E_OK) {
		for (int extended = 0; extended < 2; extended++) {
			structure_print_body(&out, tree.root, extended, &style);
			check(&out, style.utf8);
			buf_clear(&out);
		}
		structure_print_envelope(&out, &env, &style);
		check(&out, style.utf8);
	}
	buf_free(&out);
	arena_free(&a);
	return 0;
}
