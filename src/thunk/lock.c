/* lock.c - gg.lock as text */
#include "lock.h"

#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "text.h"

void lock_encode(const struct lock *l, struct buf *out)
{
	buf_str(out, "gg-lock 1\n");
	for (size_t i = 0; i < l->n; i++) {
		const struct lock_entry *x = &l->v[i];

		buf_str(out, "out ");
		text_put(out, x->path, ' ');
		text_put_ref(out, &x->value);
		text_put_id(out, &x->ph.thunk, ' ');
		text_put(out, x->ph.out, ' ');
		text_put(out, x->command, '\n');
	}
}

static int read_entry(struct text *t, const char *before, struct lock_entry *x)
{
	if (text_begin(t, "out") < 0 || !(x->path = text_field(t)))
		return -1;
	if (!path_is_plain(x->path))
		return text_bad(t, "%s is no path inside a project", text_show(x->path).s);
	if (before && strcmp(before, x->path) >= 0)
		return text_bad(t, "%s is out of order", text_show(x->path).s);
	if (text_ref(t, &x->value) < 0)
		return -1;
	if (x->value.kind == REF_THUNK)
		return text_bad(t, "an output is a value or a tree");
	if (text_id(t, &x->ph.thunk, ' ') < 0 || !(x->ph.out = text_field(t)) ||
	    !(x->command = text_last(t)))
		return -1;
	if (!text_is_name(x->ph.out))
		return text_bad(t, "an output's name must have 1 to 255 bytes");
	return 0;
}

int lock_decode(struct bytes text, struct arena *a, struct lock *out, struct err *e)
{
	const char *before = NULL;
	struct text t;

	*out = (struct lock){ 0 };
	if (text_open(&t, text, "gg-lock", 1, a, e) < 0)
		return -1;
	out->v = arena_alloc(a, (text_count(&t, "out ") + 1) * sizeof *out->v);
	while (text_at(&t, "out")) {
		if (read_entry(&t, before, &out->v[out->n]) < 0)
			return -1;
		before = out->v[out->n++].path;
	}
	return text_close(&t);
}

static int by_path(const void *key, const void *entry)
{
	return strcmp(key, ((const struct lock_entry *)entry)->path);
}

const struct lock_entry *lock_find(const struct lock *l, const char *path)
{
	return l->n ? bsearch(path, l->v, l->n, sizeof *l->v, by_path) : NULL;
}
