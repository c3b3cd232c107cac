/* worker_request STORE STEP ROOT [REMOTE]: print the request that asks a worker for
 * a step of a store, with the objects of its inputs.
 * worker_request --read ANSWER: print status, code and text, then the log, then
 * what each output holds. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "file.h"
#include "message.h"

static int ask(char **argv, struct arena *a, struct err *e)
{
	struct message_step step = { .timeout_s = 0 };
	struct message_request q = { .root = argv[3], .steps = &step, .n_steps = 1,
				     .is_json = true };
	struct message_gather g = { .arena = a, .all_max = UINT64_MAX, .takes_all = true };
	struct buf out = { 0 };
	const char *remotes_named[2] = { NULL, NULL };
	struct thunk t;
	struct store *s;
	struct id id;

	if (store_open(argv[1], 0, &s, e) < 0)
		return -1;
	if (store_find(s, argv[2], &id, e) != 1 || store_get(s, &id, a, &step.thunk, e) < 0 ||
	    thunk_decode(step.thunk, a, &t, e) < 0)
		return -1;
	if (t.runtime == RUNTIME_HOST && store_get(s, &t.runtime_id, a, &step.host, e) < 0)
		return -1;
	if (argv[4])
		q.remotes = remotes_named;
	remotes_named[0] = argv[4];
	g.store = s;
	for (size_t i = 0; i < t.n_in; i++)
		if (message_gather(&g, &t.in[i].ref, e) < 0)
			return -1;
	if (t.runtime == RUNTIME_CLOSURE) {
		g.texts_only = true;
		if (message_gather(&g, &(struct ref){ REF_TREE, t.runtime_id, NULL }, e) < 0)
			return -1;
	}
	q.objects = g.inside;
	message_put_request(&q, &out);
	fwrite(out.p, 1, out.n, stdout);
	buf_release(&out);
	message_gather_release(&g);
	return store_close(s, e);
}

static int tell(const char *file, struct arena *a, struct err *e)
{
	struct message_answer m;
	const struct run_report *r;
	struct bytes text;

	if (file_read(AT_FDCWD, file, 1 << 28, a, &text, e) < 0 ||
	    message_read_answer(text, a, &m, e) < 0)
		return -1;
	r = &m.reports[0].report;
	printf("status %d code %d %s\n", r->status, r->code,
	       r->text ? r->text : "");
	fwrite(r->log.p, 1, r->log.n, stdout);
	for (size_t i = 0; i < r->result.n; i++)
		for (size_t k = 0; k < m.objects.n; k++)
			if (id_equal(&r->result.v[i].ref.id, &m.objects.v[k].id)) {
				printf("%s:\n", r->result.v[i].name);
				fwrite(m.objects.v[k].bytes.p, 1, m.objects.v[k].bytes.n, stdout);
			}
	message_objects_release(&m.objects);
	return 0;
}

int main(int argc, char **argv)
{
	struct arena a = { 0 };
	struct err e;
	int rc;

	if ((argc < 4 || argc > 5) && !(argc == 3 && strcmp(argv[1], "--read") == 0))
		return 2;
	rc = argc == 3 ? tell(argv[2], &a, &e) : ask(argv, &a, &e);
	if (rc < 0)
		fprintf(stderr, "%s\n", e.text);
	arena_release(&a);
	return rc < 0;
}
