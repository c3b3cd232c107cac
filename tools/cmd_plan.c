/* cmd_plan.c - gg plan: what forcing would run, and what it would take */
#include <stdlib.h>
#include "plan.h"
#include "targets.h"

int cmd_plan(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct targets all = { 0 };
	struct plan_wants wants = { 0 };
	int rc = targets_find(c, argc, argv, &all, e);

	/* An output that somebody wrote, or took away, is forced only when it is
	 * named. */
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		const struct target *t = &all.v[i];

		if (t->now == NOW_EDITED || (t->now == NOW_ABSENT && !argc))
			continue;
		plan_add(&wants, &t->ph.thunk, t->ph.out, t->now == NOW_REAL);
	}
	free(all.v);
	if (rc == 0)
		return plan_say(c, &wants, e);
	free(wants.v);
	return -1;
}
