/// http — request lines and fields by the grammar of RFC 9112.
#include "proto/http.h"

#include "base/cur.h"

/// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
/// source: RFC 9110 §5.6.2.
static bool is_tchar(uint8_t c)
{
	return c > ' ' && c < 0x7f && !memchr("\"(),/:;<=>?@[\\]{}", c, 17);
}

static bool is_vchar(uint8_t c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_field_octet(uint8_t c)
{
	return c >= ' ' ? c != 0x7f : c == '\t';
}

/// request-target = origin-form / absolute-form / authority-form / asterisk-form
/// source: RFC 9112 §3.2 (a server takes the absolute form, too).
static struct sl path_of(struct sl target)
{
	size_t scheme = 0;

	if (sl_starts_ci(target, SL("http://")))
		scheme = 7;
	if (scheme)
		target = sl_from(target, scheme + sl_find(sl_from(target, scheme), '/'));
	if (target.n == 0 || target.p[0] != '/')
		return SL("");
	return sl_head(target, sl_find(target, '?'));
}

/// HTTP-version = "HTTP" "/" DIGIT "." DIGIT
/// source: RFC 9112 §2.3.
static void parse_version(struct cur *c, unsigned *major, unsigned *minor)
{
	if (!cur_take_sl(c, SL("HTTP/")))
		cur_fail(c, E_SYNTAX);
	struct sl v = cur_need_n(c, 3);
	if (v.n != 3 || !is_digit(v.p[0]) || v.p[1] != '.' || !is_digit(v.p[2])) {
		cur_fail(c, E_SYNTAX);
		return;
	}
	*major = v.p[0] - (unsigned)'0';
	*minor = v.p[2] - (unsigned)'0';
}

enum ec http_parse_request_line(struct sl line, struct http_request_line *out)
{
	struct cur c = cur_over(line);
	struct http_request_line r = { 0 };
	unsigned major = 0;

	r.method = cur_need_while(&c, is_tchar);
	cur_need(&c, ' ');
	r.path = path_of(cur_need_while(&c, is_vchar));
	cur_need(&c, ' ');
	parse_version(&c, &major, &r.minor);
	cur_need_end(&c);
	if (!cur_ok(&c))
		return E_SYNTAX;
	if (major != 1)
		return E_UNSUPPORTED;
	*out = r;
	return E_OK;
}

enum ec http_parse_field(struct sl line, struct sl *name, struct sl *value)
{
	struct cur c = cur_over(line);
	struct sl n = cur_need_while(&c, is_tchar);

	cur_need(&c, ':');
	struct sl v = cur_take_while(&c, is_field_octet);
	cur_need_end(&c);
	if (!cur_ok(&c))
		return E_SYNTAX;
	*name = n;
	*value = sl_trim(v);
	return E_OK;
}
