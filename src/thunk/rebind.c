/* rebind.c - edited inputs, without the script
 *
 * When nothing but inputs of deferred commands has changed, the script would
 * issue the same commands, and each model would bind them alike: their thunks
 * are those of last time with new names for these inputs, and so on for all
 * that reads their outputs.  Where that is not sure the script runs.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "memo_record.h"

/* Outputs are noted in the order of their commands as a rule, so that one
 * pass sees inputs before what reads them; more are for the others. */
enum { PASSES_MAX = 20 };

struct rebind {
	struct store *store;
	struct project *project;
	struct map changes;             /* path -> struct memo_change */
	struct map thunks;              /* old id -> struct id, the new one */
	struct map asked;               /* old ids that were looked up there */
	struct arena arena;
	struct buf text;
	bool is_late;                   /* one got its name after it was asked */
};

static const struct id *renamed(const struct rebind *r, const struct id *thunk)
{
	return map_get(&r->thunks, id_key(thunk));
}

static void note_asked(struct rebind *r, const struct id *thunk)
{
	struct id *own;

	if (map_get(&r->asked, id_key(thunk)))
		return;
	own = arena_alloc(&r->arena, sizeof *own);
	*own = *thunk;
	*map_at(&r->asked, id_key(own)) = own;
}

/* Replace what is new among t's inputs.  Was there any? */
static bool replace(struct rebind *r, struct thunk *t)
{
	bool any = false;

	for (size_t i = 0; i < t->n_in; i++) {
		struct ref *ref = &t->in[i].ref;
		const struct memo_change *c;
		const struct id *id;

		if (ref->kind == REF_THUNK) {
			id = renamed(r, &ref->id);
			note_asked(r, &ref->id);
			if (id)
				ref->id = *id;
			any |= id != NULL;
			continue;
		}
		c = map_get(&r->changes, bytes_str(t->in[i].path));
		if (c)
			*ref = c->now;
		any |= c != NULL;
	}
	return any;
}

static int copy_hints(struct rebind *r, const struct id *old, const struct id *new_id,
		      struct arena *a, struct err *e)
{
	struct bytes hints;

	if (store_table_get(r->store, TABLE_HINT, id_key(old), a, &hints, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	return store_table_put(r->store, TABLE_HINT, id_key(new_id), hints, e);
}

/* Do all bytes of a path stand for themselves in a thunk's text? */
static bool is_written_so(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || *path == 0x7f || *path == '\\')
			return false;
	return true;
}

enum { SOUGHT_MOST = 8 };

/* Might there be anything to replace?  That costs less than to decode. */
static bool may_read(const struct rebind *r, struct bytes text)
{
	static const char in_thunk[] = "\nin thunk ";
	struct bytes path;
	size_t pos = 0;
	void *change;

	if (r->changes.n > SOUGHT_MOST ||
	    memmem(text.p, text.n, in_thunk, sizeof in_thunk - 1))
		return true;
	while (map_each(&r->changes, &pos, &path, &change))
		if (!is_written_so(path.p) || memmem(text.p, text.n, path.p, path.n))
			return true;
	return false;
}

/* The thunk with its new inputs: 1 it has another name than was known, 0 not. */
static int rebind_thunk(struct rebind *r, const struct id *old, struct arena *a,
			struct err *e)
{
	const struct id *known = renamed(r, old);
	struct bytes text;
	struct thunk t;
	struct id id, *kept;

	if (store_get(r->store, old, a, &text, e) < 0)
		return -1;
	if (!may_read(r, text))
		return 0;
	if (thunk_decode(text, a, &t, e) < 0)
		return -1;
	if (!replace(r, &t))
		return 0;
	buf_reset(&r->text);
	if (thunk_encode(&t, &r->text, e) < 0 ||
	    store_put(r->store, buf_bytes(&r->text), &id, e) < 0 ||
	    copy_hints(r, old, &id, a, e) < 0)
		return -1;
	if (known && id_equal(known, &id))
		return 0;
	kept = arena_alloc(&r->arena, 2 * sizeof *kept);
	kept[0] = *old;
	kept[1] = id;
	r->is_late |= map_get(&r->asked, id_key(old)) != NULL;
	*map_at(&r->thunks, id_key(&kept[0])) = &kept[1];
	return 1;
}

static struct memo_reader *reader_of(struct arena *a, const struct buf *record)
{
	struct memo_reader *rd = arena_alloc(a, sizeof *rd);

