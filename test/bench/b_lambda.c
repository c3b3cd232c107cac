/* What gg adds to an invocation: from start() of the engine lambda to the end of
 * the job, beside a bare libcurl handle that posts the same request to the same
 * function and keeps its connection.  One at a time, the two in turn.
 * Arguments: the Invoke API's URL, a function, a project's store, how many.
 * Prints p50 and p99 of both, in ms. */
#include <curl/curl.h>
#include <dlfcn.h>
#include "../../src/backends/flight.h"
#include "clock.h"
#include "place.h"
#include "../test.h"

struct step {
	struct job job;
	struct parcel parcel;
};

struct bench {
	struct store *store;
	struct loop *loop;
	struct http *http;
	struct backend *backend;
	struct step *steps;
	size_t n, room;
	struct arena arena;
	bool is_over;
	enum run_status status;
	char text[400];
	double ended_s;
};

/* libcurl as the library opens it: by name, when it is needed. */
struct curl {
	CURL *(*easy_init)(void);
	CURLcode (*setopt)(CURL *c, CURLoption o, ...);
	CURLcode (*perform)(CURL *c);
	struct curl_slist *(*append)(struct curl_slist *l, const char *s);
	CURL *easy;
	struct buf answer;
};

static struct err e;

static const char *setting(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static void on_done(struct job *j, const struct run_report *r)
{
	struct bench *b = j->arg;

	b->ended_s = now_s();
	b->status = r->status;
	snprintf(b->text, sizeof b->text, "%s", r->text ? r->text : "");
	b->is_over = true;
}

static int add(void *arg, const char *path, const struct ref_record *r)
{
	struct bench *b = arg;
	struct job *j;
	struct thunk t;

	(void)path;
	if (b->n == b->room)
		return 1;
	j = &b->steps[b->n++].job;
	*j = (struct job){ .reduced = r->thunk, .done = on_done, .arg = b,
			   .needs = { .cpus = 1 } };
	MUST(store_get(b->store, &r->thunk, &b->arena, &j->text, &e), e);
	MUST(thunk_decode(j->text, &b->arena, &t, &e), e);
	MUST(store_get(b->store, &t.runtime_id, &b->arena, &j->host, &e), e);
	return 0;
}

/* The same request as gg's, packed beforehand. */
static void pack(struct bench *b, const char *root)
{
	const struct parcel_opts o = { .store = b->store, .root = root, .is_json = true,
				       .max_bytes = (6 << 20) - 4096,
				       .answer_bytes = ((6 << 20) - 4096) / 3 * 2 };
	struct id missing;

	for (size_t i = 0; i < b->n; i++) {
		struct job *j = &b->steps[i].job;

		MUST(parcel_pack(&o, &j, 1, &b->steps[i].parcel, &missing, &e), e);
	}
}

static double by_gg(struct bench *b, struct step *s)
{
	double from = now_s();

	b->is_over = false;
	MUST(backend_lambda.start(b->backend, &s->job, &e), e);
	loop_run(b->loop, &b->is_over);
	if (b->status != RUN_OK) {
		fprintf(stderr, "a step did not run: %s\n", b->text);
		exit(1);
	}
	return b->ended_s - from;
}

static size_t on_bytes(char *p, size_t size, size_t n, void *arg)
{
	buf_add(arg, p, size * n);
	return size * n;
}

static void curl_open(struct curl *c, const char *library, const char *url)
{
	void *lib = dlopen(library, RTLD_NOW);
	struct curl_slist *headers;

	if (!lib)
		exit(1);
	*(void **)&c->easy_init = dlsym(lib, "curl_easy_init");
	*(void **)&c->setopt = dlsym(lib, "curl_easy_setopt");
	*(void **)&c->perform = dlsym(lib, "curl_easy_perform");
	*(void **)&c->append = dlsym(lib, "curl_slist_append");
	c->easy = c->easy_init();
	headers = c->append(NULL, "Content-Type: application/json");
	headers = c->append(headers, "Expect:");
	c->setopt(c->easy, CURLOPT_URL, url);
	c->setopt(c->easy, CURLOPT_PROXY, "");
	c->setopt(c->easy, CURLOPT_HTTPHEADER, headers);
	c->setopt(c->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	c->setopt(c->easy, CURLOPT_WRITEDATA, &c->answer);
}

static double by_curl(struct curl *c, const struct step *s)
{
	double from = now_s();

	buf_reset(&c->answer);
	c->setopt(c->easy, CURLOPT_POSTFIELDS, s->parcel.body.p);
	c->setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)s->parcel.body.n);
	if (c->perform(c->easy) != CURLE_OK || !strstr(c->answer.p, "\"ok\"")) {
		fprintf(stderr, "curl: %.300s\n", c->answer.p ? c->answer.p : "no answer");
		exit(1);
	}
	return now_s() - from;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(double *v, size_t n, double share)
{
	qsort(v, n, sizeof *v, by_size);
	return v[(size_t)((double)(n - 1) * share)] * 1e3;
}

int main(int argc, char **argv)
{
	struct bench b = { .status = RUN_OK };
	struct curl c = { .easy = NULL };
	struct backend_opts o = { .setting = setting };
	struct http_opts ho = { 0 };
	char root[400], words[400], url[400];
	double *gg, *curl;

	if (argc != 5)
		return 2;
	b.room = strtoul(argv[4], NULL, 10);
	b.steps = arena_alloc(&b.arena, b.room * sizeof *b.steps);
	gg = arena_alloc(&b.arena, b.room * sizeof *gg);
	curl = arena_alloc(&b.arena, b.room * sizeof *curl);
	snprintf(root, sizeof root, "%.*s", (int)(strlen(argv[3]) - strlen("/.gg")), argv[3]);
	snprintf(words, sizeof words, "jobs=4,endpoint=%s,function=%s", argv[1], argv[2]);
	snprintf(url, sizeof url, "%s/2015-03-31/functions/%s/invocations", argv[1], argv[2]);
	MUST(loop_new(&b.loop, &e), e);
	MUST(store_open(argv[3], 0, &b.store, &e), e);
	ho.loop = b.loop;
	MUST(http_new(&ho, &b.http, &e), e);
	o.loop = b.loop;
	o.store = b.store;
	o.http = b.http;
	o.project_root = root;
	o.store_dir = argv[3];
	MUST(backend_lambda.open(&o, words, &b.backend, &e), e);
	MUST(ref_each(b.store, add, &b, &e), e);
	pack(&b, root);
	curl_open(&c, http_library(b.http), url);
	/* The first time the worker answers, then what it answered. */
	for (size_t i = 0; i < b.n; i++) {
		by_gg(&b, &b.steps[i]);
		by_curl(&c, &b.steps[i]);
	}
	for (size_t i = 0; i < b.n; i++) {
		gg[i] = by_gg(&b, &b.steps[i]);
		curl[i] = by_curl(&c, &b.steps[i]);
	}
	printf("%.3f %.3f %.3f %.3f\n", at(gg, b.n, 0.5), at(gg, b.n, 0.99), at(curl, b.n, 0.5),
	       at(curl, b.n, 0.99));
	backend_lambda.close(b.backend);
	http_free(b.http);
	for (size_t i = 0; i < b.n; i++)
		parcel_release(&b.steps[i].parcel);
	MUST(store_close(b.store, &e), e);
	loop_free(b.loop);
	arena_release(&b.arena);
	return 0;
}
