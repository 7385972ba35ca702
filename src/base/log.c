/// log — the sink. The only mutable state is the role's name and the level, set once at start.
#include "base/log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

static const char *log_role;
static enum log_level log_min = LOG_INFO;

void log_setup(const char *role, enum log_level level)
{
	log_role = role;
	log_min = level;
}

static const char *level_name(enum log_level l)
{
	switch (l) {
	case LOG_DEBUG: return "debug";
	case LOG_INFO: return "info";
	case LOG_NOTICE: return "notice";
	case LOG_WARN: return "warn";
	case LOG_ERROR: return "error";
	}
	return "error";
}

/// Fixed room for one line; silently cut at the end, which is marked.
struct line {
	char p[2048];
	size_t n;
};

static void line_add(struct line *l, struct sl s)
{
	size_t room = sizeof l->p - 8 - l->n; // 8: "…" and the newline always fit
	size_t n = s.n < room ? s.n : room;

	memcpy(l->p + l->n, s.p, n);
	l->n += n;
}

static void line_num(struct line *l, uint64_t v, bool minus)
{
	char digits[21];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	if (minus)
		digits[--at] = '-';
	line_add(l, (struct sl){ (const uint8_t *)digits + at, sizeof digits - at });
}

static void line_escaped(struct line *l, struct sl s)
{
	static const char hex[] = "0123456789abcdef";

	line_add(l, SL("\""));
	while (s.n) {
		size_t k = utf8_len(s); // 0 where it is not UTF-8
		bool plain = k && s.p[0] >= 0x20 && s.p[0] != 0x7f && s.p[0] != '"' && s.p[0] != '\\';
		if (plain) {
			line_add(l, sl_head(s, k));
		} else {
			char esc[4] = { '\\', 'x', hex[s.p[0] >> 4], hex[s.p[0] & 15] };
			line_add(l, (struct sl){ (const uint8_t *)esc, 4 });
			k = 1;
		}
		s = sl_from(s, k);
	}
	line_add(l, SL("\""));
}

static void line_stamp(struct line *l)
{
	struct timespec t;
	struct civil c;
	char text[40];

	clock_gettime(CLOCK_REALTIME, &t);
	c = clock_civil(t.tv_sec);
	int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", (int)c.year, c.month, c.day, c.hour,
		c.minute, c.second, (int)(t.tv_nsec / 1000000));
	line_add(l, (struct sl){ (const uint8_t *)text, (size_t)n });
}

static void line_kv(struct line *l, const struct kv *kv)
{
	line_add(l, SL(" "));
	line_add(l, sl_cstr(kv->key));
	line_add(l, SL("="));
	switch (kv->kind) {
	case KV_SL: line_escaped(l, kv->sl); break;
	case KV_WORD: line_add(l, kv->sl); break;
	case KV_U: line_num(l, kv->u, false); break;
	case KV_I: line_num(l, kv->i < 0 ? 0 - (uint64_t)kv->i : (uint64_t)kv->i, kv->i < 0); break;
	}
}

void log_event(const struct cx *cx, enum log_level level, const char *event, const struct kv *kvs)
{
	struct line l = { .n = 0 };

	if (level < log_min)
		return;
	line_stamp(&l);
	line_add(&l, sl_cstr(level_name(level)));
	line_add(&l, SL(" "));
	line_add(&l, sl_cstr(event));
	if (log_role)
		line_kv(&l, &(struct kv){ .key = "role", .kind = KV_WORD, .sl = sl_cstr(log_role) });
	if (cx && cx->sid)
		line_kv(&l, &(struct kv){ .key = "sid", .kind = KV_U, .u = cx->sid });
	for (; kvs->key; kvs++)
		line_kv(&l, kvs);
	if (l.n == sizeof l.p - 8) {
		memcpy(l.p + l.n, "...", 3);
		l.n += 3;
	}
	l.p[l.n++] = '\n';
	if (write(STDERR_FILENO, l.p, l.n) < 0)
		return; // nowhere to say it
}

void log_failure(struct cx *cx, enum log_level level, const char *event, enum ec e)
{
	char story[1024];

	cx_story(cx, story, sizeof story);
	LOG(cx, level, event, kv_word("code", ec_name(e)), kv_sl("why", sl_cstr(story)));
}
