#pragma once
/// fetch_item — one FETCH under way: what it asks, one message made ready for it, and its items on their way out.
///
/// A message is made ready (read, parsed, its structure printed, its sections found) before the first octet of its
/// answer is sent, so that one that fails leaves no trace but its absence. What that took is given back before then
/// too, since a client may be slow: sections are places in the message, and go from the store to the client piece by
/// piece; only chosen header fields are kept.
#include "base/buf.h"
#include "front/imap/fetch_body.h"
#include "front/imap/structure_print.h"

enum {
	FETCH_COPY_MAX = 4096, // literals up to this size are copied to the output
	FETCH_NAMES_ONCE = 16, // names that are compared with a header's while it is looked at once
	FETCH_ITEMS_MAX = IMAP_COMMAND_MEMORY + IMAP_LINES_MAX, // octets that wait there: the longest name and some
};

/// What of a message must be there before the first item can be printed; each includes those before it.
enum fetch_need { NEED_ROW, NEED_OCTETS, NEED_HEADER_END, NEED_HEADER, NEED_WHOLE };

/// A body section and the name it was asked by.
struct fetch_item {
	struct sl name; // empty: as imap_print_body has it
	struct imap_body body;
};

/// Octets of an item: a place in the message or in the chosen fields, or NIL.
struct fetch_piece {
	enum { PIECE_NIL, PIECE_FIELDS, PIECE_MESSAGE } kind;
	size_t from, to;
};

struct fetch {
	struct imap *im;
	unsigned atts;              // enum imap_fetch_att that are answered from the row or parsed message
	struct fetch_item *items;   // the others
	struct fetch_piece *pieces; // of the present message, for each item
	size_t n_items;
	enum fetch_need need;
	bool sets_seen;
	size_t names; // of header fields, in all items

	struct buf out;
	unsigned items_printed; // of the present message
	struct buf fields;      // HEADER.FIELDS of all items
	struct body_work work;
	struct holder held; // while it has chunks: their client may not read

	uint64_t answered;     // messages
	bool damaged, limited; // some could not be read; some were too large to parse
};

/// Sets f->atts, items, need and sets_seen from the command, and the buffers. End with fetch_end.
///
/// errors: E_TEMP.
[[nodiscard]] enum ec fetch_begin(struct fetch *f, struct imap *im, const struct imap_command *cmd);
void fetch_end(struct fetch *f);

/// Reads what f->need says, appends ENVELOPE, BODY and BODYSTRUCTURE where they are asked for, and finds the sections.
///
/// yields: yes; large messages are looked into by a helper thread.
/// errors: E_CORRUPT, E_NOTFOUND (as body_window), E_LIMIT (too large or too many parts), E_TEMP (no memory or room,
///         with words for the client), those of the store.
FIB enum ec fetch_prepare(struct cx *cx, struct fetch *f, struct body *b);
/// Appends the name of an item, with a blank before it where it is not the first.
void fetch_print_name(struct fetch *f, struct sl name);
/// Appends and sends the body sections.
///
/// errors: wire errors; E_CORRUPT as body_send.
FIB enum ec fetch_send_items(struct cx *cx, struct fetch *f, struct body *b);
/// After a message, told or not: memory beyond what each session may keep goes back, what is in `out` is sent for that.
///
/// errors: wire errors.
FIB enum ec fetch_forget(struct cx *cx, struct fetch *f);
