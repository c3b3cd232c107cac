/* cell_rig.h - a project in a temporary folder, with cells to run steps in */
#ifndef GG_CELL_RIG_H
#define GG_CELL_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "backend.h"
#include "file.h"
#include "test.h"

struct rig {
	char root[256], store_dir[300];
	struct loop *loop;
	struct store *store;
	struct backend *b;
	struct arena a;
	struct bytes host;
	struct id host_id;
};

/* An sh script as a step.  An input with content NULL is the tree or value
 * of `id`; an output that ends in a slash is a folder. */
struct step {
	const char *script;
	struct { const char *path, *text; struct id id; enum ref_kind kind; } in[8];
	const char *out[8];
	const char *cwd, *std[3], *env[4];
	bool network, is_watched;
	struct id closure;              /* zero: on the host */
	double timeout_s;
};

struct got {
	struct job job;
	struct arena a;
	struct run_report r;
	bool is_done;
	unsigned n_done;
};

static inline void rig_host(struct rig *r)
{
	struct host h = { .program = { .path = "/bin/sh" } };
	struct utsname u;
	struct buf b = { 0 };
	struct err e;

	uname(&u);
	h.arch = u.machine;
	MUST(stat_name(r->store, AT_FDCWD, "/bin/sh", 0, &h.program.id, NULL, &e), e);
	MUST(host_encode(&h, &b, &e), e);
	r->host = arena_bytes(&r->a, buf_bytes(&b));
	r->host_id = id_of(r->host);
	buf_release(&b);
}

static inline void rig_backend(struct rig *r, unsigned jobs, bool is_hermetic)
{
	struct backend_opts o = { .self = "/proc/self/exe", .jobs = jobs,
				  .is_hermetic = is_hermetic, .loop = r->loop,
				  .store = r->store, .project_root = r->root,
				  .store_dir = r->store_dir };
	struct err e;

	backend_local.close(r->b);
	MUST(backend_local.open(&o, "", &r->b, &e), e);
}

static inline void rig_open_at(struct rig *r, const char *root, unsigned jobs)
{
	struct err e;

	*r = (struct rig){ .b = NULL };
	snprintf(r->root, sizeof r->root, "%s", root);
	snprintf(r->store_dir, sizeof r->store_dir, "%.250s/.gg", r->root);
	MUST(dir_make(AT_FDCWD, r->root, &e), e);
	MUST(loop_new(&r->loop, &e), e);
	MUST(store_open(r->store_dir, STORE_CREATE, &r->store, &e), e);
	rig_backend(r, jobs, false);
	rig_host(r);
}

static inline void rig_open(struct rig *r)
{
	char dir[] = "/tmp/gg-cell-XXXXXX";

	if (!mkdtemp(dir))
		exit(1);
	rig_open_at(r, dir, 2);
}

static inline void rig_close(struct rig *r)
{
	struct err e;

	backend_local.close(r->b);
	MUST(store_close(r->store, &e), e);
	loop_free(r->loop);
	arena_release(&r->a);
	dir_remove(AT_FDCWD, r->root, &e);
}

static inline struct bytes rig_thunk(struct rig *r, const struct step *s)
{
	const char *args[] = { "sh", "-c", s->script };
	struct input in[8];
	struct output out[8];
	const char *env[4];
	struct thunk t = { .args = args, .n_args = 3, .in = in, .out = out, .env = env,
			   .cwd = s->cwd, .uses_network = s->network,
			   .runtime_id = r->host_id };
	struct buf b = { 0 };
	struct bytes text;
	struct err e;

	for (; t.n_in < 8 && s->in[t.n_in].path; t.n_in++) {
		in[t.n_in] = (struct input){ s->in[t.n_in].path,
			{ s->in[t.n_in].kind, s->in[t.n_in].id, NULL } };
		if (s->in[t.n_in].text)
			MUST(store_put(r->store, bytes_str(s->in[t.n_in].text),
				       &in[t.n_in].ref.id, &e), e);
	}
	for (; t.n_out < 8 && s->out[t.n_out]; t.n_out++) {
		char *path = arena_str(&r->a, s->out[t.n_out]);
		size_t n = strlen(path);

		out[t.n_out] = (struct output){ path, path, path[n - 1] == '/' };
		if (out[t.n_out].is_dir)
			path[n - 1] = '\0';
	}
	for (; t.n_env < 4 && s->env[t.n_env]; t.n_env++)
		env[t.n_env] = s->env[t.n_env];
	memcpy(t.std, s->std, sizeof t.std);
	if (!id_is_zero(&s->closure)) {
		t.runtime = RUNTIME_CLOSURE;
		t.runtime_id = s->closure;
	}
	thunk_sort(&t);
	MUST(thunk_encode(&t, &b, &e), e);
	text = arena_bytes(&r->a, buf_bytes(&b));
	buf_release(&b);
	return text;
}

