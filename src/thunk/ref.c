/* ref.c - which output of which thunk stands at a project path
 *
 * One small record per path in the store, of a fixed layout:
 *
 *     1 version (1)     1 state          1 kind of value     1 zero
 *    32 thunk          40 stamp         32 value            rest: output's name
 *
 * Numbers stand as this machine has them: the store never leaves it.
 */
#include <string.h>
#include "place.h"

enum {
	REF_VERSION = 1,
	AT_THUNK = 4,
	AT_STAMP = AT_THUNK + ID_BYTES,
	AT_VALUE = AT_STAMP + sizeof(struct stamp),
	AT_OUT = AT_VALUE + ID_BYTES,
};

static int ref_decode(struct bytes b, struct arena *a, struct ref_record *r,
		      const char *path, struct err *e)
{
	*r = (struct ref_record){ 0 };
	if (b.n <= AT_OUT || b.p[0] != REF_VERSION || (unsigned char)b.p[1] > PLACE_LEFT ||
	    (unsigned char)b.p[2] > REF_TREE)
		return err_set(e, ERR_BAD, "%s: its record in the store cannot be read; "
			       "infer it again", path);
	r->state = (enum place_state)b.p[1];
	r->value.kind = (enum ref_kind)b.p[2];
	memcpy(&r->thunk, b.p + AT_THUNK, ID_BYTES);
	memcpy(&r->stamp, b.p + AT_STAMP, sizeof(r->stamp));
	memcpy(&r->value.id, b.p + AT_VALUE, ID_BYTES);
	r->out = arena_strn(a, b.p + AT_OUT, b.n - AT_OUT);
	return 0;
}

int ref_get(struct store *s, const char *path, struct arena *a,
	    struct ref_record *out, struct err *e)
{
	struct bytes b;

	if (store_table_get(s, TABLE_REF, bytes_str(path), a, &b, e) < 0)
		return -1;
	return ref_decode(b, a, out, path, e);
}

int ref_put(struct store *s, const char *path, const struct ref_record *r,
	    struct err *e)
{
	char b[AT_OUT + 256] = { REF_VERSION, (char)r->state };
	size_t n = strlen(r->out);

	if (n == 0 || n > 255)
		return err_set(e, ERR_BAD, "%s: an output's name has 1 to 255 bytes", path);
	if (r->state != PLACE_PLACEHOLDER) {
		b[2] = (char)r->value.kind;
		memcpy(b + AT_VALUE, &r->value.id, ID_BYTES);
	}
	memcpy(b + AT_THUNK, &r->thunk, ID_BYTES);
	memcpy(b + AT_STAMP, &r->stamp, sizeof(r->stamp));
	memcpy(b + AT_OUT, r->out, n);
	return store_table_put(s, TABLE_REF, bytes_str(path),
			       (struct bytes){ b, AT_OUT + n }, e);
}

int ref_delete(struct store *s, const char *path, struct err *e)
{
	return store_table_delete(s, TABLE_REF, bytes_str(path), e);
}

struct visit {
	int (*fn)(void *arg, const char *path, const struct ref_record *r);
	void *arg;
	struct arena scratch;
	struct err *e;
	bool is_bad;
};

static int visit_one(void *arg, struct bytes key, struct bytes value)
{
	struct visit *v = arg;
	struct ref_record r;
	const char *path;

	arena_reset(&v->scratch);
	path = arena_strn(&v->scratch, key.p, key.n);
	if (ref_decode(value, &v->scratch, &r, path, v->e) < 0) {
		v->is_bad = true;
		return 1;
	}
	return v->fn(v->arg, path, &r);
}

int ref_each(struct store *s,
	     int (*fn)(void *arg, const char *path, const struct ref_record *r),
	     void *arg, struct err *e)
{
	struct visit v = { .fn = fn, .arg = arg, .e = e };
	int rc = store_table_each(s, TABLE_REF, visit_one, &v, e);

	arena_release(&v.scratch);
	return v.is_bad ? -1 : rc;
}

static char *previous_key(struct arena *a, const char *path)
{
	return arena_printf(a, "prev %s", path);
}

int ref_supersede(struct store *s, const char *path, const struct id *thunk,
		  struct err *e)
{
	struct arena a = { 0 };
	struct ref_record r;
	int rc = ref_get(s, path, &a, &r, e);

	if (rc < 0)
		rc = e->code == ERR_MISSING ? 0 : -1;
	else if (r.state == PLACE_REAL && !id_equal(&r.thunk, thunk))
		rc = store_table_put(s, TABLE_RUN, bytes_str(previous_key(&a, path)),
				     id_key(&r.thunk), e);
	arena_release(&a);
	return rc;
}

int ref_previous(struct store *s, const char *path, struct id *out, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_table_get(s, TABLE_RUN, bytes_str(previous_key(&a, path)), &a, &b,
				 e);

	if (rc == 0 && b.n != sizeof *out)
		rc = err_set(e, ERR_BAD, "%s: its record is damaged", path);
	if (rc == 0)
		memcpy(out, b.p, sizeof *out);
	arena_release(&a);
	return rc;
}
