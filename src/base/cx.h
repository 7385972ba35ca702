#pragma once
/// cx — the one context argument: deadline, cancellation, session id, and the story of the last failure.
///
/// The explicit `cx` replaces hidden thread-local areas. One cx belongs to one session fiber or one thread at a time.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ec.h"

enum { DIAG_FRAMES = 8, DIAG_TEXT = 160 };

struct diag_frame {
	enum ec code;
	int line;
	const char *file; // static
	char text[DIAG_TEXT];
};

/// The story of a failure: frame 0 is where it began, later ones say what it broke. Fixed memory, oldest kept.
struct diag {
	struct diag_frame *frames; // DIAG_FRAMES of them, taken at the first failure, freed by cx_end
	unsigned n;
};

struct cx {
	int64_t deadline_ns; // absolute, clock_mono_ns(); 0 = none
	bool canceled;       // set by whoever wants this work to stop; tested after each wait
	uint64_t sid;        // session id for log lines; 0 = none
	struct diag diag;
};

/// Starts a story: remembers `e` with a text and returns it. Forgets an earlier story. cx may be NULL (nothing is
/// kept).
#define fail(cx, e, ...) CX_NOTED(cx, e, true, __VA_ARGS__)
/// Adds what this failure broke here, and returns `e`. cx may be NULL.
#define wrap(cx, e, ...) CX_NOTED(cx, e, false, __VA_ARGS__)

/// What fail() and wrap() call; `e` is returned where compilers and checkers see that it is the same.
#define CX_NOTED(cx, e, fresh, ...)                                           \
	({                                                                    \
		const enum ec noted = (e);                                    \
		cx_note((cx), noted, fresh, __FILE__, __LINE__, __VA_ARGS__); \
		noted;                                                        \
	})
[[gnu::format(printf, 6, 7)]] void cx_note(
	struct cx *cx, enum ec e, bool fresh, const char *file, int line, const char *fmt, ...);

/// Prints "code: text <- text …" of the last failure into out[n], NUL-terminated, control octets as '?'.
void cx_story(const struct cx *cx, char *out, size_t n);
/// Forgets the last failure.
void cx_forget(struct cx *cx);
/// Sets the deadline `ms` milliseconds from now; 0 = none.
void cx_deadline_in(struct cx *cx, int64_t ms);
/// E_CANCELED, E_TIMEOUT or E_OK.
enum ec cx_check(const struct cx *cx);
/// Frees what the diag took. The cx may be used again.
void cx_end(struct cx *cx);
