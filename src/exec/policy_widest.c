/* policy_widest.c - first what most steps wait for, so that there is soon enough to do */
#include "policy.h"

static double urgency(const struct policy_step *s)
{
	return (double)s->n_above;
}

const struct policy policy_widest = {
	.name = "widest",
	.help = "what most steps wait for first",
	.urgency = urgency,
};
