#pragma once
/// fetch_bed — for tests: FETCH and SEARCH on a mailbox in memory, without sockets, fibers or a store.
///
/// It stands in at link time for what they call: the client of the store, its arena, io and fiber. The view is what the
/// client knew; messages may change behind it.
#include "front/imap/imap.h"

enum { BED_MESSAGES = 64, BED_CHUNKS = 6 };

struct bed_message {
	uint32_t uid;
	uint8_t flags;
	uint64_t keywords;
	int64_t date_s;
	int16_t zone_min;
	bool expunged, gone; // expunged within the hour; before that
	uint32_t damaged_at; // octets from here on cannot be read; 0 = all can
	struct sl body;      // borrowed
};

struct bed {
	struct bed_message m[BED_MESSAGES];
	uint32_t n;
	uint64_t modseq;
	enum ec flags_error; // what mbox_flags answers
	bool away;           // the store is

	struct imap im;
	struct cx cx;
	struct session session;
	struct front front;
	struct front_conf conf;
	struct buf said;     // what the client got
	size_t breaks_after; // octets; 0 = the connection holds
	unsigned calls, reads, chunks_out, chunks_max, yields, offloads;
	unsigned ahead;          // times that octets were sent while the next messages were read
	unsigned chunks_others;  // that other sessions have
	unsigned away_after;     // calls; 0 = the store stays
	struct room_share taken; // room that somebody else has
	unsigned unblamed;       // times that octets were sent with chunks that no holder answers for
	size_t room_sending;     // that was in use when octets were sent, at most
};

/// An empty mailbox whose view is read-write and knows $Junk as keyword 0.
void bed_begin(struct bed *b);
void bed_end(struct bed *b);
/// Adds a message with the next UID after a gap of `gap`, and lets the view know it.
struct bed_message *bed_add(struct bed *b, uint32_t gap, struct sl body);
/// Runs "FETCH …", "UID SEARCH …" and gives what it returned; b->said holds the untagged answers.
enum ec bed_run(struct bed *b, struct sl command);
