/* adopt.c - what a command that ran for real has left is kept as if forced
 *
 * The thunk is made from the inputs as they are now: the command has ended and
 * they are what it read.  So nothing that it wrote may be among them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "question.h"

/* One output as it stands in the project. */
struct left {
	struct ref value;
	struct stat st;
};

/* A text of gg's own stands for something else: that is no plain output. */
static bool is_own_text(int root_fd, const char *path)
{
	int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[20];
	ssize_t n = fd < 0 ? -1 : file_read_fd(fd, text, sizeof text);
	struct bytes b = { text, n > 0 ? (size_t)n : 0 };

	if (fd >= 0)
		close(fd);
	return tail_is(b) || bytes_start(b, "gg-placeholder 1\n");
}

static int keep_dir(struct question *q, const char *path, struct left *l, struct err *e)
{
	const struct infer_opts *o = &q->g.in->o;
	struct placeholder ph;

	l->value.kind = REF_TREE;
	if (placeholder_at(o->project->root_fd, path, q->g.a, &ph, e) != 0)
		return err_set(e, ERR_FAILED, "%s is a placeholder", path);
	return stat_tree(o->store, o->project->root_fd, path, STAT_KEEP, NULL,
			 &l->value.id, e);
}

static int keep_file(struct question *q, const char *path, struct left *l, struct err *e)
{
	const struct infer_opts *o = &q->g.in->o;

	if (is_own_text(o->project->root_fd, path))
		return err_set(e, ERR_FAILED, "%s stands for what is still to be made", path);
	l->value.kind = l->st.st_mode & 0111 ? REF_EXEC : REF_VALUE;
	return stat_name(o->store, o->project->root_fd, path, STAT_KEEP, &l->value.id,
			 &l->st, e);
}

static int keep_printed(struct question *q, const struct output *out, struct left *l,
			struct err *e)
{
	int fd = strcmp(out->path, PRINTED_OUT) == 0 ? 1 : 2;

	if (!q->ran->has_printed[fd])
		return err_set(e, ERR_FAILED, "what it printed was not kept");
	l->value = (struct ref){ .kind = REF_VALUE, .id = q->ran->printed[fd] };
	return 0;
}

static int keep(struct question *q, const struct output *out, struct left *l,
		struct err *e)
{
	int root_fd = q->g.in->o.project->root_fd;

	if (output_is_printed(out))
		return keep_printed(q, out, l, e);
	if (fstatat(root_fd, out->path, &l->st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(e, ERR_FAILED, "it did not write %s", out->path);
		return err_sys(e, "cannot look at %s", out->path);
	}
	if (out->is_dir ? !S_ISDIR(l->st.st_mode) : !S_ISREG(l->st.st_mode))
		return err_set(e, ERR_FAILED, "%s is no %s", out->path,
			       out->is_dir ? "directory" : "file");
	return out->is_dir ? keep_dir(q, out->path, l, e) : keep_file(q, out->path, l, e);
}

/* The thunk's name with values for inputs that other thunks made, as they
 * stood: what forcing goes by when it is to run the same again.  False: not all
 * of them stand. */
static bool name_reduced(struct question *q, struct id *out)
{
	struct thunk t = q->t;
	struct buf text = { 0 };
	struct ref_record r;
	struct err e;
	bool is_named;

	t.in = arena_alloc(q->g.a, (t.n_in + 1) * sizeof *t.in);
	for (size_t i = 0; i < t.n_in; i++) {
		t.in[i] = q->t.in[i];
		if (t.in[i].ref.kind != REF_THUNK)
			continue;
		if (ref_get(q->g.in->o.store, t.in[i].path, q->g.a, &r, &e) < 0 ||
		    r.state != PLACE_REAL || !id_equal(&r.thunk, &t.in[i].ref.id))
			return false;
		t.in[i].ref = r.value;
	}
	is_named = thunk_encode(&t, &text, &e) == 0;
	if (is_named)
		*out = id_of(buf_bytes(&text));
	buf_release(&text);
	return is_named;
}

static int put_result(struct question *q, const struct left *v, const struct id *id,
		      struct err *e)
{
	struct store *s = q->g.in->o.store;
	struct result r = { .n = q->t.n_out };
	struct id reduced;

