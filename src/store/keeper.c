/// keeper — see the header.
#include "store/keeper.h"

#include "store/engine.h"

void keeper_init(struct keeper *k)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
}

void keeper_end(struct keeper *k)
{
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
}

static bool is_noted(const struct keeper *k, struct cell_id id)
{
	for (unsigned i = 0; i < k->due_n; i++) {
		struct cell_id d = k->due[(k->due_first + i) % KEEPER_DUE_MAX];
		if (d.account == id.account && d.name == id.name)
			return true;
	}
	return false;
}

void keeper_note(struct keeper *k, struct cell_id id)
{
	pthread_mutex_lock(&k->lock);
	if (k->due_n < KEEPER_DUE_MAX && !is_noted(k, id)) {
		k->due[(k->due_first + k->due_n++) % KEEPER_DUE_MAX] = id;
		pthread_cond_signal(&k->wake);
	}
	pthread_mutex_unlock(&k->lock);
}

bool keeper_take(struct keeper *k, struct cell_id *id)
{
	pthread_mutex_lock(&k->lock);
	bool some = k->due_n > 0;
	if (some) {
		*id = k->due[k->due_first];
		k->due_first = (k->due_first + 1) % KEEPER_DUE_MAX;
		k->due_n--;
	}
	pthread_mutex_unlock(&k->lock);
	return some;
}
