/* names.c - what a person means by PATH or ID, and the runs gc remembers */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "file.h"
#include "gg.h"

static bool is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return !s[n] && n >= 4 && n <= ID_HEX;
}

static int find_path(struct ctx *c, const char *word, struct named *out, struct err *e)
{
	struct ref_record r;
	struct placeholder ph;
	bool inside;
	const char *path = project_path(&c->project, &c->arena, c->cwd, word, &inside);
	int rc;

	if (!inside)
		return err_set(e, ERR_USAGE, "%s is outside the project %s", word,
			       c->project.root);
	out->path = path;
	rc = placeholder_at(c->project.root_fd, path, &c->arena, &ph, e);
	if (rc < 0 && e->code != ERR_BAD)
		return -1;
	if (rc <= 0) {
		struct err damage = *e;

		if (ref_get(c->store, path, &c->arena, &r, e) < 0) {
			if (rc < 0 && e->code == ERR_MISSING)
				*e = damage;
			return -1;
		}
		ph = (struct placeholder){ .thunk = r.thunk, .out = r.out };
	}
	out->id = ph.thunk;
	out->out = ph.out;
	out->is_thunk = true;
	return 0;
}

static int find_id(struct ctx *c, const char *word, struct named *out, struct err *e)
{
	struct bytes b;
	int n = store_find(c->store, word, &out->id, e);

	if (n < 0)
		return -1;
	if (n > 1)
		return err_set(e, ERR_USAGE,
			       "%s is the beginning of several names; give more of it",
			       word);
	if (n == 0)
		return err_set(e, ERR_MISSING, "nothing is named %s", word);
	out->is_thunk = store_get(c->store, &out->id, &c->arena, &b, e) == 0 &&
			bytes_start(b, "gg-thunk ");
	return 0;
}

int name_find(struct ctx *c, const char *word, struct named *out, struct err *e)
{
	*out = (struct named){ 0 };
	if (find_path(c, word, out, e) == 0)
		return 0;
	if (e->code != ERR_MISSING && e->code != ERR_USAGE)
		return -1;
	if (is_hex(word) && find_id(c, word, out, e) == 0) {
		out->path = NULL;
		return 0;
	}
	if (e->code == ERR_IO)
		return -1;
	return err_set(e, ERR_USAGE, "%s is no output that gg knows, nor the name of anything; "
		       "see gg status", word);
}

/* A run's record is the ids of its thunks; its key is "run " and the time in
 * nanoseconds, so that the order of keys is that of time. */
int runs_add(struct ctx *c, const struct drive *d, struct err *e)
{
	struct timespec now;
	struct buf b = { 0 };
	struct bytes key;
	char text[40];
	size_t pos = 0;
	void *value;
	int rc;

	/* A run without thunks keeps nothing from being collected. */
	if (!d->seen.n)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof text, "run %020lld%09ld", (long long)now.tv_sec,
		 now.tv_nsec);
	while (map_each(&d->seen, &pos, &key, &value))
		buf_add(&b, key.p, key.n);
	rc = store_table_put(c->store, TABLE_RUN, bytes_str(text), buf_bytes(&b), e);
	buf_release(&b);
	return rc;
}

static int collect(void *arg, struct bytes key, struct bytes value)
{
	struct strs *keys = arg;

	(void)value;
	if (bytes_start(key, "run ")) {
		char *copy = mem_alloc(key.n + 1);

		memcpy(copy, key.p, key.n);
		copy[key.n] = 0;
		strs_add(keys, copy);
	}
	return 0;
}

int runs_each(struct ctx *c, unsigned n_last,
	      void (*fn)(void *arg, const struct id *thunk), void *arg, struct err *e)
{
	struct strs keys = { 0 };
	int rc = store_table_each(c->store, TABLE_RUN, collect, &keys, e);

	strs_sort(&keys);
	for (size_t i = 0; rc == 0 && i < keys.n; i++) {
		struct bytes key = bytes_str(keys.v[i]), value;

		if (i + n_last < keys.n) {
			if (!c->o.dry_run)
				rc = store_table_delete(c->store, TABLE_RUN, key, e);
			continue;
		}
		rc = store_table_get(c->store, TABLE_RUN, key, &c->arena, &value, e);
		for (size_t k = 0; rc == 0 && k + ID_BYTES <= value.n; k += ID_BYTES) {
			struct id id;

			memcpy(&id, value.p + k, sizeof id);
			fn(arg, &id);
		}
	}
	for (size_t i = 0; i < keys.n; i++)
		free((char *)keys.v[i]);
	strs_release(&keys);
	return rc;
}
