/* policy.c - the table of policies: a new one is its file and its row */
#include "policy.h"

#include <string.h>

const struct policy *const policies[] = {
	&policy_longest,
	&policy_fifo,
	&policy_widest,
	&policy_shortest,
	&policy_fleet,
	NULL
};

const struct policy *policy_find(const char *name)
{
	for (size_t i = 0; policies[i]; i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	return NULL;
}
