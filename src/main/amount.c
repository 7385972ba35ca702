/// amount — see the header.
#include "main/amount.h"

#include <stdio.h>

#include "base/num.h"
#include "base/utf8.h"

void amount_count(char out[AMOUNT], uint64_t n)
{
	static const char units[] = "kMGTPE";
	unsigned u = 0;
	double v = (double)n / 1000;

	if (n < 100000) {
		snprintf(out, AMOUNT, "%u", (unsigned)n);
		return;
	}
	for (; v >= 1000 && u + 2 < sizeof units; u++)
		v /= 1000;
	snprintf(out, AMOUNT, v < 10 ? "%.1f%c" : "%.0f%c", v, units[u]);
}

void amount_rate(char out[AMOUNT], double per_s)
{
	if (per_s < 0.05)
		snprintf(out, AMOUNT, "0");
	else if (per_s < 99.95)
		snprintf(out, AMOUNT, "%.1f", per_s);
	else
		amount_count(out, per_s < 1e18 ? (uint64_t)(per_s + 0.5) : (uint64_t)1e18);
}

void amount_octets(char out[AMOUNT], uint64_t octets)
{
	static const char units[] = "KMGTPE";
	unsigned u = 0;
	double v = (double)octets / 1024;

	if (octets < 1024) {
		snprintf(out, AMOUNT, "%u B", (unsigned)octets);
		return;
	}
	for (; v >= 1000 && u + 2 < sizeof units; u++) // 1,000: never four digits
		v /= 1024;
	snprintf(out, AMOUNT, v < 9.95 ? "%.1f %cB" : "%.0f %cB", v, units[u]);
}

void amount_time(char out[AMOUNT], int64_t ns)
{
	static const char *const units[] = { "µs", "ms", "s" };
	unsigned u = 0;
	double v = (double)ns / 1000;

	for (; v >= 999.5 && u + 1 < ARRAY_N(units); u++)
		v /= 1000;
	snprintf(out, AMOUNT, v < 9.95 && v > 0 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void amount_age(char out[AMOUNT], uint64_t s)
{
	char days[24] = "";

	if (s >= 86400)
		snprintf(days, sizeof days, "%llu d ", (unsigned long long)(s / 86400));
	snprintf(out, AMOUNT, "%s%u:%02u:%02u", days, (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
		(unsigned)(s % 60));
}

/// Chinese, Japanese, Korean, and the full-width forms of punctuation.
static bool is_wide(uint32_t ch)
{
	return (ch >= 0x2e80 && ch < 0xd800) || (ch >= 0xf900 && ch < 0xfb00) || (ch >= 0xfe30 && ch < 0xfe70) ||
	       (ch >= 0xff00 && ch < 0xff61);
}

unsigned text_columns(struct sl s)
{
	unsigned columns = 0;
	size_t n;

	for (; s.n; s = sl_from(s, n))
		columns += is_wide(utf8_get(s, &n)) ? 2 : 1;
	return columns;
}

void text_put(struct buf *b, const char *s, unsigned columns, bool right)
{
	struct sl rest = sl_cstr(s), fits = rest;
	unsigned used = 0;
	size_t n;

	for (; rest.n; rest = sl_from(rest, n)) {
		unsigned width = is_wide(utf8_get(rest, &n)) ? 2 : 1;
		if (used + width > columns)
			break;
		used += width;
	}
	fits.n -= rest.n;
	if (!right)
		buf_add(b, fits);
	for (unsigned i = used; i < columns; i++)
		buf_addc(b, ' ');
	if (right)
		buf_add(b, fits);
}
