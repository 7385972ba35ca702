/// sasl_msg — RFC 4616, RFC 5802 §7.
#include "proto/sasl_msg.h"

#include "base/cur.h"
#include "base/utf8.h"
#include "proto/base64.h"

enum ec sasl_decode_response(struct sl line, struct arena *a, struct sl *out)
{
	if (sl_eq(line, SL("*")))
		return E_CANCELED;
	return base64_decode(sl_eq(line, SL("=")) ? SL("") : line, a, out);
}

/// UTF-8 without NUL, of 1 … max octets.
static enum ec check_text(struct sl s, size_t max)
{
	if (s.n > max)
		return E_TOOBIG;
	return s.n == 0 || sl_find(s, 0) < s.n || !utf8_valid(s) ? E_SYNTAX : E_OK;
}

enum ec sasl_check_login_answer(struct sl answer)
{
	return check_text(answer, SASL_NAME_MAX);
}

enum ec sasl_parse_plain(struct sl message, struct sasl_plain *out)
{
	struct sasl_plain p;
	struct sl rest = message;

	if (sl_find(message, 0) == message.n)
		return E_SYNTAX;
	p.authzid = sl_cut(&rest, 0);
	if (sl_find(rest, 0) == rest.n)
		return E_SYNTAX;
	p.authcid = sl_cut(&rest, 0);
	p.password = rest;
	enum ec e = p.authzid.n ? check_text(p.authzid, SASL_NAME_MAX) : E_OK;
	if (e == E_OK)
		e = check_text(p.authcid, SASL_NAME_MAX);
	if (e == E_OK)
		e = check_text(p.password, SASL_PASSWORD_MAX);
	if (e == E_OK)
		*out = p;
	return e;
}

/// value-safe-char but "=": what stands for itself in a saslname or value
static bool is_value_safe(uint8_t c)
{
	return c != 0 && c != ',';
}

/// printable = %x21-2B / %x2D-7E ; all but ","
static bool is_printable(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != ',';
}

static bool is_base64_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

/// cb-name = 1*(ALPHA / DIGIT / "." / "-")
static bool is_cb_name_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '.' || c == '-';
}

/// saslname = 1*(value-safe-char / "=2C" / "=3D") ; unescaped into the arena
static struct sl parse_saslname(struct cur *c, struct arena *a)
{
	struct sl raw = cur_need_while(c, is_value_safe);
	size_t n = 0;

	if (cur_ok(c) && (raw.n > SASL_NAME_MAX || !utf8_valid(raw)))
		cur_fail(c, raw.n > SASL_NAME_MAX ? E_TOOBIG : E_SYNTAX);
	uint8_t *p = cur_ok(c) ? arena_alloc(a, raw.n, 1) : NULL;
	if (!p) {
		cur_fail(c, E_TEMP); // without effect after an earlier error
		return raw;
	}
	for (size_t i = 0; i < raw.n; i++) {
		struct sl rest = sl_from(raw, i);
		if (raw.p[i] != '=') {
			p[n++] = raw.p[i];
			continue;
		}
		if (!sl_starts(rest, SL("=2C")) && !sl_starts(rest, SL("=3D")))
			cur_fail(c, E_SYNTAX);
		p[n++] = sl_starts(rest, SL("=2C")) ? ',' : '=';
		i += 2;
	}
	return (struct sl){ p, n };
}

/// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
static void parse_gs2_cbind_flag(struct cur *c, struct scram_client_first *out)
{
	if (cur_take_sl(c, SL("p="))) {
		out->cbind = SCRAM_CBIND_USED;
		out->cbind_name = cur_need_while(c, is_cb_name_octet);
	} else if (cur_take(c, 'y')) {
		out->cbind = SCRAM_CBIND_NOT_SERVER;
	} else {
		cur_need(c, 'n');
		out->cbind = SCRAM_CBIND_NONE;
	}
}

/// gs2-header = gs2-cbind-flag "," [authzid] ","
/// authzid = "a=" saslname
static void parse_gs2_header(struct cur *c, struct arena *a, struct scram_client_first *out)
{
	size_t start = c->at;

	parse_gs2_cbind_flag(c, out);
	cur_need(c, ',');
	if (cur_take_sl(c, SL("a=")))
		out->authzid = parse_saslname(c, a);
	cur_need(c, ',');
	out->gs2_header = sl_sub(c->in, start, c->at);
}

