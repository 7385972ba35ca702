/// mailstore — see the header.
#include "store/mailstore.h"

#include "store/mbox_rows.h"

void mailstore_rules(struct store_conf *conf)
{
	conf->bodies = mbox_bodies;
}
