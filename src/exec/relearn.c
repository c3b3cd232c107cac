/* relearn.c - a learned model said too little: learn again, and make anew
 *
 * The command runs for real once more, in a session of its own, where it is
 * watched.  What was deferred after the script's own commands had been seen is
 * deferred again with the wider model, in the same order, and so is what
 * depends on it.  That is right only while everything they read still stands as
 * it stood for them, and while nobody has looked for names that are others now:
 * else the script has to run again.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "session_private.h"

/* ---- what was deferred */

static const char *intern(struct session *s, const char *str)
{
	const char *old = map_get(&s->strings, bytes_str(str));

	if (old)
		return old;
	old = arena_str(&s->keep, str);
	*map_at(&s->strings, bytes_str(old)) = (void *)old;
	return old;
}

/* Environments are mostly the same one. */
static const char **intern_env(struct session *s, const struct command *c)
{
	const char **v = arena_alloc(&s->arena, (c->n_env + 1) * sizeof *v);
	size_t n = (c->n_env + 1) * sizeof *v;
	struct bytes key = { (const char *)v, n };
	const char **old;

	for (size_t i = 0; i < c->n_env; i++)
		v[i] = intern(s, c->env[i]);
	old = map_get(&s->envs, key);
	if (old)
		return old;
	old = arena_alloc(&s->keep, n);
	memcpy(old, v, n);
	*map_at(&s->envs, (struct bytes){ (const char *)old, n }) = old;
	return old;
}

void session_keep(struct session *s, const struct command *c)
{
	struct kept *k;

	if (!s->o.learns)
		return;
	if (s->n_kept == s->room_kept) {
		s->room_kept = s->room_kept ? 2 * s->room_kept : 64;
		s->kept = mem_grow(s->kept, s->room_kept * sizeof *s->kept);
	}
	k = &s->kept[s->n_kept++];
	*k = (struct kept){ .c = *c, .thunk = s->last_thunk };
	k->c.program = intern(s, c->program);
	k->c.cwd = intern(s, c->cwd);
	k->c.env = intern_env(s, c);
	k->c.args = arena_alloc(&s->keep, (c->n_args + 1) * sizeof *k->c.args);
	for (size_t i = 0; i < c->n_args; i++)
		k->c.args[i] = intern(s, c->args[i]);
	for (int fd = 0; fd < 3; fd++)
		if (c->std[fd].path)
			k->c.std[fd].path = arena_str(&s->keep, c->std[fd].path);
}

void session_drop_kept(struct session *s)
{
	free(s->kept);
	map_release(&s->strings);
	map_release(&s->envs);
	arena_release(&s->keep);
}

/* What it was learned as, which a script's own name does not say; lives in a. */
static const char *shape_of(struct session *s, const struct kept *k, struct arena *a)
{
	struct command c = k->c;
	const char *why;

	watch_as_script(s, &c);
	return learn_shape(&c, a, &why);
}

static struct kept *find_kept(struct session *s, const struct id *thunk)
{
	for (size_t i = s->n_kept; i-- > 0;)
		if (id_equal(&s->kept[i].thunk, thunk))
			return &s->kept[i];
	return NULL;
}

bool session_has(struct session *s, const struct id *thunk)
{
	return find_kept(s, thunk) != NULL;
}

int session_thunk(struct session *s, const struct id *id, struct thunk *t,
		  struct err *e)
{
	struct bytes text;

	if (store_get(s->o.store, id, &s->arena, &text, e) < 0)
		return -1;
	return thunk_decode(text, &s->arena, t, e);
}

/* ---- once more for real */

struct again {
	struct session *outer;
	struct err why;                 /* of a study that taught nothing */
	bool is_told;
};

static void hear_study(void *arg, const struct sighting *what, const char *shape,
		       struct bytes text, const struct err *e)
{
	struct again *g = arg;

	if (e && !g->is_told)
		g->why = *e;
	g->is_told |= e != NULL;
	if (g->outer->o.studied)
		g->outer->o.studied(g->outer->o.arg, what, shape, text, e);
}

