/* memo_closure.c - closures of a remembered inference
 *
 * A closure is remembered by what it was made of and what came of it.  Making
 * it again costs one lstat for each of its files, and is all that can tell
 * whether a package was upgraded.
 */
#include <string.h>
#include "closure.h"
#include "memo_private.h"

void memo_closure(struct memo *m, const char *const *uses, size_t n,
		  const struct id *tree)
{
	struct memo_used *u;
	struct buf all = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_add(&all, uses[i], strlen(uses[i]) + 1);
	pthread_mutex_lock(&m->lock);
	for (u = m->used; u; u = u->next)
		if (bytes_equal(u->uses, buf_bytes(&all)))
			break;
	if (!u && n) {
		u = arena_alloc(&m->arena, sizeof *u);
		*u = (struct memo_used){ m->used, arena_bytes(&m->arena, buf_bytes(&all)),
					 *tree };
		m->used = u;
	}
	pthread_mutex_unlock(&m->lock);
	buf_release(&all);
}

uint32_t memo_write_closures(const struct memo *m, struct buf *b)
{
	uint32_t n = 0;

	for (const struct memo_used *u = m->used; u; u = u->next, n++)
		memo_write(b, &(struct memo_entry){ .kind = MEMO_CLOSURE, .path = "",
						    .id = u->tree, .uses = u->uses });
	return n;
}

/* The first line of what differs, else that something does. */
static const char *difference(struct store *s, const struct id *was,
			      const struct id *now, struct arena *a)
{
	const char *how = "a closure has changed";
	struct buf b = { 0 };
	struct err e;

	if (closure_compare(s, was, now, &b, &e) == 0 && b.n)
		how = arena_strn(a, b.p, strcspn(b.p, "\n"));
	buf_release(&b);
	return how;
}

int memo_closure_holds(struct store *s, const struct memo_entry *x, struct arena *a,
		       const char **how, struct err *e)
{
	struct strs uses = { 0 };
	struct id now;
	int rc;

	for (const char *p = x->uses.p; p < x->uses.p + x->uses.n; p += strlen(p) + 1)
		strs_add(&uses, p);
	rc = closure_make(s, uses.v, uses.n, &now, e);
	strs_release(&uses);
	if (rc < 0) {
		*how = arena_str(a, e->text);
		return -1;
	}
	if (id_equal(&now, &x->id))
		return 1;
	*how = difference(s, &x->id, &now, a);
	return 0;
}
