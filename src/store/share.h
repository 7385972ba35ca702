#pragma once
/// share — how much of the disk unfinished uploads take: all together, and those of one sender.
///
/// Who begins messages and ends none holds disk that others need. So all of them take at most a SHARE_ALL-th part of
/// what would be free above the reserve without them, and those of one sender at most a SHARE_ONE-th part of that.
/// However little that is, one message finds room in it: who is alone is not refused here.
/// Threads: any; a part is changed by one thread at a time.
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ec.h"

enum { SHARE_ALL = 4, SHARE_ONE = 2 };

struct share {
	pthread_mutex_t lock;
	uint64_t octets; // of all parts
	struct share_part *first;
};
/// Of one upload. Zeroed it is none; it must not move between share_begin and share_end.
struct share_part {
	struct share_part *next, **link;
	uint64_t who, octets;
};

void share_init(struct share *s);
void share_free(struct share *s);
/// in: who — the sender; any number that is the same for the same one.
void share_begin(struct share *s, struct share_part *p, uint64_t who);
/// Accepts one that never began.
void share_end(struct share *s, struct share_part *p);
/// Takes so many octets more, or none. in: room — octets free on the disk above its reserve now.
/// errors: E_QUOTA — its sender has his part already, whatever others have; E_LIMIT — all together have theirs.
[[nodiscard]] enum ec share_take(struct share *s, struct share_part *p, uint64_t octets, uint64_t room);
