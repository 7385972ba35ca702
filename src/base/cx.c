/// cx — notes of failures, deadlines.
#include "base/cx.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void cx_note(struct cx *cx, enum ec e, bool fresh, const char *file, int line, const char *fmt, ...)
{
	if (!cx || e == E_OK)
		return;
	if (!cx->diag.frames)
		cx->diag.frames = calloc(DIAG_FRAMES, sizeof *cx->diag.frames);
	if (!cx->diag.frames)
		return;
	if (fresh)
		cx->diag.n = 0;
	if (cx->diag.n == DIAG_FRAMES)
		return;
	struct diag_frame *f = &cx->diag.frames[cx->diag.n++];
	const char *slash = strrchr(file, '/');
	va_list ap;
	f->code = e;
	f->file = slash ? slash + 1 : file;
	f->line = line;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
}

void cx_story(const struct cx *cx, char *out, size_t n)
{
	size_t at = 0;

	if (n == 0)
		return;
	out[0] = 0;
	for (unsigned i = 0; cx && i < cx->diag.n && at < n; i++) {
		const struct diag_frame *f = &cx->diag.frames[i];
		int k = snprintf(out + at, n - at, "%s%s (%s:%d)", i ? " <- " : "", f->text, f->file, f->line);
		at += k > 0 ? (size_t)k : 0;
	}
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

void cx_forget(struct cx *cx)
{
	cx->diag.n = 0;
}

void cx_deadline_in(struct cx *cx, int64_t ms)
{
	cx->deadline_ns = ms ? clock_mono_ns() + ms * 1000000 : 0;
}

enum ec cx_check(const struct cx *cx)
{
	if (cx->canceled)
		return E_CANCELED;
	return cx->deadline_ns && clock_mono_ns() >= cx->deadline_ns ? E_TIMEOUT : E_OK;
}

void cx_end(struct cx *cx)
{
	free(cx->diag.frames);
	cx->diag = (struct diag){ 0 };
}
