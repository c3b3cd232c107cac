/* recall.c - does a remembered inference still hold?
 *
 * One pass over the record, one stat a path; a file is read again only when
 * its stamp has changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "memo_record.h"

/* Variables that differ from one terminal to the next and that no training
 * command should depend on; all others are part of the key. */
static const char *const env_ignored[] = {
	"_=*", "PWD=*", "OLDPWD=*", "SHLVL=*", "TERM=*", "COLUMNS=*", "LINES=*",
	"WINDOWID=*", "SSH_*", "DISPLAY=*", "WAYLAND_*", "XAUTHORITY=*", "DBUS_*",
	"XDG_SESSION_*", "XDG_RUNTIME_DIR=*", "TMUX*", "STY=*", "COLORTERM=*",
	"LS_COLORS=*", "VTE_VERSION=*", "GPG_*", "NO_COLOR=*", "GG_DIR=*",
	"INVOCATION_ID=*", "JOURNAL_STREAM=*",
};

static bool is_env_ignored(const char *name_value)
{
	for (size_t i = 0; i < sizeof env_ignored / sizeof *env_ignored; i++)
		if (fnmatch(env_ignored[i], name_value, 0) == 0)
			return true;
	return false;
}

struct id memo_key(const struct project *p, const char **args, const char **env,
		   const char *cwd, struct bytes models)
{
	struct hash *h = hash_new();
	struct strs sorted = { 0 };
	struct arena a = { 0 };
	struct id key;
	bool inside;
	const char *place = project_path(p, &a, cwd, ".", &inside);

	hash_add(h, "memo 1", 7);
	for (; *args; args++)
		hash_add(h, *args, strlen(*args) + 1);
	hash_add(h, "", 1);
	for (; *env; env++)
		if (!is_env_ignored(*env))
			strs_add(&sorted, *env);
	strs_sort(&sorted);
	for (size_t i = 0; i < sorted.n; i++)
		hash_add(h, sorted.v[i], strlen(sorted.v[i]) + 1);
	hash_add(h, "", 1);
	hash_add(h, place, strlen(place) + 1);
	hash_add(h, models.p, models.n);
	key = hash_end(h);
	hash_free(h);
	strs_release(&sorted);
	arena_release(&a);
	return key;
}

static bool take(struct bytes *b, void *out, size_t n)
{
	if (b->n < n)
		return false;
	memcpy(out, b->p, n);
	b->p += n;
	b->n -= n;
	return true;
}

static const char *take_str(struct bytes *b, size_t n, char *room)
{
	if (!take(b, room, n))
		return NULL;
	room[n] = 0;
	return room;
}

/* Strings, each with its NUL. */
static bool take_uses(struct bytes *b, struct bytes *out)
{
	uint32_t n;

	if (!take(b, &n, sizeof n) || n == 0 || b->n < n || b->p[n - 1] != '\0')
		return false;
	*out = (struct bytes){ b->p, n };
	b->p += n;
	b->n -= n;
	return true;
}

int memo_next(struct memo_reader *r, struct memo_entry *x, struct err *e)
{
	uint8_t kind = 0, len;
	uint16_t n;
	bool has_id, good = take(&r->rest, &kind, 1) && take(&r->rest, &n, sizeof n) &&
		    n < sizeof r->path - 1 && take_str(&r->rest, n, r->path) &&
		    (kind & MEMO_KIND) <= MEMO_CLOSURE;

	x->flags = kind & (MEMO_VALUE | MEMO_EXEC | MEMO_LINK);
	kind &= MEMO_KIND;
	if (good && x->flags & MEMO_LINK)
		good = take(&r->rest, &x->link, sizeof x->link);
	has_id = kind == MEMO_FILE || kind == MEMO_LIST || kind == MEMO_TREE ||
		 kind == MEMO_OUTPUT;
	r->stamp = r->rest.p;
	if (good && (kind == MEMO_LOOKED || has_id))
		good = take(&r->rest, &x->stamp, sizeof x->stamp);
	if (good && (has_id || kind == MEMO_CLOSURE))
		good = take(&r->rest, &x->id, sizeof x->id);
	if (good && kind == MEMO_OUTPUT)
		good = take(&r->rest, &len, 1) && take_str(&r->rest, len, r->out);
	if (good && kind == MEMO_CLOSURE)
		good = take_uses(&r->rest, &x->uses);
	if (!good)
		return err_set(e, ERR_BAD, "a remembered inference is damaged");
	x->kind = kind;
	x->path = r->path;
	x->out = r->out;
	return 0;
}

