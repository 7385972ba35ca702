/// structure_print — one function per rule of RFC 9051 §9, body and envelope.
#include "front/imap/structure_print.h"

#include "proto/imap_print.h"

/// What every rule needs.
struct printer {
	struct buf *b;
	bool extended;
	const struct structure_style *style;
};

static void text(const struct printer *p, struct sl s)
{
	structure_print_text(p->b, s, p->style);
}

/// A text that may not be NIL, since NIL means another thing in its place.
static void present(const struct printer *p, struct sl s)
{
	text(p, s.p ? s : SL(""));
}

/// address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
///
/// A group begins with a NIL host and ends with a NIL mailbox too; so a mailbox has both, empty where they are missing.
static void print_address(const struct printer *p, const struct address *a)
{
	const struct sl nil = { 0 };
	bool group = a->kind != ADDRESS_MAILBOX;

	buf_addc(p->b, '(');
	text(p, group ? nil : a->name);
	buf_addc(p->b, ' ');
	text(p, group ? nil : a->route);
	buf_addc(p->b, ' ');
	if (a->kind == ADDRESS_GROUP_END)
		text(p, nil);
	else
		present(p, a->mailbox);
	buf_addc(p->b, ' ');
	if (group)
		text(p, nil);
	else
		present(p, a->host);
	buf_addc(p->b, ')');
}

/// env-from = "(" 1*address ")" / nil, and the five like it; with the SP before it.
static void print_addresses(const struct printer *p, const struct address_list *list)
{
	if (!list->first) {
		buf_puts(p->b, " NIL");
		return;
	}
	buf_puts(p->b, " (");
	for (const struct address *a = list->first; a; a = a->next)
		print_address(p, a);
	buf_addc(p->b, ')');
}

/// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP
///            env-in-reply-to SP env-message-id ")"
static void print_envelope(const struct printer *p, const struct envelope *e)
{
	buf_addc(p->b, '(');
	text(p, e->date);
	buf_addc(p->b, ' ');
	text(p, e->subject);
	print_addresses(p, &e->from);
	print_addresses(p, &e->sender);
	print_addresses(p, &e->reply_to);
	print_addresses(p, &e->to);
	print_addresses(p, &e->cc);
	print_addresses(p, &e->bcc);
	buf_addc(p->b, ' ');
	text(p, e->in_reply_to);
	buf_addc(p->b, ' ');
	text(p, e->message_id);
	buf_addc(p->b, ')');
}

void structure_print_envelope(struct buf *b, const struct envelope *e, const struct structure_style *style)
{
	struct printer p = { b, false, style };

	print_envelope(&p, e);
}

/// body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
static void print_params(const struct printer *p, const struct param *list)
{
	if (!list) {
		buf_puts(p->b, "NIL");
		return;
	}
	buf_addc(p->b, '(');
	for (const struct param *one = list; one; one = one->next) {
		if (one != list)
			buf_addc(p->b, ' ');
		present(p, one->name);
		buf_addc(p->b, ' ');
		present(p, one->value);
	}
	buf_addc(p->b, ')');
}

/// body-fld-dsp = "(" string SP body-fld-param ")" / nil
static void print_disposition(const struct printer *p, const struct mime_part *part)
{
	if (!part->disposition.p) {
		buf_puts(p->b, "NIL");
		return;
	}
	buf_addc(p->b, '(');
	text(p, part->disposition);
	buf_addc(p->b, ' ');
	print_params(p, part->disposition_params);
	buf_addc(p->b, ')');
}

/// body-fld-lang = nstring / "(" string *(SP string) ")"
static void print_languages(const struct printer *p, const struct mime_language *list)
{
	if (!list) {
		buf_puts(p->b, "NIL");
		return;
	}
	buf_addc(p->b, '(');
	for (const struct mime_language *one = list; one; one = one->next) {
		if (one != list)
			buf_addc(p->b, ' ');
		present(p, one->tag);
	}
	buf_addc(p->b, ')');
}

