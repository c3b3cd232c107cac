/* A pool keeps its promises to workers that lie, break and differ, and to those
 * who only come for objects. */
#include "pool_rig.h"

static struct talk next, said;
static struct work w;
static const char *ann, *bob;

static void begin_two(void)
{
	pool_begin(0, 0);
	ann = hello_of("ann", 1, 1);
	bob = hello_of("bob", 1, 1);
}

static void give_one(const char *word)
{
	start(&w, word);
	CHECK(talk(&next, "GET", NEXT, ann, (struct bytes){ 0 }) == 200);
}

static void answers_of_others(void)
{
	struct bytes good;

	begin_two();
	give_one("mine");
	good = answer_to(&next, "x");
	CHECK(talk(&said, "POST", path_of(&next, "response"), bob, good) == 404);
	CHECK(talk(&said, "POST", path_of(&next, "response"), NULL, good) == 404);
	CHECK(talk(&said, "POST", path_of(&next, "error"), "w1", good) == 404);
	CHECK(talk(&said, "POST", "/2018-06-01/runtime/invocation/r1/response", ann, good) == 404);
	CHECK(talk(&said, "POST", path_of(&next, "other"), ann, good) == 404);
	turn(20);
	CHECK(w.n_done == 0);
	CHECK(talk(&said, "POST", path_of(&next, "response"), ann, good) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_OK);
	pool_end_all();
}

/* Each ends the step as a failure of the place, which is tried elsewhere. */
static void wrong_answers(void)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{\"gg\":2}", "{\"gg\":1}", "{\"gg\":1,\"answers\":[]}",
		"{\"gg\":1,\"answers\":[{\"step\":\"x\"}]}", "gg-message 1 99999999999\n{}",
		"gg-message 1 2\n{}",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		begin_two();
		give_one(arena_printf(&arena, "wrong %zu", i));
		talk(&said, "POST", path_of(&next, "response"), ann, bytes_str(texts[i]));
		CHECK(said.status == 400 || said.status == 202);
		UNTIL(w.n_done);
		CHECK(w.n_done == 1 && w.status == RUN_CELL_FAILED && *w.text);
		pool_end_all();
	}
}

static struct bytes forged(const char *name, enum ref_kind kind, const char *content, bool is_there)
{
	struct message_request q;
	struct result_out o = { name, { kind, id_of(bytes_str(content)), NULL } };
	struct message_report r = { .report = { .status = RUN_OK, .result = { &o, 1 } } };
	struct message_answer m = { .reports = &r, .n_reports = 1 };
	struct buf out = { 0 };
	struct bytes b;

	MUST(message_read_request(next.body, &arena, &q, &e), e);
	r.step = id_of(q.steps[0].thunk);
	if (is_there)
		message_objects_add(&m.objects, &o.ref.id, bytes_str(content));
	message_put_answer(&m, &out);
	message_objects_release(&m.objects);
	message_objects_release(&q.objects);
	b = arena_bytes(&arena, buf_bytes(&out));
	buf_release(&out);
	return b;
}

static void wrong_results(void)
{
	begin_two();
	give_one("a");
	/* Names an object that is nowhere. */
	CHECK(talk(&said, "POST", path_of(&next, "response"), ann,
		   forged("out", REF_VALUE, "nowhere", false)) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_CELL_FAILED);
	/* Another output than the step declares; a folder for a file. */
	give_one("b");
	CHECK(talk(&said, "POST", path_of(&next, "response"), ann,
		   forged("other", REF_VALUE, "x", true)) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_CELL_FAILED && strstr(w.text, "declares"));
	give_one("c");
	CHECK(talk(&said, "POST", path_of(&next, "response"), ann,
		   forged("out", REF_TREE, "gg-tree 1\n", true)) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_CELL_FAILED);
	pool_end_all();
}

/* Three answers in a row that make no sense, and it gets no more work. */
static void hopeless(void)
{
	begin_two();
	for (int i = 0; i < 3; i++) {
		give_one(arena_printf(&arena, "%d", i));
		CHECK(talk(&said, "POST", path_of(&next, "response"), ann, bytes_str("?")) == 400);
	}
	CHECK(talk(&said, "GET", NEXT, ann, (struct bytes){ 0 }) == 403);
	CHECK(pool_room(pool).cpus == 1);
	pool_end_all();
}