struct recall {
	struct store *store;
	struct project *project;
	struct arena *a;
	struct memo_recall *out;
	size_t wants_room;
	bool is_of_this_boot;           /* else a power cut may have come since */
	struct memo_reader reader;
	struct buf renewed;             /* the record with stamps of now */
	struct memo_change *changes;    /* heap */
	size_t n_changes, changes_room;
};

static bool differs(struct recall *r, const char *path, const char *how)
{
	r->out->reason = arena_printf(r->a, "%s %s", path, how);
	return false;
}

/* The entry holds though its stamp is another: the next look is cheaper. */
static void renew(struct recall *r, const struct stamp *now)
{
	size_t at = (size_t)(r->reader.stamp - r->reader.all.p);

	if (!r->renewed.n)
		buf_add(&r->renewed, r->reader.all.p, r->reader.all.n);
	memcpy(r->renewed.p + at, now, sizeof *now);
}

/* 1 it is what it was, 0 it is real no more and is wanted, -1 it is not ours. */
static int output_holds(struct recall *r, const struct memo_entry *x)
{
	struct arena a = { 0 };
	struct ref_record ref;
	enum place_now now;
	struct err e;
	int rc = -1;

	if (ref_get(r->store, x->path, &a, &ref, &e) == 0 &&
	    id_equal(&ref.thunk, &x->id) && strcmp(ref.out, x->out) == 0 &&
	    place_look(r->store, r->project, x->path, &ref, &now, &e) == 0) {
		if (now == NOW_REAL)
			rc = 1;
		else if (now == NOW_ABSENT || now == NOW_PLACEHOLDER)
			rc = 0;
	}
	arena_release(&a);
	return rc;
}

static void add_want(struct recall *r, const struct memo_entry *x)
{
	struct memo_recall *o = r->out;

	if (o->n_wants == r->wants_room) {
		struct memo_want *old = o->wants;

		r->wants_room = r->wants_room ? 2 * r->wants_room : 64;
		o->wants = arena_alloc(r->a, r->wants_room * sizeof *o->wants);
		if (o->n_wants)
			memcpy(o->wants, old, o->n_wants * sizeof *old);
	}
	o->wants[o->n_wants++] = (struct memo_want){
		arena_str(r->a, x->path), { x->id, arena_str(r->a, x->out) }
	};
}

static bool file_holds(struct recall *r, const struct memo_entry *x)
{
	struct id now;
	struct err e;

	if (stat_name(r->store, r->project->root_fd, x->path, 0, &now, NULL, &e) < 0)
		return differs(r, x->path, "cannot be read any more");
	return id_equal(&now, &x->id) || differs(r, x->path, "has changed");
}

/* Only thunks depend on what the file holds: they can be made anew without
 * the script. */
static bool note_change(struct recall *r, const struct memo_entry *x, uint8_t flags)
{
	struct memo_change *c;
	struct placeholder ph;
	struct err e;

	if (!(x->flags & MEMO_VALUE) ||
	    placeholder_at(r->project->root_fd, x->path, r->a, &ph, &e) != 0)
		return false;
	if (r->n_changes == r->changes_room) {
		r->changes_room = r->changes_room ? 2 * r->changes_room : 16;
		r->changes = mem_grow(r->changes, r->changes_room * sizeof *c);
	}
	c = &r->changes[r->n_changes++];
	*c = (struct memo_change){
		.path = arena_str(r->a, x->path),
		.now.kind = flags & MEMO_EXEC ? REF_EXEC : REF_VALUE,
		.id_at = (size_t)(r->reader.stamp - r->reader.all.p) + sizeof x->stamp,
	};
	return stat_name(r->store, r->project->root_fd, x->path, STAT_KEEP, &c->now.id,
			 NULL, &e) == 0;
}

