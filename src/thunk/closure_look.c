/* closure_look.c - a closure's entries, their bytes, and whether they are here */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "closure_private.h"
#include "file.h"

/* ---- each entry */

struct each {
	struct store *s;
	const struct id *tree;
	int (*fn)(void *arg, const char *path, const struct entry *ent);
	void *arg;
	struct buf path;
	unsigned depth;
};

enum { DEPTH_MAX = 400 };

static int each_in(struct each *c, const struct id *id, struct err *e);

static int each_entry(struct each *c, const struct entry *v, struct err *e)
{
	size_t stem = c->path.n;
	int rc;

	if (stem)
		buf_char(&c->path, '/');
	buf_str(&c->path, v->name);
	rc = c->fn(c->arg, c->path.p, v);
	if (rc == 0 && v->kind == ENTRY_TREE)
		rc = each_in(c, &v->id, e);
	c->path.n = stem;
	c->path.p[stem] = '\0';
	return rc;
}

/* A text that is gone cannot be made from anything but this machine's files;
 * what would answer with it is forgotten, so that the next inference does. */
static int lost(struct each *c, const struct id *id, struct err *e)
{
	struct err ignored;

	if (e->code != ERR_MISSING)
		return -1;
	mark_forget(c->s, c->tree, &ignored);
	return err_set(e, ERR_MISSING, "closure %.12s: its list of /%s, %.12s, is gone from "
		       "the store; run gg infer again", id_hex(c->tree).s,
		       c->path.n ? c->path.p : "", id_hex(id).s);
}

static int each_in(struct each *c, const struct id *id, struct err *e)
{
	struct arena a = { 0 };
	struct bytes text;
	struct tree t;
	int rc = 0;

	if (++c->depth > DEPTH_MAX)
		rc = err_set(e, ERR_BAD, "closure %.12s: folders are nested too deep",
			     id_hex(c->tree).s);
	else if (store_get(c->s, id, &a, &text, e) < 0)
		rc = lost(c, id, e);
	else if (tree_decode(text, &a, &t, e) < 0)
		rc = err_wrap(e, "closure %.12s: /%s", id_hex(c->tree).s,
			      c->path.n ? c->path.p : "");
	for (size_t i = 0; rc == 0 && i < t.n; i++)
		rc = each_entry(c, &t.v[i], e);
	c->depth--;
	arena_release(&a);
	return rc;
}

int closure_each(struct store *s, const struct id *tree,
		 int (*fn)(void *arg, const char *path, const struct entry *ent),
		 void *arg, struct err *e)
{
	struct each c = { .s = s, .tree = tree, .fn = fn, .arg = arg };
	int rc = each_in(&c, tree, e);

	buf_release(&c.path);
	return rc;
}

/* ---- bytes */

static int open_stored(struct store *s, const struct id *id, int *fd, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_open_large(s, id, fd, e);

	if (rc < 0 || *fd >= 0)
		return rc;
	rc = store_get(s, id, &a, &b, e);
	if (rc == 0) {
		*fd = memfd_create("closure", MFD_CLOEXEC);
		if (*fd < 0 || file_write_fd(*fd, b.p, b.n) < 0 ||
		    lseek(*fd, 0, SEEK_SET) < 0)
			rc = err_sys(e, "memory for an object of %zu bytes", b.n);
		if (rc < 0 && *fd >= 0) {
			close(*fd);
			*fd = -1;
		}
	}
	arena_release(&a);
	return rc;
}