static void wrong_words(void)
{
	static const char *const hellos[] = {
		"", "[]", "{}", "{\"gg\":2,\"name\":\"a\",\"host\":\"h\",\"cpus\":1}",
		"{\"gg\":1,\"name\":\"\",\"host\":\"h\",\"cpus\":1}",
		"{\"gg\":1,\"name\":\"a b\",\"host\":\"h\",\"cpus\":1}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"\\u001b\",\"cpus\":1}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":0}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1e9}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":-1}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,\"slots\":1e9}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,\"holds\":[\"x\"]}",
		"{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,\"holds\":7}",
		"{\"gg\":1,\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1}",
	};
	static const char *const beats[] = {
		"", "x", "[]", "{\"running\":7}", "{\"running\":[7]}", "{\"dropped\":[\"x\"]}",
	};
	struct buf long_list = { 0 };

	begin_two();
	for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++)
		CHECK(talk(&said, "POST", "/gg/1/hello", NULL, bytes_str(hellos[i])) == 400);
	for (size_t i = 0; i < sizeof beats / sizeof *beats; i++)
		CHECK(talk(&said, "POST", "/gg/1/beat", ann, bytes_str(beats[i])) == 400);
	buf_str(&long_list, "{\"running\":[");
	for (int i = 0; i < 70000; i++)
		buf_printf(&long_list, "%s\"r%d\"", i ? "," : "", i);
	buf_str(&long_list, "]}");
	CHECK(talk(&said, "POST", "/gg/1/beat", ann, buf_bytes(&long_list)) == 400);
	CHECK(pool_n_workers(pool) == 2);
	CHECK(talk(&said, "POST", "/gg/1/beat", "w9-0", bytes_str("{}")) == 410);
	CHECK(talk(&said, "GET", NEXT, "w9-0", (struct bytes){ 0 }) == 410);
	/* Too large, and the wrong kind of call. */
	CHECK(talk(&said, "POST", "/gg/1/hello", NULL,
		   (struct bytes){ arena_alloc(&arena, 9 << 20), 9 << 20 }) != 200);
	CHECK(talk(&said, "PUT", "/gg/1/hello", NULL, bytes_str("x")) == 403);
	CHECK(talk(&said, "GET", "/", NULL, (struct bytes){ 0 }) == 404);
	CHECK(talk(&said, "GET", "/cas/../../etc/passwd", NULL, (struct bytes){ 0 }) == 400);
	/* More calls that wait than it has slots. */
	ask(&next, "GET", NEXT, ann, (struct bytes){ 0 });
	turn(20);
	CHECK(talk(&said, "GET", NEXT, ann, (struct bytes){ 0 }) == 429);
	buf_release(&long_list);
	pool_end_all();
}

static struct bytes stated(enum run_status status, const char *text)
{
	struct message_request q;
	struct message_report r = { .report = { .status = status, .text = text } };
	struct message_answer m = { .reports = &r, .n_reports = 1 };
	struct buf out = { 0 };
	struct bytes b;

	MUST(message_read_request(next.body, &arena, &q, &e), e);
	r.step = id_of(q.steps[0].thunk);
	message_put_answer(&m, &out);
	message_objects_release(&q.objects);
	b = arena_bytes(&arena, buf_bytes(&out));
	buf_release(&out);
	return b;
}

/* Machines differ: one lacks the program, another has it. */
static void others_can(void)
{
	begin_two();
	give_one("a");
	CHECK(talk(&said, "POST", path_of(&next, "response"), ann,
		   stated(RUN_NOT_STARTED, "no such host here")) == 202);
	turn(20);
	CHECK(w.n_done == 0);
	/* It is not offered there again. */
	ask(&said, "GET", NEXT, ann, (struct bytes){ 0 });
	turn(20);
	CHECK(!said.is_done);
	CHECK(talk(&next, "GET", NEXT, bob, (struct bytes){ 0 }) == 200);
	CHECK(talk(&said, "POST", path_of(&next, "response"), bob, answer_to(&next, "x")) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_OK);
	CHECK_STR(w.place, "bob");
	/* When none can, it says what the last one said, and no other waits in vain. */
	start(&w, "b");
	CHECK(talk(&next, "GET", NEXT, bob, (struct bytes){ 0 }) == 200);
	CHECK(talk(&said, "POST", path_of(&next, "response"), bob,
		   stated(RUN_NOT_STARTED, "nor here")) == 202);
	CHECK(w.n_done == 1 && w.status == RUN_NOT_STARTED);
	CHECK_STR(w.text, "nor here");
	start(&w, "c");
	UNTIL(w.n_done);
	CHECK(w.status == RUN_NOT_STARTED && strstr(w.text, "gg image"));
	pool_end_all();
	/* One that winds down before it began leaves it to others. */
	begin_two();
	give_one("d");
	CHECK(talk(&said, "POST", path_of(&next, "response"), ann, stated(RUN_THROTTLED, "ending")) ==
	      202);
	turn(20);
	CHECK(w.n_done == 0);
	CHECK(talk(&next, "GET", NEXT, bob, (struct bytes){ 0 }) == 200);
	pool_end_all();
}

