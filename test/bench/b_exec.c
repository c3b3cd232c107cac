/* b_exec.c - what forcing itself costs a thunk
 *
 * The engine runs nothing, so what is left is gg: reaching, reducing,
 * ordering, claiming, recording, placing.  The engine's own share, decoding
 * the thunk and putting its output, is in these numbers too.
 *
 *     b_exec [N [DIR]]    N alone, a chain of N, N and a vote over them, in a
 *                         new folder of DIR (/tmp)
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "exec.h"
#include "file.h"
#include "bench.h"

struct work {
	struct project project;
	struct store *store;
	struct loop *loop;
	struct engine engine;
	struct exec *x;
	struct id host;
	size_t n_bad;
};

/* Memory of its own, without the database's pages, which are the page cache's. */
static long resident_mib(const char *what)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtol(line + strlen(what), NULL, 10);
	if (f)
		fclose(f);
	return kib >> 10;
}

static void open_all(struct work *w)
{
	struct backend_opts bo = { 0 };
	struct exec_opts xo = { 0 };

	MUST(store_open(".gg", STORE_CREATE, &w->store, &e));
	MUST(store_put(w->store, bytes_str("a machine\n"), &w->host, &e));
	MUST(loop_new(&w->loop, &e));
	bo.loop = w->loop;
	bo.store = w->store;
	w->engine = (struct engine){ .ops = &backend_fake, .uri = "fake" };
	MUST(backend_fake.open(&bo, "cpus=64", &w->engine.backend, &e));
	xo = (struct exec_opts){ .loop = w->loop, .store = w->store, .project = &w->project,
				 .engines = &w->engine, .n_engines = 1 };
	MUST(exec_new(&xo, &w->x, &e));
}

static void close_all(struct work *w)
{
	backend_fake.close(w->engine.backend);
	exec_free(w->x);
	loop_free(w->loop);
	MUST(store_close(w->store, &e));
}

static struct id make(struct work *w, const char *word, size_t i, size_t n_deps,
		      const struct id *deps)
{
	struct arena a = { 0 };
	struct buf text = { 0 };
	const char *args[] = { "fake", "train.py", "--seed",
			       arena_printf(&a, "%zu", i), word };
	struct output out = { "out", "model.npz", false };
	struct thunk t = { .args = args, .n_args = 5, .out = &out, .n_out = 1,
			   .runtime_id = w->host };
	struct id id;

	t.in = arena_alloc(&a, n_deps * sizeof(*t.in));
	for (t.n_in = 0; t.n_in < n_deps; t.n_in++)
		t.in[t.n_in] = (struct input){ arena_printf(&a, "in/%08zu", t.n_in),
					       { REF_THUNK, deps[t.n_in], "out" } };
	thunk_sort(&t);
	MUST(thunk_encode(&t, &text, &e));
	MUST(store_put(w->store, buf_bytes(&text), &id, &e));
	buf_release(&text);
	arena_release(&a);
	return id;
}

static void ended(void *arg, const struct err *why)
{
	struct work *w = arg;

	if (why && !w->n_bad++)
		fprintf(stderr, "%s\n", why->text);
}

static void force(struct work *w, const char *what, const struct id *ids, size_t n,
		  size_t n_thunks, const char *dir)
{
	double from, cpu;
	struct exec_counts c;

	open_all(w);
	from = now_s();
	cpu = cpu_s();
	for (size_t i = 0; i < n; i++) {
		char path[64];
		struct want want = { .thunk = ids[i], .out = "out", .done = ended, .arg = w };

		snprintf(path, sizeof(path), "%s/%zu/%zu", dir ? dir : "", i / 1000, i);
		if (dir)
			want.path = path;
		MUST(exec_want(w->x, &want, &e));
	}
	while (exec_is_busy(w->x))
		loop_turn(w->loop);
	from = now_s() - from;
	cpu = cpu_s() - cpu;
	exec_counts(w->x, &c);
	printf("%-28s %7zu thunks %8.3f s, %6.1f us wall and %6.1f us cpu a thunk, "
	       "forced %zu, cached %zu, %ld MiB (%ld of its own)\n", what, n_thunks, from,
	       from / (double)n_thunks * 1e6, cpu / (double)n_thunks * 1e6, c.forced,
	       c.cached, resident_mib("VmRSS:"), resident_mib("RssAnon:"));
	fflush(stdout);
	close_all(w);
}

/* What placing costs without gg: make, write, rename. */
static void bare_files(size_t n)
{
	double from = now_s();

	mkdir("bare", 0777);
	for (size_t i = 0; i < n; i++) {
		char dir[64], temp[96], path[96], text[] = "model of 64 digits or so\n";
		int fd;

		snprintf(dir, sizeof(dir), "bare/%zu", i / 1000);
		snprintf(temp, sizeof(temp), "%s/.temp", dir);
		snprintf(path, sizeof(path), "%s/%zu", dir, i);
		if (i % 1000 == 0)
			mkdir(dir, 0777);
		fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd < 0 || write(fd, text, sizeof(text)) < 0 || close(fd) < 0 ||
		    rename(temp, path) < 0)
			exit(1);
	}
	from = now_s() - from;
	printf("%-28s %7zu files   %8.3f s, %6.1f us\n", "bare files", n, from,
	       from / (double)n * 1e6);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	struct id *ids = mem_alloc(n * sizeof(*ids)), at, vote;
	char root[256];
	struct work w = { 0 };

	snprintf(root, sizeof(root), "%s/gg-b-exec-XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (!mkdtemp(root) || chdir(root) < 0)
		return 1;
	w.project.root = root;
	w.project.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	open_all(&w);
	for (size_t i = 0; i < n; i++)
		ids[i] = make(&w, "alone", i, 0, NULL);
	at = ids[0];
	for (size_t i = 1; i < n; i++)
		at = make(&w, "chain", i, 1, &at);
	vote = make(&w, "vote", 0, n, ids);
	close_all(&w);
	printf("%-28s %ld MiB resident before\n", "", resident_mib("VmRSS:"));
	force(&w, "alone, no paths", ids, n, n, NULL);
	force(&w, "alone, known, no paths", ids, n, n, NULL);
	bare_files(n);
	force(&w, "alone, known, placed", ids, n, n, "out");
	force(&w, "alone, known, there already", ids, n, n, "out");
	force(&w, "chain", &at, 1, n, NULL);
	force(&w, "vote over known ones", &vote, 1, n + 1, NULL);
	force(&w, "vote known", &vote, 1, n + 1, NULL);
	if (chdir("/") < 0 || dir_remove(AT_FDCWD, root, &e) < 0)
		return 1;
	free(ids);
	return w.n_bad != 0;
}