	rd->all = buf_bytes(record);
	rd->rest = (struct bytes){ rd->all.p + sizeof(struct memo_head),
				   rd->all.n - sizeof(struct memo_head) };
	return rd;
}

/* 1: one more is needed, 0: all have their names. */
static int pass(struct rebind *r, const struct buf *record, struct err *e)
{
	struct arena a = { 0 };
	struct memo_reader *rd = reader_of(&r->arena, record);
	int rc = 0;

	r->is_late = false;
	while (rd->rest.n && rc >= 0) {
		struct memo_entry x;

		rc = memo_next(rd, &x, e);
		if (rc == 0 && x.kind == MEMO_OUTPUT)
			rc = rebind_thunk(r, &x.id, &a, e);
		arena_reset(&a);
	}
	arena_release(&a);
	return rc < 0 ? -1 : r->is_late;
}

/* The new thunk's placeholder where the old one's output stands. */
static int place(struct rebind *r, const struct memo_entry *x, const struct id *id,
		 struct arena *a, struct err *e)
{
	const struct placeholder ph = { .thunk = *id, .out = x->out };
	const struct output *o;
	struct bytes text;
	struct thunk t;
	struct stat st;
	bool is_exec;

	if (store_get(r->store, id, a, &text, e) < 0 || thunk_decode(text, a, &t, e) < 0)
		return -1;
	o = thunk_output(&t, x->out);
	if (!o)
		return err_set(e, ERR_BAD, "%s: its thunk has no output %s", x->path, x->out);
	is_exec = fstatat(r->project->root_fd, x->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		  S_ISREG(st.st_mode) && st.st_mode & 0100;
	if (ref_supersede(r->store, x->path, id, e) < 0)
		return -1;
	return place_placeholder(r->store, r->project, x->path, &ph, o->is_dir, is_exec, e);
}

static int place_all(struct rebind *r, struct buf *record, struct map *placed,
		     struct arena *lasting, struct err *e)
{
	static const struct stamp unknown;
	struct memo_reader *rd = reader_of(&r->arena, record);
	struct arena a = { 0 };
	int rc = 0;

	while (rd->rest.n && rc == 0) {
		struct memo_entry x;
		const struct id *id;
		char *at;

		rc = memo_next(rd, &x, e);
		if (rc < 0 || x.kind != MEMO_OUTPUT || !(id = renamed(r, &x.id)))
			continue;
		rc = place(r, &x, id, &a, e);
		at = record->p + (rd->stamp - rd->all.p);
		memcpy(at, &unknown, sizeof unknown);
		memcpy(at + sizeof unknown, id, sizeof *id);
		*map_at(placed, bytes_str(arena_str(lasting, x.path))) = placed;
		arena_reset(&a);
	}
	arena_release(&a);
	return rc;
}

int memo_rebind(struct store *s, struct project *p, struct buf *record,
		const struct memo_change *v, size_t n, struct map *placed,
		struct arena *a, struct err *e)
{
	struct rebind r = { .store = s, .project = p };
	int rc = 1;

	for (size_t i = 0; i < n; i++)
		*map_at(&r.changes, bytes_str(v[i].path)) = (void *)&v[i];
	for (int i = 0; i < PASSES_MAX && rc > 0; i++)
		rc = pass(&r, record, e);
	if (rc == 0)
		rc = place_all(&r, record, placed, a, e) < 0 ? -1 : 1;
	else if (rc > 0)
		rc = 0;
	/* What cannot be made anew so is the script's to make. */
	if (rc < 0 && (e->code == ERR_MISSING || e->code == ERR_BAD ||
		       e->code == ERR_REFUSED))
		rc = 0;
	map_release(&r.changes);
	map_release(&r.thunks);
	map_release(&r.asked);
	arena_release(&r.arena);
	buf_release(&r.text);
	return rc;
}