static bool list_holds(struct recall *r, const struct memo_entry *x)
{
	struct id now;
	struct err e;

	if (memo_list_id(r->project->root_fd, x->path, &now, &e) < 0)
		return differs(r, x->path, "cannot be listed any more");
	return id_equal(&now, &x->id) || differs(r, x->path, "has other files in it");
}

static bool tree_holds(struct recall *r, const struct memo_entry *x)
{
	struct id now;
	struct err e;

	if (stat_tree(r->store, r->project->root_fd, x->path, 0,
		      x->path[0] == '/' ? NULL : PROJECT_DIR, &now, &e) < 0)
		return differs(r, x->path, "cannot be read any more");
	return id_equal(&now, &x->id) || differs(r, x->path, "has changed");
}

static bool closure_holds(struct recall *r, const struct memo_entry *x)
{
	const char *how = "cannot be read any more";
	struct err e;

	if (memo_closure_holds(r->store, x, r->a, &how, &e) == 1)
		return true;
	r->out->reason = how;
	return false;
}

static bool entry_holds(struct recall *r, const struct memo_entry *x)
{
	struct memo_entry now = { 0 };
	bool is_there, is_same, is_known;
	int rc;

	if (x->kind == MEMO_CLOSURE)
		return closure_holds(r, x);
	memo_look(r->project->root_fd, x->path, &now);
	is_there = now.kind != MEMO_ABSENT;
	is_same = now.kind == MEMO_LOOKED && stamp_equal(&now.stamp, &x->stamp);
	is_known = is_there && r->is_of_this_boot && stamp_equal(&now.stamp, &x->stamp);
	if (x->kind != MEMO_OUTPUT && !memo_same_form(&now, x))
		return differs(r, x->path, is_there ? "has changed" : "is gone");
	switch (x->kind) {
	case MEMO_ABSENT:
		return !is_there || differs(r, x->path, "was not there before");
	case MEMO_DIR:
		return now.kind == MEMO_DIR ||
		       differs(r, x->path, "is no directory any more");
	case MEMO_ODD:
		return is_there || differs(r, x->path, "is gone");
	case MEMO_LOOKED:
		return is_same || differs(r, x->path, "has changed");
	case MEMO_FILE:
	case MEMO_LIST:
		if (is_known)
			return true;
		if (!(x->kind == MEMO_FILE ? file_holds(r, x) : list_holds(r, x)) &&
		    !(now.kind == MEMO_LOOKED && note_change(r, x, now.flags)))
			return false;
		renew(r, &now.stamp);
		return true;
	case MEMO_TREE:
		return tree_holds(r, x);
	case MEMO_OUTPUT:
		r->out->n_outputs++;
		if (is_same && is_known)
			return true;
		rc = output_holds(r, x);
		if (rc == 1 && now.kind == MEMO_LOOKED)
			renew(r, &now.stamp);
		if (rc == 0)
			add_want(r, x);
		return rc >= 0 || differs(r, x->path, "was changed by somebody else");
	case MEMO_CLOSURE:
		break;
	}
	return false;
}

static int open_record(struct store *s, const struct id *key, struct arena *a,
		       struct memo_reader *r, struct memo_head *head, struct err *e)
{
	if (store_table_get(s, TABLE_RUN, id_key(key), a, &r->all, e) < 0)
		return -1;
	r->rest = r->all;
	if (!take(&r->rest, head, sizeof *head) || head->version != MEMO_VERSION)
		return err_set(e, ERR_MISSING, "another gg remembered it");
	return 0;
}

