/* A pool keeps the promises of pool.h to workers that do as they should. */
#include "pool_rig.h"

static void one_step(void)
{
	struct talk next, said;
	struct work w;
	const char *me;

	pool_begin(0, 0);
	CHECK(pool_room(pool).cpus == 0 && pool_n_workers(pool) == 0);
	me = hello_of("ann", 2, 2);
	CHECK(*me && pool_n_workers(pool) == 1 && pool_room(pool).cpus == 2);
	n_changed = 0;
	ask(&next, "GET", NEXT, me, (struct bytes){ 0 });
	turn(20);
	CHECK(!next.is_done);
	start(&w, "one");
	CHECK(w.n_done == 0);
	UNTIL(next.is_done);
	CHECK(next.status == 200 && *next.id && steps_in(&next) == 1);
	turn(10);
	CHECK(w.n_done == 0);
	CHECK(talk(&said, "POST", path_of(&next, "response"), me, answer_to(&next, "gave")) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_OK);
	CHECK_STR(w.place, "ann");
	CHECK(store_has(store, &w.value));
	/* The same answer again is of nothing. */
	CHECK(talk(&said, "POST", path_of(&next, "response"), me, answer_to(&next, "gave")) == 404);
	CHECK(w.n_done == 1);
	pool_end_all();
}

/* A step that waits is handed out when a worker asks. */
static void queue(void)
{
	struct talk next[3], said;
	struct work w[3];
	const char *me;

	pool_begin(0, 0);
	for (int i = 0; i < 3; i++)
		start(&w[i], arena_printf(&arena, "%d", i));
	turn(10);
	me = hello_of("ann", 3, 3);
	for (int i = 0; i < 3; i++) {
		CHECK(talk(&next[i], "GET", NEXT, me, (struct bytes){ 0 }) == 200);
		CHECK(steps_in(&next[i]) == 1);
	}
	for (int i = 2; i >= 0; i--)
		CHECK(talk(&said, "POST", path_of(&next[i], "response"), me,
			   answer_to(&next[i], "gave")) == 202);
	for (int i = 0; i < 3; i++)
		CHECK(w[i].n_done == 1 && w[i].status == RUN_OK);
	pool_end_all();
}

static void room(void)
{
	struct talk next[3], said;
	struct work w[3], big;
	const char *me;

	pool_begin(0, 0);
	me = hello_of("ann", 3, 3);
	for (int i = 0; i < 3; i++) {
		make_work(&w[i], arena_printf(&arena, "%d", i), NULL, 0);
		w[i].job.needs.cpus = 2;
		MUST(pool_start(pool, &w[i].job, &e), e);
	}
	for (int i = 0; i < 2; i++)
		ask(&next[i], "GET", NEXT, me, (struct bytes){ 0 });
	turn(50);
	/* Two cpus each: only one fits into three. */
	CHECK(next[0].is_done + next[1].is_done == 1);
	if (next[1].is_done) {
		next[2] = next[0];
		next[0] = next[1];
	}
	CHECK(talk(&said, "POST", path_of(&next[0], "response"), me, answer_to(&next[0], "g")) ==
	      202);
	UNTIL(w[0].n_done + w[1].n_done + w[2].n_done == 1);
	turn(50);
	/* What the first had makes room for the call that waits already. */
	CHECK(next[0].is_done && next[1].is_done);
	/* Two workers together are not one that is large enough. */
	hello_of("bob", 3, 3);
	CHECK(!pool_why_waiting(pool));
	make_work(&big, "big", NULL, 0);
	big.job.needs.cpus = 5;
	MUST(pool_start(pool, &big.job, &e), e);
	CHECK(pool_why_waiting(pool) && strstr(pool_why_waiting(pool), "5 cpus"));
	pool_end_all();
}

