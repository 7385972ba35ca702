/// verbs — the checks of every request, made from the table: a handler never sees a field beyond its limit.
#include "ipc/verbs.h"

#include "base/hash.h"
#include "base/num.h"

static bool range_ok(const struct range *r, uint64_t arena)
{
	return (uint64_t)r->off + r->len <= arena;
}

static bool ranges_ok(const struct range *r, uint32_t n, uint32_t max, uint64_t arena)
{
	if (n > max)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!range_ok(&r[i], arena))
			return false;
	return true;
}

#define OK_U8(name, limit)  &&r->name <= (limit)
#define OK_U32(name, limit) &&r->name <= (limit)
#define OK_U64(name, limit)
#define OK_I64(name, limit)
#define OK_BOOL(name, limit)   &&r->name <= 1
#define OK_STR(name, limit)    &&r->name.n <= (limit)
#define OK_SECRET(name, limit) OK_STR(name, limit)
#define OK_BYTES(name, limit)
#define OK_HANDLE(name, limit)
#define OK_OP(name, limit)
#define OK_RANGE(name, limit)  &&range_ok(&r->name, arena)
#define OK_RANGES(name, limit) &&ranges_ok(r->name.r, r->name.n, limit, arena)
#define OK_U32S(name, limit)
#define OK_FIELD(kind, name, limit) OK_##kind(name, limit)

#define VERB(verb, who)                                                         \
	static enum ec check_##verb(const void *req, uint64_t arena)            \
	{                                                                       \
		const struct req_##verb *r = req;                               \
		(void)arena;                                                    \
		return r->none_[0] == 0 REQ_##verb(OK_FIELD) ? E_OK : E_SYNTAX; \
	}
#include "ipc/verbs.def"

#define AT_U8(name, limit)
#define AT_U32(name, limit)
#define AT_U64(name, limit)
#define AT_I64(name, limit)
#define AT_BOOL(name, limit)
#define AT_STR(name, limit)
#define AT_SECRET(name, limit)
#define AT_BYTES(name, limit)
#define AT_HANDLE(name, limit) h = &r->name;
#define AT_OP(name, limit)
#define AT_RANGE(name, limit)
#define AT_RANGES(name, limit)
#define AT_U32S(name, limit)
#define AT_FIELD(kind, name, limit) AT_##kind(name, limit)

#define VERB(verb, who)                                            \
	static const struct handle *handle_##verb(const void *req) \
	{                                                          \
		const struct req_##verb *r = req;                  \
		const struct handle *h = NULL;                     \
		(void)r;                                           \
		REQ_##verb(AT_FIELD) return h;                     \
	}
#include "ipc/verbs.def"

#define IS_U8(name, limit)
#define IS_U32(name, limit)
#define IS_U64(name, limit)
#define IS_I64(name, limit)
#define IS_BOOL(name, limit)
#define IS_STR(name, limit)
#define IS_SECRET(name, limit) 1 ||
#define IS_BYTES(name, limit)
#define IS_HANDLE(name, limit)
#define IS_OP(name, limit)
#define IS_RANGE(name, limit)
#define IS_RANGES(name, limit)
#define IS_U32S(name, limit)
#define IS_FIELD(kind, name, limit) IS_##kind(name, limit)

#define VERB(verb, by)                                   \
	[VERB_##verb] = { .name = #verb,                 \
		.who = (by),                             \
		.req_octets = sizeof(struct req_##verb), \
		.ans_octets = sizeof(struct ans_##verb), \
		.secret = REQ_##verb(IS_FIELD) 0,        \
		.check = check_##verb,                   \
		.handle = handle_##verb },
static const struct verb_info infos[VERBS] = {
#include "ipc/verbs.def"
};

#define VERB(verb, by)                                                                                              \
	_Static_assert(sizeof(struct req_##verb) + sizeof(struct frame_head) <= FRAME_MAX, "request fits a frame"); \
	_Static_assert(sizeof(struct ans_##verb) + sizeof(struct frame_head) <= FRAME_MAX, "answer fits a frame");
#include "ipc/verbs.def"

const struct verb_info *verb_info(uint32_t verb)
{
	return verb < VERBS && infos[verb].name ? &infos[verb] : NULL;
}

uint64_t verbs_build(void)
{
	uint64_t crc = 0, sizes = 0;

	for (unsigned v = 0; v < VERBS; v++) {
		if (!infos[v].name)
			continue;
		crc = crc32c((uint32_t)crc, sl_cstr(infos[v].name));
		sizes = sizes * 31 + infos[v].req_octets * 7u + infos[v].ans_octets;
	}
	return crc << 32 | (sizes & UINT32_MAX);
}
