#pragma once
/// html_text — HTML to its text, for searching: tags, comments, scripts and styles go, entities are decoded.
///
/// A small state machine over UTF-8 pieces, not a browser: it is never shown to anybody. Block tags give a line end so
/// that words of two paragraphs do not join; inline tags give nothing, so that "<b>w</b>ord" is one word.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sl.h"

enum {
	HTML_NAME_MAX = 16,   // octets of a tag's name that are kept
	HTML_ENTITY_MAX = 12, // octets between & and ;
};

struct html_text {
	enum {
		HTML_TEXT,
		HTML_ENTITY,   // after &
		HTML_TAG_OPEN, // after <
		HTML_TAG_NAME,
		HTML_TAG, // in attributes
		HTML_TAG_QUOTED,
		HTML_MARKUP,  // after <!
		HTML_COMMENT, // until -->
	} state;
	uint8_t quote;               // the quote that ends HTML_TAG_QUOTED
	uint8_t word[HTML_NAME_MAX]; // a tag's name or an entity
	size_t word_n;
	unsigned dashes; // seen in a row, in a comment
	bool closing;    // </
	uint8_t raw;     // 's' in script, 't' in style: everything up to its end tag is skipped; 0 outside
};

void html_begin(struct html_text *h);
/// Appends the text of the next piece. Errors stick in `out`.
void html_feed(struct html_text *h, struct sl utf8, struct buf *out);
/// Ends the document: an unfinished entity is text.
void html_end(struct html_text *h, struct buf *out);
