/* The depot keeps the promises of depot.h when remotes are down, full, refuse or
 * are meant for small values only: folders whose answers are spoiled on order. */
#include "depot_rig.h"

enum mode { WELL, DOWN, FULL, NOT_PERMITTED, STUCK };

/* A folder behind something that fails. */
struct remote {
	struct remote *real;
	enum mode mode;
	bool only_writes;
	unsigned n_calls[4], n_gone;    /* by verb; of them cancelled */
	uint64_t small_bytes;
	const char *uri;
};

struct spoiled {
	struct remote *r;
	struct remote_call *c;
};

static void answer(void *arg)
{
	static const struct { enum err_code code; const char *text; } why[] = {
		[DOWN] = { ERR_RETRY, "nobody answers" }, [FULL] = { ERR_IO, "no space left" },
		[NOT_PERMITTED] = { ERR_REFUSED, "not permitted" },
	};
	struct spoiled *s = arg;
	struct remote_call *c = s->c;
	struct remote_answer a = { 0 };
	struct err bad;

	err_set(&bad, why[s->r->mode].code, "%s", why[s->r->mode].text);
	c->remote_data = NULL;
	free(s);
	c->done(c, &a, &bad);
}

static int ill_start(struct remote *r, struct remote_call *c, struct err *why)
{
	bool is_write = c->verb == REMOTE_PUT;
	struct spoiled *s;

	r->n_calls[c->verb]++;
	if (r->mode == WELL || (r->only_writes && !is_write))
		return remote_dir.start(r->real, c, why);
	c->remote_data = NULL;
	if (r->mode == STUCK)
		return 0;
	s = mem_alloc(sizeof *s);
	*s = (struct spoiled){ r, c };
	loop_after(loop, 1, answer, s);
	return 0;
}

static void ill_cancel(struct remote *r, struct remote_call *c)
{
	r->n_gone++;
	if (r->mode == WELL)
		remote_dir.cancel(r->real, c);
}

static struct remote_nature ill_nature(const struct remote *r)
{
	return (struct remote_nature){ .small_bytes = r->small_bytes };
}

static const char *ill_uri(const struct remote *r)
{
	return r->uri;
}

static const struct remote_ops ill = {
	.scheme = "ill", .help = "a folder that fails on order", .start = ill_start,
	.cancel = ill_cancel, .nature = ill_nature, .uri = ill_uri,
};

static struct remote near, far;

/* Two of them; the stores and the folders are fresh. */
static void begin(struct rig *g, const char *store)
{
	*g = (struct rig){ 0 };
	near.uri = "ill:near";
	far.uri = "ill:far";
	near.real = open_dir("near");
	far.real = open_dir("far");
	memset(near.n_calls, 0, sizeof near.n_calls);
	memset(far.n_calls, 0, sizeof far.n_calls);
	MUST(store_open(in_dir(store), STORE_CREATE, &g->store, &e), e);
	g->remotes[0] = (struct depot_remote){ .ops = &ill, .remote = &near };
	g->remotes[1] = (struct depot_remote){ .ops = &ill, .remote = &far };
	g->n = 2;
	rig_depot(g, keys);
}

static void finish(struct rig *g)
{
	depot_free(g->depot);
	remote_dir.close(near.real);
	remote_dir.close(far.real);
	MUST(store_close(g->store, &e), e);
	near = far = (struct remote){ 0 };
}

static void clean(void)
{
	static const char *const all[] = { "a", "b", "near", "far" };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		MUST(dir_remove(AT_FDCWD, in_dir(all[i]), &e), e);
}

static struct ref put(struct rig *g, size_t n, char c)
{
	struct ref r = { .kind = REF_VALUE };
	char *p = memset(mem_alloc(n + 1), c, n);

	for (size_t i = 0; i + 8 < n; i += 97)
		memcpy(p + i, &i, 8);
	MUST(store_put(g->store, (struct bytes){ p, n }, &r.id, &e), e);
	free(p);
	return r;
}

static void publish(struct rig *g, const char *name, const struct ref *ref,
		    const struct depot_hint *hint)
{
	struct id id = id_of(bytes_str(name));
	struct result_out v = { "out", *ref };

	depot_publish(g->depot, &id, 1, &(struct result){ &v, 1 }, hint);
}

static bool rests(const char *remote, const struct ref *r)
{
	return access(arena_printf(&arena, "%s/%s/cas/%s", rig_dir, remote, id_hex(&r->id).s),
		      F_OK) == 0;
}

static bool known(const char *remote, const char *name)
{
	struct id id = id_of(bytes_str(name));

	return access(arena_printf(&arena, "%s/%s/ac/%s", rig_dir, remote, id_hex(&id).s),
		      F_OK) == 0;
}

