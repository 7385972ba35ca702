#pragma once
/// log — one line per event: `event key=value …` on standard error.
///
/// Untrusted octets are escaped (control octets, quote, backslash and what is not UTF-8 as \xNN), a line is one write()
/// of at most 2 KiB. Event names are documented in docs/OPERATING.md and stay. Only sessions and roles log; code below
/// them returns an error instead. Secrets are never passed here.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "base/sl.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARN, LOG_ERROR };

struct kv {
	const char *key;
	enum { KV_SL, KV_U, KV_I, KV_WORD } kind;
	struct sl sl;
	uint64_t u;
	int64_t i;
};

/// A quoted, escaped text; a number; a bare static word.
static inline struct kv kv_sl(const char *key, struct sl s)
{
	return (struct kv){ .key = key, .kind = KV_SL, .sl = s };
}
static inline struct kv kv_u(const char *key, uint64_t u)
{
	return (struct kv){ .key = key, .kind = KV_U, .u = u };
}
static inline struct kv kv_i(const char *key, int64_t i)
{
	return (struct kv){ .key = key, .kind = KV_I, .i = i };
}
static inline struct kv kv_word(const char *key, const char *word)
{
	return (struct kv){ .key = key, .kind = KV_WORD, .sl = sl_cstr(word) };
}

/// LOG(cx, LOG_INFO, "smtp.rcpt.reject", kv_sl("rcpt", r), kv_u("code", 550)): writes one line, with `sid=` from cx
/// (which may be NULL).
#define LOG(cx, level, ...)         LOG_(cx, level, __VA_ARGS__, (struct kv){ 0 })
#define LOG_(cx, level, event, ...) log_event(cx, level, event, (const struct kv[]){ __VA_ARGS__ })
/// LOG with the whole chain of the last failure as why="…" and its code.
void log_failure(struct cx *cx, enum log_level level, const char *event, enum ec e);

/// What LOG calls; `kvs` ends with a key of NULL.
void log_event(const struct cx *cx, enum log_level level, const char *event, const struct kv *kvs);
/// Lines below `level` are dropped (default LOG_INFO). `role` is printed in each line; static string, NULL = none.
void log_setup(const char *role, enum log_level level);
