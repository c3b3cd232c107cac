/* when.c - moments as servers write them, and how long ago
 *
 * strptime() would ask the locale for the names of months.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "when.h"

/* n digits at *s, which moves behind them and behind one byte `after`. */
static bool take(const char **s, int n, char after, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return !after || *(*s)++ == after;
}

/* timegm() would take the 40th of a month for a day of the next one. */
static bool settle(struct tm *t, int64_t *out)
{
	struct tm same;
	time_t at;

	t->tm_year -= 1900;
	same = *t;
	at = timegm(&same);
	if (same.tm_mday != t->tm_mday || same.tm_mon != t->tm_mon || t->tm_hour > 23 ||
	    t->tm_min > 59 || t->tm_sec > 60)
		return false;
	*out = at;
	return true;
}

bool when_http(const char *s, int64_t *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm t = { 0 };
	const char *month;

	s = strchr(s, ',');
	if (!s || s[1] != ' ')
		return false;
	s += 2;
	if (!take(&s, 2, ' ', &t.tm_mday) || strlen(s) < 4)
		return false;
	for (month = months; *month && strncmp(month, s, 3) != 0;)
		month += 3;
	t.tm_mon = (int)(month - months) / 3;
	if (!*month || s[3] != ' ')
		return false;
	s += 4;
	return take(&s, 4, ' ', &t.tm_year) && take(&s, 2, ':', &t.tm_hour) &&
	       take(&s, 2, ':', &t.tm_min) && take(&s, 2, ' ', &t.tm_sec) &&
	       strcmp(s, "GMT") == 0 && settle(&t, out);
}

bool when_iso(const char *s, int64_t *out)
{
	struct tm t = { 0 };

	if (!take(&s, 4, '-', &t.tm_year) || !take(&s, 2, '-', &t.tm_mon) ||
	    !take(&s, 2, 'T', &t.tm_mday) || !take(&s, 2, ':', &t.tm_hour) ||
	    !take(&s, 2, ':', &t.tm_min) || !take(&s, 2, 0, &t.tm_sec))
		return false;
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	t.tm_mon--;
	return strcmp(s, "Z") == 0 && settle(&t, out);
}

struct when_basic when_basic(int64_t at_s)
{
	struct when_basic w;
	time_t at = (time_t)at_s;
	struct tm t;

	gmtime_r(&at, &t);
	strftime(w.s, sizeof w.s, "%Y%m%dT%H%M%SZ", &t);
	return w;
}

uint64_t when_steady_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
