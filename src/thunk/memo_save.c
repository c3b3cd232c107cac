/* memo_save.c - what of an inference is remembered
 *
 * What was looked at or read must be at the end as it was at first, or a
 * second run would see something else than the first did.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "memo_private.h"

/* What is outside the project and was not written is what it was first. */
static bool is_link(const struct memo *m, const struct seen *s)
{
	const char *path = s->first.path;
	struct stat st;

	if (s->depends && !s->is_written && path[0] == '/')
		return s->first.flags & MEMO_LINK;
	return fstatat(m->project->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(st.st_mode);
}

void memo_wants(struct memo *m, struct arena *a, struct memo_want **v, size_t *n)
{
	struct memo_want *w = arena_alloc(a, (m->n + 1) * sizeof *w);
	struct placeholder ph;
	struct err e;

	*n = 0;
	*v = w;
	for (size_t i = 0; i < m->n; i++) {
		const struct seen *seen = m->order[i];
		const char *path = seen->first.path;
		bool inside = path[0] != '/';

		if (seen->depends && seen->first.kind == MEMO_ABSENT && !seen->is_output &&
		    !seen->is_written)
			continue;
		/* With something behind it the path of a link is followed. */
		if (strstr(path, "..") || is_link(m, seen))
			path = project_path(m->project, a, m->project->root,
					    arena_printf(a, "%s/.", path), &inside);
		if (inside &&
		    placeholder_at(m->project->root_fd, path, a, &ph, &e) == 1)
			w[(*n)++] = (struct memo_want){ path, ph };
	}
}

void memo_each(struct memo *m, void (*fn)(void *arg, const struct memo_want *w),
	       void *arg)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->order[i]->is_output)
			fn(arg, &(struct memo_want){ m->order[i]->first.path,
						     m->order[i]->ph });
}

static void changed(struct memo *m, const char *path)
{
	memo_spoil(m, arena_printf(&m->arena, "%s was looked at and then changed",
				   path));
}

/* The names of a directory at the end.  If they were to be listed later, they
 * are the first ones too as long as the stamp is the first one. */
static int final_list(struct memo *m, struct seen *s, struct memo_entry *x,
		      struct err *e)
{
	bool is_first = s->depends && !s->has_list;
	struct memo_entry after;

	x->kind = MEMO_LIST;
	if (!is_first)
		return memo_list_id(m->project->root_fd, x->path, &x->id, e);
	if (!stamp_equal(&s->first.stamp, &x->stamp)) {
		changed(m, x->path);
		return 0;
	}
	if (!stat_known(m->store, &x->stamp, &x->id)) {
		if (memo_list_id(m->project->root_fd, x->path, &x->id, e) < 0)
			return -1;
		memo_look(m->project->root_fd, x->path, &after);
		if (!stamp_equal(&after.stamp, &x->stamp))
			changed(m, x->path);
		else if (stat_learn(m->store, &x->stamp, &x->id, e) < 0)
			return -1;
	}
	s->first.id = x->id;
	return 0;
}

static int final_output(struct memo *m, const struct seen *s, struct memo_entry *x,
			struct err *e)
{
	struct placeholder ph;
	bool is_real = placeholder_at(m->project->root_fd, x->path, &m->scratch, &ph,
				      e) == 0;

	arena_reset(&m->scratch);
	*x = (struct memo_entry){
		.kind = MEMO_OUTPUT, .path = x->path, .id = s->ph.thunk,
		.out = s->ph.out, .stamp = is_real ? x->stamp : (struct stamp){ 0 },
	};
	return 0;
}

/* Is the state at the end the one that was relied upon? */
static bool is_as_first(const struct seen *s, const struct memo_entry *x)
{
	if (!memo_same_form(&s->first, x))
		return false;
	switch (x->kind) {
	case MEMO_FILE:
		return s->first.kind == MEMO_LOOKED &&
		       (s->has_first_id ? id_equal(&s->first.id, &x->id) :
			stamp_equal(&s->first.stamp, &x->stamp));
	case MEMO_LOOKED:
		return s->first.kind == MEMO_LOOKED &&
		       stamp_equal(&s->first.stamp, &x->stamp);
	case MEMO_LIST:
		return s->first.kind == MEMO_DIR && id_equal(&s->first.id, &x->id);
	default:
		return s->first.kind == x->kind;
	}
}

/* What the machine's packages hold is replaced, not edited: its stamp says
 * enough, and naming all of a Python stack would cost more than running it. */
