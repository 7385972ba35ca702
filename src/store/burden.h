#pragma once
/// burden — who keeps the writer busy: time used by each account, leaking away.
///
/// An account may use half of the writer's time for good, and BURDEN_HEAVY_NS at once; beyond that it is heavy, and the
/// writer takes its jobs in turns behind those of others. The table is small: of accounts that meet in a slot the one
/// that uses more is known, so at most BURDEN_SLOTS are heavy at the same time.
/// Not thread-safe.
#include <stdbool.h>
#include <stdint.h>

enum { BURDEN_SLOTS = 1024, BURDEN_HEAVY_NS = 20000000 };

struct burdens {
	struct burden {
		uint64_t who;
		int64_t level_ns, at_ns; // what was used and has not leaked away at at_ns
		int64_t last_ns;         // of the last job
	} slot[BURDEN_SLOTS];
};

/// Notes that a job of `who` took `used_ns` until now. 0 is nobody and never heavy.
void burden_add(struct burdens *b, uint64_t who, int64_t used_ns, int64_t now_ns);
/// Whether `who` used more than its share. out: *job_ns — what its last job took; 0 where it is not heavy.
bool burden_is_heavy(const struct burdens *b, uint64_t who, int64_t now_ns, int64_t *job_ns);