static void hear_complaint(void *arg, const struct err *e)
{
	struct again *g = arg;

	g->outer->o.complain(g->outer->o.arg, e);
}

static void add_quoted(struct buf *b, const char *sign, const char *path)
{
	buf_str(b, sign);
	buf_char(b, '\'');
	for (; *path; path++)
		if (*path == '\'')
			buf_str(b, "'\\''");
		else
			buf_char(b, *path);
	buf_char(b, '\'');
}

/* A shell that sets the streams as they were and becomes the command. */
static const char **with_streams(struct session *s, const struct command *c)
{
	static const char *const signs[] = { " <", " >", " 2>" };
	const char **v = arena_alloc(&s->keep, (c->n_args + 5) * sizeof *v);
	struct buf sh = { 0 };

	buf_str(&sh, "exec \"$@\"");
	for (int fd = 0; fd < 3; fd++) {
		const char *path = c->std[fd].kind == STREAM_FILE ? c->std[fd].path :
				   fd ? NULL : "/dev/null";

		if (fd == 2 && path && c->std[1].path && strcmp(path, c->std[1].path) == 0)
			buf_str(&sh, " 2>&1");
		else if (path)
			add_quoted(&sh, signs[fd], path);
	}
	v[0] = "/bin/sh";
	v[1] = "-c";
	v[2] = arena_str(&s->keep, sh.p);
	v[3] = "sh";
	memcpy(v + 4, c->args, c->n_args * sizeof *v);
	buf_release(&sh);
	return v;
}