static bool is_of_the_system(const char *path)
{
	static const char *const places[] = { "/usr/", "/lib/", "/lib64/", "/bin/",
					      "/sbin/", "/etc/", "/opt/" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return false;
}

static int final_entry(struct memo *m, struct seen *s, struct memo_entry *x,
		       struct err *e)
{
	*x = (struct memo_entry){ .path = s->first.path };
	memo_look(m->project->root_fd, x->path, x);
	if (s->is_output && s->is_updated && s->depends && !s->is_written)
		changed(m, x->path);
	if (s->is_output)
		return final_output(m, s, x, e);
	if (x->kind == MEMO_LOOKED && (s->is_read || s->has_first_id || !s->depends) &&
	    (s->has_first_id || !is_of_the_system(x->path))) {
		if (!stat_known(m->store, &x->stamp, &x->id) &&
		    stat_name(m->store, m->project->root_fd, x->path, 0, &x->id, NULL,
			      e) < 0)
			return -1;
		x->kind = MEMO_FILE;
		if (s->is_value && !s->is_fixed && !m->reads_outputs)
			x->flags |= MEMO_VALUE;
	}
	if (x->kind == MEMO_DIR && s->is_tree) {
		if (memo_tree_id(m, x->path, &x->id, e) < 0)
			return -1;
		x->kind = MEMO_TREE;
		if (!id_equal(&x->id, &s->tree))
			changed(m, x->path);
		return 0;
	}
	if (x->kind == MEMO_DIR && s->is_listed && final_list(m, s, x, e) < 0)
		return -1;
	if (s->depends && !is_as_first(s, x))
		changed(m, x->path);
	return 0;
}

void memo_write(struct buf *b, const struct memo_entry *x)
{
	uint8_t kind = (uint8_t)(x->kind | x->flags);
	uint16_t n = (uint16_t)strlen(x->path);

	buf_add(b, &kind, 1);
	buf_add(b, &n, sizeof n);
	buf_add(b, x->path, n);
	if (x->flags & MEMO_LINK)
		buf_add(b, &x->link, sizeof x->link);
	switch (x->kind) {
	case MEMO_ABSENT:
	case MEMO_DIR:
	case MEMO_ODD:
		return;
	case MEMO_LOOKED:
		buf_add(b, &x->stamp, sizeof x->stamp);
		return;
	case MEMO_FILE:
	case MEMO_LIST:
	case MEMO_TREE:
	case MEMO_OUTPUT:
		buf_add(b, &x->stamp, sizeof x->stamp);
		buf_add(b, &x->id, sizeof x->id);
		break;
	case MEMO_CLOSURE:
		buf_add(b, &x->id, sizeof x->id);
	}
	if (x->kind == MEMO_OUTPUT) {
		uint8_t len = (uint8_t)strlen(x->out);

		buf_add(b, &len, 1);
		buf_add(b, x->out, len);
	} else if (x->kind == MEMO_CLOSURE) {
		uint32_t len = (uint32_t)x->uses.n;

		buf_add(b, &len, sizeof len);
		buf_add(b, x->uses.p, len);
	}
}

/* Nothing is written if the store has it: then nothing need reach the disk. */
static int put_record(struct memo *m, const struct id *key, struct bytes record,
		      struct err *e)
{
	struct bytes old;
	bool is_there = store_table_get(m->store, TABLE_RUN, id_key(key), &m->scratch,
					&old, e) == 0 &&
			bytes_equal(old, record);

	arena_reset(&m->scratch);
	return is_there ? 0 :
	       store_table_put(m->store, TABLE_RUN, id_key(key), record, e);
}

/* Did a command that ran for real read what a thunk made?  Then it must run
 * again when the thunk's inputs change. */
static bool reads_outputs(const struct memo *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->order[i]->is_consumed)
			return true;
	return m->reads_printed;
}

int memo_save(struct memo *m, const struct id *key, const struct memo_counts *n,
	      struct err *e)
{
	struct memo_head head = { .version = MEMO_VERSION, .n_thunks = n->n_thunks,
				  .n_failed = n->n_failed, .boot = store_boot(m->store) };
	struct buf b = { 0 };
	int rc = 0;

	if (m->late)
		memo_spoil(m, m->late);
	m->reads_outputs = reads_outputs(m);
	buf_add(&b, &head, sizeof head);
	for (size_t i = 0; i < m->n && rc == 0 && !m->spoilt; i++) {
		struct memo_entry x;

		if (strlen(m->order[i]->first.path) > 4096)
			continue;
		rc = final_entry(m, m->order[i], &x, e);
		if (rc == 0)
			memo_write(&b, &x);
		head.n_entries++;
	}
	head.n_entries += memo_write_closures(m, &b);
	if (rc < 0) {
		memo_spoil(m, e->text);
		rc = 0;
	}
	if (m->spoilt) {
		rc = store_table_delete(m->store, TABLE_RUN, id_key(key), e);
		if (rc < 0 && e->code == ERR_MISSING)
			rc = 0;
	} else {
		memcpy(b.p, &head, sizeof head);
		rc = put_record(m, key, buf_bytes(&b), e);
	}
	buf_release(&b);
	return rc;
}