/* ---- down */

static void down_is_left_alone(void)
{
	enum { N = 1000 };
	static struct waited w[N];
	static struct depot_ask q[N];
	struct waited one;
	struct ref ref;
	struct rig g;

	begin(&g, "a");
	ref = put(&g, 5000, 'x');
	publish(&g, "thunk", &ref, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE && rests("near", &ref) && rests("far", &ref));
	finish(&g);
	begin(&g, "b");
	near.mode = far.mode = DOWN;
	for (unsigned i = 0; i < N; i++) {
		q[i] = (struct depot_ask){ .thunk = id_of((struct bytes){ (char *)&i, 4 }),
					   .done = ask_done, .arg = &w[i] };
		depot_ask(g.depot, &q[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		loop_run(loop, &w[i].is_done);
		CHECK(!w[i].has_result && w[i].code == ERR_RETRY);
	}
	/* Only those that were under way before the first failure were sent. */
	CHECK(near.n_calls[REMOTE_GET] <= 128 && far.n_calls[REMOTE_GET] <= 128);
	CHECK(n_notices == 2 && strstr(told(), "nobody answers"));
	one = rig_fetch(&g, &ref, 1);
	CHECK(one.code == ERR_RETRY && strstr(one.text, "does not answer"));
	/* It is asked again after a while. */
	near.mode = far.mode = WELL;
	usleep(2100000);
	loop_turn(loop);
	CHECK(rig_fetch(&g, &ref, 1).code == ERR_NONE && n_notices == 2);
	CHECK(store_has(g.store, &ref.id));
	finish(&g);
	clean();
}

static void other_serves(void)
{
	struct depot_counts n;
	struct waited w;
	struct id name = id_of(bytes_str("thunk"));
	struct ref ref;
	struct rig g;

	begin(&g, "a");
	ref = put(&g, 200000, 'x');
	publish(&g, "thunk", &ref, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE);
	finish(&g);
	begin(&g, "b");
	near.mode = DOWN;
	w = rig_ask(&g, &name);
	CHECK(w.has_result && w.code == ERR_NONE);
	buf_release(&w.result);
	CHECK(rig_fetch(&g, &ref, 1).code == ERR_NONE && n_notices == 1);
	depot_counts(g.depot, &n);
	CHECK(n.n_fetched == 1 && n.n_results == 1 && n.fetched_bytes == 200000);
	finish(&g);
	clean();
}

/* ---- writing */

static void comes_back(void)
{
	struct depot_counts n;
	struct ref ref;
	struct rig g;

	begin(&g, "a");
	near.mode = far.mode = DOWN;
	ref = put(&g, 100000, 'x');
	publish(&g, "thunk", &ref, NULL);
	for (int i = 0; i < 200; i++) {
		usleep(1000);
		loop_turn(loop);
	}
	CHECK(!rests("far", &ref) && !known("far", "thunk"));
	depot_counts(g.depot, &n);
	CHECK(n.n_waiting > 0);
	near.mode = far.mode = WELL;
	usleep(2200000);
	for (int i = 0; i < 6000 && n.n_waiting; i++) {
		usleep(10000);
		loop_turn(loop);
		depot_counts(g.depot, &n);
	}
	CHECK(n.n_waiting == 0 && rests("near", &ref) && rests("far", &ref));
	CHECK(known("near", "thunk") && known("far", "thunk"));
	CHECK(rig_drain(&g).code == ERR_NONE);
	finish(&g);
	clean();
}

/* At the end nobody waits for a remote that is down. */
static void end_does_not_wait(void)
{
	struct waited w;
	struct ref ref;
	struct rig g;
	uint64_t begun;

	begin(&g, "a");
	near.mode = DOWN;
	ref = put(&g, 100000, 'x');
	begun = loop_now_ms(loop);
	publish(&g, "thunk", &ref, NULL);
	w = rig_drain(&g);
	CHECK(w.code == ERR_RETRY && strstr(w.text, "nobody answers"));
	CHECK(loop_now_ms(loop) - begun < 1500);
	CHECK(rests("far", &ref) && known("far", "thunk") && !known("near", "thunk"));
	finish(&g);
	clean();
}

static void full(void)
{
	struct ref ref;
	struct waited w;
	struct rig g;

	begin(&g, "a");
	far.mode = FULL;
	far.only_writes = true;
	ref = put(&g, 100000, 'x');
	publish(&g, "thunk", &ref, NULL);
	w = rig_drain(&g);
	CHECK(w.code == ERR_IO && strstr(w.text, "no space") && n_notices == 1);
	CHECK(rests("near", &ref) && known("near", "thunk") && !known("far", "thunk"));
	/* What somebody waits for goes wherever it can. */
	finish(&g);
	begin(&g, "a");
	near.mode = FULL;
	ref = put(&g, 100000, 'y');
	w = rig_push(&g, &ref, 1);
	CHECK(w.code == ERR_NONE && rests("far", &ref) && !rests("near", &ref));
	near.mode = far.mode = NOT_PERMITTED;
	ref = put(&g, 100000, 'z');
	w = rig_push(&g, &ref, 1);
	CHECK(w.code == ERR_REFUSED || w.code == ERR_IO);
	finish(&g);
	clean();
}

/* ---- where values belong */

static void policy(void)
{
	static const struct {
		size_t n_bytes;
		struct depot_hint hint;
		bool is_near, is_far;
	} rows[] = {
		{ 1000, { .is_passing = true }, true, false },
		{ 1000, { 0 }, false, true },
		{ 1000, { .n_readers = 3 }, true, true },
		{ 100000, { .is_passing = true }, false, true },
		{ 100000, { .n_readers = 3 }, false, true },
	};
	struct rig g;

	near.small_bytes = 4096;
	begin(&g, "a");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ref ref = put(&g, rows[i].n_bytes, (char)('a' + i));
		const char *name = arena_printf(&arena, "thunk %zu", i);

		publish(&g, name, &ref, &rows[i].hint);
		CHECK(rig_drain(&g).code == ERR_NONE);
		CHECK(rests("near", &ref) == rows[i].is_near && rests("far", &ref) == rows[i].is_far);
		CHECK(known("near", name) == rows[i].is_near && known("far", name) == rows[i].is_far);
	}
	finish(&g);
	clean();
}

/* ---- once, and silence */

static void single_flight(void)
{
	struct waited w[50] = { 0 };
	struct depot_fetch f[50];
	struct depot_counts n;
	struct ref ref;
	struct rig g;

	begin(&g, "a");
	ref = put(&g, 300000, 'x');
	CHECK(rig_push(&g, &ref, 1).code == ERR_NONE);
	finish(&g);
	begin(&g, "b");
	for (int i = 0; i < 50; i++) {
		f[i] = (struct depot_fetch){ .refs = &ref, .n_refs = 1, .done = fetch_done,
					     .arg = &w[i] };
		depot_fetch(g.depot, &f[i]);
	}
	/* One that is given up does not take it from the others. */
	depot_cancel_fetch(g.depot, &f[0]);
	for (int i = 1; i < 50; i++) {
		loop_run(loop, &w[i].is_done);
		CHECK(w[i].code == ERR_NONE);
	}
	depot_counts(g.depot, &n);
	CHECK(n.n_fetched == 1 && near.n_calls[REMOTE_GET] == 1 && !w[0].is_done);
	finish(&g);
	clean();
}

static void silence(void)
{
	struct waited w[4] = { 0 };
	struct ref ref, absent = { .kind = REF_VALUE, .id = id_of(bytes_str("absent")) };
	struct depot_fetch f = { .refs = &absent, .n_refs = 1, .done = fetch_done, .arg = &w[0] };
	struct depot_push p = { .n_refs = 1, .done = push_done, .arg = &w[1] };
	struct depot_ask q = { .thunk = absent.id, .done = ask_done, .arg = &w[2] };
	struct rig g;

	for (int turns = 0; turns < 12; turns++)
		for (int stuck = 0; stuck < 2; stuck++) {
			begin(&g, "a");
			near.mode = far.mode = stuck ? STUCK : WELL;
			ref = put(&g, 3000000, (char)('a' + turns));
			p.refs = &ref;
			depot_fetch(g.depot, &f);
			depot_push(g.depot, &p);
			depot_ask(g.depot, &q);
			publish(&g, "thunk", &ref, NULL);
			depot_drain(g.depot, drain_done, &w[3]);
			for (int i = 0; i < turns; i++) {
				usleep(500);
				loop_turn(loop);
			}
			memset(w, 0, sizeof w);
			finish(&g);
			for (int i = 0; i < 20; i++) {
				usleep(500);
				loop_turn(loop);
			}
			CHECK(!w[0].is_done && !w[1].is_done && !w[2].is_done && !w[3].is_done);
			clean();
		}
}

static const struct test tests[] = {
	{ "remotes that are down are told of once, left alone, and asked again",
	  down_is_left_alone },
	{ "while one is down the other serves", other_serves },
	{ "what was to be written while they were down is written later", comes_back },
	{ "the end does not wait for what is down", end_does_not_wait },
	{ "a full remote takes nothing from the others", full },
	{ "small passing values go near, what lasts goes to all that keep", policy },
	{ "fifty who want one object send one request", single_flight },
	{ "after the depot is gone nobody is called back", silence },
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