/// nonce = "r=" c-nonce [s-nonce], each of printable
static struct sl parse_nonce(struct cur *c)
{
	if (!cur_take_sl(c, SL("r=")))
		cur_fail(c, E_SYNTAX);
	struct sl nonce = cur_need_while(c, is_printable);
	if (cur_ok(c) && nonce.n > SASL_NONCE_MAX)
		cur_fail(c, E_TOOBIG);
	return nonce;
}

/// ["," extensions], extensions = attr-val *("," attr-val)
/// attr-val = ALPHA "=" value ; optional ones are ignored (RFC 5802 §5.1), stops before ",p=" and at the end
static void skip_extensions(struct cur *c)
{
	while (cur_peek(c) == ',' && !sl_starts(cur_rest(c), SL(",p="))) {
		cur_need(c, ',');
		if (cur_peek(c) < 0 || !is_alpha((uint8_t)cur_peek(c))) {
			cur_fail(c, E_SYNTAX);
			return;
		}
		c->at++;
		cur_need(c, '=');
		cur_need_while(c, is_value_safe);
	}
}

/// client-first-message = gs2-header client-first-message-bare
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
enum ec scram_parse_client_first(struct sl message, struct arena *a, struct scram_client_first *out)
{
	struct cur c = cur_over(message);
	struct scram_client_first m = { 0 };

	parse_gs2_header(&c, a, &m);
	m.bare = cur_rest(&c);
	if (cur_take_sl(&c, SL("m=")))
		cur_fail(&c, E_UNSUPPORTED); // reserved-mext: must be refused
	if (!cur_take_sl(&c, SL("n=")))
		cur_fail(&c, E_SYNTAX);
	m.username = parse_saslname(&c, a);
	cur_need(&c, ',');
	m.nonce = parse_nonce(&c);
	skip_extensions(&c);
	cur_need_end(&c);
	if (cur_ok(&c))
		*out = m;
	return c.err;
}

/// base64, of at most `max` octets when decoded
static struct sl parse_base64(struct cur *c, struct arena *a, size_t max)
{
	struct sl text = cur_need_while(c, is_base64_octet), out = { 0 };
	enum ec e = cur_ok(c) ? base64_decode(text, a, &out) : c->err;

	if (e != E_OK)
		cur_fail(c, e);
	else if (out.n > max)
		cur_fail(c, E_TOOBIG);
	return out;
}

/// client-final-message-without-proof = channel-binding "," nonce ["," extensions]
/// channel-binding = "c=" base64 ; encoding of cbind-input
/// proof = "p=" base64
enum ec scram_parse_client_final(struct sl message, struct arena *a, struct scram_client_final *out)
{
	struct cur c = cur_over(message);
	struct scram_client_final m = { 0 };

	if (!cur_take_sl(&c, SL("c=")))
		cur_fail(&c, E_SYNTAX);
	m.cbind_input = parse_base64(&c, a, SASL_CBIND_MAX);
	cur_need(&c, ',');
	m.nonce = parse_nonce(&c);
	skip_extensions(&c);
	m.without_proof = sl_head(message, c.at);
	if (!cur_take_sl(&c, SL(",p=")))
		cur_fail(&c, E_SYNTAX);
	m.proof = parse_base64(&c, a, SASL_PROOF_MAX);
	cur_need_end(&c);
	if (cur_ok(&c))
		*out = m;
	return c.err;
}

bool scram_final_fits(
	const struct scram_client_first *first, struct sl server_nonce, const struct scram_client_final *final)
{
	struct sl their_part = sl_head(final->nonce, first->nonce.n);
	struct sl our_part = sl_sub(final->nonce, first->nonce.n, final->nonce.n);
	bool nonce_fits = sl_eq(their_part, first->nonce) && sl_eq(our_part, server_nonce);
	bool header_fits = sl_starts(final->cbind_input, first->gs2_header);
	bool has_data = final->cbind_input.n > first->gs2_header.n;

	return nonce_fits && header_fits && has_data == (first->cbind == SCRAM_CBIND_USED);
}

void scram_print_server_first(
	struct buf *b, struct sl client_nonce, struct sl server_nonce, struct sl salt, uint32_t iterations)
{
	buf_puts(b, "r=");
	buf_add(b, client_nonce);
	buf_add(b, server_nonce);
	buf_puts(b, ",s=");
	base64_encode(b, salt);
	buf_puts(b, ",i=");
	buf_num(b, iterations);
}

void scram_print_server_final(struct buf *b, struct sl signature)
{
	buf_puts(b, "v=");
	base64_encode(b, signature);
}

void scram_print_server_error(struct buf *b, struct sl value)
{
	buf_puts(b, "e=");
	buf_add(b, value);
}
