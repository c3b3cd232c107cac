/* b_store.c - the store's own part of test/bench/store.sh
 *
 *	b_store put DIR < LIST      keep each file of the list, flush
 *	b_store check DIR           read each object again and check its name
 *	b_store name DIR < LIST     name each file of the list, as a second run does
 *	b_store get DIR             nanoseconds a look-up of each small object
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "store.h"

static int die(const struct err *e)
{
	fprintf(stderr, "b_store: %s\n", e->text);
	return 1;
}

static int name_list(struct store *s, unsigned flags, struct err *e)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	struct id id;
	int rc = 0;

	while (rc == 0 && (n = getline(&line, &room, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		rc = stat_name(s, AT_FDCWD, line, flags, &id, NULL, e);
	}
	free(line);
	return rc;
}

struct ids {
	struct id *v;
	size_t n, room;
};

static int add_id(void *arg, const struct id *id, uint64_t n_bytes)
{
	struct ids *l = arg;

	(void)n_bytes;
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->v = mem_grow(l->v, l->room * sizeof(*l->v));
	}
	l->v[l->n++] = *id;
	return 0;
}

static int check_all(struct store *s, struct err *e)
{
	struct ids l = { 0 };
	int rc = store_each_object(s, add_id, &l, e);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = store_check(s, &l.v[i], e);
	free(l.v);
	return rc;
}

static int get_all(struct store *s, struct err *e)
{
	struct ids l = { 0 };
	struct arena a = { 0 };
	struct bytes b;
	double start, size, get;
	uint64_t n;
	int rc = store_each_object(s, add_id, &l, e);

	start = now_s();
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = store_size(s, &l.v[i], &n, e);
	size = now_s() - start;
	start = now_s();
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		arena_reset(&a);
		rc = store_get(s, &l.v[i], &a, &b, e);
	}
	get = now_s() - start;
	printf("%zu objects: size %.0f ns, get and check %.0f ns each\n", l.n,
	       size / (double)l.n * 1e9, get / (double)l.n * 1e9);
	arena_release(&a);
	free(l.v);
	return rc;
}

int main(int argc, char **argv)
{
	struct store *s;
	struct err e;
	int rc;

	if (argc != 3)
		return 2;
	if (store_open(argv[2], STORE_CREATE, &s, &e) < 0)
		return die(&e);
	if (!strcmp(argv[1], "put"))
		rc = name_list(s, STAT_KEEP, &e);
	else if (!strcmp(argv[1], "name"))
		rc = name_list(s, 0, &e);
	else if (!strcmp(argv[1], "check"))
		rc = check_all(s, &e);
	else
		rc = get_all(s, &e);
	if (rc < 0 || store_close(s, &e) < 0)
		return die(&e);
	return 0;
}
