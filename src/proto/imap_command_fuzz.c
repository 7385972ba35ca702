/// Fuzzes whole IMAP commands, and the framer's question for each of their lines.
#include <stdlib.h>

#include "proto/imap_command.h"
#include "proto/imap_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// What a section prints as must be a section that prints the same.
static void check_bodies(const struct imap_fetch *f, struct arena *a)
{
	for (size_t i = 0; i < f->n_bodies; i++) {
		struct buf once = BUF(1 << 20), twice = BUF(1 << 20);
		struct imap_fetch again = { 0 };
		struct imap_body whole = f->bodies[i];
		whole.partial = false; // responses give the origin only
		buf_puts(&once, "1 ");
		imap_print_body(&once, &whole);
		struct cur c = cur_over(buf_sl(&once));
		imap_parse_fetch(&c, a, &again);
		if (cur_ok(&c)) {
			buf_puts(&twice, "1 ");
			imap_print_body(&twice, again.bodies);
			if (!sl_eq(buf_sl(&once), buf_sl(&twice)))
				abort();
		} else if (c.err != E_TEMP) {
			abort();
		}
		buf_free(&once);
		buf_free(&twice);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in = { data, size };
	struct cur c = cur_over(in);
	struct imap_head head;
	struct imap_command cmd;
	struct imap_literal lit;
	struct arena a;

	if (imap_frame_literal(in, &lit) == E_OK && lit.at >= size)
		abort();
	arena_init(&a, 1 << 18);
	if (imap_parse_tag_verb(&c, &head) == E_OK && head.row && imap_parse_args(&c, &head, &a, &cmd) == E_OK &&
		cmd.verb == IMAP_FETCH)
		check_bodies(&cmd.fetch, &a);
	if (c.err_at > size)
		abort();
	arena_free(&a);
	return 0;
}