	r.v = arena_alloc(q->g.a, r.n * sizeof *r.v);
	for (size_t i = 0; i < r.n; i++)
		r.v[i] = (struct result_out){ q->t.out[i].name, v[i].value };
	if (name_reduced(q, &reduced) && !id_equal(&reduced, id) &&
	    store_put_result(s, &reduced, &r, e) < 0)
		return -1;
	return store_put_result(s, id, &r, e);
}

/* Say of each output whose it is. */
static int put_refs(struct question *q, const struct left *v, const struct id *id,
		    struct err *e)
{
	struct infer *in = q->g.in;

	for (size_t i = 0; i < q->t.n_out; i++) {
		const struct output *o = &q->t.out[i];
		struct placeholder ph = { .thunk = *id, .out = o->name };
		struct ref_record r = { .thunk = *id, .out = o->name,
					.state = PLACE_REAL, .value = v[i].value,
					.stamp = stamp_of(&v[i].st) };

		if (output_is_printed(o))
			continue;
		if (ref_supersede(in->o.store, o->path, id, e) < 0 ||
		    ref_put(in->o.store, o->path, &r, e) < 0)
			return -1;
		if (!o->is_dir &&
		    stat_note(in->o.store, &v[i].st, &v[i].value.id, e) < 0)
			return -1;
		gather_note_output(in, o->path);
		if (in->o.output)
			in->o.output(in->o.arg, o->path, &ph);
	}
	return 0;
}

/* What was read of it is not there any more. */
static const char *overwritten(const struct question *q)
{
	for (size_t i = 0; i < q->t.n_out; i++) {
		const struct output *o = &q->t.out[i];

		if (gather_find(&q->g, o->path) ||
		    (question_updates(q, o) && !question_made(q, o->path)))
			return o->path;
	}
	return NULL;
}

static int adopt(struct question *q, struct id *id, struct err *e)
{
	struct left *v = arena_alloc(q->g.a, q->t.n_out * sizeof *v);

	if (question_encode(q, id, e) < 0)
		return -1;
	for (size_t i = 0; i < q->t.n_out; i++)
		if (keep(q, &q->t.out[i], &v[i], e) < 0)
			return -1;
	if (put_result(q, v, id, e) < 0 || put_refs(q, v, id, e) < 0)
		return -1;
	question_hint(q, id);
	question_tell_updates(q);
	return 0;
}

static enum infer_verdict take(struct question *q, struct id *id, struct err *e)
{
	enum infer_verdict v;

	if (question_thunk(q, &v, e) < 0)
		return question_real(q, e->text);
	if (v == INFER_HELPER)
		return question_real(q, "what it reads is not known");
	if (v != INFER_DEFERRED)
		return v;
	if (overwritten(q))
		return question_real(q, arena_printf(q->g.a, "what %s was before is gone",
						     overwritten(q)));
	if (adopt(q, id, e) < 0)
		return question_real(q, e->text);
	buf_printf(q->why, "%s: kept as thunk %.12s, %zu in, %zu out\n", q->b.rule,
		   id_hex(id).s, q->t.n_in, q->t.n_out);
	return INFER_DEFERRED;
}

enum infer_verdict infer_adopt(struct infer *in, const struct command *c,
			       struct infer_ran *ran, struct arena *a,
			       struct buf *why, struct err *e)
{
	struct infer_helper unasked = { 0 };
	struct question q = {
		.g = { .in = in, .c = c, .a = a, .helper = &unasked },
		.why = why, .ran = ran, .made = &ran->made,
	};
	enum infer_verdict v = INFER_REAL;

	in->machine.ahead = ran->ahead;
	if (question_match(&q) == MATCH_BOUND)
		v = take(&q, &ran->thunk, e);
	in->machine.ahead = NULL;
	question_release(&q);
	return v;
}
