/* exec_rig.h - a project, and forcing in it on the engine that answers as told
 *
 * Each test is a program of one file, so all of this may be static.
 */
#ifndef GG_EXEC_RIG_H
#define GG_EXEC_RIG_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "exec.h"
#include "file.h"
#include "test.h"

/* One project, and gg at work in it; reopened it is another process's. */
static char root[64];
static struct project project;
static struct store *store;
static struct loop *loop;
static struct engine engines[4];
static size_t n_engines;
static struct exec *x;
/* A remote, where there is one; with a key of its own. */
static const char *remote_uri;
static struct depot_remote remote;
static struct depot *depot;
static struct keyring *keys;
static struct http *http;
static struct id host;
static struct err e;

/* What was heard. */
static int n_started, n_done, n_failed, n_cached, n_own_failures, n_at_once, n_at_most;
static struct buf order, failures, asked, notices;
static int n_watched;

static inline void heard(void *arg, const struct exec_event *ev)
{
	(void)arg;
	n_started += ev->kind == EXEC_STARTED;
	n_done += ev->kind == EXEC_DONE;
	n_failed += ev->kind == EXEC_FAILED;
	n_cached += ev->kind == EXEC_CACHED;
	if (ev->kind == EXEC_STARTED) {
		buf_printf(&order, "%s\n", ev->label);
		n_at_once++;
		if (n_at_once > n_at_most)
			n_at_most = n_at_once;
	}
	if (ev->kind == EXEC_DONE)
		n_at_once--;
	n_watched += ev->is_watched;
	if (ev->kind == EXEC_NOTICE)
		buf_printf(&notices, "%s\n", ev->text);
	if (ev->kind != EXEC_FAILED)
		return;
	if (ev->asks_more)
		buf_printf(&asked, "%s;", ev->undeclared ? ev->undeclared : "");
	n_own_failures += id_equal(ev->cause, ev->thunk);
	buf_printf(&failures, "%s: %s\n", ev->label, ev->text);
}

static inline void room_changed(void *arg)
{
	(void)arg;
	exec_room_changed(x);
}

static inline void depot_says(void *arg, const char *text)
{
	(void)arg;
	buf_printf(&notices, "%s\n", text);
}

static inline const char *remote_setting(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static inline void open_depot(void)
{
	struct remote_opts ro = { .loop = loop, .setting = remote_setting };
	struct depot_opts o = { .loop = loop, .store = store, .remotes = &remote,
				.n_remotes = 1, .notice = depot_says };
	struct public_key own;

	if (access("key", F_OK) < 0)
		MUST(key_make("key", &own, &e), e);
	MUST(keyring_open("key", (struct bytes){ 0 }, &keys, &e), e);
	if (strncmp(remote_uri, "dir:", 4) != 0)
		MUST(http_new(&(struct http_opts){ .loop = loop }, &http, &e), e);
	ro.http = http;
	remote = (struct depot_remote){ .ops = remote_find(remote_uri, &e) };
	MUST(remote.ops->open(&ro, remote_uri, &remote.remote, &e), e);
	o.keys = keys;
	MUST(depot_new(&o, &depot, &e), e);
}

static inline void close_depot(void)
{
	depot_free(depot);
	if (depot)
		remote.ops->close(remote.remote);
	http_free(http);
	keyring_free(keys);
	http = NULL;
	depot = NULL;
	keys = NULL;
}

/* One fake engine for each of the words, NULL at the end; xo as the caller wants
 * it otherwise. */
static inline void open_engines(const char *const *fakes, struct exec_opts xo)
{
	struct backend_opts bo = { .changed = room_changed };

	MUST(store_open(".gg", STORE_CREATE, &store, &e), e);
	MUST(store_put(store, bytes_str("a machine\n"), &host, &e), e);
	MUST(loop_new(&loop, &e), e);
	bo.loop = loop;
	bo.store = store;
	if (remote_uri)
		open_depot();
	bo.depot = xo.depot = depot;
	for (n_engines = 0; fakes[n_engines]; n_engines++) {
		struct engine *en = &engines[n_engines];

		*en = (struct engine){ .ops = &backend_fake, .uri = fakes[n_engines] };
		MUST(backend_fake.open(&bo, en->uri, &en->backend, &e), e);
	}
	xo.loop = loop;
	xo.store = store;
	xo.project = &project;
	xo.engines = engines;
	xo.n_engines = n_engines;
	xo.event = heard;
	MUST(exec_new(&xo, &x, &e), e);
	n_started = n_done = n_failed = n_cached = n_own_failures = 0;
	n_at_once = n_at_most = n_watched = 0;
	buf_reset(&asked);
	buf_reset(&order);
	buf_reset(&failures);
	buf_reset(&notices);
}

static inline void open_all(const char *fake, bool keeps_going)
{
	open_engines((const char *const[]){ fake, NULL },
		     (struct exec_opts){ .keeps_going = keeps_going });
}

static inline void close_engines(void)
{
	for (size_t i = 0; i < n_engines; i++)
		engines[i].ops->close(engines[i].backend);
}

static inline void close_all(void)
{
	close_engines();
	exec_free(x);
	close_depot();
	loop_free(loop);
	MUST(store_close(store, &e), e);
}

static inline void begin(const char *fake)
{
	strcpy(root, "/tmp/gg-t-exec-XXXXXX");
	if (!mkdtemp(root) || chdir(root) < 0)
		exit(1);
	project = (struct project){ .root = root };
	project.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	open_all(fake, false);
}

static inline void reopen(const char *fake)
{
	close_all();
	open_all(fake, false);
}

static inline void end(void)
{
	close_all();
	close(project.root_fd);
	if (chdir("/") < 0)
		exit(1);
	MUST(dir_remove(AT_FDCWD, root, &e), e);
	buf_release(&order);
	buf_release(&asked);
	buf_release(&failures);
	buf_release(&notices);
}

/* A thunk of these words (parted by spaces) that reads output "out" of each
 * of the others; "@PATH" among the words makes that source an input. */
static inline struct id step(const char *words, size_t n, const struct id *deps)
{
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct strs args = { 0 };
	struct output out = { "out", "out", strstr(words, "asdir") != NULL };
	struct thunk t = { .out = &out, .n_out = 1, .runtime_id = host };
	char *save = NULL, *copy = arena_str(&a, words);
	struct id id;

	t.in = arena_alloc(&a, (n + 8) * sizeof(*t.in));
	strs_add(&args, "fake");
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		strs_add(&args, w);
		if (*w != '@')
			continue;
		t.in[t.n_in].path = w + 1;
		MUST(stat_name(store, AT_FDCWD, w + 1, STAT_KEEP,
			       &t.in[t.n_in++].ref.id, NULL, &e), e);
	}
	t.args = args.v;
	t.n_args = args.n;
	for (size_t i = 0; i < n; i++)
		t.in[t.n_in++] = (struct input){ arena_printf(&a, "in/%zu", i),
						 { REF_THUNK, deps[i], "out" } };
	thunk_sort(&t);
	MUST(thunk_encode(&t, &text, &e), e);
	MUST(store_put(store, buf_bytes(&text), &id, &e), e);
	buf_release(&text);
	strs_release(&args);
	arena_release(&a);
	return id;
}

