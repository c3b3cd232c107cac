/* policy_fifo.c - first come, first served: what others are measured by */
#include "policy.h"

static double urgency(const struct policy_step *s)
{
	return -(double)s->sequence;
}

const struct policy policy_fifo = {
	.name = "fifo",
	.help = "in the order in which steps appeared",
	.urgency = urgency,
};