/* As much as the worker says that it has for what steps write. */
static void scratch_disk(void)
{
	static const char has_disk[] =
		"{\"gg\":1,\"name\":\"%s\",\"host\":\"h\",\"cpus\":2,\"mem\":90000000,\"slots\":2,"
		"\"disk\":%s}";
	struct talk none, next[2], said;
	struct work w[2];
	const char *me;

	pool_begin(0, 0);
	ask(&none, "GET", NEXT, hello_of("ann", 2, 2), (struct bytes){ 0 });
	for (int i = 0; i < 2; i++) {
		make_work(&w[i], arena_printf(&arena, "%d", i), NULL, 0);
		w[i].job.needs.disk_bytes = 3 << 20;
		MUST(pool_start(pool, &w[i].job, &e), e);
	}
	turn(50);
	CHECK(!none.is_done);
	CHECK(pool_why_waiting(pool) && strstr(pool_why_waiting(pool), "and 3 MiB of disk"));
	CHECK(talk(&said, "POST", "/gg/1/hello", NULL, bytes_str(arena_printf(
		&arena, has_disk, "lia", "-1"))) == 400);
	me = hello(arena_printf(&arena, has_disk, "bob", "5242880"));
	CHECK(pool_room(pool).disk_bytes == 5242880 && !pool_why_waiting(pool));
	CHECK(talk(&next[0], "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	/* There is no room for both. */
	ask(&next[1], "GET", NEXT, me, (struct bytes){ 0 });
	turn(50);
	CHECK(!next[1].is_done && !none.is_done);
	CHECK(talk(&said, "POST", path_of(&next[0], "response"), me, answer_to(&next[0], "g")) ==
	      202);
	UNTIL(next[1].is_done);
	CHECK(w[0].n_done == 1 && next[1].status == 200);
	pool_end_all();
}

static void short_steps(void)
{
	enum { N = 40 };
	struct talk next[4], said;
	struct work w[N];
	const char *me;
	size_t n;
	int done = 0;

	pool_begin(0, 0);
	me = hello_of("ann", 2, 2);
	for (int i = 0; i < N; i++) {
		make_work(&w[i], arena_printf(&arena, "%d", i), NULL, 0);
		w[i].job.expected_s = 0.001;
		MUST(pool_start(pool, &w[i].job, &e), e);
	}
	/* There is always more to feed than runs at once. */
	CHECK(pool_room(pool).cpus > 20);
	CHECK(talk(&next[0], "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	n = steps_in(&next[0]);
	CHECK(n > 4 && n <= 16);
	CHECK(talk(&next[1], "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	/* The rest is shared, and nobody takes all of it. */
	CHECK(steps_in(&next[1]) > 1 && n + steps_in(&next[1]) < N);
	CHECK(talk(&said, "POST", path_of(&next[0], "response"), me, answer_to(&next[0], "g")) ==
	      202);
	for (int i = 0; i < N; i++)
		done += w[i].n_done;
	CHECK((size_t)done == n);
	pool_end_all();
	/* Steps nobody knows to be short go alone. */
	pool_begin(0, 0);
	me = hello_of("ann", 2, 2);
	for (int i = 0; i < N; i++)
		start(&w[i], arena_printf(&arena, "%d", i));
	CHECK(talk(&next[0], "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	CHECK(steps_in(&next[0]) == 1);
	pool_end_all();
}

static struct id large(char fill)
{
	struct bytes b = { memset(arena_alloc(&arena, 300000), fill, 300000), 300000 };
	struct id id;

	MUST(store_put(store, b, &id, &e), e);
	return id;
}

static void locality(void)
{
	struct id a = large('a'), b = large('b');
	const char *me[3];
	struct talk next[3], t;
	struct ref in = { REF_VALUE, b, NULL };
	struct work w, other;

	pool_begin(0, 0);
	me[0] = hello(arena_printf(&arena, "{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,"
				   "\"slots\":1,\"mem\":1000000000,\"holds\":[\"%s\"]}", id_hex(&a).s));
	me[1] = hello_of("b", 1, 1);
	me[2] = hello_of("c", 1, 1);
	/* The second has fetched it here. */
	CHECK(talk(&t, "GET", arena_printf(&arena, "/cas/%s", id_hex(&b).s), me[1],
		   (struct bytes){ 0 }) == 200 && t.body.n == 300000);
	for (int i = 0; i < 3; i++)
		ask(&next[i], "GET", NEXT, me[i], (struct bytes){ 0 });
	turn(20);
	make_work(&w, "x", &in, 1);
	MUST(pool_start(pool, &w.job, &e), e);
	UNTIL(next[1].is_done);
	CHECK(!next[0].is_done && !next[2].is_done);
	/* The object did not travel in the request. */
	CHECK(next[1].body.n < 20000);
	/* Nobody who holds it is idle: anyone. */
	make_work(&other, "y", &in, 1);
	MUST(pool_start(pool, &other.job, &e), e);
	UNTIL(next[0].is_done || next[2].is_done);
	pool_end_all();
	/* And the other way round: who asks gets what it holds most of. */
	pool_begin(0, 0);
	start(&other, "z");
	make_work(&w, "x", &in, 1);
	MUST(pool_start(pool, &w.job, &e), e);
	me[0] = hello(arena_printf(&arena, "{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,"
				   "\"slots\":1,\"mem\":1000000000,\"holds\":[\"%s\"]}", id_hex(&b).s));
	CHECK(talk(&next[0], "GET", NEXT, me[0], (struct bytes){ 0 }) == 200);
	CHECK(talk(&t, "POST", path_of(&next[0], "response"), me[0], answer_to(&next[0], "g")) == 202);
	CHECK(w.n_done == 1 && other.n_done == 0);
	/* What it says it dropped counts no more. */
	CHECK(talk(&t, "POST", "/gg/1/beat", me[0], bytes_str(arena_printf(&arena,
		"{\"dropped\":[\"%s\"]}", id_hex(&b).s))) == 200);
	make_work(&w, "x2", &in, 1);
	MUST(pool_start(pool, &w.job, &e), e);
	CHECK(talk(&next[0], "GET", NEXT, me[0], (struct bytes){ 0 }) == 200);
	CHECK(talk(&t, "POST", path_of(&next[0], "response"), me[0], answer_to(&next[0], "g")) == 202);
	CHECK(w.n_done == 0 && other.n_done == 1);
	pool_end_all();
}

static void leases(void)
{
	struct arena a = { 0 };
	struct talk next, said;
	struct result r;
	struct work w;
	const char *me;

	pool_begin(2, 0.5);
	me = hello_of("ann", 1, 1);
	start(&w, "late");
	CHECK(talk(&next, "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	/* As long as it beats it may take its time. */
	for (int i = 0; i < 6; i++) {
		turn_ms(400);
		CHECK(talk(&said, "POST", "/gg/1/beat", me, bytes_str(arena_printf(&arena,
			"{\"running\":[\"%s\"]}", next.id))) == 200);
	}
	CHECK(w.n_done == 0);
	UNTIL(w.n_done);
	CHECK(w.status == RUN_LOST_WORKER && *w.text);
	CHECK(pool_n_workers(pool) == 0 && pool_room(pool).cpus == 0);
	CHECK(store_get_result(store, &w.job.reduced, &a, &r, &e) < 0);
	/* Its answer comes all the same. */
	CHECK(talk(&said, "POST", path_of(&next, "response"), me, answer_to(&next, "late")) == 202);
	CHECK(w.n_done == 1);
	MUST(store_get_result(store, &w.job.reduced, &a, &r, &e), e);
	CHECK(r.n == 1 && store_has(store, &r.v[0].ref.id));
	CHECK(talk(&said, "GET", arena_printf(&arena, "/ac/%s", id_hex(&w.job.reduced).s), NULL,
		   (struct bytes){ 0 }) == 200 && bytes_start(said.body, "gg-result 1\n"));
	CHECK(talk(&said, "GET", NEXT, me, (struct bytes){ 0 }) == 410);
	arena_release(&a);
	pool_end_all();
}

/* What worker me answers when nobody waits for w any more. */
static void answer_late(const char *me, struct work *w, const char *word, const char *gives)
{
	struct talk next, said;

	start(w, word);
	CHECK(talk(&next, "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	pool_cancel(pool, &w->job);
	UNTIL(w->n_done);
	CHECK(talk(&said, "POST", path_of(&next, "response"), me, answer_to(&next, gives)) == 202);
	CHECK(w->n_done == 1);
}

/* As a step prints it that returns another, which gives "out". */
static const char *tail_of_rest(void)
{
	struct work rest;
	struct buf b = { 0 };
	const char *text;

	make_work(&rest, "rest", NULL, 0);
	buf_printf(&b, "gg-tail 1\nthunk %s out\n\n%.*s", id_hex(&rest.job.reduced).s,
		   (int)rest.job.text.n, rest.job.text.p);
	text = arena_strn(&arena, b.p, b.n);
	buf_release(&b);
	return text;
}

static void late_answers(void)
{
	struct ref first = { REF_VALUE, host, NULL };
	struct result_out out = { "out", first };
	struct arena a = { 0 };
	struct result r;
	struct work w;
	const char *me;

	pool_begin(0, 0);
	me = hello_of("ann", 1, 1);
	answer_late(me, &w, "plain", "gave");
	MUST(store_get_result(store, &w.job.reduced, &a, &r, &e), e);
	/* A step that it returns is what the result names, not the answer as it is. */
	answer_late(me, &w, "returns", tail_of_rest());
	MUST(store_get_result(store, &w.job.reduced, &a, &r, &e), e);
	CHECK(r.n == 1 && r.v[0].ref.kind == REF_THUNK && store_has(store, &r.v[0].ref.id));
	CHECK_STR(r.v[0].ref.out, "out");
	answer_late(me, &w, "returned", "gg-tail 1\nthunk");
	CHECK(store_get_result(store, &w.job.reduced, &a, &r, &e) < 0);
	make_work(&w, "twice", NULL, 0);
	MUST(store_put_result(store, &w.job.reduced, &(struct result){ &out, 1 }, &e), e);
	CHECK(id_is_zero(&gave_too));
	answer_late(me, &w, "twice", "other");
	CHECK(id_equal(&gave_too, &(struct id[]){ id_of(bytes_str("other twice")) }[0]));
	MUST(store_get_result(store, &w.job.reduced, &a, &r, &e), e);
	CHECK(r.n == 1 && id_equal(&r.v[0].ref.id, &first.id));
	arena_release(&a);
	pool_end_all();
}

/* A worker that never got what it was given says so by not naming it. */
static void unnamed(void)
{
	struct talk next, said;
	struct work w;
	const char *me;

	pool_begin(20, 5);
	me = hello_of("ann", 1, 1);
	start(&w, "lost");
	CHECK(talk(&next, "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	for (int i = 0; i < 3; i++)
		CHECK(talk(&said, "POST", "/gg/1/beat", me, bytes_str("{\"running\":[]}")) == 200);
	UNTIL(w.n_done);
	CHECK(w.status == RUN_LOST_WORKER && pool_n_workers(pool) == 1);
	/* One that ends says so with its last beat: others need not wait. */
	start(&w, "again");
	CHECK(talk(&next, "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	CHECK(talk(&said, "POST", "/gg/1/beat", me, bytes_str("{\"running\":[],\"ends\":true}")) ==
	      200);
	UNTIL(w.n_done);
	CHECK(w.status == RUN_LOST_WORKER && pool_room(pool).cpus == 0);
	CHECK(talk(&said, "GET", NEXT, me, (struct bytes){ 0 }) == 403);
	pool_end_all();
}

/* The one worker, whose name comes back, has w and asks with a beat that waits;
 * queued stands behind. */
static const char *one_runs(struct work *w, struct work *queued, struct talk *next,
			    struct talk *beat)
{
	const char *me;

	pool_begin(0, 0);
	me = hello_of("ann", 1, 1);
	start(w, "one");
	CHECK(talk(next, "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	start(queued, "two");
	ask(beat, "POST", "/gg/1/beat?wait=5", me, bytes_str(arena_printf(&arena,
		"{\"running\":[\"%s\"]}", next->id)));
	return me;
}

static void cancels(void)
{
	struct talk next, beat, said;
	struct work w, queued;
	const char *me = one_runs(&w, &queued, &next, &beat);

	turn(50);
	CHECK(!beat.is_done);
	pool_cancel(pool, &queued.job);
	CHECK(queued.n_done == 0);
	UNTIL(queued.n_done);
	CHECK(queued.status == RUN_SIGNALED && !beat.is_done);
	pool_cancel(pool, &w.job);
	UNTIL(beat.is_done && w.n_done);
	CHECK_STR(after(beat.body, "\"cancel\":[\""), next.id);
	CHECK(w.status == RUN_SIGNALED);
	/* The worker's room is not free before it has said so. */
	start(&queued, "three");
	ask(&beat, "GET", NEXT, me, (struct bytes){ 0 });
	turn(50);
	CHECK(!beat.is_done);
	CHECK(talk(&said, "POST", path_of(&next, "response"), me, answer_to(&next, "g")) == 202);
	UNTIL(beat.is_done);
	CHECK(beat.status == 200 && w.n_done == 1);
	pool_end_all();
}

/* A step that is to stop: its worker is told once it has it, another never began. */
static void stops(void)
{
	struct talk next, beat, said;
	struct work w, queued;
	const char *me = one_runs(&w, &queued, &next, &beat);

	pool_stop(pool, &queued.job);
	UNTIL(queued.n_done);
	CHECK(queued.status == RUN_THROTTLED && !beat.is_done);
	pool_stop(pool, &w.job);
	UNTIL(beat.is_done);
	CHECK_STR(after(beat.body, "\"stop\":[\""), next.id);
	CHECK(!w.n_done);
	CHECK(talk(&said, "POST", path_of(&next, "response"), me, answer_to(&next, "g")) == 202);
	UNTIL(w.n_done);
	CHECK(w.status == RUN_OK);
	pool_end_all();
}

static void retiring(void)
{
	struct talk next, beat, said;
	struct work w;
	const char *ann, *bob;

	pool_begin(0, 0);
	ann = hello_of("ann", 1, 1);
	bob = hello_of("bob", 1, 1);
	ask(&next, "GET", NEXT, ann, (struct bytes){ 0 });
	ask(&beat, "POST", "/gg/1/beat?wait=5", ann, bytes_str("{\"running\":[]}"));
	turn(50);
	pool_retire(pool, "ann");
	UNTIL(next.is_done && beat.is_done);
	CHECK(next.status == 403 && strstr(arena_strn(&arena, beat.body.p, beat.body.n),
					   "\"retire\":true"));
	CHECK(talk(&said, "GET", NEXT, ann, (struct bytes){ 0 }) == 403);
	CHECK(pool_room(pool).cpus == 1);
	start(&w, "one");
	CHECK(talk(&next, "GET", NEXT, bob, (struct bytes){ 0 }) == 200);
	/* The engine knows better than the lease. */
	pool_lost(pool, "bob", RUN_OUT_OF_MEMORY, "the kernel killed it");
	pool_lost(pool, "nobody", RUN_LOST_WORKER, "?");
	UNTIL(w.n_done);
	CHECK(w.status == RUN_OUT_OF_MEMORY);
	CHECK_STR(w.text, "the kernel killed it");
	CHECK(pool_room(pool).cpus == 0);
	pool_end_all();
}

/* Gone without a word: while it waits, and while it works. */
static void killed(void)
{
	struct talk next, beat, said;
	struct work w;
	const char *me;

	pool_begin(20, 0.2);
	me = hello_of("ann", 1, 1);
	ask(&next, "GET", NEXT, me, (struct bytes){ 0 });
	turn(50);
	http_cancel(next.call);
	UNTIL(pool_n_workers(pool) == 0);
	me = hello_of("bob", 1, 1);
	start(&w, "one");
	CHECK(talk(&next, "GET", NEXT, me, (struct bytes){ 0 }) == 200);
	ask(&beat, "POST", "/gg/1/beat?wait=9", me, bytes_str("{}"));
	turn(50);
	http_cancel(beat.call);
	UNTIL(w.n_done);
	CHECK(w.status == RUN_LOST_WORKER && strstr(w.text, "gone"));
	pool_end_all();
	/* One that comes back soon is not given up. */
	pool_begin(20, 1);
	me = hello_of("cid", 1, 1);
	ask(&next, "GET", NEXT, me, (struct bytes){ 0 });
	turn(10);
	http_cancel(next.call);
	turn(10);
	CHECK(talk(&said, "POST", "/gg/1/beat", me, bytes_str("{}")) == 200);
	turn_ms(2500);
	CHECK(pool_n_workers(pool) == 1);
	pool_end_all();
}

static void plain(void)
{
	struct talk next, said;
	struct work w[2];

	pool_begin(0, 0);
	ask(&next, "GET", NEXT, NULL, (struct bytes){ 0 });
	UNTIL(pool_room(pool).cpus == 1);
	start(&w[0], "one");
	start(&w[1], "two");
	UNTIL(next.is_done);
	CHECK(next.status == 200 && next.body.n && next.body.p[0] == '{');
	CHECK(talk(&said, "POST", path_of(&next, "response"), NULL, answer_to(&next, "g")) == 202);
	CHECK(w[0].n_done == 1 && w[0].status == RUN_OK);
	CHECK(talk(&next, "GET", NEXT, NULL, (struct bytes){ 0 }) == 200);
	CHECK(talk(&said, "POST", path_of(&next, "error"), NULL,
		   bytes_str("{\"errorType\":\"X\",\"errorMessage\":\"no disk\\u001b[1m\"}")) == 202);
	CHECK(w[1].n_done == 1 && w[1].status == RUN_CELL_FAILED);
	CHECK(strstr(w[1].text, "no disk") && !strchr(w[1].text, '\033'));
	/* Waiting and gone is as if it had never been. */
	ask(&next, "GET", NEXT, NULL, (struct bytes){ 0 });
	turn(50);
	http_cancel(next.call);
	UNTIL(pool_n_workers(pool) == 0);
	pool_end_all();
}

/* Closed in the middle of everything. */
static void closing(void)
{
	struct talk next[2], beat;
	struct work w[3];
	const char *ann, *bob;

	pool_begin(0, 0);
	ann = hello_of("ann", 1, 1);
	bob = hello_of("bob", 1, 1);
	for (int i = 0; i < 3; i++)
		w[i] = (struct work){ .n_done = 0 };
	start(&w[0], "0");
	CHECK(talk(&next[0], "GET", NEXT, ann, (struct bytes){ 0 }) == 200);
	ask(&next[1], "GET", NEXT, bob, (struct bytes){ 0 });
	ask(&beat, "POST", "/gg/1/beat?wait=5", ann, bytes_str("{}"));
	turn(50);
	start(&w[1], "1");
	UNTIL(next[1].is_done);
	start(&w[2], "2");
	pool_cancel(pool, &w[2].job);
	ask(&next[1], "GET", NEXT, bob, (struct bytes){ 0 });
	turn(50);
	pool_close(pool);
	pool = NULL;
	UNTIL(beat.is_done && next[1].is_done);
	/* Who waited was told, before the door shut. */
	CHECK(beat.status == 200 && strstr(arena_strn(&arena, beat.body.p, beat.body.n),
					   "\"retire\":true"));
	CHECK(next[1].status == 403);
	CHECK(w[0].n_done == 0 && w[1].n_done == 0 && access(sock, F_OK) < 0);
}

/* A worker that is between its answer and its next call when the pool closes. */
static void ask_again(void *arg)
{
	ask(arg, "GET", NEXT, ((struct talk *)arg)->body.p, (struct bytes){ 0 });
}

static void closing_late(void)
{
	struct talk late = { .is_done = false };
	uint64_t from;

	pool_begin(0, 0);
	late.body.p = hello_of("ann", 1, 1);
	loop_after(loop, 100, ask_again, &late);
	pool_close(pool);
	UNTIL(late.is_done);
	CHECK(late.status == 403);
	/* One that says nothing holds nobody up for long. */
	pool_begin(0, 0);
	hello_of("bob", 1, 1);
	from = loop_now_ms(loop);
	pool_end_all();
	CHECK(loop_now_ms(loop) - from < 5000);
}

/* Slots are what can run; names may be shared, ids are not. */
static void twins(void)
{
	struct talk next[2], said;
	struct work w[2];
	const char *one, *two;

	pool_begin(0, 0);
	one = hello_of("twin", 8, 1);
	CHECK(pool_room(pool).cpus == 1);
	two = hello_of("twin", 2, 4);
	CHECK(pool_room(pool).cpus == 3 && pool_n_workers(pool) == 2 && strcmp(one, two) != 0);
	start(&w[0], "a");
	CHECK(talk(&next[0], "GET", NEXT, one, (struct bytes){ 0 }) == 200);
	start(&w[1], "b");
	CHECK(talk(&next[1], "GET", NEXT, two, (struct bytes){ 0 }) == 200);
	/* None can answer for the other. */
	CHECK(talk(&said, "POST", path_of(&next[0], "response"), two,
		   answer_to(&next[0], "forged")) / 100 == 4);
	CHECK(w[0].n_done == 0);
	for (int i = 0; i < 2; i++)
		CHECK(talk(&said, "POST", path_of(&next[i], "response"), i ? two : one,
			   answer_to(&next[i], "gave")) == 202);
	UNTIL(w[0].n_done && w[1].n_done);
	CHECK(w[0].status == RUN_OK && w[1].status == RUN_OK);
	pool_end_all();
}

int main(void)
{
	static const struct test tests[] = {
		{ "a worker that waits gets the step, and its answer ends it", one_step },
		{ "steps wait for workers", queue },
		{ "a step of two cpus takes two", room },
		{ "so does one that wants disk, of those who told of theirs", scratch_disk },
		{ "short steps share a request, and no worker hoards", short_steps },
		{ "work goes to who holds the data", locality },
		{ "beats renew a lease; a late answer is welcome", leases },
		{ "a late answer does not replace a result, and a step that it returns is followed",
		  late_answers },
		{ "what a worker never got is lost", unnamed },
		{ "a cancel arrives at once where a beat waits", cancels },
		{ "a step that is to stop is so by its worker, or never begins", stops },
		{ "a worker that is retired ends; one that is lost loses its steps", retiring },
		{ "a worker that is killed is missed soon", killed },
		{ "a plain client of the Runtime API does one step at a time", plain },
		{ "closing tells who waits and leaves nothing behind", closing },
		{ "who comes in the moment of closing is told to end", closing_late },
		{ "workers of one name are two, and take as much as they have slots", twins },
		{ 0 }
	};
	int rc;

	rig_begin();
	rc = test_main(tests);
	rig_end();
	return rc;
}
