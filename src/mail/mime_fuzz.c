/// Fuzz target of mail/mime: any octets give a tree that keeps M1 … M3, at a bounded cost.
#include <assert.h>

#include "mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t check_part(const struct mime_tree *t, const struct mime_part *p, unsigned depth)
{
	size_t at = p->body_at;
	uint32_t n = 1;

	assert(depth <= MIME_DEPTH_MAX + 1);
	assert(p->header_at <= p->body_at && p->body_at <= p->end && p->end <= t->message.n);
	assert((p->class == MIME_LEAF) == !p->first && p->type.n && p->subtype.n);
	assert(p->class != MIME_MESSAGE || (p->envelope && !p->first->next));
	assert(p->lines <= p->end - p->body_at);
	for (const struct mime_part *c = p->first; c; c = c->next) {
		assert(c->parent == p && c->header_at >= at && c->end <= p->end);
		at = c->end;
		n += check_part(t, c, depth + 1);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mime_tree t;
	struct arena a;

	arena_init(&a, 256 << 20);
	if (mime_parse((struct sl){ data, size }, &a, &t) == E_OK) {
		uint32_t path[] = { 1, 1, 2 };
		struct sl out;
		assert(t.compared <= MIME_COMPARE_MAX * (uint64_t)size);
		assert(check_part(&t, t.root, 1) == t.parts && !t.root->parent && t.root->end == size);
		for (size_t n = 0; n <= 3; n++)
			(void)!mime_find_section(&t, path, n, MIME_SECTION_TEXT, &out);
	}
	arena_free(&a);
	return 0;
}
