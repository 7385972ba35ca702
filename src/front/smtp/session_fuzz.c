/// Whole SMTP, LMTP and submission sessions on any input, against the fake store.
///
/// The first octet chooses the port, TLS and in which pieces the input comes; the rest is what the client sends.
/// Checked: every reply line is one, chunks and uploads are all given back, requests are within their limits
/// (fake_store).
#include "base/check.h"
#include "front/fake/fake.h"

#include "base/log.h"
#include "base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_replies(struct sl out)
{
	while (out.n) {
		struct sl line = sl_cut(&out, '\n');
		if (line.n < 5 || line.n > 511 || line.p[line.n - 1] != '\r' || sl_find(line, '\r') != line.n - 1 ||
			!is_digit(line.p[0]) || !is_digit(line.p[1]) || !is_digit(line.p[2]) ||
			(line.p[3] != ' ' && line.p[3] != '-'))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum port_kind kinds[] = { PORT_SMTP, PORT_LMTP, PORT_SUBMISSION, PORT_SUBMISSIONS };
	static const size_t pieces[] = { 0, 1, 5, 300 };

	if (size == 0)
		return 0;
	struct fake_talk t = { .kind = kinds[data[0] & 3],
		.piece = pieces[data[0] >> 2 & 3],
		.tls = data[0] & 16,
		.offer_tls = data[0] & 32,
		.loopback_plain = data[0] & 64,
		.bare_newline_reject = data[0] & 128,
		.message_max = 300,
		.session = smtp_session };
	struct buf out = BUF(64 << 20);
	log_setup(NULL, LOG_ERROR);
	fake_start();
	fake.user[1].status = data[0] & 1 ? E_QUOTA : E_OK;
	fake_raw_run(&t, (struct sl){ data + 1, size - 1 }, &out);
	check_replies(buf_sl(&out));
	fake_stop();
	buf_free(&out);
	return 0;
}
