/// Fuzzes PROXY headers: done means that fewer octets were not enough, and that more change nothing.
#include <stdlib.h>

#include "proto/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h = { 0 }, again = { 0 };

	if (proxy_parse((struct sl){ data, size }, &h) != PROXY_DONE)
		return 0;
	if (h.consumed == 0 || h.consumed > size || h.consumed > PROXY_V2_MAX)
		abort();
	if (proxy_parse((struct sl){ data, h.consumed }, &again) != PROXY_DONE || again.consumed != h.consumed)
		abort();
	if (proxy_parse((struct sl){ data, h.consumed - 1 }, &again) != PROXY_MORE)
		abort();
	return 0;
}
