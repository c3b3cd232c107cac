/* cmd_worker.c - gg worker: steps of somebody else */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "devices.h"
#include "file.h"
#include "gg.h"
#include "http.h"
#include "image.h"
#include "worker.h"

enum {
	LIST_MAX = 64 << 20, EVENT_MAX = 256 << 20, TICKET_MAX = 4096,
	DIRS_MAX = 1000,                /* workers that share one --dir */
};

struct service {
	struct ctx *c;
	const char *dir;                /* all that it writes is below */
	bool is_dir_kept;
	int dir_fd;                     /* locked */
	struct store *store;
	struct id *closures;
	size_t n_closures;
	struct worker *worker;
	struct devices *devices;
	struct http *http;
	struct worker_stop stop;
};

static void on_signal(void *arg)
{
	struct service *s = arg;

	worker_stop(&s->stop);
}

static void on_notice(void *arg, const char *text)
{
	struct service *s = arg;

	if (!s->c->o.quiet)
		note("%s", text);
}

/* ---- where it writes */

/* Of the folders below --dir the first that no living worker has. */
static int take_kept_dir(struct service *s, struct err *e)
{
	struct arena *a = &s->c->arena;

	for (unsigned i = 1; i <= DIRS_MAX; i++) {
		s->dir = arena_printf(a, "%s/%u", s->c->o.dir, i);
		if (dir_make(AT_FDCWD, s->dir, e) < 0)
			return -1;
		s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dir_fd < 0)
			return err_sys(e, "cannot open %s", s->dir);
		if (flock(s->dir_fd, LOCK_EX | LOCK_NB) == 0) {
			s->is_dir_kept = true;
			return 0;
		}
		close(s->dir_fd);
		s->dir_fd = -1;
	}
	return err_set(e, ERR_REFUSED, "%s: %u workers use it already", s->c->o.dir,
		       (unsigned)DIRS_MAX);
}

/* A folder of ours that no living worker has; -1 if it is another. */
static int lock_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st, now;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    lstat(dir, &now) == 0 && now.st_ino == st.st_ino && now.st_dev == st.st_dev)
		return fd;
	close(fd);
	return -1;
}

