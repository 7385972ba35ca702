/// clock — reading the clocks; civil time by counting days in 400-year eras.
#include "base/clock.h"

#include <time.h>

int64_t clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

int64_t clock_steady_s(void)
{
	enum { FAR_FROM_ZERO = 1 << 30 }; // what is older than the machine's start has a time, too
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec + FAR_FROM_ZERO;
}

/// Rounds towards minus infinity, unlike C's division.
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/// Days from 1970-01-01 to the first of March of the year that holds the month, plus the day in it: with years
/// beginning in March a leap day is the last day of its year, and 400 years are always 146,097 days.
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t months = year * 12 + (month - 1) - 2; // months since March of year 0
	int64_t y = floor_div(months, 12);
	int64_t m = months - y * 12; // 0 = March
	int64_t era = floor_div(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

int64_t clock_unix(const struct civil *c)
{
	return days_from_civil(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
}

struct civil clock_civil(int64_t unix_s)
{
	int64_t days = floor_div(unix_s, 86400);
	int left = (int)(unix_s - days * 86400);
	int64_t z = days + 719468;
	int64_t era = floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	struct civil c = {
		.day = (int)(doy - (153 * mp + 2) / 5 + 1),
		.month = (int)(mp < 10 ? mp + 3 : mp - 9),
		.hour = left / 3600,
		.minute = left / 60 % 60,
		.second = left % 60,
		.weekday = (int)(((days + 4) % 7 + 7) % 7),
	};

	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

int clock_local_offset_min(int64_t unix_s)
{
	struct tm tm;
	time_t t = (time_t)unix_s;

	if (!localtime_r(&t, &tm))
		return 0;
	return (int)(tm.tm_gmtoff / 60);
}
