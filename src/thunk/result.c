/* result.c - what a thunk gave, as text */
#include <stdlib.h>
#include <string.h>
#include "text.h"

static int check_out(const struct result *r, size_t i, struct err *e)
{
	const struct result_out *v = &r->v[i];
	int order = i ? strcmp(v[-1].name, v->name) : -1;
	const char *what;

	if (!text_is_name(v->name))
		what = "an output's name must have 1 to 255 bytes";
	else if (v->ref.kind == REF_THUNK &&
		 (!v->ref.out || !text_is_name(v->ref.out)))
		what = "the name of another's output must have 1 to 255 bytes";
	else if (order == 0)
		what = "output twice";
	else if (order > 0)
		what = "outputs not in order of name";
	else
		return 0;
	return err_set(e, ERR_BAD, "line %zu: %s: \"%s\"", i + 2, what,
		       text_show(v->name).s);
}

int result_encode(const struct result *r, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < r->n; i++)
		if (check_out(r, i, e) < 0)
			return -1;
	buf_str(out, "gg-result 1\n");
	for (size_t i = 0; i < r->n; i++) {
		buf_str(out, "out ");
		text_put_ref(out, &r->v[i].ref);
		text_put(out, r->v[i].name, '\n');
	}
	return 0;
}

int result_decode(struct bytes text, struct arena *a, struct result *out,
		  struct err *e)
{
	struct text t;
	size_t room;

	*out = (struct result){ 0 };
	if (text_open(&t, text, "gg-result", 1, a, e) < 0)
		return -1;
	room = text_count(&t, "");
	out->v = room ? arena_alloc(a, room * sizeof(*out->v)) : NULL;
	for (; t.p < t.end; out->n++) {
		struct result_out *v = &out->v[out->n];

		if (text_begin(&t, "out") < 0 || text_ref(&t, &v->ref) < 0 ||
		    !(v->name = text_last(&t)) || check_out(out, out->n, e) < 0)
			return -1;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct result_out *x = a, *y = b;

	return strcmp(x->name, y->name);
}

const struct ref *result_output(const struct result *r, const char *name)
{
	const struct result_out key = { .name = name }, *found;

	found = r->n ? bsearch(&key, r->v, r->n, sizeof(key), by_name) : NULL;
	return found ? &found->ref : NULL;
}