static int open_here(struct store *s, const struct sys *m, const char *path,
		     const struct id *id, int *fd, struct err *e)
{
	struct stat st, opened;
	struct stamp a, b;
	struct id now;

	if (stat_name(s, m->fd, path, 0, &now, &st, e) < 0)
		return -1;
	if (!id_equal(&now, id))
		return err_set(e, ERR_MISSING, "it has another content");
	*fd = sys_open_file(m, path);
	if (*fd < 0 || fstat(*fd, &opened) < 0) {
		err_sys(e, "cannot be read");
	} else {
		a = stamp_of(&st);
		b = stamp_of(&opened);
		if (stamp_equal(&a, &b))
			return 0;
		err_set(e, ERR_RETRY, "it changes while it is read");
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -1;
}

int closure_open(struct store *s, const char *path, const struct id *id, int *fd,
		 struct err *e)
{
	struct arena a = { 0 };
	const char *owner;
	struct sys m;
	int rc;

	*fd = -1;
	if (open_stored(s, id, fd, e) == 0)
		return 0;
	if (e->code != ERR_MISSING)
		return err_wrap(e, "/%s", path);
	if (sys_open(&m, "/", e) < 0)
		return -1;
	rc = open_here(s, &m, path, id, fd, e);
	sys_close(&m);
	if (rc < 0 && e->code == ERR_MISSING) {
		owner = closure_package(s, arena_printf(&a, "/%s", path), &a);
		err_set(e, ERR_MISSING, "/%s%s%s: this machine does not hold %.12s, which the "
			"closure has there, any more; run gg infer again", path,
			owner ? " of " : "", owner ? owner : "", id_hex(id).s);
	} else if (rc < 0) {
		err_wrap(e, "/%s", path);
	}
	arena_release(&a);
	return rc;
}

/* ---- owners */

static const char *package_at(struct store *s, const struct sys *m, const char *path,
			      struct arena *a)
{
	struct owner o = { 0 };
	struct package p;
	struct bytes status = { 0 };
	struct walk_state w = { .m = m, .a = a };
	size_t i = walk_path(&w, path, false);

	o.path = w.v[i].path;
	walk_release(&w);
	packages_own(m, s, &o, 1, a);
	if (!o.package)
		return NULL;
	if (o.version)
		return arena_printf(a, "%s %s", o.package, o.version);
	sys_read(m, "/var/lib/dpkg/status", a, &status);
	package_files(m, status, o.package, a, &p);
	return arena_printf(a, "%s %s", o.package, p.version);
}

const char *closure_package(struct store *s, const char *path, struct arena *a)
{
	const char *out;
	struct sys m;
	struct err ignored;

	(void)s;
	if (sys_open(&m, "/", &ignored) < 0)
		return NULL;
	out = package_at(s, &m, path, a);
	sys_close(&m);
	return out;
}

/* ---- is it all here? */

struct checking {
	struct store *s;
	struct walk_state w;
	struct entry *wanted;           /* of each leaf */
	size_t n, room;
	const char *differs;            /* the first path, absolute */
	struct id names;                /* of the text of listed folders */
};

static int check_entry(void *arg, const char *path, const struct entry *v)
{
	struct checking *c = arg;
	const char *full = arena_printf(c->w.a, "/%s", path);
	size_t i;

	/* The loader's cache is made from the others. */
	if (v->kind == ENTRY_TREE || strcmp(path, CLOSURE_LOADER) == 0)
		return 0;
	if (strcmp(path, CLOSURE_NAMES) == 0) {
		c->names = v->id;
		return 0;
	}
	i = walk_path(&c->w, full, false);
	while (c->room < c->w.n) {
		c->room = c->room ? 2 * c->room : 1024;
		c->wanted = mem_grow(c->wanted, c->room * sizeof(*c->wanted));
	}
	for (; c->n < c->w.n; c->n++)
		c->wanted[c->n] = (struct entry){ 0 };
	c->wanted[i] = *v;
	c->wanted[i].name = full;
	c->wanted[i].target = v->target ? arena_str(c->w.a, v->target) : NULL;
	if (strcmp(c->w.v[i].path, full) != 0)
		c->differs = full;
	return c->differs != NULL;
}

static bool is_same(const struct leaf *l, const struct entry *v)
{
	switch (l->kind) {
	case LEAF_FILE:
		return v->kind == ENTRY_FILE && id_equal(&l->id, &v->id);
	case LEAF_EXEC:
		return v->kind == ENTRY_EXEC && id_equal(&l->id, &v->id);
	case LEAF_LINK:
		return v->kind == ENTRY_LINK && l->target && strcmp(l->target, v->target) == 0;
	default:
		return false;
	}
}

static int check_names(struct checking *c, struct err *e)
{
	struct buf now = { 0 };
	struct bytes text;
	struct id id;

	if (id_is_zero(&c->names))
		return 0;
	if (store_get(c->s, &c->names, c->w.a, &text, e) < 0)
		return -1;
	names_write_again(c->w.m, text, &now);
	id = id_of(buf_bytes(&now));
	buf_release(&now);
	if (!id_equal(&id, &c->names))
		c->differs = arena_printf(c->w.a, "%.*s", text.n ?
					  (int)((const char *)memchr(text.p, '\n', text.n) -
						text.p) : 0, text.p);
	return 0;
}

static int compare_all(struct checking *c, const struct id *tree, struct err *e)
{
	int rc = closure_each(c->s, tree, check_entry, c, e);

	if (rc < 0 || c->differs)
		return rc < 0 ? -1 : 0;
	/* Those of another kind or size need not be read. */
	for (size_t i = 0; i < c->w.n; i++)
		if (c->wanted[i].name && c->w.v[i].kind == LEAF_ABSENT) {
			c->differs = c->w.v[i].path;
			return 0;
		}
	if (hash_leaves(c->s, c->w.m, c->w.v, c->w.n, e) < 0)
		return -1;
	for (size_t i = 0; i < c->w.n; i++)
		if (c->wanted[i].name && !is_same(&c->w.v[i], &c->wanted[i])) {
			c->differs = c->w.v[i].path;
			return 0;
		}
	return check_names(c, e);
}

static int tell_difference(struct checking *c, const struct id *tree, struct err *e)
{
	struct arena *a = c->w.a;
	struct map was = { 0 };
	const struct marked *old = NULL;
	const char *now = package_at(c->s, c->w.m, c->differs, a), *then = "";
	struct stat st;

	if (mark_owners(c->s, tree, a, &was))
		old = map_get(&was, bytes_str(c->differs));
	if (old)
		then = arena_printf(a, ", then of %s %s", old->package, old->version);
	err_set(e, ERR_MISSING, "closure %.12s: %s is %s%s%s%s%s; run gg infer again, or force "
		"with --hermetic where the closure's own files are kept", id_hex(tree).s,
		c->differs, sys_lstat(c->w.m, c->differs, &st) ? "another here now" :
		"not on this machine", then, now ? " (" : "", now ? now : "", now ? ")" : "");
	map_release(&was);
	return -1;
}

int closure_check_at(struct store *s, const struct sys *m, const struct id *tree,
		     struct err *e)
{
	struct arena a = { 0 };
	struct checking c = { .s = s, .w = { .m = m, .a = &a } };
	struct mark k = { .tree = *tree, .uses = *tree };
	int rc;

	if (mark_of_tree(s, m, tree) && store_has(s, tree))
		return 0;
	rc = compare_all(&c, tree, e);
	if (rc == 0 && c.differs)
		rc = tell_difference(&c, tree, e);
	if (rc == 0 && !c.w.is_fresh && id_is_zero(&c.names) && !mark_is_known(s, tree)) {
		k.v = c.w.v;
		k.n = c.w.n;
		rc = mark_save(s, &k, e);
	}
	walk_release(&c.w);
	free(c.wanted);
	arena_release(&a);
	return rc;
}

int closure_check(struct store *s, const struct id *tree, struct err *e)
{
	struct sys m;
	int rc;

	if (sys_open(&m, "/", e) < 0)
		return -1;
	rc = closure_check_at(s, &m, tree, e);
	sys_close(&m);
	return rc;
}
