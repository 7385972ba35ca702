/// mailstore — see the header.
#include "store/mailstore.h"

#include "base/clock.h"
#include "store/grave.h"
#include "store/mbox_rows.h"
#include "store/mbox_sweep.h"

static enum ec sweep(struct cx *cx, struct store *s)
{
	int64_t now_s = clock_now_s();
	enum ec graves = grave_sweep(cx, s, now_s), pages = mbox_sweep(cx, s, now_s);

	return graves ? graves : pages;
}

void mailstore_rules(struct store_conf *conf)
{
	conf->bodies = mbox_bodies;
	conf->sweep = sweep;
	conf->hurry_s = EXPUNGED_KEPT_S - EXPUNGED_KEPT_LOW_S;
}
