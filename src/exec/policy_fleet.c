/* policy_fleet.c - trainers in flotillas
 *
 * Those that may have several GPUs are grouped and given GPUs by FLEET's greedy
 * algorithm (fleet.h), so that all that train at a time get on alike; whatever
 * comes free is filled with what goes about as fast.  Where they are more than
 * GPUs only the most urgent are looked at, by the longest remaining path, as is
 * all else.
 */
#include "policy.h"

static double urgency(const struct policy_step *s)
{
	return policy_longest.urgency(s);
}

const struct policy policy_fleet = {
	.name = "fleet",
	.help = "as longest, and those of gpus A-B get GPUs in flotillas of about one pace",
	.urgency = urgency,
	.share = fleet_choose,
};
