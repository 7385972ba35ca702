#pragma once
/// sl — a slice: borrowed octets with a length, passed by value. Text is never NUL-terminated here.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl {
	const uint8_t *p;
	size_t n;
};

/// A slice over a string literal; the terminating NUL is not part of it.
#define SL(lit) ((struct sl){ (const uint8_t *)("" lit), sizeof(lit) - 1 })
/// The same where C wants a constant initialiser (tables).
#define SL_INIT(lit)                                       \
	{                                                  \
		(const uint8_t *)("" lit), sizeof(lit) - 1 \
	}
/// Arguments for a "%.*s" of buf_printf or fail(); text only: printing ends at a NUL octet.
#define SLF(s) (int)(s).n, (const char *)(s).p

/// A slice over a NUL-terminated C string (argv, errno texts); NULL gives the empty slice.
struct sl sl_cstr(const char *s);
/// True where both hold the same octets.
bool sl_eq(struct sl a, struct sl b);
/// True where both are equal with ASCII letters folded; other octets must be identical.
bool sl_eq_ci(struct sl a, struct sl b);
/// Orders by octets, then by length; <0, 0, >0 like memcmp.
int sl_cmp(struct sl a, struct sl b);
/// True where `s` begins with `head` (ASCII case folded for the _ci form).
bool sl_starts(struct sl s, struct sl head);
bool sl_starts_ci(struct sl s, struct sl head);
/// True where `s` ends with `tail` (ASCII case folded).
bool sl_ends_ci(struct sl s, struct sl tail);
/// The part from octet `from` on; past the end gives the empty slice.
struct sl sl_from(struct sl s, size_t from);
/// The first `n` octets, or all where there are fewer.
struct sl sl_head(struct sl s, size_t n);
/// Octet positions [from, to), both cut to the slice.
struct sl sl_sub(struct sl s, size_t from, size_t to);
/// Index of the first `c`, or s.n where there is none.
size_t sl_find(struct sl s, uint8_t c);
/// Index of the last `c`, or s.n where there is none.
size_t sl_rfind(struct sl s, uint8_t c);
/// Index of the first place where `what` stands, or s.n; an empty `what` is found at 0.
size_t sl_find_sl(struct sl s, struct sl what);
/// Without leading and trailing SP, HTAB, CR, LF.
struct sl sl_trim(struct sl s);
/// Splits at the first `c`: returns what is before it and moves *rest behind it; without a `c` returns all and *rest
/// is empty.
struct sl sl_cut(struct sl *rest, uint8_t c);
/// Compares secrets of equal length in a time that does not depend on their octets.
bool sl_eq_secret(struct sl a, struct sl b);

/// ASCII-only classes and folding (RFC 5234 appendix B.1).
static inline bool is_alpha(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26;
}
static inline bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}
static inline bool is_wsp(uint8_t c)
{
	return c == ' ' || c == '\t';
}
static inline uint8_t to_lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}
/// Value of a hexadecimal digit, or -1.
static inline int hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	uint8_t l = (uint8_t)(c | 0x20);
	return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
