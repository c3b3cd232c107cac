/* sim_rig.h - a project whose steps run on simulated workers
 *
 * Each test is a program of one file, so all of this may be static.
 */
#ifndef GG_SIM_RIG_H
#define GG_SIM_RIG_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "exec.h"
#include "file.h"
#include "sim.h"

struct sim_rig {
	char root[64];
	struct project project;
	struct store *store;
	struct loop *loop;
	struct backend *backend;
	struct engine engine;
	struct exec *x;
	struct id host;
	const struct policy *policy;    /* of what is opened next */
	double gains;                   /* of the steps made next by more GPUs; 0: none */
	size_t n_ended, n_bad;
	struct err e;           /* of the first that ended badly */
};

static inline int rig_open(struct sim_rig *r, const char *words, struct err *e)
{
	struct backend_opts bo = { 0 };
	struct exec_opts xo = { 0 };

	/* What is only simulated need not outlast a power cut. */
	if (store_open(".gg", STORE_CREATE | STORE_VOLATILE, &r->store, e) < 0 ||
	    store_put(r->store, bytes_str("a machine\n"), &r->host, e) < 0 ||
	    loop_new(&r->loop, e) < 0)
		return -1;
	bo.loop = r->loop;
	bo.store = r->store;
	if (backend_sim.open(&bo, words, &r->backend, e) < 0)
		return -1;
	r->engine = (struct engine){ .ops = &backend_sim, .backend = r->backend, .uri = "sim" };
	xo = (struct exec_opts){ .loop = r->loop, .store = r->store, .project = &r->project,
				 .engines = &r->engine, .n_engines = 1,
				 .policy = r->policy };
	return exec_new(&xo, &r->x, e);
}

static inline int rig_close(struct sim_rig *r, struct err *e)
{
	backend_sim.close(r->backend);
	exec_free(r->x);
	loop_free(r->loop);
	return store_close(r->store, e);
}

static inline int rig_begin(struct sim_rig *r, const char *words, struct err *e)
{
	*r = (struct sim_rig){ .root = "/tmp/gg-sim-XXXXXX" };
	if (!mkdtemp(r->root) || chdir(r->root) < 0)
		return err_sys(e, "%s", r->root);
	r->project.root = r->root;
	r->project.root_fd = open(r->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return rig_open(r, words, e);
}

static inline int rig_end(struct sim_rig *r, struct err *e)
{
	int rc = rig_close(r, e);

	close(r->project.root_fd);
	if (chdir("/") < 0)
		return -1;
	return rc < 0 ? rc : dir_remove(AT_FDCWD, r->root, e);
}

/* A simulated step with a name, a time and an output of so many bytes, which
 * reads output "out" of each of deps. */
static inline int rig_step(struct sim_rig *r, const char *name, double time_s, uint64_t bytes,
			   const struct id *deps, size_t n, struct id *out, struct err *e)
{
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct output o = { "out", "out", false };
	const char *args[5] = { "sim", name, arena_printf(&a, "time=%.3f", time_s) };
	struct thunk t = { .args = args, .n_args = 3, .out = &o, .n_out = 1,
			   .runtime_id = r->host };
	int rc;

	if (bytes >> 10)
		args[t.n_args++] = arena_printf(&a, "bytes=%lluK",
						(unsigned long long)bytes >> 10);
	if (r->gains > 0)
		args[t.n_args++] = arena_printf(&a, "gains=%.4f", r->gains);
	t.in = arena_alloc(&a, (n ? n : 1) * sizeof *t.in);
	for (; t.n_in < n; t.n_in++)
		t.in[t.n_in] = (struct input){ arena_printf(&a, "in/%06zu", t.n_in),
					       { REF_THUNK, deps[t.n_in], "out" } };
	rc = thunk_encode(&t, &text, e);
	if (rc == 0)
		rc = store_put(r->store, buf_bytes(&text), out, e);
	buf_release(&text);
	arena_release(&a);
	return rc;
}

static inline void rig_ended(void *arg, const struct err *why)
{
	struct sim_rig *r = arg;

	r->n_ended++;
	if (why && !r->n_bad++)
		r->e = *why;
}

static inline int rig_want(struct sim_rig *r, struct id id, struct err *e)
{
	struct want w = { .thunk = id, .out = "out", .done = rig_ended, .arg = r };

	return exec_want(r->x, &w, e);
}

static inline void rig_finish(struct sim_rig *r)
{
	while (exec_is_busy(r->x))
		loop_turn(r->loop);
}

#endif
