/// envelope — one walk over the header; a field's place in the struct comes from a table.
#include "base/num.h"
#include "mail/envelope.h"
#include "mail/header.h"

struct slot {
	struct sl name;
	size_t offset;
	bool list;
};

static const struct slot slots[] = {
	{ SL_INIT("Date"), offsetof(struct envelope, date), false },
	{ SL_INIT("Subject"), offsetof(struct envelope, subject), false },
	{ SL_INIT("In-Reply-To"), offsetof(struct envelope, in_reply_to), false },
	{ SL_INIT("Message-ID"), offsetof(struct envelope, message_id), false },
	{ SL_INIT("From"), offsetof(struct envelope, from), true },
	{ SL_INIT("Sender"), offsetof(struct envelope, sender), true },
	{ SL_INIT("Reply-To"), offsetof(struct envelope, reply_to), true },
	{ SL_INIT("To"), offsetof(struct envelope, to), true },
	{ SL_INIT("Cc"), offsetof(struct envelope, cc), true },
	{ SL_INIT("Bcc"), offsetof(struct envelope, bcc), true },
};

static const struct slot *slot_find(struct sl name)
{
	for (size_t i = 0; i < ARRAY_N(slots); i++)
		if (slots[i].name.n == name.n && sl_eq_ci(slots[i].name, name))
			return &slots[i];
	return NULL;
}

static enum ec slot_fill(const struct slot *s, struct sl value, struct arena *a, struct envelope *e)
{
	uint8_t *at = (uint8_t *)e + s->offset;

	if (s->list)
		return address_parse_list(value, a, (struct address_list *)(void *)at);
	struct sl *text = (struct sl *)(void *)at;
	return text->p ? E_OK : header_text(a, value, text);
}

enum ec envelope_parse(struct sl message, struct arena *a, struct envelope *out)
{
	struct header_iter it = header_over(message);
	struct header_field f;
	struct envelope e = { 0 };

	while (header_next(&it, &f)) {
		const struct slot *s = slot_find(f.name);
		enum ec err = s ? slot_fill(s, f.value, a, &e) : E_OK;
		if (err)
			return err;
	}
	if (!e.sender.first)
		e.sender = e.from;
	if (!e.reply_to.first)
		e.reply_to = e.from;
	*out = e;
	return E_OK;
}
