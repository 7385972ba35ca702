/// Fuzz target of mail/address: the list holds what it promises, and what SMTP may send reads back as one address.
#include <assert.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		assert(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in = { data, size };
	struct address_list l = { 0 };
	struct arena a;
	uint32_t n = 0;
	int depth = 0;

	arena_init(&a, 64 << 20);
	assert(address_parse_list(in, &a, &l) == E_OK);
	for (const struct address *one = l.first; one; one = one->next, n++) {
		depth += (one->kind == ADDRESS_GROUP_START) - (one->kind == ADDRESS_GROUP_END);
		assert(depth == 0 || depth == 1);
		assert(one->kind != ADDRESS_MAILBOX || (one->mailbox.p && one->host.p));
		check_line(one->name);
		check_line(one->route);
		check_line(one->mailbox);
		check_line(one->host);
	}
	assert(n == l.n && (depth == 0 || l.cut));
	if (address_check_addr_spec(in, false) == ADDRESS_SMTP)
		assert(l.n == 1 && l.first->kind == ADDRESS_MAILBOX && l.first->host.n > 0);
	(void)address_check_addr_spec(in, true);
	arena_free(&a);
	return 0;
}
