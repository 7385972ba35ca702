/// transfer — base64 by table, quoted-printable and uuencode by holding back what may still change its meaning.
#include "base/num.h"
#include "mail/transfer.h"

#include <string.h>

static const char b64_letters[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { B64_BLANK = 64, B64_PAD, B64_BAD };

/// Value 0 … 63 of a base64 character, or one of the three above.
static unsigned b64_value(uint8_t c)
{
	if (is_alpha(c))
		return c >= 'a' ? c - 'a' + 26u : c - 'A' + 0u;
	if (is_digit(c))
		return c - '0' + 52u;
	switch (c) {
	case '+': return 62;
	case '/': return 63;
	case '=': return B64_PAD;
	case ' ':
	case '\t':
	case '\r':
	case '\n': return B64_BLANK;
	default: return B64_BAD;
	}
}

enum transfer transfer_named(struct sl value)
{
	static const struct {
		struct sl name;
		enum transfer kind;
	} names[] = {
		{ SL_INIT("7bit"), TRANSFER_7BIT },
		{ SL_INIT("8bit"), TRANSFER_8BIT },
		{ SL_INIT("binary"), TRANSFER_BINARY },
		{ SL_INIT("base64"), TRANSFER_BASE64 },
		{ SL_INIT("quoted-printable"), TRANSFER_QP },
		{ SL_INIT("x-uuencode"), TRANSFER_UUENCODE },
		{ SL_INIT("x-uue"), TRANSFER_UUENCODE },
		{ SL_INIT("uuencode"), TRANSFER_UUENCODE },
	};
	struct sl s = sl_trim(value);

	while (s.n && s.p[0] == '(') // a comment before the word
		s = sl_trim(sl_from(s, sl_find(s, ')') + 1));
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == ';' || s.p[i] == '(')
			s.n = i;
	if (s.n == 0)
		return TRANSFER_7BIT;
	for (size_t i = 0; i < ARRAY_N(names); i++)
		if (sl_eq_ci(s, names[i].name))
			return names[i].kind;
	return TRANSFER_UNKNOWN;
}

void transfer_begin(struct transfer_decoder *d, enum transfer kind)
{
	*d = (struct transfer_decoder){ .kind = kind };
}

/// Writes the octets of an unfinished group: 2 characters hold one, 3 hold two, a single one holds none.
static void b64_flush(struct transfer_decoder *d, struct buf *out)
{
	if (d->have == 2) {
		buf_addc(out, (uint8_t)(d->bits >> 4));
	} else if (d->have == 3) {
		buf_addc(out, (uint8_t)(d->bits >> 10));
		buf_addc(out, (uint8_t)(d->bits >> 2));
	} else if (d->have == 1) {
		d->broken = true;
	}
	d->bits = 0;
	d->have = 0;
}

static void b64_feed(struct transfer_decoder *d, struct sl in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned v = b64_value(in.p[i]);
		if (v >= B64_BLANK) {
			if (v == B64_PAD && d->have)
				b64_flush(d, out); // what follows is another base64 text, as some senders join them
			d->broken |= v == B64_BAD;
			continue;
		}
		d->bits = d->bits << 6 | v;
		if (++d->have < 4)
			continue;
		uint8_t three[3] = { (uint8_t)(d->bits >> 16), (uint8_t)(d->bits >> 8), (uint8_t)d->bits };
		buf_add(out, (struct sl){ three, 3 });
		d->bits = 0;
		d->have = 0;
	}
}

/// The fast way: whole groups of four good characters, while nothing is unfinished.
static size_t b64_groups(struct sl in, struct buf *out)
{
	static const uint8_t bad = 0xff;
	uint8_t table[256];
	size_t i = 0;

	memset(table, bad, sizeof table);
	for (uint8_t v = 0; v < 64; v++)
		table[(uint8_t)b64_letters[v]] = v;
	while (in.n - i >= 4) {
		size_t groups = min_size((in.n - i) / 4, 1024), n = 0;
		uint8_t *to = buf_room(out, groups * 3);
		if (!to)
			return i;
		for (; groups; groups--, i += 4, n += 3) {
			const uint8_t *p = in.p + i;
			uint8_t a = table[p[0]], b = table[p[1]], c = table[p[2]], e = table[p[3]];
			if ((a | b | c | e) & 0x80)
				break;
			to[n] = (uint8_t)(a << 2 | b >> 4);
			to[n + 1] = (uint8_t)(b << 4 | c >> 2);
			to[n + 2] = (uint8_t)(c << 6 | e);
		}
		buf_took(out, n);
		if (groups) { // a line end, mostly: step over it by the slow way
			struct transfer_decoder d = { 0 };
			if (b64_value(in.p[i]) != B64_BLANK)
				return i;
			b64_feed(&d, sl_sub(in, i, i + 1), out);
			i++;
		}
	}
	return i;
}

