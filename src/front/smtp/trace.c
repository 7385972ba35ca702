/// trace — Return-Path and Received, with folding at fixed places.
#include "front/smtp/trace.h"

#include "base/num.h"

/// source: RFC 3848 §1 (E… needs EHLO; S for TLS, A for a login); RFC 2033 has LMTP.
struct sl trace_protocol(const struct trace *t)
{
	static const struct sl esmtp[2][2] = { { SL_INIT("ESMTP"), SL_INIT("ESMTPA") },
		{ SL_INIT("ESMTPS"), SL_INIT("ESMTPSA") } };
	static const struct sl lmtp[2][2] = { { SL_INIT("LMTP"), SL_INIT("LMTPA") },
		{ SL_INIT("LMTPS"), SL_INIT("LMTPSA") } };

	if (t->lmtp)
		return lmtp[t->tls][t->authed];
	// HELO knows no extensions, but a client may say it inside TLS; there is no name for that but SMTP
	return t->esmtp ? esmtp[t->tls][t->authed] : SL("SMTP");
}

/// Extended-Domain = Domain / address-literal; any other octet that a client put there becomes '?'.
static void print_helo(struct buf *b, struct sl helo)
{
	if (helo.n == 0)
		buf_puts(b, "unknown");
	for (size_t i = 0; i < helo.n; i++) {
		uint8_t c = helo.p[i];
		bool fine = is_alpha(c) || is_digit(c) || sl_find(SL("-._:[]"), c) < 6;
		buf_addc(b, fine ? c : '?');
	}
}

/// TCP-info = address-literal
static void print_literal(struct buf *b, const struct addr *a)
{
	buf_puts(b, a->v4 ? "[" : "[IPv6:");
	addr_print(b, a);
	buf_addc(b, ']');
}

/// A path that the grammar has taken, but nothing in it may end the line.
static void print_path(struct buf *b, struct sl path)
{
	buf_addc(b, '<');
	for (size_t i = 0; i < path.n; i++)
		buf_addc(b, path.p[i] < 0x20 || path.p[i] == 0x7f ? '?' : path.p[i]);
	buf_addc(b, '>');
}

void trace_print(struct buf *b, const struct trace *t)
{
	buf_puts(b, "Return-Path: ");
	print_path(b, t->from);
	buf_puts(b, "\r\nReceived: from ");
	print_helo(b, t->helo);
	buf_puts(b, " (");
	print_literal(b, t->peer);
	buf_addc(b, ')');
	if (t->tls) {
		buf_puts(b, "\r\n\t(using ");
		buf_add(b, t->tls_version);
		buf_puts(b, " with cipher ");
		buf_add(b, t->tls_cipher);
		buf_addc(b, ')');
	}
	buf_puts(b, "\r\n\tby ");
	buf_add(b, t->hostname);
	buf_puts(b, " (Hongyan) with ");
	buf_add(b, trace_protocol(t));
	buf_puts(b, " id ");
	buf_add(b, t->id);
	if (t->for_whom.n) {
		buf_puts(b, "\r\n\tfor ");
		print_path(b, t->for_whom);
	}
	buf_puts(b, ";\r\n\t");
	date_print_mail(&t->date, b);
	buf_puts(b, "\r\n");
}
