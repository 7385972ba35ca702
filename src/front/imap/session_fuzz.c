/// Fuzz target: whatever a client sends, before login and after it.
#include "base/check.h"
#include "front/imap/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const no_script[] = { NULL };
	struct fake_run *r = calloc(1, sizeof *r);
	struct buf all = BUF(1 << 20);

	if (size && data[0] & 1)
		buf_puts(&all, "l LOGIN ann secret\r\ns SELECT INBOX\r\n");
	buf_add(&all, sl_from((struct sl){ data, size }, 1));
	r->line = no_script;
	r->raw = buf_sl(&all);
	r->piece = size ? data[0] >> 1 : 0;
	r->login = true;
	log_setup("fuzz", LOG_ERROR);
	fake_store_fill(&r->store);
	fake_run(r);
	fake_store_free(&r->store);
	free(r);
	buf_free(&all);
	return 0;
}