static const char *cas(const struct id *id)
{
	return arena_printf(&arena, "/cas/%s", id_hex(id).s);
}

/* As curl or Bazel would use it. */
static void objects_kept(void)
{
	static const size_t sizes[] = { 0, 1, 5000, 65536, 65537, 1 << 20, 5 << 20 };
	char *p = arena_alloc(&arena, 6 << 20);
	struct id id, other = id_of(bytes_str("other"));
	struct bytes got;

	for (size_t i = 0; i < 6 << 20; i++)
		p[i] = (char)(i * 11 + i / 251);
	pool_begin(0, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct bytes b = { p + i, sizes[i] };

		id = id_of(b);
		CHECK(talk(&said, "GET", cas(&id), NULL, (struct bytes){ 0 }) == 404);
		CHECK(talk(&said, "HEAD", cas(&id), NULL, (struct bytes){ 0 }) == 404);
		CHECK(talk(&said, "PUT", cas(&other), NULL, b) == 400);
		CHECK(!store_has(store, &id) && !store_has(store, &other));
		for (int again = 0; again < 2; again++)
			CHECK(talk(&said, "PUT", cas(&id), NULL, b) == 200);
		CHECK(store_has(store, &id));
		CHECK(talk(&said, "HEAD", cas(&id), NULL, (struct bytes){ 0 }) == 200 &&
		      said.body.n == 0);
		CHECK(talk(&said, "GET", cas(&id), NULL, (struct bytes){ 0 }) == 200 &&
		      bytes_equal(said.body, b));
		MUST(store_flush(store, &e), e);
		MUST(store_check(store, &id, &e), e);
		MUST(store_get(store, &id, &arena, &got, &e), e);
		CHECK(bytes_equal(got, b));
	}
	CHECK(talk(&said, "PUT", arena_printf(&arena, "/ac/%s", id_hex(&id).s), NULL,
		   bytes_str("gg-result 1\n")) == 403);
	CHECK(talk(&said, "GET", arena_printf(&arena, "/ac/%s", id_hex(&id).s), NULL,
		   (struct bytes){ 0 }) == 404);
	CHECK(talk(&said, "GET", "/cas/ABC", NULL, (struct bytes){ 0 }) == 400);
	CHECK(talk(&said, "DELETE", cas(&id), NULL, (struct bytes){ 0 }) == 404);
	CHECK(store_has(store, &id));
	pool_end_all();
}

/* A put that breaks in the middle, and a pool that closes during one. */
static void half_puts(void)
{
	struct bytes b = { memset(arena_alloc(&arena, 40 << 20), 'h', 40 << 20), 40 << 20 };
	struct id id = id_of(b);
	struct talk many[8];

	pool_begin(0, 0);
	ask(&said, "PUT", cas(&id), NULL, b);
	for (int i = 0; i < 6; i++)
		loop_turn(loop);
	http_cancel(said.call);
	turn(50);
	CHECK(!store_has(store, &id));
	for (int i = 0; i < 8; i++)
		ask(&many[i], "PUT", cas(&id), NULL, b);
	UNTIL(many[0].is_done || many[1].is_done || many[2].is_done || many[3].is_done);
	pool_close(pool);
	pool = NULL;
	UNTIL(many[0].is_done && many[1].is_done && many[2].is_done && many[3].is_done &&
	      many[4].is_done && many[5].is_done && many[6].is_done && many[7].is_done);
	turn(200);
	CHECK(store_has(store, &id));
	MUST(store_check(store, &id, &e), e);
}

int main(void)
{
	static const struct test tests[] = {
		{ "nobody answers for another", answers_of_others },
		{ "an answer that is none fails the place, not the pool", wrong_answers },
		{ "results that are not what a step declares are not believed", wrong_results },
		{ "who answers nonsense again and again gets no more work", hopeless },
		{ "wrong words are refused and change nothing", wrong_words },
		{ "what one worker cannot begin goes to another that can", others_can },
		{ "objects are got and put by name, and only whole ones", objects_kept },
		{ "puts that break and pools that close leave whole objects", half_puts },
		{ 0 }
	};
	int rc;

	rig_begin();
	rc = test_main(tests);
	rig_end();
	return rc;
}
