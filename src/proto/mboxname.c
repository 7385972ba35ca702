/// mboxname — the rules for names, and the way from the wire.
#include "proto/mboxname.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "proto/mutf7.h"

/// C0 and C1 controls, DEL, LINE SEPARATOR and PARAGRAPH SEPARATOR would break lines and terminals.
static bool is_forbidden(uint32_t ch)
{
	return ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0x2028 || ch == 0x2029;
}

static enum ec check_component(struct sl part)
{
	size_t len;

	if (part.n == 0 || sl_eq(part, SL(".")) || sl_eq(part, SL("..")))
		return E_SYNTAX;
	for (size_t at = 0; at < part.n; at += len)
		if (is_forbidden(utf8_get(sl_from(part, at), &len)))
			return E_SYNTAX;
	return part.n > MBOXNAME_COMPONENT_MAX ? E_TOOBIG : E_OK;
}

enum ec mboxname_check(struct sl name)
{
	struct sl rest = name;

	if (!utf8_valid(name))
		return E_SYNTAX;
	if (name.n > MBOXNAME_MAX)
		return E_TOOBIG;
	for (int depth = 1;; depth++) {
		size_t slash = sl_find(rest, '/');
		enum ec e = check_component(sl_head(rest, slash));
		if (e != E_OK)
			return e;
		if (slash == rest.n)
			return E_OK;
		if (depth == MBOXNAME_DEPTH_MAX)
			return E_TOOBIG;
		rest = sl_from(rest, slash + 1);
	}
}

bool mboxname_is_inbox(struct sl name)
{
	return sl_eq_ci(name, SL("INBOX"));
}

enum ec mboxname_compose(struct sl name, struct buf *out)
{
	const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	utf8proc_ssize_t n = sl_is_ascii(name) ? 0 : utf8proc_decompose(name.p, (utf8proc_ssize_t)name.n, NULL, 0, how);

	if (n <= 0) {
		buf_add(out, name);
		return n < 0 ? E_SYNTAX : out->err;
	}
	int32_t *ch = calloc((size_t)n, sizeof *ch);
	if (!ch)
		return E_TEMP;
	n = utf8proc_decompose(name.p, (utf8proc_ssize_t)name.n, ch, n, how);
	n = n > 0 ? utf8proc_normalize_utf32(ch, n, how) : n;
	for (utf8proc_ssize_t i = 0; i < n; i++)
		utf8_put(out, (uint32_t)ch[i]);
	free(ch);
	return n < 0 ? E_SYNTAX : out->err;
}

/// The composed UTF-8 form of a name from the wire, in the arena.
static enum ec decode_wire(struct sl wire, bool utf8, struct arena *a, struct sl *name)
{
	struct buf plain = BUF(MBOXNAME_WIRE_MAX), b = BUF(MBOXNAME_WIRE_MAX);
	enum ec e = utf8 ? E_OK : mutf7_to_utf8(wire, &plain);

	if (e == E_OK)
		e = mboxname_compose(utf8 ? wire : buf_sl(&plain), &b);
	if (e == E_OK) {
		*name = arena_copy(a, buf_sl(&b));
		e = name->p ? E_OK : E_TEMP;
	}
	buf_free(&b);
	buf_free(&plain);
	return e;
}

enum ec mboxname_from_wire(struct sl wire, bool utf8, struct arena *a, struct sl *name)
{
	struct sl n = wire;

	if (wire.n > MBOXNAME_WIRE_MAX)
		return E_TOOBIG;
	if (!utf8 && !sl_is_ascii(wire))
		return E_SYNTAX;
	bool plain = utf8 ? sl_is_ascii(wire) : sl_find(wire, '&') == wire.n;
	enum ec e = plain ? E_OK : decode_wire(wire, utf8, a, &n);
	if (e != E_OK)
		return e;
	if (n.n > 1 && n.p[n.n - 1] == '/')
		n.n--;
	e = mboxname_check(n);
	if (e == E_OK)
		*name = mboxname_is_inbox(n) ? SL("INBOX") : n;
	return e;
}