/// Gives out what is held as it stands.
static void held_flush(struct transfer_decoder *d, struct buf *out)
{
	buf_add(out, (struct sl){ d->held, d->held_n });
	d->held_n = 0;
}

static void held_add(struct transfer_decoder *d, uint8_t c, struct buf *out)
{
	if (d->held_n == sizeof d->held) {
		d->broken = true;
		held_flush(d, out);
	}
	d->held[d->held_n++] = c;
}

/// One octet behind a held `=`: hexdigits, or a soft line break with blanks that transport added before it.
/// False where `c` has not been used up.
static bool qp_escape(struct transfer_decoder *d, uint8_t c, struct buf *out)
{
	uint8_t last = d->held[d->held_n - 1];

	if (c == '\n' && (d->held_n == 1 || last == '\r' || is_wsp(last))) {
		d->held_n = 0; // soft line break
		return true;
	}
	if (d->held_n == 2 && hex_value(last) >= 0 && hex_value(c) >= 0) {
		d->held_n = 0;
		buf_addc(out, (uint8_t)(hex_value(last) << 4 | hex_value(c)));
		return true;
	}
	if ((d->held_n == 1 && hex_value(c) >= 0) || ((d->held_n == 1 || is_wsp(last)) && (is_wsp(c) || c == '\r'))) {
		held_add(d, c, out);
		return true;
	}
	d->broken = true;
	held_flush(d, out);
	return false;
}

/// One octet outside an escape: blanks wait for a line end, which would make them transport padding.
static void qp_plain(struct transfer_decoder *d, uint8_t c, struct buf *out)
{
	if (c == '\n') {
		bool crlf = d->held_n && d->held[d->held_n - 1] == '\r';
		d->held_n = 0;
		buf_add(out, crlf ? SL("\r\n") : SL("\n"));
		return;
	}
	if (d->held_n && d->held[d->held_n - 1] == '\r')
		held_flush(d, out); // a bare CR
	if (c == '\r' || is_wsp(c)) {
		held_add(d, c, out);
		return;
	}
	held_flush(d, out);
	if (c == '=')
		held_add(d, c, out);
	else
		buf_addc(out, c);
}

/// Octets at the start of `s` that mean themselves whatever follows.
static size_t qp_run(struct sl s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '=' && s.p[n] != ' ' && s.p[n] != '\t' && s.p[n] != '\r' && s.p[n] != '\n')
		n++;
	return n;
}

static void qp_feed(struct transfer_decoder *d, struct sl in, struct buf *out)
{
	for (size_t i = 0; i < in.n;) {
		bool escape = d->held_n && d->held[0] == '=';
		size_t run = escape ? 0 : qp_run(sl_from(in, i));
		if (run) {
			held_flush(d, out);
			buf_add(out, sl_sub(in, i, i + run));
			i += run;
		} else if (escape) {
			i += qp_escape(d, in.p[i], out);
		} else {
			qp_plain(d, in.p[i++], out);
		}
	}
}

static void qp_end(struct transfer_decoder *d, struct buf *out)
{
	if (d->held_n && d->held[0] == '=') {
		bool hex = d->held_n > 1 && hex_value(d->held[1]) >= 0;
		d->broken = true;
		if (hex)
			held_flush(d, out);
	} else if (d->held_n && d->held[d->held_n - 1] == '\r') {
		buf_addc(out, '\r');
	}
	d->held_n = 0;
}

