#pragma once
/// imap_store — the grammar of STORE: which messages, which flags, added, removed or set.
#include "base/arena.h"
#include "base/cur.h"
#include "proto/imap_lex.h"
#include "proto/seqset.h"

enum imap_store_op { STORE_SET, STORE_ADD, STORE_DEL };

struct imap_store {
	struct seqset set;
	enum imap_store_op op;
	bool silent;
	struct imap_flags flags;
};

/// store = "STORE" SP sequence-set SP store-att-flags, from behind the first SP.
/// source: RFC 9051 §6.4.6 and §9.
void imap_parse_store(struct cur *c, struct arena *a, struct imap_store *out);
