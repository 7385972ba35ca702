/// Whole POP3 sessions on any input, against the fake store.
///
/// The first octet chooses how the session begins and in which pieces the input comes; the rest is what the client
/// sends, after a login where it says so.
#include "base/check.h"
#include "front/fake/fake.h"

#include "base/log.h"
#include "base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(struct sl out)
{
	while (out.n) {
		struct sl line = sl_cut(&out, '\n');
		if (line.n == 0 || line.p[line.n - 1] != '\r' || sl_find(line, '\r') != line.n - 1)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 0, 1, 5, 300 };

	if (size == 0)
		return 0;
	struct fake_talk t = { .kind = PORT_POP3,
		.piece = pieces[data[0] >> 2 & 3],
		.tls = data[0] & 16,
		.offer_tls = data[0] & 32,
		.loopback_plain = data[0] & 64,
		.pop3_lock = data[0] & 128,
		.session = pop3_session };
	struct buf in = BUF(1 << 20), out = BUF(64 << 20);
	log_setup(NULL, LOG_ERROR);
	fake_start();
	fake_append(&fake.user[0], SL("Subject: one\r\n\r\nfirst\r\n"));
	fake_append(&fake.user[0], SL("Subject: two\r\n\r\n.\r\n..\r\n"));
	fake_append(&fake.user[0], SL("no line end, a bare\nand a \r return"));
	fake_append(&fake.user[0], SL(""));
	fake.user[0].pop3_retr = (enum pop3_retr)((data[0] & 3) % POP3_RETRS);
	if (data[0] & 64)
		buf_puts(&in, "USER alice@example.org\r\nPASS secret-a\r\n");
	buf_add(&in, (struct sl){ data + 1, size - 1 });
	fake_raw_run(&t, buf_sl(&in), &out);
	check_lines(buf_sl(&out));
	fake_stop();
	buf_free(&in);
	buf_free(&out);
	return 0;
}