/* Placeholders of its outputs go: it is to find what the script let it find. */
static int clear_outputs(struct session *s, const struct id *id, struct err *e)
{
	struct ref_record r;
	enum place_now now;
	struct thunk t;

	if (session_thunk(s, id, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < t.n_out; i++) {
		const char *path = t.out[i].path;

		if (ref_get(s->o.store, path, &s->arena, &r, e) < 0 ||
		    place_look(s->o.store, s->o.project, path, &r, &now, e) < 0 ||
		    now != NOW_PLACEHOLDER)
			continue;
		if (dir_remove(s->o.project->root_fd, path, e) < 0)
			return -1;
	}
	return 0;
}

/* 0: it ended well; *now is its thunk if it was adopted, else zero. */
static int run_again(struct session *s, struct kept *k, struct id *now, int *status,
		     struct err *e)
{
	struct again g = { .outer = s };
	struct session_opts o = s->o;
	struct session_counts n;
	struct session *own;

	memset(now, 0, sizeof *now);
	if (clear_outputs(s, &k->thunk, e) < 0)
		return -1;
	o.args = with_streams(s, &k->c);
	o.env = k->c.env;
	o.cwd = k->c.cwd;
	o.base_env = s->o.base_env ? s->o.base_env : s->o.env;
	o.only_shape = shape_of(s, k, &s->keep);
	o.studied = hear_study;
	o.complain = hear_complaint;
	o.explain = NULL;
	o.mend = NULL;
	o.waited = NULL;
	o.arg = &g;
	if (session_start(&o, &own, e) < 0)
		return -1;
	session_serve(own);
	session_counts(own, &n);
	if (n.n_learned)
		*now = own->last_thunk;
	session_free(own);
	*status = n.status;
	if (n.status)
		return err_set(e, ERR_FAILED, "it fails for real too, with exit status %d",
			       n.status);
	return 0;
}

/* ---- the others anew */

static bool is_moved(const struct session *s, const struct id *id, struct id *now)
{
	const struct id *to = map_get(&s->moved, id_key(id));

	if (to)
		*now = *to;
	return to != NULL;
}

static void note_moved(struct session *s, const struct id *was, const struct id *now)
{
	struct id *v = arena_alloc(&s->keep, 2 * sizeof *v);

	/* Nobody makes what the old one promised: that is noted all the same. */
	if (id_is_zero(now))
		memo_spoil(s->o.memo, "a step that was deferred runs for real");
	v[0] = *was;
	v[1] = *now;
	*map_at(&s->moved, id_key(&v[0])) = &v[1];
}

/* Does what it read stand as it did for it? */
static bool stands(struct session *s, const struct input *in)
{
	struct id now, id;
	struct ref_record r;
	struct err e;

	if (in->ref.kind == REF_THUNK) {
		if (ref_get(s->o.store, in->path, &s->arena, &r, &e) < 0)
			return is_moved(s, &in->ref.id, &now);
		return id_equal(&r.thunk, &in->ref.id) ||
		       (is_moved(s, &in->ref.id, &now) && id_equal(&r.thunk, &now));
	}
	if (in->ref.kind == REF_TREE)
		return stat_tree(s->o.store, s->o.project->root_fd, in->path, 0, PROJECT_DIR,
				 &id, &e) < 0 || id_equal(&id, &in->ref.id);
	return stat_name(s->o.store, s->o.project->root_fd, in->path, 0, &id, NULL,
			 &e) == 0 && id_equal(&id, &in->ref.id);
}

/* Must it be made anew?  Its thunk reads what has moved, or is of the shape. */
static int is_concerned(struct session *s, const struct kept *k, const char *shape,
			struct err *e)
{
	const char *own = shape_of(s, k, &s->arena);
	bool is = own && shape && strcmp(own, shape) == 0;
	struct id now;
	struct thunk t;

	if (id_is_zero(&k->thunk))
		return 0;       /* it ran for real */
	if (session_thunk(s, &k->thunk, &t, e) < 0)
		return -1;
	for (size_t i = 0; !is && i < t.n_in; i++)
		is = t.in[i].ref.kind == REF_THUNK && is_moved(s, &t.in[i].ref.id, &now);
	for (size_t i = 0; is && i < t.n_in; i++)
		if (!stands(s, &t.in[i]))
			return err_set(e, ERR_REFUSED, "%s has changed since", t.in[i].path);
	return is;
}

static void made(void *arg, const struct err *e)
{
	(void)e;
	*(bool *)arg = true;
}

static void force_first(struct session *s, const struct infer_helper *h)
{
	bool is_made = false;
	struct want w = { .thunk = h->first.thunk, .out = h->first.out, .path = h->path,
			  .done = made, .arg = &is_made };
	struct err e;

	if (exec_want(s->o.exec, &w, &e) == 0)
		loop_run(s->o.loop, &is_made);
}

/* Defer k again; what cannot be runs for real. */
static int infer_again(struct session *s, struct kept *k, struct id *now, struct err *e)
{
	struct infer_helper helper = { 0 };
	struct buf why = { 0 };
	enum infer_verdict v = INFER_FORCE;
	int status;

	for (int i = 0; v == INFER_FORCE && i < MAX_WAITS; i++) {
		v = infer_command(s->infer, &k->c, &s->arena, &why, &helper, e);
		if (v == INFER_FORCE)
			force_first(s, &helper);
	}
	buf_release(&why);
	*now = v == INFER_FAILED ? s->failed_thunk : s->last_thunk;
	if (v == INFER_FAILED)
		s->counts.untrue = "a command has failed that was deferred again";
	if (v == INFER_DEFERRED || v == INFER_FAILED)
		return 0;
	return v == INFER_REFUSED ? -1 : run_again(s, k, now, &status, e);
}

static int make_anew(struct session *s, const char *shape, const struct kept *but,
		     struct err *e)
{
	for (size_t i = 0; i < s->n_kept; i++) {
		struct kept *k = &s->kept[i];
		int is = k == but ? 0 : is_concerned(s, k, shape, e);
		struct id now;

		arena_reset(&s->arena);
		if (is < 0 || (is && infer_again(s, k, &now, e) < 0))
			return -1;
		if (is && !id_equal(&now, &k->thunk)) {
			note_moved(s, &k->thunk, &now);
			k->thunk = now;
		}
		arena_reset(&s->arena);
	}
	return 0;
}

/* What has run for real may have made it all the same. */
static bool stands_real(struct session *s, const char *path)
{
	struct placeholder ph;
	struct err e;

	return faccessat(s->o.project->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       placeholder_at(s->o.project->root_fd, path, &s->arena, &ph, &e) == 0;
}

/* An output of `of` that `but` has not, and that a command has looked for. */
static void note_untrue(struct session *s, const struct thunk *of, const struct thunk *but,
			const char *what)
{
	for (size_t i = 0; i < of->n_out && !s->counts.untrue; i++) {
		const char *path = of->out[i].path;
		bool has = but->n_out == 0 && stands_real(s, path);

		for (size_t k = 0; k < but->n_out && !has; k++)
			has = strcmp(but->out[k].path, path) == 0;
		if (!has && memo_saw(s->o.memo, path))
			s->counts.untrue = arena_printf(&s->keep, "%s %s", path, what);
	}
}

/* A placeholder that is nobody's stands there, and maybe in the place of what
 * another command has made. */
static void drop_misnamed(struct session *s, const struct id *was, const char *path)
{
	struct placeholder ph;
	struct err e;

	if (!s->counts.untrue)
		s->counts.untrue = arena_printf(&s->keep, "%s was foretold, and is not made",
						path);
	if (placeholder_at(s->o.project->root_fd, path, &s->arena, &ph, &e) == 1 &&
	    id_equal(&ph.thunk, was) && dir_remove(s->o.project->root_fd, path, &e) < 0)
		s->o.complain(s->o.arg, &e);
}

static void note_misnamed(struct session *s, const struct id *was, const struct thunk *of,
			  const struct thunk *now)
{
	for (size_t i = 0; i < of->n_out; i++) {
		bool has = false;

		for (size_t k = 0; k < now->n_out && !has; k++)
			has = strcmp(now->out[k].path, of->out[i].path) == 0;
		if (!has)
			drop_misnamed(s, was, of->out[i].path);
	}
}

/* Has the script seen names that were foretold wrongly? */
static void compare_names(struct session *s, const struct id *was, const struct id *now)
{
	struct thunk before, after = { 0 };
	struct err e;

	if (session_thunk(s, was, &before, &e) < 0 ||
	    (!id_is_zero(now) && session_thunk(s, now, &after, &e) < 0))
		return;
	/* What ran for real may have made more than was foretold. */
	for (size_t i = 0; id_is_zero(now) && i < before.n_out && !s->counts.untrue; i++) {
		const char *path = before.out[i].path;
		int n = (int)(path_base(path) - path);

		if (memo_saw(s->o.memo, arena_printf(&s->arena, "%.*s.", n, path)))
			s->counts.untrue = arena_printf(&s->keep, "what is beside %s was "
							"listed", path);
	}
	note_untrue(s, &before, &after, "was looked for, and is not made");
	note_untrue(s, &after, &before, "is made, and was not there to be seen");
	if (!id_is_zero(now))
		note_misnamed(s, was, &before, &after);
	arena_reset(&s->arena);
}

int session_relearn(struct session *s, const struct id *thunk,
		    void (*moved)(void *arg, const struct id *was,
				  const struct id *now),
		    int *status, struct err *e)
{
	struct kept *k = find_kept(s, thunk);
	struct bytes key;
	const char *shape;
	struct id now;
	size_t pos = 0;
	void *to;
	int rc;

	if (!k)
		return err_set(e, ERR_MISSING, "it is not of this script");
	shape = shape_of(s, k, &s->keep);
	map_release(&s->moved);
	rc = run_again(s, k, &now, status, e);
	arena_reset(&s->arena);
	if (rc < 0)
		return -1;
	note_moved(s, &k->thunk, &now);
	k->thunk = now;
	rc = make_anew(s, shape, k, e);
	if (rc < 0 && e->code == ERR_REFUSED) {
		s->counts.untrue = arena_str(&s->keep, e->text);
		rc = 0;
	}
	while (map_each(&s->moved, &pos, &key, &to)) {
		const struct id *was = (const struct id *)(const void *)key.p;

		compare_names(s, was, to);
		moved(s->o.arg, was, to);
	}
	return rc;
}