/// What body-ext-1part has behind its MD5 and body-ext-mpart behind its parameters:
/// SP body-fld-dsp SP body-fld-lang SP body-fld-loc
static void print_extension(const struct printer *p, const struct mime_part *part)
{
	buf_addc(p->b, ' ');
	print_disposition(p, part);
	buf_addc(p->b, ' ');
	print_languages(p, part->languages);
	buf_addc(p->b, ' ');
	text(p, part->location);
}

/// body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
static void print_fields(const struct printer *p, const struct mime_part *part)
{
	buf_addc(p->b, ' ');
	print_params(p, part->params);
	buf_addc(p->b, ' ');
	text(p, part->id);
	buf_addc(p->b, ' ');
	text(p, part->description);
	buf_addc(p->b, ' ');
	text(p, part->encoding.n ? part->encoding : SL("7bit")); // RFC 2045 §6.1: the default
	buf_addc(p->b, ' ');
	buf_num(p->b, part->end - part->body_at);
}

static void print_type(const struct printer *p, struct sl type, struct sl subtype)
{
	present(p, type);
	buf_addc(p->b, ' ');
	present(p, subtype);
}

static void print_part(const struct printer *p, const struct mime_part *part);

/// body-type-msg = media-message SP body-fields SP envelope SP body SP body-fld-lines
static void print_message(const struct printer *p, const struct mime_part *part)
{
	print_type(p, part->type, part->subtype);
	print_fields(p, part);
	buf_addc(p->b, ' ');
	print_envelope(p, part->envelope);
	buf_addc(p->b, ' ');
	print_part(p, part->first);
	buf_addc(p->b, ' ');
	buf_num(p->b, part->lines);
}

/// Types whose names promise a shape that a leaf does not have.
static bool is_shape_missing(const struct mime_part *part)
{
	bool message = sl_eq_ci(part->type, SL("message")) && sl_eq_ci(part->subtype, SL("rfc822"));

	return message || sl_eq_ci(part->type, SL("multipart"));
}

/// body-type-basic = media-basic SP body-fields
/// body-type-text = media-text SP body-fields SP body-fld-lines
static void print_leaf(const struct printer *p, const struct mime_part *part)
{
	if (is_shape_missing(part))
		print_type(p, SL("application"), SL("octet-stream"));
	else
		print_type(p, part->type, part->subtype);
	print_fields(p, part);
	if (sl_eq_ci(part->type, SL("text"))) {
		buf_addc(p->b, ' ');
		buf_num(p->b, part->lines);
	}
}

/// message/global is a message only for clients that know UTF-8 (RFC 9051 §9, media-message); to others it is a leaf
/// of a type that they do not know.
static bool is_message(const struct printer *p, const struct mime_part *part)
{
	return part->class == MIME_MESSAGE && (p->style->utf8 || sl_eq_ci(part->subtype, SL("rfc822")));
}

/// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
/// body-ext-1part = body-fld-md5 SP …
static void print_single(const struct printer *p, const struct mime_part *part)
{
	if (is_message(p, part))
		print_message(p, part);
	else
		print_leaf(p, part);
	if (!p->extended)
		return;
	buf_addc(p->b, ' ');
	text(p, part->md5);
	print_extension(p, part);
}

/// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
/// body-ext-mpart = body-fld-param SP …
static void print_multipart(const struct printer *p, const struct mime_part *part)
{
	for (const struct mime_part *child = part->first; child; child = child->next)
		print_part(p, child);
	buf_addc(p->b, ' ');
	present(p, part->subtype);
	if (!p->extended)
		return;
	buf_addc(p->b, ' ');
	print_params(p, part->params);
	print_extension(p, part);
}

/// body = "(" (body-type-1part / body-type-mpart) ")"
static void print_part(const struct printer *p, const struct mime_part *part)
{
	buf_addc(p->b, '(');
	if (part->class == MIME_MULTIPART)
		print_multipart(p, part);
	else
		print_single(p, part);
	buf_addc(p->b, ')');
}

void structure_print_body(
	struct buf *b, const struct mime_part *part, bool extended, const struct structure_style *style)
{
	struct printer p = { b, extended, style };

	print_part(&p, part);
}
