/// Fuzzes SMTP command lines; a path that was taken prints as a path that is taken and prints the same.
#include <stdlib.h>

#include "proto/smtp_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct smtp_path *p, struct arena *a)
{
	struct buf once = BUF(4096), twice = BUF(4096);
	struct smtp_path again;

	smtp_print_path(&once, p);
	if (!p->null) {
		struct cur c = cur_over(buf_sl(&once));
		smtp_parse_mailbox(&c, a, &again);
		cur_need_end(&c);
		if (!cur_ok(&c) && c.err != E_TEMP)
			abort();
		if (cur_ok(&c)) {
			smtp_print_path(&twice, &again);
			if (!sl_eq(buf_sl(&once), buf_sl(&twice)) || !sl_eq(p->local, again.local))
				abort();
		}
	}
	buf_free(&once);
	buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_command cmd;
	struct arena a;

	arena_init(&a, 1 << 17);
	if (smtp_parse_command((struct sl){ data, size }, &a, &cmd) == E_OK &&
		(cmd.verb == SMTP_MAIL || cmd.verb == SMTP_RCPT))
		check_path(&cmd.envelope.path, &a);
	arena_free(&a);
	return 0;
}
