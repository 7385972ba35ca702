/// imap_frame — reads a literal announcement from the end of its line backwards.
#include "proto/imap_frame.h"

#include "base/num.h"

/// literal = "{" number64 ["+"] "}" CRLF *CHAR8
/// literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
enum ec imap_frame_literal(struct sl line, struct imap_literal *out)
{
	struct imap_literal lit = { .sync = true };
	size_t end = line.n;

	if (end == 0 || line.p[--end] != '}')
		return E_NOTFOUND;
	if (end && line.p[end - 1] == '+') {
		lit.sync = false;
		end--;
	}
	size_t digits = end;
	while (digits && is_digit(line.p[digits - 1]))
		digits--;
	if (digits == end || digits == 0 || line.p[digits - 1] != '{')
		return E_NOTFOUND;
	if (!num_parse(sl_sub(line, digits, end), INT64_MAX, &lit.octets))
		return E_TOOBIG;
	lit.at = digits - 1;
	if (lit.at && line.p[lit.at - 1] == '~') {
		lit.binary = true;
		lit.at--;
	}
	*out = lit;
	return E_OK;
}
