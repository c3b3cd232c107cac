/* worker_rig.h - a dispatcher's store and a worker beside it, on one loop */
#ifndef GG_WORKER_RIG_H
#define GG_WORKER_RIG_H

#include "cell_rig.h"
#include "parcel.h"
#include "worker.h"

static struct rig rig;                  /* the dispatcher's side */
static struct err e;
static struct arena arena;
static char worker_dir[] = "/tmp/gg-worker-t-XXXXXX";
static char worker_store[64], worker_spare[64], remote_uri[80];
static struct store *wstore;
static struct worker *worker;
static struct depot *depot;
static struct remote *remote;
static struct buf told;                 /* the worker's notices */

static inline void on_told(void *arg, const char *text)
{
	(void)arg;
	buf_printf(&told, "%s\n", text);
}

static inline void start_worker(unsigned jobs, uint64_t cache_bytes)
{
	struct worker_opts o = {
		.loop = rig.loop, .store_dir = worker_store, .self = "/proc/self/exe",
		.spare_root = worker_spare, .engine = &backend_local, .jobs = jobs,
		.cache_bytes = cache_bytes, .notice = on_told,
	};

	MUST(dir_make(AT_FDCWD, worker_spare, &e), e);
	MUST(store_open(worker_store, STORE_CREATE | STORE_VOLATILE, &wstore, &e), e);
	o.store = wstore;
	worker = worker_new(&o);
}

static inline void stop_worker(void)
{
	worker_free(worker);
	MUST(store_close(wstore, &e), e);
	MUST(dir_remove(AT_FDCWD, worker_store, &e), e);
	buf_reset(&told);
}

/* The dispatcher's depot, with a folder that both see as its remote. */
static inline void open_depot(void)
{
	struct remote_opts ro = { .loop = rig.loop };
	struct depot_remote r = { .ops = &remote_dir };
	struct depot_opts o = { .loop = rig.loop, .store = rig.store, .remotes = &r,
				.n_remotes = 1 };

	MUST(remote_dir.open(&ro, remote_uri, &remote, &e), e);
	r.remote = remote;
	MUST(depot_new(&o, &depot, &e), e);
}

static inline void close_depot(void)
{
	depot_free(depot);
	remote_dir.close(remote);
	depot = NULL;
}

static inline void rigs_open(void)
{
	rig_open(&rig);
	if (!mkdtemp(worker_dir))
		exit(1);
	snprintf(worker_store, sizeof worker_store, "%s/store", worker_dir);
	snprintf(worker_spare, sizeof worker_spare, "%s/project", worker_dir);
	snprintf(remote_uri, sizeof remote_uri, "dir:%s/remote", worker_dir);
}

static inline void rigs_close(void)
{
	rig_close(&rig);
	MUST(dir_remove(AT_FDCWD, worker_dir, &e), e);
	arena_release(&arena);
	buf_release(&told);
}

/* A request on its way to the worker. */
struct sent {
	struct worker_call call;
	struct parcel parcel;
	struct buf answer;
	struct got got[8];              /* one for each step */
	struct job *jobs[8];
	size_t n, n_told;
	bool is_done;
};

static inline void on_sent_done(struct worker_call *c, struct bytes answer)
{
	struct sent *s = c->arg;

	buf_add(&s->answer, answer.p, answer.n);
	s->is_done = true;
}

static inline void on_pushed(struct depot_push *p, const struct err *why)
{
	if (why)
		printf("# %s\n", why->text);
	*(int *)p->arg = why ? -1 : 1;
}

static inline void add_step(struct sent *s, const struct step *step)
{
	struct got *g = &s->got[s->n];

	*g = (struct got){ .is_done = false };
	g->job.text = rig_thunk(&rig, step);
	g->job.reduced = id_of(g->job.text);
	g->job.host = id_is_zero(&step->closure) ? rig.host : (struct bytes){ 0 };
	g->job.timeout_s = step->timeout_s;
	g->job.arg = g;
	s->jobs[s->n++] = &g->job;
}

static inline struct parcel_opts parcel_options(bool is_json)
{
	return (struct parcel_opts){ .store = rig.store, .depot = depot, .root = rig.root,
				     .is_json = is_json };
}

/* Pack and begin; what has to be at the remote is put there. */
static inline void send(struct sent *s, bool is_json)
{
	struct parcel_opts o = parcel_options(is_json);
	struct id missing;
	int pushed = 0;

	MUST(parcel_pack(&o, s->jobs, s->n, &s->parcel, &missing, &e), e);
	if (s->parcel.n_outside) {
		struct depot_push p = { .refs = s->parcel.outside,
					.n_refs = s->parcel.n_outside, .done = on_pushed,
					.arg = &pushed };

		depot_push(depot, &p);
		while (!pushed)
			loop_turn(rig.loop);
		CHECK(pushed == 1);
	}
	s->call = (struct worker_call){ .request = buf_bytes(&s->parcel.body),
					.limit_s = s->call.limit_s, .done = on_sent_done,
					.arg = s };
	MUST(worker_begin(worker, &s->call, &e), e);
}

static inline void on_each(void *arg, const struct id *reduced, const struct run_report *r)
{
	struct sent *s = arg;

	CHECK(s->n_told < s->n && id_equal(reduced, &s->jobs[s->n_told]->reduced));
	if (s->n_told < s->n)
		rig_done(s->jobs[s->n_told++], r);
}

static inline void receive(struct sent *s)
{
	struct parcel_opts o = parcel_options(false);

	loop_run(rig.loop, &s->is_done);
	CHECK(s->is_done);
	MUST(parcel_open(&o, buf_bytes(&s->answer), on_each, s, &e), e);
	CHECK(s->n_told == s->n);
}

static inline void sent_free(struct sent *s)
{
	for (size_t i = 0; i < s->n; i++)
		got_free(&s->got[i]);
	parcel_release(&s->parcel);
	buf_release(&s->answer);
	*s = (struct sent){ .n = 0 };
}

/* main of such a test, which is its own cell too. */
static inline int rigs_main(const struct test *tests, int argc, char **argv)
{
	int rc;

	if (argc > 1 && strcmp(argv[1], "cell") == 0)
		return cell_main(argc - 2, argv + 2);
	rigs_open();
	rc = test_main(tests);
	rigs_close();
	return rc;
}

#endif