static inline void rig_done(struct job *j, const struct run_report *r)
{
	struct got *g = j->arg;
	size_t n = r->result.n;

	g->n_done++;
	g->is_done = true;
	g->r = *r;
	g->r.text = arena_str(&g->a, r->text ? r->text : "");
	if (r->undeclared)
		g->r.undeclared = arena_str(&g->a, r->undeclared);
	g->r.log = (struct bytes){ arena_strn(&g->a, r->log.p ? r->log.p : "", r->log.n),
				   r->log.n };
	g->r.result.v = arena_alloc(&g->a, (n + 1) * sizeof *g->r.result.v);
	for (size_t i = 0; i < n; i++) {
		g->r.result.v[i] = r->result.v[i];
		g->r.result.v[i].name = arena_str(&g->a, r->result.v[i].name);
	}
}

static inline void rig_start(struct rig *r, const struct step *s, struct got *g)
{
	struct err e;

	*g = (struct got){ .is_done = false };
	g->job.text = rig_thunk(r, s);
	if (id_is_zero(&s->closure))
		g->job.host = r->host;
	g->job.timeout_s = s->timeout_s;
	g->job.is_watched = s->is_watched;
	g->job.done = rig_done;
	g->job.arg = g;
	MUST(backend_local.start(r->b, &g->job, &e), e);
}

static inline void rig_run(struct rig *r, const struct step *s, struct got *g)
{
	rig_start(r, s, g);
	loop_run(r->loop, &g->is_done);
	if (!g->is_done) {
		printf("Bail out! the loop ended before the job\n");
		exit(1);
	}
}

/* Where namespaces are not permitted, walls do not stand: known after the
 * first step.  Then what they promise is not tested. */
static inline bool rig_lacks_walls(struct rig *r)
{
	const char *notice = backend_local.notice(r->b);

	if (notice)
		printf("# not tested: %s\n", notice);
	return notice != NULL;
}

static inline void got_free(struct got *g)
{
	arena_release(&g->a);
}

/* The bytes of an output, as a string in the rig's arena. */
static inline const char *rig_out(struct rig *r, const struct got *g, const char *name)
{
	const struct ref *ref = result_output(&g->r.result, name);
	struct bytes b;
	struct err e;

	if (!ref)
		return NULL;
	if (store_get(r->store, &ref->id, &r->a, &b, &e) < 0) {
		printf("# %s\n", e.text);
		return NULL;
	}
	return arena_strn(&r->a, b.p, b.n);
}

/* It ended so, and says so. */
#define CHECK_GOT(g, want, needle) \
	do { \
		if ((g)->r.status != (want) || \
		    !strstr((g)->r.text, needle)) { \
			test_failures++; \
			printf("# %s:%d: status %d, not %d; \"%s\" does not say \"%s\"; " \
			       "log: %s\n", __FILE__, __LINE__, (g)->r.status, want, \
			       (g)->r.text, needle, (g)->r.log.p); \
		} \
	} while (0)

/* main of such a test, which is its own cell too. */
static inline int rig_main(struct rig *r, const struct test *tests, int argc, char **argv)
{
	int rc;

	if (argc > 1 && strcmp(argv[1], "cell") == 0)
		return cell_main(argc - 2, argv + 2);
	rig_open(r);
	rc = test_main(tests);
	rig_close(r);
	if (access(r->root, F_OK) == 0) {
		printf("# %s is left\n", r->root);
		rc = 1;
	}
	return rc;
}

#endif
