/// stub — FETCH and SEARCH answer NO until fetch.c and search.c take their places and this file goes.
#include "front/imap/fetch.h"
#include "front/imap/search.h"

FIB enum ec imap_fetch_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cx, (void)cmd;
	return imap_refuse(im, E_UNSUPPORTED, "CANNOT", "FETCH is not there yet");
}

FIB enum ec imap_search_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cx, (void)cmd;
	return imap_refuse(im, E_UNSUPPORTED, "CANNOT", "SEARCH is not there yet");
}