/* What workers that were killed have left. */
static void remove_dead(struct service *s, const char *tmp)
{
	struct err ignored;             /* the next one tries again */
	glob_t g;

	if (glob(arena_printf(&s->c->arena, "%s/gg-worker.??????", tmp), GLOB_NOSORT, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		int fd = lock_dir(g.gl_pathv[i]);

		if (fd < 0)
			continue;
		dir_remove(AT_FDCWD, g.gl_pathv[i], &ignored);
		close(fd);
	}
	globfree(&g);
}

/* Lambda lets a program write in /tmp only.  Another worker may take a folder that
 * is not locked yet for a dead one's; then there is a next one. */
static int make_dir(struct service *s, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	tmp = tmp && *tmp ? tmp : "/tmp";
	remove_dead(s, tmp);
	for (int i = 0; i < DIRS_MAX && s->dir_fd < 0; i++) {
		char *dir = arena_printf(&s->c->arena, "%s/gg-worker.XXXXXX", tmp);

		if (!mkdtemp(dir))
			return err_sys(e, "cannot make a folder in %s", tmp);
		s->dir_fd = lock_dir(dir);
		s->dir = dir;
	}
	return s->dir_fd < 0 ? err_set(e, ERR_IO, "%s: folders cannot be locked there; name "
				       "another by TMPDIR", tmp) : 0;
}

static int open_store(struct service *s, struct err *e)
{
	const unsigned flags = STORE_CREATE | STORE_VOLATILE;
	struct arena *a = &s->c->arena;
	const char *path;

	if ((s->c->o.dir ? take_kept_dir(s, e) : make_dir(s, e)) < 0)
		return -1;
	if (mkdir(arena_printf(a, "%s/project", s->dir), 0755) < 0 && errno != EEXIST)
		return err_sys(e, "%s/project", s->dir);
	path = arena_printf(a, "%s/store", s->dir);
	if (store_open(path, flags, &s->store, e) == 0)
		return 0;
	if (e->code != ERR_BAD || !s->is_dir_kept)
		return -1;
	/* A power cut has damaged it; nothing in it is only there. */
	note("%s; it begins anew", e->text);
	if (dir_remove(AT_FDCWD, path, e) < 0)
		return -1;
	return store_open(path, flags, &s->store, e);
}

/* 0: it cannot be said. */
static uint64_t free_bytes(const struct service *s)
{
	struct statvfs v;

	return statvfs(s->dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

static uint64_t cache_bytes(const struct service *s)
{
	const uint64_t usual = UINT64_C(10) << 30;
	uint64_t half = free_bytes(s) / 2;

	if (s->c->o.cache_bytes)
		return s->c->o.cache_bytes;
	return half && half < usual ? half : usual;
}

/* What the cache may fill is not for steps, but half of all is. */
static uint64_t disk_bytes(const struct service *s)
{
	uint64_t all = free_bytes(s), cache = cache_bytes(s);

	if (s->c->o.disk_bytes)
		return s->c->o.disk_bytes;
	return cache < all / 2 ? all - cache : all / 2;
}

/* ---- what it is */

/* Outside of an image there are neither. */
static int read_image(struct service *s, struct err *e)
{
	struct bytes names, trees;
	struct arena *a = &s->c->arena;

	if (file_read(AT_FDCWD, IMAGE_CLOSURES, LIST_MAX, a, &names, e) < 0 ||
	    file_read(AT_FDCWD, IMAGE_TREES, LIST_MAX, a, &trees, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	if (worker_read_closures(names, a, &s->closures, &s->n_closures, e) < 0)
		return err_wrap(e, IMAGE_CLOSURES);
	if (worker_read_trees(s->store, trees, e) < 0)
		return err_wrap(e, IMAGE_TREES);
	return 0;
}

static uint64_t limit_in(const char *file)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err ignored;
	uint64_t n = UINT64_MAX;

	if (file_read(AT_FDCWD, file, 64, &a, &b, &ignored) == 0)
		n = strtoull(arena_strn(&a, b.p, b.n), NULL, 10);
	arena_release(&a);
	return n ? n : UINT64_MAX;      /* "max" */
}

static uint64_t memory_bytes(void)
{
	static const char *const limits[] = {
		"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
	};
	uint64_t least = UINT64_MAX;
	struct sysinfo info;

	if (sysinfo(&info) == 0)
		least = (uint64_t)info.totalram * info.mem_unit;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		uint64_t n = limit_in(limits[i]);

		if (n < least)
			least = n;
	}
	return least;
}

static const char *visible_gpus(void)
{
	return setting_of(NULL, "CUDA_VISIBLE_DEVICES");
}

static double n_gpus(const struct service *s)
{
	return s->c->o.gpus >= 0 ? s->c->o.gpus : devices_count(visible_gpus());
}

static unsigned n_slots(const struct service *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return s->c->o.jobs ? s->c->o.jobs : cpus > 0 ? (unsigned)cpus : 1;
}

static int open_all(struct service *s, struct err *e)
{
	struct ctx *c = s->c;
	struct http_opts h = { .ca_file = authority_file() };
	struct worker_opts o = { .self = c->self, .engine = &backend_local,
				 .setting = setting_of, .notice = on_notice,
				 .notice_arg = s };
	bool needs_http = !c->o.once;
	struct err why;

	if (open_store(s, e) < 0 || read_image(s, e) < 0 || loop_new(&c->loop, e) < 0)
		return -1;
	h.loop = o.loop = c->loop;
	h.n_per_host = 2 * n_slots(s) + 32;
	if (http_new(&h, &s->http, &why) < 0 && needs_http) {
		*e = why;
		return -1;
	}
	o.http = s->http;
	o.store = s->store;
	o.store_dir = arena_printf(&c->arena, "%s/store", s->dir);
	o.spare_root = arena_printf(&c->arena, "%s/project", s->dir);
	o.closures = s->closures;
	o.n_closures = s->n_closures;
	o.cache_bytes = cache_bytes(s);
	o.jobs = n_slots(s);
	o.devices = s->devices = devices_new(n_gpus(s), visible_gpus());
	s->worker = worker_new(&o);
	return 0;
}

static int close_all(struct service *s, struct err *e)
{
	struct err late;
	int rc = 0;

	worker_free(s->worker);
	devices_free(s->devices);
	http_free(s->http);
	if (s->store)
		rc = store_close(s->store, e);
	if (s->dir && !s->is_dir_kept)
		dir_remove(AT_FDCWD, s->dir, &late);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	return rc;
}

/* ---- what it does */

static int read_input(struct arena *a, const char *file, size_t max, struct bytes *out,
		      struct err *e)
{
	struct buf b = { 0 };
	char part[1 << 16];
	ssize_t n;

	if (strcmp(file, "-") != 0)
		return file_read(AT_FDCWD, file, max, a, out, e);
	while ((n = file_read_fd(0, part, sizeof part)) > 0 && b.n < max)
		buf_add(&b, part, (size_t)n);
	*out = arena_bytes(a, buf_bytes(&b));
	buf_release(&b);
	return n < 0 ? err_sys(e, "standard input") : 0;
}

static int once(struct service *s, struct err *e)
{
	struct buf out = { 0 };
	struct bytes event;
	int rc = read_input(&s->c->arena, s->c->o.once, EVENT_MAX, &event, e);

	if (rc == 0 && worker_do(s->worker, event, 0, &out, e) < 0)
		rc = err_wrap(e, "%s", strcmp(s->c->o.once, "-") == 0 ? "standard input" :
			      s->c->o.once);
	if (rc == 0) {
		fwrite(out.p, 1, out.n, stdout);
		if (out.p[0] == '{')
			putchar('\n');
	}
	buf_release(&out);
	return rc;
}

static int connect_to(struct service *s, struct err *e)
{
	struct ctx *c = s->c;
	struct ticket ticket;
	struct bytes text;
	char host[256] = "";
	struct connect_opts o = { .http = s->http, .ticket = &ticket, .host = host,
				  .name = c->o.name, .n_slots = n_slots(s),
				  .cpus = n_slots(s),
				  .gpus = n_gpus(s),
				  .mem_bytes = c->o.memory_bytes ? c->o.memory_bytes :
					       memory_bytes(),
				  .disk_bytes = disk_bytes(s),
				  .patience_s = c->o.patience_s, .stop = &s->stop };

	if (read_input(&c->arena, c->o.connect, TICKET_MAX, &text, e) < 0)
		return -1;
	if (ticket_read(text, &ticket, e) < 0)
		return err_wrap(e, "%s", c->o.connect);
	if (gethostname(host, sizeof host - 1) < 0 || !*host)
		snprintf(host, sizeof host, "localhost");
	if (!o.name)
		o.name = arena_printf(&c->arena, "%s-%ld", host, (long)getpid());
	return worker_connect(s->worker, &o, e);
}

/* Between these lines OpenWhisk reads an activation's log. */
static void end_log(void *arg)
{
	static const char line[] = "XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n";

	(void)arg;
	fputs(line, stdout);
	fflush(stdout);
	fputs(line, stderr);
}

static int serve_whisk(struct service *s, struct err *e)
{
	const char *address = s->c->o.listen ? s->c->o.listen : "0.0.0.0:8080";
	struct whisk_opts o = { .address = address, .stop = &s->stop, .ran = end_log };

	return worker_serve_whisk(s->worker, &o, e);
}

static int serve(struct service *s, struct err *e)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	struct watch *term = loop_signal(s->c->loop, SIGTERM, on_signal, s);
	struct watch *interrupt = loop_signal(s->c->loop, SIGINT, on_signal, s);
	int rc;

	if (s->c->o.connect)
		rc = connect_to(s, e);
	else if (s->c->o.serve)
		rc = serve_whisk(s, e);
	else
		rc = worker_serve(s->worker, s->http, api, &s->stop, e);
	loop_unwatch(term);
	loop_unwatch(interrupt);
	return rc;
}

/* Is it said where requests come from? */
static int check_words(const struct ctx *c, int argc, struct err *e)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");

	if (argc)
		return err_set(e, ERR_USAGE, "gg worker takes no arguments");
	if (c->o.connect && c->o.once)
		return err_set(e, ERR_USAGE, "--connect and --once do not go together");
	if (c->o.serve && (c->o.connect || c->o.once))
		return err_set(e, ERR_USAGE, "--serve goes with neither --connect nor --once");
	if (c->o.serve && strcmp(c->o.serve, "openwhisk") != 0)
		return err_set(e, ERR_USAGE, "--serve openwhisk is all there is, not %s",
			       c->o.serve);
	if (c->o.listen && !c->o.serve)
		return err_set(e, ERR_USAGE, "--listen goes with --serve");
	if (c->o.connect || c->o.once || c->o.serve || (api && *api))
		return 0;
	return err_set(e, ERR_USAGE, "gg worker has to know where its requests come from: "
		       "--connect TICKET names a dispatcher, AWS_LAMBDA_RUNTIME_API a Runtime "
		       "API, --serve openwhisk waits for them, --once FILE is one request");
}

int cmd_worker(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct service s = { .c = c, .dir_fd = -1 };
	struct err late;
	int rc;

	(void)argv;
	if (check_words(c, argc, e) < 0)
		return -1;
	rc = open_all(&s, e);
	if (rc == 0)
		rc = c->o.once ? once(&s, e) : serve(&s, e);
	if (close_all(&s, rc < 0 ? &late : e) < 0)
		rc = -1;
	return rc < 0 ? -1 : EXIT_FINE;
}
