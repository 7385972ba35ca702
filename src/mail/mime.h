#pragma once
/// mime — the tree of parts of a raw message, for BODYSTRUCTURE, BODY[section] and SEARCH.
///
/// One pass over the message; all texts are slices of it or copies in the arena, so both must outlive the tree. Every
/// message gives a tree, whatever its octets are; each node fits the BODYSTRUCTURE grammar: a multipart has at least
/// one child (a broken one gets its own body as a text/plain child), a message part has an envelope and one child.
/// Invariants (mime_fuzz.c checks them):
///   M1  header_at ≤ body_at ≤ end; a child lies within its parent's [body_at, end); siblings do not overlap.
///   M2  MIME_LEAF has no child; MIME_MESSAGE has exactly one; MIME_MULTIPART has one or more.
///   M3  depth ≤ MIME_DEPTH_MAX + 1, where the last level is only for children given to broken multiparts.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ec.h"
#include "base/sl.h"
#include "mail/envelope.h"
#include "mail/param.h"
#include "mail/transfer.h"

enum {
	MIME_DEPTH_MAX = 100,   // parts within parts; a deeper multipart or message is an application/octet-stream leaf
	MIME_PARTS_MAX = 10000, // then no new part begins: the last one holds the rest of its multipart
	MIME_COMPARE_MAX = 32,  // for each octet of a message, octets looked at to find the delimiters
	MIME_LANGUAGES_MAX = 64, // tags of a Content-Language; the rest is dropped
};

enum mime_class {
	MIME_LEAF,
	MIME_MULTIPART, // type is multipart
	MIME_MESSAGE,   // type is message/rfc822 or message/global: its child is the message inside
};

struct mime_language {
	struct mime_language *next;
	struct sl tag;
};

struct mime_part {
	struct mime_part *parent, *next, *first; // first = first child
	enum mime_class class;
	struct sl type, subtype; // as sent; text/plain with charset=us-ascii where there is none
	struct param *params;
	struct sl id, description, encoding, md5, location; // .p of NULL: absent
	struct sl disposition;                              // .p of NULL: absent
	struct param *disposition_params;
	struct mime_language *languages;
	enum transfer transfer;
	size_t header_at, body_at, end; // header with blank line: [header_at, body_at); body: [body_at, end)
	uint32_t lines;                 // line ends in the body
	struct envelope *envelope;      // of the message inside; only for MIME_MESSAGE
};

struct mime_tree {
	struct sl message;
	struct mime_part *root; // the message itself
	uint32_t parts;
	bool limited;      // MIME_DEPTH_MAX or MIME_PARTS_MAX was met
	uint64_t compared; // octets looked at to tell delimiters from other lines
};

/// Parses a whole message.
///
/// in:     message — borrowed for the tree's life.
/// out:    *tree, written only on E_OK; owned by `a`.
/// errors: E_TEMP (arena).
/// source: RFC 2045 §5, RFC 2046 §5.1, §5.2.1.
[[nodiscard]] enum ec mime_parse(struct sl message, struct arena *a, struct mime_tree *tree);

/// The part that an IMAP part number names; NULL where there is none. An empty path is the message itself, and `1` of
/// one that is not multipart is itself too.
///
/// source: RFC 9051 §6.4.5.1.
const struct mime_part *mime_find_part(const struct mime_tree *tree, const uint32_t *path, size_t n);

enum mime_section {
	MIME_SECTION_ALL,    // BODY[], BODY[1.2]: of a part its body, of the message everything
	MIME_SECTION_HEADER, // only of the message or of a message part: the header of the message inside
	MIME_SECTION_TEXT,   // likewise: its body
	MIME_SECTION_MIME,   // of a part: its own header
};

/// The octets that a section names, as a slice of the message.
///
/// errors: E_NOTFOUND — no such part, or HEADER or TEXT of one that is not a message (IMAP answers NIL).
/// source: RFC 9051 §6.4.5.1.
[[nodiscard]] enum ec mime_find_section(
	const struct mime_tree *tree, const uint32_t *path, size_t n, enum mime_section what, struct sl *out);

static inline struct sl mime_header(const struct mime_tree *t, const struct mime_part *p)
{
	return sl_sub(t->message, p->header_at, p->body_at);
}
static inline struct sl mime_body(const struct mime_tree *t, const struct mime_part *p)
{
	return sl_sub(t->message, p->body_at, p->end);
}
