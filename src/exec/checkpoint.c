/* checkpoint.c - what runs that were ended early have left, as it is kept
 *
 * There is one for each reduced thunk at most, the last.  Its bytes are an
 * object like others; gc keeps it as long as somebody may go on from it.
 */
#include <string.h>
#include "exec.h"

enum { VERSION = 1 };

/* As this machine has numbers: the store never leaves it. */
struct record {
	double seconds, cpu_seconds;
	uint32_t kind, n_stops;
	struct id id, thunk, log;
};

int checkpoint_put(struct store *s, const struct id *reduced, const struct checkpoint *c,
		   struct err *e)
{
	struct record r = { c->seconds, c->cpu_seconds, c->ref.kind, c->n_stops, c->ref.id,
			    c->thunk, c->log };
	char room[1 + sizeof r] = { VERSION };

	memcpy(room + 1, &r, sizeof r);
	return store_table_put(s, TABLE_CHECKPOINT, id_key(reduced),
			       (struct bytes){ room, sizeof room }, e);
}

static bool decode(struct bytes b, struct checkpoint *out)
{
	struct record r;

	if (b.n != 1 + sizeof r || b.p[0] != VERSION)
		return false;
	memcpy(&r, b.p + 1, sizeof r);
	*out = (struct checkpoint){ .ref = { (enum ref_kind)r.kind, r.id, NULL },
				    .thunk = r.thunk, .log = r.log, .seconds = r.seconds,
				    .cpu_seconds = r.cpu_seconds, .n_stops = r.n_stops };
	return r.kind < REF_THUNK;
}

int checkpoint_get(struct store *s, const struct id *reduced, struct checkpoint *out,
		   struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_table_get(s, TABLE_CHECKPOINT, id_key(reduced), &a, &b, e);

	if (rc == 0 && !decode(b, out))
		rc = err_set(e, ERR_MISSING, "a record of another version");
	arena_release(&a);
	return rc;
}

int checkpoint_drop(struct store *s, const struct id *reduced, struct err *e)
{
	if (store_table_delete(s, TABLE_CHECKPOINT, id_key(reduced), e) < 0 &&
	    e->code != ERR_MISSING)
		return -1;
	return 0;
}

struct sweep {
	struct store *store;
	const struct checkpoint_sweep *w;
	struct err *e;
	bool has_failed;
};

static bool is_needed(struct sweep *k, const struct id *reduced, const struct checkpoint *c)
{
	struct arena a = { 0 };
	struct result r;
	struct err ignored;
	bool is_made = store_get_result(k->store, reduced, &a, &r, &ignored) == 0;

	arena_release(&a);
	return !is_made && k->w->is_kept(k->w->arg, &c->thunk);
}

static int look(void *arg, struct bytes key, struct bytes value)
{
	const struct checkpoint_sweep *w = ((struct sweep *)arg)->w;
	struct sweep *k = arg;
	struct checkpoint c;
	struct id reduced;

	if (key.n == ID_BYTES && decode(value, &c)) {
		memcpy(reduced.b, key.p, ID_BYTES);
		if (is_needed(k, &reduced, &c)) {
			w->keep(w->arg, &c.ref);
			w->keep(w->arg, &(struct ref){ REF_VALUE, c.log, NULL });
			return 0;
		}
	}
	if (!w->only_looks &&
	    store_table_delete(k->store, TABLE_CHECKPOINT, key, k->e) < 0)
		k->has_failed = true;
	return k->has_failed;
}

int checkpoints_sweep(struct store *s, const struct checkpoint_sweep *w, struct err *e)
{
	struct sweep k = { .store = s, .w = w, .e = e };

	if (store_table_each(s, TABLE_CHECKPOINT, look, &k, e) < 0)
		return -1;
	return k.has_failed ? -1 : 0;
}
