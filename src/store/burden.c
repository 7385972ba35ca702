/// burden — see the header.
#include "store/burden.h"

static int64_t level_at(const struct burden *s, int64_t now_ns)
{
	int64_t leaked = (now_ns - s->at_ns) / 2;

	return s->level_ns > leaked ? s->level_ns - leaked : 0;
}

void burden_add(struct burdens *b, uint64_t who, int64_t used_ns, int64_t now_ns)
{
	struct burden *s = &b->slot[who % BURDEN_SLOTS];
	int64_t level = level_at(s, now_ns);

	if (who == 0 || (s->who != who && level > used_ns))
		return;
	*s = (struct burden){
		.who = who, .level_ns = (s->who == who ? level : 0) + used_ns, .at_ns = now_ns, .last_ns = used_ns
	};
}

bool burden_is_heavy(const struct burdens *b, uint64_t who, int64_t now_ns, int64_t *job_ns)
{
	const struct burden *s = &b->slot[who % BURDEN_SLOTS];
	bool heavy = who && s->who == who && level_at(s, now_ns) > BURDEN_HEAVY_NS;

	*job_ns = heavy ? s->last_ns : 0;
	return heavy;
}