/// One line: a count of octets, then groups of four characters, each 6 bits plus a blank.
static void uu_line(struct transfer_decoder *d, struct buf *out)
{
	struct sl line = sl_trim((struct sl){ d->held, d->held_n });

	if (!d->uu_body) {
		d->uu_body = sl_starts(line, SL("begin "));
		return;
	}
	if (sl_eq(line, SL("end"))) {
		d->uu_body = false;
		return;
	}
	line = (struct sl){ d->held, d->held_n }; // blanks are digits here
	size_t want = line.n ? (line.p[0] - 32u) & 63 : 0;
	for (size_t i = 1; want; i += 4) {
		uint32_t bits = 0;
		for (size_t k = 0; k < 4; k++) // trailing blanks may have been lost
			bits = bits << 6 | (i + k < line.n ? (line.p[i + k] - 32u) & 63 : 0);
		d->broken |= i >= line.n;
		uint8_t three[3] = { (uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits };
		buf_add(out, (struct sl){ three, min_size(want, 3) });
		want -= min_size(want, 3);
	}
}

static void uu_feed(struct transfer_decoder *d, struct sl in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n') {
			uu_line(d, out);
			d->held_n = 0;
		} else if (in.p[i] != '\r' && d->held_n < sizeof d->held) {
			d->held[d->held_n++] = in.p[i]; // what is beyond belongs to no valid line
		}
	}
}

void transfer_feed(struct transfer_decoder *d, struct sl in, struct buf *out)
{
	size_t done;

	switch (d->kind) {
	case TRANSFER_7BIT:
	case TRANSFER_8BIT:
	case TRANSFER_BINARY:
	case TRANSFER_UNKNOWN: buf_add(out, in); return;
	case TRANSFER_BASE64:
		done = d->have ? 0 : b64_groups(in, out);
		b64_feed(d, sl_from(in, done), out);
		return;
	case TRANSFER_QP: qp_feed(d, in, out); return;
	case TRANSFER_UUENCODE: uu_feed(d, in, out); return;
	}
}

void transfer_end(struct transfer_decoder *d, struct buf *out)
{
	if (d->kind == TRANSFER_BASE64) {
		d->broken |= d->have != 0;
		b64_flush(d, out);
	} else if (d->kind == TRANSFER_QP) {
		qp_end(d, out);
	} else if (d->kind == TRANSFER_UUENCODE) {
		if (d->held_n)
			uu_line(d, out);
		d->broken |= d->uu_body;
	}
}

bool transfer_decode(enum transfer kind, struct sl in, struct buf *out)
{
	struct transfer_decoder d;

	transfer_begin(&d, kind);
	transfer_feed(&d, in, out);
	transfer_end(&d, out);
	return !d.broken;
}

static void b64_put(struct sl three, struct buf *out)
{
	uint32_t bits = 0;
	uint8_t four[4] = { '=', '=', '=', '=' };

	for (size_t i = 0; i < 3; i++)
		bits = bits << 8 | (i < three.n ? three.p[i] : 0);
	for (size_t i = 0; i <= three.n; i++)
		four[i] = (uint8_t)b64_letters[bits >> (18 - 6 * i) & 63];
	buf_add(out, (struct sl){ four, 4 });
}

void transfer_encode_base64(struct sl in, size_t line, struct buf *out)
{
	size_t octets = line / 4 * 3, column = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		b64_put(sl_sub(in, i, i + 3), out);
		column += 3;
		if (octets && (column >= octets || in.n - i <= 3)) {
			buf_add(out, SL("\r\n"));
			column = 0;
		}
	}
}

/// True where the octet at `i` may stand for itself: printable and no `=`, or a blank that ends no line.
static bool qp_literal(struct sl in, size_t i)
{
	uint8_t c = in.p[i];

	if (is_wsp(c))
		return i + 1 < in.n && in.p[i + 1] != '\r' && in.p[i + 1] != '\n';
	return c > ' ' && c < 0x7f && c != '=';
}

void transfer_encode_qp(struct sl in, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t column = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (sl_starts(sl_from(in, i), SL("\r\n"))) {
			buf_add(out, SL("\r\n"));
			column = 0;
			i++;
			continue;
		}
		size_t width = qp_literal(in, i) ? 1 : 3;
		if (column + width > TRANSFER_LINE - 1) { // the last column is for the soft break's `=`
			buf_add(out, SL("=\r\n"));
			column = 0;
		}
		uint8_t code[3] = { '=', (uint8_t)hex[in.p[i] >> 4], (uint8_t)hex[in.p[i] & 15] };
		buf_add(out, width == 1 ? sl_sub(in, i, i + 1) : (struct sl){ code, 3 });
		column += width;
	}
}
