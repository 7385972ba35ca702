/// Fuzzes every SASL message grammar with the same octets; what SCRAM signs must be slices of the message.
#include <stdlib.h>

#include "proto/base64.h"
#include "proto/sasl_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct sl s, struct sl whole)
{
	if (s.p < whole.p || s.p + s.n > whole.p + whole.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in = { data, size }, out;
	struct sasl_plain plain;
	struct scram_client_first first;
	struct scram_client_final final;
	struct arena a;

	arena_init(&a, 1 << 18);
	if (sasl_parse_plain(in, &plain) == E_OK && plain.authzid.n + plain.authcid.n + plain.password.n + 2 != size)
		abort();
	if (scram_parse_client_first(in, &a, &first) == E_OK) {
		check_inside(first.gs2_header, in);
		if (first.gs2_header.n + first.bare.n != size)
			abort();
	}
	if (scram_parse_client_final(in, &a, &final) == E_OK)
		check_inside(final.without_proof, in);
	if (base64_decode(in, &a, &out) == E_OK) {
		struct buf b = BUF(1 << 24);
		base64_encode(&b, out);
		if (!sl_eq(buf_sl(&b), in))
			abort();
		buf_free(&b);
	}
	if (sasl_decode_response(in, &a, &out) == E_CANCELED && size != 1)
		abort();
	arena_free(&a);
	return 0;
}
