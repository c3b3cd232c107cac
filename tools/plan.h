/* plan.h - what a force would run and take; tools/plan.c, cmd_plan.c
 *
 * As JSON:
 *
 *     {"run":12,"cached":2,"refused":0,"core_seconds":60.2,"gpu_seconds":0,
 *      "guessed":{"thunks":1,"share":0.02,"shapes":["python# new.py"]},
 *      "critical_path":{"seconds":9.1,"thunks":[{"thunk":ID,"label":TEXT,
 *        "seconds":1.5,"guessed":false}...]},
 *      "engines":[{"engine":URI,"cpus":1,"seconds":60.2,"busy":1.0,"refused":0,
 *        "dollars":0.01}...]}
 *
 * dollars is null where no price is known.
 */
#ifndef GG_PLAN_H
#define GG_PLAN_H

#include "gg.h"

/* One output that would be forced, or that stands already. */
struct plan_want {
	struct id thunk;
	const char *out;
	bool is_known;
};

struct plan_wants {
	struct plan_want *v;
	size_t n, room;
};

/* out is borrowed. */
void plan_add(struct plan_wants *w, const struct id *thunk, const char *out, bool is_known);
/* Look, say it, and free w's array.  An exit status, or -1. */
int plan_say(struct ctx *c, struct plan_wants *w, struct err *e);

#endif
