#pragma once
/// fetch_item — one FETCH under way: what it asks, one message made ready for it, and its items on their way out.
///
/// A message is made ready (read, parsed) before the first octet of its answer is printed, so that one that fails
/// leaves no trace but its absence. Small items are printed into `out`; larger literals go to the client from
/// where they lie.
#include "base/arena.h"
#include "base/buf.h"
#include "front/imap/fetch_body.h"
#include "front/imap/structure_print.h"

enum {
	FETCH_OUT_MAX = 16 << 20,   // octets of one message's answer without its literals
	FETCH_TREE_MAX = 32 << 20,  // octets of memory for the parsed parts of one message
	FETCH_WHOLE_MIN = 64 << 20, // messages up to this size are parsed even where fewer octets are accepted by now
	FETCH_KEEP_MAX = 1 << 20,   // octets of memory that are kept from message to message
	FETCH_COPY_MAX = 4096,      // literals up to this size are copied to the output
};

/// What of a message must be there before the first item can be printed; each includes those before it.
enum fetch_need { NEED_ROW, NEED_OCTETS, NEED_HEADER, NEED_WHOLE };

/// A body section and the name it was asked by.
struct fetch_item {
	struct sl name; // empty: as imap_print_body has it
	struct imap_body body;
};

struct fetch {
	struct imap *im;
	unsigned atts;            // enum imap_fetch_att that are answered from the row or parsed message
	struct fetch_item *items; // the others
	size_t n_items;
	enum fetch_need need;
	bool sets_seen;
	struct structure_style style;

	struct buf out;
	unsigned items_printed; // of the present message
	struct buf scratch;     // a message or header that does not lie in one piece
	struct buf subset;      // HEADER.FIELDS
	struct arena memory;    // of the parsed message

	uint64_t answered;     // messages
	bool damaged, limited; // some could not be read; some were too large to parse
};

/// One message made ready.
struct fetch_message {
	struct body *body;
	struct sl whole;  // .p NULL where it does not lie in one piece
	struct sl header; // from NEED_HEADER on
	struct mime_tree tree;
	struct envelope envelope;
};

/// Sets f->atts, items, need and sets_seen from the command, and the buffers. End with fetch_end.
///
/// errors: E_TEMP.
[[nodiscard]] enum ec fetch_begin(struct fetch *f, struct imap *im, const struct imap_command *cmd);
void fetch_end(struct fetch *f);

/// Reads and parses what f->need says.
///
/// errors: E_CORRUPT, E_NOTFOUND (as body_window), E_LIMIT (too large or too many parts), those of the store.
FIB enum ec fetch_prepare(struct cx *cx, struct fetch *f, struct body *b, struct fetch_message *m);
/// Appends the name of an item, with a blank before it where it is not the first.
void fetch_print_name(struct fetch *f, struct sl name);
/// Appends ENVELOPE, BODY and BODYSTRUCTURE where they are asked for.
void fetch_print_structure(struct fetch *f, const struct fetch_message *m);
/// Appends and sends the body sections.
///
/// errors: wire errors; E_CORRUPT as body_send.
FIB enum ec fetch_send_items(struct cx *cx, struct fetch *f, struct fetch_message *m);
