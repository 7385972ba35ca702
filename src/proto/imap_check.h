#pragma once
/// imap_check — for tests of the IMAP grammars: one command parsed from an exact-size heap copy, and the sweep that
/// every case goes through (cut at each octet, every memory budget).
#include "base/check.h"

#include "proto/imap_command.h"

struct parsed {
	struct sl in; // heap copy
	struct arena a;
	struct imap_head head;
	struct imap_command cmd;
	enum ec e;
	size_t err_at;
};

/// Parses the whole command `text`. parsed_free() it.
static inline struct parsed parse_text(struct sl text, size_t budget)
{
	struct parsed p = { .in = heap_copy(text), .cmd = { .verb = IMAP_VERB_COUNT } };
	struct cur c = cur_over(p.in);

	arena_init(&p.a, budget);
	p.e = imap_parse_tag_verb(&c, &p.head);
	if (p.e == E_OK)
		p.e = p.head.row ? imap_parse_args(&c, &p.head, &p.a, &p.cmd) : E_UNSUPPORTED;
	p.err_at = c.err_at;
	return p;
}

static inline void parsed_free(struct parsed *p)
{
	arena_free(&p->a);
	free((void *)(uintptr_t)p->in.p);
}

/// Whatever is cut off and however little memory there is: an error leaves the command untouched, and a smaller budget
/// gives the same answer or E_TEMP.
static inline void check_sweep(const char *text, const char *name)
{
	struct sl all = sl_cstr(text);
	struct parsed full = parse_text(all, 1 << 20);

	for (size_t n = 0; n < all.n; n++) {
		struct parsed p = parse_text(sl_head(all, n), 1 << 20);
		CHECK(p.e == E_OK || p.cmd.verb == IMAP_VERB_COUNT, name);
		CHECK(p.err_at <= n, name);
		parsed_free(&p);
	}
	for (size_t budget = 0; budget < 4096; budget += 128) {
		struct parsed p = parse_text(all, budget);
		CHECK(p.e == full.e || p.e == E_TEMP, name);
		CHECK(p.e == E_OK || p.cmd.verb == IMAP_VERB_COUNT, name);
		parsed_free(&p);
	}
	parsed_free(&full);
}
