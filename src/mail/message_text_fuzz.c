/// Fuzz target of mail/message_text and with it of charset, encword, param, html_text and fold: any message is searched
/// without an error, and a parameter or subject decodes to one line of valid UTF-8.
#include <assert.h>

#include "base/utf8.h"
#include "mail/encword.h"
#include "mail/message_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct buf *b)
{
	assert(b->err == E_OK && utf8_valid(buf_sl(b)));
}

static void check_part(struct charset_cache *cc, const struct mime_part *p)
{
	struct buf out = BUF(1 << 22);

	(void)!param_decode(cc, p->params, SL("name"), &out);
	(void)!param_decode(cc, p->disposition_params, SL("filename"), &out);
	if (p->description.p)
		encword_decode_text(cc, p->description, &out);
	check_text(&out);
	buf_free(&out);
	for (const struct mime_part *c = p->first; c; c = c->next)
		check_part(cc, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	struct mime_tree t;
	struct fold_needle v[2];
	struct arena a;

	arena_init(&a, 256 << 20);
	assert(fold_needle_make(SL("never to be found"), &a, &v[0]) == E_OK);
	assert(fold_needle_make(SL("雁"), &a, &v[1]) == E_OK);
	if (mime_parse((struct sl){ data, size }, &a, &t) == E_OK) {
		assert(text_search_message(&cc, &t, true, (struct text_needles){ v, 2 }) == E_OK);
		check_part(&cc, t.root);
	}
	arena_free(&a);
	charset_cache_free(&cc);
	return 0;
}
