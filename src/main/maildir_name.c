/// maildir_name — see the header; pure.
#include "main/maildir_name.h"

#include "base/num.h"
#include "proto/mutf7.h"

enum { ID_OCTETS = 20, WHOLE_MAX = 8192 }; // 1,000 octets of a mailbox (MBOXNAME_MAX), each 5 here at the worst

#define DOT SL("&AC4-") // "." as modified UTF-7 never has it: RFC 3501 §5.1.3 wants printable ASCII as itself
#define CUT SL("&AH4-") // "~"

/// How many octets of a folder's name, at most `max`, end before a "&…-" that would be cut.
static size_t whole_part(struct sl name, size_t max)
{
	size_t at = 0;

	while (at < name.n) {
		size_t len = name.p[at] == '&' ? sl_find(sl_from(name, at), '-') + 1 : 1;
		if (at + len > max)
			break;
		at += len;
	}
	return at;
}

/// Appends components: what is between '.' and '/'.
static enum ec print_components(struct sl mailbox, struct buf *out)
{
	enum ec e = E_OK;

	while (e == E_OK && mailbox.n) {
		size_t at = min_size(sl_find(mailbox, '.'), sl_find(mailbox, '/'));
		e = mutf7_from_utf8(sl_head(mailbox, at), out);
		if (at < mailbox.n)
			buf_add(out, mailbox.p[at] == '.' ? DOT : SL("."));
		mailbox = sl_from(mailbox, at + 1);
	}
	return e;
}

enum ec maildir_name_print(struct sl mailbox, uint64_t id, struct buf *out, bool *cut)
{
	struct buf whole = BUF(WHOLE_MAX);

	buf_addc(&whole, '.');
	enum ec e = print_components(mailbox, &whole);
	bool too_long = whole.n > MAILDIR_NAME_MAX;
	struct sl name = buf_sl(&whole);
	if (too_long)
		name = sl_head(name, whole_part(name, MAILDIR_NAME_MAX - CUT.n - ID_OCTETS));
	buf_add(out, name);
	if (too_long) {
		buf_add(out, CUT);
		buf_printf(out, "%llu", (unsigned long long)id);
	}
	e = e == E_OK ? whole.err : e;
	e = e == E_OK ? out->err : e;
	buf_free(&whole);
	if (e == E_OK)
		*cut = too_long;
	return e;
}

enum ec maildir_name_parse(struct sl folder, struct buf *out)
{
	enum ec e = E_OK;

	folder = sl_from(folder, 1);
	while (e == E_OK && folder.n) {
		size_t slash = sl_find(folder, '.'), dot = sl_find_sl(folder, DOT);
		size_t at = min_size(slash, dot);
		e = mutf7_to_utf8(sl_head(folder, at), out);
		if (at < folder.n)
			buf_addc(out, slash < dot ? '/' : '.');
		folder = sl_from(folder, at + (slash < dot ? 1 : DOT.n));
	}
	return e == E_OK ? out->err : e;
}
