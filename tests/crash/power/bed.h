#pragma once
/// bed — a store under random mail, and what of it was acknowledged, for the power-cut laboratory.
///
/// Every operation runs as one job and prints what it did, as one line of JSON, within that job; the line gets an order
/// (the writer runs jobs one after the other) and is marked in the record of changes once it is answered. So the marks
/// of a run tell the state after each of its operations: oracle.py makes it from them.
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "store/cell.h"
#include "store/mailbox.h"
#include "store/quota.h"

enum { BED_ACCOUNTS = 4, BED_BOXES = 64, BED_NAME = 64 };

struct bed {
	struct store_conf conf;
	struct store *s;
	struct quota *quota;
	uint64_t seed;
	_Atomic uint64_t order; // of the job that ran last
	_Atomic uint64_t next;  // operation
	bool aloud;             // marks also go to standard output
};

/// Opens the store and mends it. After an error it is closed.
[[nodiscard]] enum ec bed_try_open(struct cx *cx, struct bed *b);
/// Opens or closes the store, marking it; the program ends where that fails.
void bed_open(struct bed *b);
void bed_close(struct bed *b);
/// Says a line to the record and, aloud, to standard output.
void bed_mark(const struct bed *b, struct sl line);
[[gnu::noreturn]] void bed_die(struct cx *cx, const char *step, enum ec e);
/// Octets of the body that operation `n` brings, and its name: the first octets of its SHA-256 in hexadecimal.
void bed_body(uint64_t seed, uint64_t n, size_t octets, uint8_t *out);
void bed_body_name(struct sl body, char out[static 17]);

/// Tells the store what its rows keep; then, in a moment without other work, does what its keeper would do at some time.
void keep_rules(struct store_conf *conf);
void keep_step(struct bed *b, uint64_t turn);

/// What the test itself needs is not to fail: see fault_spare. Missing in programs without faults.
__attribute__((weak)) void fault_spare(bool on);
static inline void bed_spare(bool on)
{
	if (fault_spare)
		fault_spare(on);
}

/// Makes the accounts, marked as operations 1 to BED_ACCOUNTS.
void load_accounts(struct bed *b);
/// Runs operation `n`: what it is depends on the seed and on what it meets. A delivery may be run again: it is the same.
/// Returns what it was answered, which may well be that it cannot be done.
enum ec load_one(struct bed *b, uint64_t n);
bool load_is_delivery(const struct bed *b, uint64_t n);

/// Prints the whole state as one line to standard output.
void look_state(struct bed *b);
/// Runs the checkers; prints what they say. The store is closed (log) or open (mail).
void look_check_log(struct bed *b);
void look_check_mail(struct bed *b);
