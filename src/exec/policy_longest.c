/* policy_longest.c - first what the longest way to a target goes through
 *
 * List scheduling by the critical path (Graham, Coffman): its makespan is within
 * twice the best there is, and close to it on what training pipelines look like.
 */
#include "policy.h"

static double urgency(const struct policy_step *s)
{
	return s->most_above + s->seconds;
}

const struct policy policy_longest = {
	.name = "longest",
	.help = "the longest remaining path first",
	.urgency = urgency,
};
