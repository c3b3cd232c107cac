/* cmd_worker.c - gg worker: steps of somebody else, in an image or a function */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "http.h"
#include "image.h"
#include "worker.h"

enum { LIST_MAX = 64 << 20, EVENT_MAX = 256 << 20 };

struct service {
	struct ctx *c;
	char *dir;                      /* all that it writes is below */
	struct store *store;
	struct id *closures;
	size_t n_closures;
	struct worker *worker;
	struct http *http;
	struct worker_stop stop;
};

static void on_signal(void *arg)
{
	struct service *s = arg;

	worker_stop(&s->stop);
}

/* Lambda lets a program write in /tmp only. */
static int open_store(struct service *s, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	struct arena *a = &s->c->arena;

	s->dir = arena_printf(a, "%s/gg-worker-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(s->dir)) {
		s->dir = NULL;
		return err_sys(e, "cannot make a folder in %s", tmp && *tmp ? tmp : "/tmp");
	}
	if (mkdir(arena_printf(a, "%s/project", s->dir), 0755) < 0)
		return err_sys(e, "%s/project", s->dir);
	return store_open(arena_printf(a, "%s/store", s->dir), STORE_CREATE, &s->store, e);
}

static int read_image(struct service *s, struct err *e)
{
	struct bytes names, trees;
	struct arena *a = &s->c->arena;

	if (file_read(AT_FDCWD, IMAGE_CLOSURES, LIST_MAX, a, &names, e) < 0 ||
	    file_read(AT_FDCWD, IMAGE_TREES, LIST_MAX, a, &trees, e) < 0)
		return e->code != ERR_MISSING ? -1 :
			err_set(e, ERR_USAGE, "gg worker serves inside an image that gg image "
				"has made: there is no " IMAGE_CLOSURES " here");
	if (worker_read_closures(names, a, &s->closures, &s->n_closures, e) < 0)
		return err_wrap(e, IMAGE_CLOSURES);
	if (worker_read_trees(s->store, trees, e) < 0)
		return err_wrap(e, IMAGE_TREES);
	return 0;
}

static int open_all(struct service *s, struct err *e)
{
	struct ctx *c = s->c;
	struct worker_opts o = { .self = c->self, .engine = &backend_local };

	if (open_store(s, e) < 0 || read_image(s, e) < 0 || loop_new(&c->loop, e) < 0)
		return -1;
	o.loop = c->loop;
	o.store = s->store;
	o.store_dir = arena_printf(&c->arena, "%s/store", s->dir);
	o.spare_root = arena_printf(&c->arena, "%s/project", s->dir);
	o.closures = s->closures;
	o.n_closures = s->n_closures;
	s->worker = worker_new(&o);
	return 0;
}

static int read_event(struct arena *a, const char *file, struct bytes *out, struct err *e)
{
	struct buf b = { 0 };
	char part[1 << 16];
	ssize_t n;

	if (strcmp(file, "-") != 0)
		return file_read(AT_FDCWD, file, EVENT_MAX, a, out, e);
	while ((n = file_read_fd(0, part, sizeof part)) > 0 && b.n < EVENT_MAX)
		buf_add(&b, part, (size_t)n);
	*out = arena_bytes(a, buf_bytes(&b));
	buf_release(&b);
	return n < 0 ? err_sys(e, "standard input") : 0;
}

static int once(struct service *s, const char *file, struct err *e)
{
	struct buf out = { 0 };
	struct bytes event;
	int rc = read_event(&s->c->arena, file, &event, e);

	if (rc == 0)
		rc = worker_do(s->worker, event, 0, &out, e);
	if (rc == 0) {
		fwrite(out.p, 1, out.n, stdout);
		putchar('\n');
	}
	buf_release(&out);
	return rc;
}

static int serve(struct service *s, struct err *e)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	struct http_opts o = { .loop = s->c->loop };
	struct watch *term;
	int rc;

	if (!api || !*api)
		return err_set(e, ERR_USAGE, "gg worker asks the Runtime API for work, but "
			       "AWS_LAMBDA_RUNTIME_API does not say where that is; --once FILE "
			       "runs one request");
	if (http_new(&o, &s->http, e) < 0)
		return -1;
	term = loop_signal(s->c->loop, SIGTERM, on_signal, s);
	rc = worker_serve(s->worker, s->http, api, &s->stop, e);
	loop_unwatch(term);
	return rc;
}

int cmd_worker(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct service s = { .c = c };
	struct err late;
	int rc;

	(void)argv;
	if (argc)
		return err_set(e, ERR_USAGE, "gg worker takes no arguments");
	rc = open_all(&s, e);
	if (rc == 0)
		rc = c->o.once ? once(&s, c->o.once, e) : serve(&s, e);
	worker_free(s.worker);
	http_free(s.http);
	if (s.store)
		store_close(s.store, &late);
	if (s.dir)
		dir_remove(AT_FDCWD, s.dir, &late);
	return rc < 0 ? -1 : EXIT_FINE;
}