static int recall_once(struct recall *r, const struct id *key, struct err *e)
{
	struct memo_head head;
	int rc = 1;

	*r->out = (struct memo_recall){ 0 };
	r->wants_room = r->n_changes = 0;
	buf_reset(&r->renewed);
	if (open_record(r->store, key, r->a, &r->reader, &head, e) < 0) {
		r->out->reason = "it was not run like this before";
		return e->code == ERR_MISSING ? 0 : -1;
	}
	r->is_of_this_boot = head.boot == store_boot(r->store);
	if (!r->is_of_this_boot) {
		head.boot = store_boot(r->store);
		buf_add(&r->renewed, r->reader.all.p, r->reader.all.n);
		memcpy(r->renewed.p, &head, sizeof head);
	}
	r->out->n = (struct memo_counts){ head.n_thunks, head.n_failed };
	for (uint32_t i = 0; i < head.n_entries && rc == 1; i++) {
		struct memo_entry x;

		rc = memo_next(&r->reader, &x, e) < 0 ? -1 : entry_holds(r, &x);
	}
	return rc;
}

/* Did the script itself look at what stands at one of these paths? */
static bool is_seen(struct memo_reader rd, const struct map *placed)
{
	struct memo_entry x;
	struct err e;

	while (rd.rest.n) {
		if (memo_next(&rd, &x, &e) < 0 || x.kind == MEMO_TREE)
			return true;
		if (x.kind != MEMO_OUTPUT && x.kind != MEMO_DIR &&
		    map_get(placed, bytes_str(x.path)))
			return true;
	}
	return false;
}

/* Those that were wanted and are placeholders of others now are wanted as these. */
static void want_anew(struct recall *r, struct memo_reader rd, const struct map *placed)
{
	struct memo_recall *o = r->out;
	struct memo_entry x;
	size_t kept = 0;
	struct err e;

	for (size_t i = 0; i < o->n_wants; i++)
		if (!map_get(placed, bytes_str(o->wants[i].path)))
			o->wants[kept++] = o->wants[i];
	o->n_wants = kept;
	while (rd.rest.n && memo_next(&rd, &x, &e) == 0)
		if (x.kind == MEMO_OUTPUT && map_get(placed, bytes_str(x.path)))
			add_want(r, &x);
}

/* With new names in the record all of it holds: what was looked at has just been
 * found to, and what has changed since are outputs, if only commands read these. */
static int rebind(struct recall *r, const struct id *key, struct err *e)
{
	struct map placed = { 0 };
	struct memo_reader rd = { 0 };
	int rc;

	for (size_t i = 0; i < r->n_changes; i++)
		memcpy(r->renewed.p + r->changes[i].id_at, &r->changes[i].now.id,
		       sizeof(struct id));
	rc = memo_rebind(r->store, r->project, &r->renewed, r->changes, r->n_changes,
			 &placed, r->a, e);
	if (rc == 1 && store_table_put(r->store, TABLE_RUN, id_key(key),
				       buf_bytes(&r->renewed), e) < 0)
		rc = -1;
	rd.all = buf_bytes(&r->renewed);
	rd.rest = (struct bytes){ rd.all.p + sizeof(struct memo_head),
				  rd.all.n - sizeof(struct memo_head) };
	if (rc == 1 && is_seen(rd, &placed)) {
		rc = recall_once(r, key, e);
		rc = rc == 1 && r->n_changes ? 0 : rc;
	} else if (rc == 1) {
		want_anew(r, rd, &placed);
	}
	map_release(&placed);
	return rc;
}

int memo_recall(struct store *s, struct project *p, const struct id *key,
		struct arena *a, struct memo_recall *out, struct err *e)
{
	struct recall r = { .store = s, .project = p, .a = a, .out = out };
	int rc = recall_once(&r, key, e);

	out->n_changed = r.n_changes;
	if (rc == 1 && r.n_changes) {
		size_t n = r.n_changes;

		rc = rebind(&r, key, e);
		out->n_changed = n;
	} else if (rc == 1 && r.renewed.n &&
		   store_table_put(s, TABLE_RUN, id_key(key), buf_bytes(&r.renewed),
				   e) < 0) {
		rc = -1;
	}
	if (rc == 0 && !out->reason)
		out->reason = "an input has changed";
	buf_release(&r.renewed);
	free(r.changes);
	return rc;
}
