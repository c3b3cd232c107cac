/* worker_shrink.c - an answer again, without the objects that made it too large */
#include "worker_private.h"

struct putting {
	struct err err;
	bool is_done, has_failed;
};

static void on_put(struct depot_push *p, const struct err *e)
{
	struct putting *k = p->arg;

	k->is_done = true;
	k->has_failed = e != NULL;
	if (e)
		k->err = *e;
}

static int put_all(struct worker *w, struct depot *d, const struct message_objects *o,
		   struct arena *a, struct err *e)
{
	struct ref *refs = arena_alloc(a, (o->n + 1) * sizeof *refs);
	struct putting k = { .is_done = false };
	struct depot_push p = { .refs = refs, .n_refs = o->n, .done = on_put, .arg = &k };

	for (size_t i = 0; i < o->n; i++)
		refs[i] = (struct ref){ REF_VALUE, o->v[i].id, NULL };
	depot_push(d, &p);
	loop_run(w->o.loop, &k.is_done);
	if (k.has_failed)
		*e = k.err;
	return k.has_failed ? -1 : 0;
}

/* The names of those inside and of those elsewhere already. */
static void name_all(struct message_answer *m, struct arena *a)
{
	size_t n = m->n_elsewhere;
	struct id *v = arena_alloc(a, (n + m->objects.n + 1) * sizeof *v);

	for (size_t i = 0; i < n; i++)
		v[i] = m->elsewhere[i];
	for (size_t i = 0; i < m->objects.n; i++)
		v[n++] = m->objects.v[i].id;
	m->elsewhere = v;
	m->n_elsewhere = n;
}

int worker_shrink(struct worker *w, struct bytes request, struct bytes answer,
		  struct buf *out, struct err *e)
{
	struct message_request q = { .n_steps = 0 };
	struct message_answer m = { .n_reports = 0 };
	struct arena a = { 0 };
	struct depot *d = NULL;
	int rc = -1;

	if (message_read_request(request, &a, &q, e) < 0 ||
	    message_read_answer(answer, &a, &m, e) < 0 ||
	    source_find(w, q.remotes, &d, e) < 0)
		goto out;
	if (!d || !m.objects.n) {
		err_set(e, ERR_REFUSED, "the answer is too large for this API%s",
			d ? "" : ", and its request names no remote for what the outputs hold");
		goto out;
	}
	if (put_all(w, d, &m.objects, &a, e) < 0)
		goto out;
	name_all(&m, &a);
	message_objects_release(&m.objects);
	message_put_answer(&m, out);
	rc = 0;
out:
	message_objects_release(&m.objects);
	message_objects_release(&q.objects);
	arena_release(&a);
	return rc;
}
