/* What travels with a step, what has to be elsewhere first, and what of an
 * answer is believed. */
#include "worker_rig.h"

static struct id put(const char *p, size_t n)
{
	struct id id;

	MUST(store_put(rig.store, (struct bytes){ p, n }, &id, &e), e);
	return id;
}

static struct id large(unsigned seed, size_t n)
{
	char *p = arena_alloc(&arena, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
	return put(p, n);
}

static struct message_request read_back(const struct parcel *p)
{
	struct message_request q;

	MUST(message_read_request(buf_bytes(&p->body), &arena, &q, &e), e);
	return q;
}

static void small_inside(void)
{
	const struct step step = { .script = "cat a b", .in = { { "a", "one" }, { "b", "one" },
				   { "c", .id = large(1, 500000) } }, .out = { "o" } };
	struct parcel_opts o = parcel_options(false);
	struct message_request q;
	struct sent s = { .n = 0 };
	struct id missing;

	add_step(&s, &step);
	add_step(&s, &step);
	/* Without a depot all of it does, each once. */
	MUST(parcel_pack(&o, s.jobs, s.n, &s.parcel, &missing, &e), e);
	q = read_back(&s.parcel);
	CHECK(q.n_steps == 2 && q.objects.n == 2 && s.parcel.n_outside == 0);
	CHECK(q.objects.n_bytes == 500003 && s.parcel.n_input_bytes == 500003);
	CHECK_STR(q.root, rig.root);
	CHECK(bytes_equal(q.steps[1].host, rig.host) && !q.remotes[0]);
	message_objects_release(&q.objects);
	parcel_release(&s.parcel);
	open_depot();
	o.depot = depot;
	MUST(parcel_pack(&o, s.jobs, s.n, &s.parcel, &missing, &e), e);
	q = read_back(&s.parcel);
	CHECK(q.objects.n == 1 && s.parcel.n_outside == 1);
	CHECK(q.remotes[0] && !q.remotes[1]);
	message_objects_release(&q.objects);
	sent_free(&s);
	close_depot();
}

static void limits(void)
{
	const struct step step = { .script = "cat", .in = { { "a", .id = large(2, 60000) },
				   { "b", .id = large(3, 60000) }, { "c", .id = large(4, 9) } },
				   .out = { "o" } };
	struct parcel_opts o = parcel_options(true);
	struct sent s = { .n = 0 };
	struct id missing;

	add_step(&s, &step);
	o.max_bytes = 120000;
	CHECK(parcel_pack(&o, s.jobs, 1, &s.parcel, &missing, &e) < 0);
	CHECK(e.code == ERR_REFUSED && strstr(e.text, "--remote"));
	open_depot();
	o.depot = depot;
	for (o.max_bytes = 10000; o.max_bytes <= 240000; o.max_bytes += 23000) {
		struct message_request q;

		MUST(parcel_pack(&o, s.jobs, 1, &s.parcel, &missing, &e), e);
		q = read_back(&s.parcel);
		CHECK(s.parcel.body.n <= o.max_bytes);
		CHECK(s.parcel.n_outside + q.objects.n == 3);
		CHECK(o.max_bytes < 230000 || q.objects.n == 3);
		message_objects_release(&q.objects);
		parcel_release(&s.parcel);
	}
	sent_free(&s);
	close_depot();
}

static bool holds_it(void *arg, const struct id *id)
{
	return id_equal(arg, id);
}

static void held(void)
{
	const struct step step = { .script = "cat", .in = { { "a", .id = large(5, 70000) },
				   { "b", "two" } }, .out = { "o" } };
	struct parcel_opts o = parcel_options(false);
	struct message_request q;
	struct sent s = { .n = 0 };
	struct id missing, id = step.in[0].id;

	add_step(&s, &step);
	o.holds = holds_it;
	o.arg = &id;
	MUST(parcel_pack(&o, s.jobs, 1, &s.parcel, &missing, &e), e);
	q = read_back(&s.parcel);
	CHECK(q.objects.n == 1 && s.parcel.n_outside == 0);
	message_objects_release(&q.objects);
	sent_free(&s);
}

static void lost(void)
{
	struct id gone = id_of(bytes_str("gone")), missing;
	const struct step step = { .script = "cat", .in = { { "a", .id = gone } }, .out = { "o" } };
	const struct step closed = { .script = "cat", .out = { "o" }, .closure = gone };
	struct parcel_opts o = parcel_options(false);
	struct message_request q;
	struct sent s = { .n = 0 };

	add_step(&s, &step);
	add_step(&s, &closed);
	CHECK(parcel_pack(&o, s.jobs, 1, &s.parcel, &missing, &e) < 0);
	CHECK(e.code == ERR_MISSING && id_equal(&missing, &gone));
	CHECK(parcel_pack(&o, s.jobs + 1, 1, &s.parcel, &missing, &e) < 0);
	CHECK(e.code == ERR_MISSING && id_equal(&missing, &gone));
	/* What a remote has need not be here. */
	open_depot();
	o.depot = depot;
	depot_note(depot, &gone);
	MUST(parcel_pack(&o, s.jobs, 2, &s.parcel, &missing, &e), e);
	q = read_back(&s.parcel);
	CHECK(q.objects.n == 0 && s.parcel.n_outside == 0);
	message_objects_release(&q.objects);
	sent_free(&s);
	close_depot();
}

static void closures(void)
{
	struct entry file = { .name = "sh", .kind = ENTRY_EXEC,
			      .id = id_of(bytes_str("not in any store")) };
	struct entry bin = { .name = "bin", .kind = ENTRY_TREE };
	struct parcel_opts o = parcel_options(false);
	struct step step = { .script = "cat", .out = { "o" } };
	struct message_request q;
	struct sent s = { .n = 0 };
	struct buf b = { 0 };
	struct id missing;

	MUST(tree_encode(&(struct tree){ &file, 1 }, &b, &e), e);
	bin.id = put(b.p, b.n);
	buf_reset(&b);
	MUST(tree_encode(&(struct tree){ &bin, 1 }, &b, &e), e);
	step.closure = put(b.p, b.n);
	buf_release(&b);
	add_step(&s, &step);
	MUST(parcel_pack(&o, s.jobs, 1, &s.parcel, &missing, &e), e);
	q = read_back(&s.parcel);
	CHECK(q.objects.n == 2);
	message_objects_release(&q.objects);
	parcel_release(&s.parcel);
	o.holds = holds_it;
	o.arg = &step.closure;
	MUST(parcel_pack(&o, s.jobs, 1, &s.parcel, &missing, &e), e);
	q = read_back(&s.parcel);
	CHECK(q.objects.n == 0);
	message_objects_release(&q.objects);
	sent_free(&s);
}

static int n_told;
static struct run_report last;
static char last_text[500];

static void on_report(void *arg, const struct id *reduced, const struct run_report *r)
{
	(void)arg;
	(void)reduced;
	n_told++;
	last = *r;
	snprintf(last_text, sizeof last_text, "%s", r->text ? r->text : "");
}

/* An answer that says: output o is ref, with these objects. */
static int open_answer(const struct ref *ref, const struct id *elsewhere, const char *inside)
{
	struct message_object object = { id_of(bytes_str(inside)), bytes_str(inside) };
	struct result_out out = { "o", *ref };
	struct message_report r = { .step = id_of(bytes_str("step")),
				    .report.result = { &out, 1 } };
	struct message_answer m = { .reports = &r, .n_reports = 1, .elsewhere = elsewhere,
				    .n_elsewhere = elsewhere ? 1 : 0, .is_json = true,
				    .objects = { &object, *inside ? 1 : 0, 1, 0 } };
	struct parcel_opts o = parcel_options(false);
	struct buf text = { 0 };
	int rc;

	n_told = 0;
	message_put_answer(&m, &text);
	rc = parcel_open(&o, buf_bytes(&text), on_report, NULL, &e);
	buf_release(&text);
	return rc;
}

static void believed(void)
{
	struct ref o = { REF_VALUE, id_of(bytes_str("given")), NULL };
	struct ref nowhere = { REF_VALUE, id_of(bytes_str("nowhere")), NULL };
	struct ref tail = { REF_THUNK, id_of(bytes_str("given")), "o" };
	struct entry ent = { .name = "f", .kind = ENTRY_FILE, .id = nowhere.id };
	struct ref tree = { .kind = REF_TREE };
	struct buf b = { 0 };

	CHECK(open_answer(&o, NULL, "given") == 0 && n_told == 1 && last.status == RUN_OK);
	CHECK(store_has(rig.store, &o.id));
	CHECK(open_answer(&nowhere, NULL, "") == 0 && n_told == 1);
	CHECK(last.status == RUN_CELL_FAILED && strstr(last_text, "output o"));
	CHECK(open_answer(&tail, NULL, "given") == 0 && last.status == RUN_CELL_FAILED);
	/* A tree of which a file is nowhere. */
	MUST(tree_encode(&(struct tree){ &ent, 1 }, &b, &e), e);
	tree.id = id_of(buf_bytes(&b));
	CHECK(open_answer(&tree, NULL, b.p) == 0 && last.status == RUN_CELL_FAILED);
	/* Elsewhere means nothing where there is no depot. */
	CHECK(open_answer(&nowhere, &nowhere.id, "") == 0 && last.status == RUN_CELL_FAILED);
	open_depot();
	CHECK(open_answer(&nowhere, &nowhere.id, "") == 0 && last.status == RUN_OK);
	CHECK(depot_knows(depot, &nowhere.id));
	CHECK(open_answer(&tree, &nowhere.id, b.p) == 0 && last.status == RUN_OK);
	close_depot();
	buf_release(&b);
	n_told = 0;
	CHECK(parcel_open(&(struct parcel_opts){ .store = rig.store }, bytes_str("{\"gg\":1}"),
			  on_report, NULL, &e) < 0);
	CHECK(e.code == ERR_BAD && n_told == 0);
}

static const struct test tests[] = {
	{ "small objects travel inside, once each; large ones wait at the remote", small_inside },
	{ "a request keeps to its size, or is refused", limits },
	{ "what the worker holds does not travel", held },
	{ "what is nowhere is named", lost },
	{ "a closure travels as texts, unless the worker has it", closures },
	{ "an answer counts when what it names is somewhere", believed },
	{ 0 }
};

int main(int argc, char **argv)
{
	return rigs_main(tests, argc, argv);
}
