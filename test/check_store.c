/* check_store.c - for whole-program tests: is every byte of a store right?
 *
 *     check_store .gg
 *
 * Each object must have the content that its name says, each result must be
 * readable and all that it names must be there, trees to their leaves.  What
 * is not so is told on a line of its own; the last line counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

struct check {
	struct store *s;
	struct id *objects;
	size_t n_objects, room, n_results, n_wrong;
};

static void wrong(struct check *c, const char *what, const struct id *id, const char *why)
{
	printf("%s %s: %s\n", what, id_hex(id).s, why);
	c->n_wrong++;
}

static int add_object(void *arg, const struct id *id, uint64_t n_bytes)
{
	struct check *c = arg;

	(void)n_bytes;
	if (c->n_objects == c->room) {
		c->room = c->room ? 2 * c->room : 1024;
		c->objects = mem_grow(c->objects, c->room * sizeof(*c->objects));
	}
	c->objects[c->n_objects++] = *id;
	return 0;
}

static void check_ref(struct check *c, const struct id *of, enum ref_kind kind,
		      const struct id *id)
{
	struct arena a = { 0 };
	struct bytes text;
	struct tree t;
	struct err e;

	if (!store_has(c->s, id)) {
		wrong(c, "result", of, "names an object that is not there");
		return;
	}
	if (kind == REF_THUNK || kind == REF_VALUE || kind == REF_EXEC)
		return;
	if (store_get(c->s, id, &a, &text, &e) < 0 || tree_decode(text, &a, &t, &e) < 0) {
		wrong(c, "tree", id, e.text);
		t.n = 0;
	}
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].kind != ENTRY_LINK)
			check_ref(c, of, t.v[i].kind == ENTRY_TREE ? REF_TREE : REF_VALUE,
				  &t.v[i].id);
	arena_release(&a);
}

static int check_result(void *arg, struct bytes key, struct bytes value)
{
	struct check *c = arg;
	struct arena a = { 0 };
	struct id thunk = { { 0 } };
	struct result r;
	struct err e;

	(void)value;
	c->n_results++;
	memcpy(&thunk, key.p, key.n < sizeof(thunk) ? key.n : sizeof(thunk));
	if (store_get_result(c->s, &thunk, &a, &r, &e) < 0) {
		wrong(c, "result", &thunk, e.text);
		r.n = 0;
	}
	for (size_t i = 0; i < r.n; i++)
		check_ref(c, &thunk, r.v[i].ref.kind, &r.v[i].ref.id);
	arena_release(&a);
	return 0;
}

int main(int argc, char **argv)
{
	struct check c = { 0 };
	struct err e;

	if (argc != 2 || store_open(argv[1], 0, &c.s, &e) < 0 ||
	    store_each_object(c.s, add_object, &c, &e) < 0) {
		fprintf(stderr, "%s\n", argc != 2 ? "check_store DIR" : e.text);
		return 2;
	}
	for (size_t i = 0; i < c.n_objects; i++)
		if (store_check(c.s, &c.objects[i], &e) < 0)
			wrong(&c, "object", &c.objects[i], e.text);
	if (store_table_each(c.s, TABLE_RESULT, check_result, &c, &e) < 0 ||
	    store_close(c.s, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	free(c.objects);
	printf("%zu objects, %zu results, %zu wrong\n", c.n_objects, c.n_results, c.n_wrong);
	return c.n_wrong != 0;
}
