/* quantity.c - amounts as people write them */
#include "quantity.h"

#include <stdlib.h>
#include <string.h>

/* What follows the number at s, or NULL. */
static const char *after_number(const char *s, double *out)
{
	size_t n = strspn(s, "0123456789.");
	char *end;

	if (*s < '0' || *s > '9' || n > 15 || s[1] == 'x' || s[1] == 'X')
		return NULL;
	*out = strtod(s, &end);
	return s + n == end ? end : NULL;
}

bool quantity_number(const char *s, double *out)
{
	const char *end = after_number(s, out);

	return end && !*end;
}

bool quantity_bytes(const char *s, uint64_t *out)
{
	static const char units[] = "KMGT";
	double n = 0;
	const char *end = after_number(s, &n);
	const char *unit = end && *end ? strchr(units, *end) : NULL;

	if (!unit || (strcmp(end + 1, "") && strcmp(end + 1, "iB")))
		return false;
	for (const char *u = units; u <= unit; u++)
		n *= 1024;
	if (n < 1 || n > 1e18)
		return false;
	*out = (uint64_t)n;
	return true;
}

bool quantity_seconds(const char *s, double *out)
{
	static const struct { char unit; double seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	double sum = 0, n;

	while (*s) {
		const char *end = after_number(s, &n);
		size_t i = 0;

		while (end && i < 4 && units[i].unit != *end)
			i++;
		if (!end || i == 4)
			return false;
		sum += n * units[i].seconds;
		s = end + 1;
	}
	*out = sum;
	return sum > 0 && sum <= 3e9;
}
