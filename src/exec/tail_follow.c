/* tail_follow.c - the thunks that a step returned instead of a value */
#include "exec.h"

static bool says_anything(const struct hints *h)
{
	return (h->cpus > 0 && (h->cpus < 1 || h->cpus > 1)) || h->gpus > 0 || h->time_s > 0 ||
		h->mem_bytes || h->disk_bytes || h->priority || h->is_watched;
}

int tail_follow(struct store *s, struct ref *ref, const struct hints *h, struct arena *a,
		struct err *e)
{
	bool has_hints = says_anything(h);
	struct bytes b;
	struct tail tail;
	struct id id;
	int rc = store_get_tail(s, &ref->id, a, &b, e);

	if (rc <= 0)
		return rc;
	if (tail_decode(b, a, &tail, e) < 0)
		return err_wrap(e, "the thunk that it returned");
	for (size_t i = 0; i < tail.n; i++)
		if (store_put(s, tail.thunks[i], &id, e) < 0 ||
		    (has_hints && hints_put(s, &id, h, e) < 0))
			return -1;
	*ref = (struct ref){ REF_THUNK, tail.value.thunk, tail.value.out };
	return 0;
}
