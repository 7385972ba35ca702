/// mailstore — see the header.
#include "store/mailstore.h"

#include "base/clock.h"
#include "store/grave.h"
#include "store/mbox_rows.h"

static enum ec sweep(struct cx *cx, struct store *s)
{
	return grave_sweep(cx, s, clock_now_s());
}

void mailstore_rules(struct store_conf *conf)
{
	conf->bodies = mbox_bodies;
	conf->sweep = sweep;
}
