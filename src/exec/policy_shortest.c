/* policy_shortest.c - first what ends soonest: results come early, the whole comes late */
#include "policy.h"

static double urgency(const struct policy_step *s)
{
	return -s->seconds;
}

const struct policy policy_shortest = {
	.name = "shortest",
	.help = "the shortest step first",
	.urgency = urgency,
};
