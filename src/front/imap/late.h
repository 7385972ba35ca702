#pragma once
/// late — for tests with a client_call of their own: client_ask and client_answer. The call is made with the second
/// half, so that whoever looks at an answer before its time finds nothing there. Only one file of a test includes this.
#include "base/check.h"
#include "ipc/client.h"

static struct late {
	struct client_asked *asked;
	const void *req;
	void *ans;
} late[256];

/// Requests that nobody has come for.
static inline unsigned late_asked(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_N(late); i++)
		n += late[i].asked != NULL;
	return n;
}

FIB void client_ask(struct client *c, enum verb verb, const void *req, void *ans, struct client_asked *a)
{
	size_t i = 0;

	(void)c;
	while (i < ARRAY_N(late) && late[i].asked)
		i++;
	assert_true(i < ARRAY_N(late));
	*a = (struct client_asked){ .verb = verb };
	late[i] = (struct late){ a, req, ans };
}

FIB enum ec client_answer(struct cx *cx, struct client *c, struct client_asked *a)
{
	size_t i = 0;

	while (i < ARRAY_N(late) && late[i].asked != a)
		i++;
	assert_true(i < ARRAY_N(late)); // asked, and once
	struct late l = late[i];
	late[i].asked = NULL;
	return client_call(cx, c, a->verb, l.req, l.ans);
}