static inline struct id step0(const char *words)
{
	return step(words, 0, NULL);
}

static inline struct id step1(const char *words, struct id dep)
{
	return step(words, 1, &dep);
}

/* How a want ended. */
struct end {
	int times;
	struct err e;           /* code 0: well */
};

static inline void ended(void *arg, const struct err *why)
{
	struct end *d = arg;

	d->times++;
	d->e.code = ERR_NONE;
	if (why)
		d->e = *why;
}

static inline void want(struct id id, const char *path, struct end *d)
{
	struct want w = { .thunk = id, .out = "out", .path = path, .done = ended, .arg = d };

	*d = (struct end){ 0 };
	MUST(exec_want(x, &w, &e), e);
}

/* Turn the loop until nothing is wanted, a minute at most. */
static inline void finish(void)
{
	time_t from = time(NULL);

	while (exec_is_busy(x) && time(NULL) - from < 60) {
		loop_turn(loop);
		usleep(50);
	}
	CHECK(!exec_is_busy(x));
}

static inline enum err_code force(struct id id, const char *path)
{
	struct end d;

	want(id, path, &d);
	finish();
	CHECK(d.times == 1);
	e = d.e;
	return d.e.code;
}

static inline struct exec_counts counts(void)
{
	struct exec_counts c;

	exec_counts(x, &c);
	CHECK(c.total == c.waiting + c.running + c.forced + c.cached + c.failed + c.unrun);
	return c;
}

static inline bool holds(const char *path, const char *text)
{
	struct arena a = { 0 };
	struct bytes b;
	bool same = file_read(AT_FDCWD, path, 1 << 20, &a, &b, &e) == 0 &&
		bytes_equal(b, bytes_str(text));

	arena_release(&a);
	return same;
}

static inline void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static inline struct id value_of(struct id thunk)
{
	struct arena a = { 0 };
	struct result r;
	struct id id = { { 0 } };

	if (store_get_result(store, &thunk, &a, &r, &e) == 0 && r.n == 1)
		id = r.v[0].ref.id;
	arena_release(&a);
	return id;
}

/* A graph of n steps, each of which reads up to four earlier ones; its last, whose
 * words are `last`. */
static inline struct id random_graph(unsigned seed, size_t n, const char *last)
{
	static struct id ids[400];

	srand(seed);
	for (size_t i = 0; i < n; i++) {
		struct id deps[4];
		size_t n_deps = i ? (size_t)rand() % 5 : 0;
		struct hints h = { .cpus = 1 + rand() % 2, .gpus = rand() % 10 == 0 };
		char words[64];

		for (size_t k = 0; k < n_deps; k++)
			deps[k] = ids[i - 1 - (size_t)rand() % (i < 20 ? i : 20)];
		snprintf(words, sizeof words, "g i=%zu slow=%d", i, rand() % 4);
		ids[i] = i + 1 < n ? step(words, n_deps, deps) : step(last, n - 1, ids);
		MUST(hints_put(store, &ids[i], &h, &e), e);
	}
	return ids[n - 1];
}

#endif
