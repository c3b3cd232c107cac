/* scan.c - what a compile reads besides its arguments
 *
 * The compiler itself is asked once (cc -M) and the answer kept: each file
 * with its name, and the places looked at before it in vain.  While all of
 * these hold, the compiler would say the same again and is not asked.
 *
 * A record in TABLE_SCAN is text: "= ID PATH" for a file, "- PATH" for a
 * place where there must be nothing, paths as seen from the command's cwd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "gather.h"

static void key_strs(struct hash *h, const char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash_add(h, v[i], strlen(v[i]) + 1);
	hash_add(h, "", 1);
}

static struct id scan_key(const struct gather *g, const struct binding *b)
{
	struct hash *h = hash_new();
	bool inside;
	const char *cwd = project_path(g->in->o.project, g->a, g->c->cwd, ".",
				       &inside);
	struct id key;

	hash_add(h, "scan 1", 7);
	key_strs(h, b->scan, b->n_scan);
	key_strs(h, &cwd, 1);
	hash_add(h, g->c->program, strlen(g->c->program) + 1);
	gather_hash_env(g, b, h);
	key = hash_end(h);
	hash_free(h);
	return key;
}

/* 1 it holds and is gathered, 0 it does not, -1 error. */
static int gather_file(struct gather *g, const char *path, const struct id *id,
		       struct err *e)
{
	bool inside;
	const char *p = project_path(g->in->o.project, g->a, g->c->cwd, path,
				     &inside);
	struct stat st;
	struct id now;

	if (!inside && !gather_spelled(g, path)) {
		if (machine_add(g, p, e) < 0)
			return e->code == ERR_MISSING ? 0 : -1;
		return id_equal(&g->files[g->n_files - 1].id, id);
	}
	if (stat_name(g->in->o.store, g->in->o.project->root_fd, p, STAT_KEEP, &now,
		      &st, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	if (!id_equal(&now, id))
		return 0;
	return gather_path(g, path, e) < 0 ? -1 : 1;
}

static bool is_absent(struct gather *g, const char *path)
{
	const char *full = path_clean(g->a, g->c->cwd, path);

	gather_tell(g, full, INPUT_ABSENT);
	return access(full, F_OK) < 0;
}

static int gather_record(struct gather *g, struct bytes rec, struct err *e)
{
	const char *p = rec.p, *end = rec.p + rec.n;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct id id;
		int rc;

		if (!nl)
			return 0;
		if (*p == '-') {
			if (!is_absent(g, arena_strn(g->a, p + 2, (size_t)(nl - p - 2))))
				return 0;
		} else {
			if (nl - p < 4 + ID_HEX ||
			    !id_parse((struct bytes){ p + 2, ID_HEX }, &id))
				return 0;
			p += 3 + ID_HEX;
			rc = gather_file(g, arena_strn(g->a, p, (size_t)(nl - p)),
					 &id, e);
			if (rc <= 0)
				return rc;
		}
		p = nl + 1;
	}
	return 1;
}

int scan_gather(struct gather *g, const struct binding *b, struct err *e)
{
	struct id key = scan_key(g, b);
	size_t n = g->n, n_files = g->n_files;
	struct bytes rec;
	int rc = 0;

	if (store_table_get(g->in->o.store, TABLE_SCAN, id_key(&key), g->a, &rec,
			    e) == 0)
		rc = gather_record(g, rec, e);
	else if (e->code != ERR_MISSING)
		return -1;
	if (rc)
		return rc;
	g->n = n;
	g->n_files = n_files;
	if (map_get(&g->in->failed, id_key(&key)))
		return err_set(e, ERR_FAILED, "%s could not say what it reads",
			       b->scan[0]);
	gather_ask(g, b->scan, b->n_scan, &key);
	return 0;
}

/* The folders that a compiler looks through, as its arguments name them. */
static void include_dirs(const struct infer_helper *h, struct strs *dirs)
{
	static const char *const options[] = { "-I", "-iquote", "-isystem",
					       "-idirafter" };

	for (size_t i = 1; h->args[i]; i++)
		for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
			size_t n = strlen(options[k]);

			if (strncmp(h->args[i], options[k], n) != 0)
				continue;
			if (h->args[i][n])
				strs_add(dirs, h->args[i] + n);
			else if (h->args[i + 1])
				strs_add(dirs, h->args[i + 1]);
			break;
		}
}

/* Where the compiler looked for path before it found it: in each include
 * folder named before the one that path lies in, and beside each file that
 * may have included it. */
static void note_absent(struct buf *rec, const char *cwd, const char *path,
			const struct strs *dirs)
{
	const char *rest = NULL;
	size_t at = dirs->n;

	for (size_t i = 0; i < dirs->n && !rest; i++) {
		size_t n = strlen(dirs->v[i]);

		while (n > 1 && dirs->v[i][n - 1] == '/')
			n--;
		if (strncmp(path, dirs->v[i], n) == 0 && path[n] == '/') {
			rest = path + n + strspn(path + n, "/");
			at = i;
		}
	}
	for (size_t i = 0; rest && i < at; i++) {
		struct arena a = { 0 };
		char *seen = arena_printf(&a, "%s/%s", dirs->v[i], rest);

		if (access(path_clean(&a, cwd, seen), F_OK) < 0 &&
		    !strchr(seen, '\n'))
			buf_printf(rec, "- %s\n", seen);
		arena_release(&a);
	}
}

static int add_record(struct infer *in, const struct infer_helper *h,
		      const char *path, struct buf *rec, struct err *e)
{
	struct arena a = { 0 };
	struct id id;
	int rc = stat_name(in->o.store, AT_FDCWD, path_clean(&a, h->cwd, path),
			   0, &id, NULL, e);

	if (rc == 0 && !strchr(path, '\n'))
		buf_printf(rec, "= %s %s\n", id_hex(&id).s, path);
	arena_release(&a);
	return rc;
}

/* A scan's answer becomes its record. */
static int learn(struct infer *in, const struct infer_helper *h, struct bytes said,
		 struct err *e)
{
	struct strs paths = { 0 }, dirs = { 0 };
	struct arena a = { 0 };
	struct buf rec = { 0 };
	int rc = scan_parse(said, &a, &paths, e);

	include_dirs(h, &dirs);
	for (size_t i = 0; rc == 0 && i < paths.n; i++) {
		rc = add_record(in, h, paths.v[i], &rec, e);
		if (rc == 0 && paths.v[i][0] != '/')
			note_absent(&rec, h->cwd, paths.v[i], &dirs);
	}
	if (rc == 0)
		rc = store_table_put(in->o.store, TABLE_SCAN, id_key(&h->key),
				     buf_bytes(&rec), e);
	strs_release(&paths);
	strs_release(&dirs);
	buf_release(&rec);
	arena_release(&a);
	return rc;
}

void infer_helper_done(struct infer *in, const struct infer_helper *h,
		       int status, struct bytes said)
{
	struct err e;

	if (status != 0 || (h->program ? machine_learn(in, h, said, &e) :
			    learn(in, h, said, &e)) < 0)
		*map_at(&in->failed, arena_bytes(&in->arena, id_key(&h->key))) = in;
}
