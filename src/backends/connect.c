/* connect.c - an engine of workers that people start by hand, anywhere
 *
 * The whole of it is a pool and a ticket file: `gg worker --connect FILE` on
 * any machine that can reach this one is one more worker.
 */
#include "backend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "pool.h"

struct words {
	const char *listen, *unix_path, *ticket;
	double lease_s;
};

struct backend {
	struct pool *pool;
	char *ticket;                   /* its path */
	char *notice;
};

static const struct engine_word words[] = {
	{ "listen", WORD_TEXT, offsetof(struct words, listen),
	  "HOST:PORT to be found at, with TLS; port 0: any (127.0.0.1:0)" },
	{ "unix", WORD_TEXT, offsetof(struct words, unix_path),
	  "path of a socket to be found at instead" },
	{ "ticket", WORD_TEXT, offsetof(struct words, ticket),
	  "file to write for workers: gg worker --connect FILE" },
	{ "lease", WORD_SECONDS, offsetof(struct words, lease_s),
	  "a worker silent for so long is given up (30s)" },
	{ 0 }
};

static int write_ticket(struct backend *b, struct err *e)
{
	struct ticket t;
	struct buf text = { 0 };
	int rc;

	pool_ticket(b->pool, &t);
	ticket_write(&t, &text);
	rc = file_write(AT_FDCWD, b->ticket, buf_bytes(&text), 0600, 0, e);
	explicit_bzero(text.p, text.n);
	explicit_bzero(&t, sizeof t);
	buf_release(&text);
	return rc < 0 ? err_wrap(e, "the ticket for workers") : 0;
}

static void connect_close(struct backend *b)
{
	if (!b)
		return;
	pool_close(b->pool);
	if (b->ticket)
		unlink(b->ticket);
	free(b->ticket);
	free(b->notice);
	free(b);
}

static void say_who_is_missing(struct backend *b)
{
	struct buf text = { 0 };

	buf_printf(&text, "no worker is here: start some with gg worker --connect %s", b->ticket);
	b->notice = text.p;
}

static int open_pool(struct backend *b, const struct backend_opts *o, const struct words *w,
		     struct err *e)
{
	struct pool_opts po = { .o = o, .name = "connect", .unix_path = w->unix_path,
				.address = w->listen, .lease_s = w->lease_s };

	if (!w->unix_path && !w->listen)
		po.address = "127.0.0.1:0";
	if (w->unix_path && w->listen)
		return err_set(e, ERR_USAGE, "connect: say listen= or unix=, not both");
	if (!w->ticket)
		return err_set(e, ERR_USAGE, "connect: say where to write the ticket for "
			       "workers: ticket=FILE");
	return pool_open(&po, &b->pool, e);
}

static int connect_open(const struct backend_opts *o, const char *rest, struct backend **out,
			struct err *e)
{
	struct backend *b = memset(mem_alloc(sizeof *b), 0, sizeof *b);
	struct words w = { .lease_s = 0 };
	struct arena a = { 0 };
	int rc = engine_words_read("connect", rest, words, &a, &w, e);

	if (rc == 0)
		rc = open_pool(b, o, &w, e);
	if (rc == 0) {
		b->ticket = mem_str(w.ticket);
		rc = write_ticket(b, e);
	}
	arena_release(&a);
	if (rc < 0) {
		connect_close(b);
		return -1;
	}
	say_who_is_missing(b);
	*out = b;
	return 0;
}

static struct room connect_room(const struct backend *b)
{
	return pool_room(b->pool);
}

/* Nobody knows who will come. */
static bool connect_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	(void)b;
	(void)j;
	(void)e;
	return true;
}

static int connect_start(struct backend *b, struct job *j, struct err *e)
{
	return pool_start(b->pool, j, e);
}

static void connect_cancel(struct backend *b, struct job *j)
{
	pool_cancel(b->pool, j);
}

static void connect_stop(struct backend *b, struct job *j)
{
	pool_stop(b->pool, j);
}

static const char *connect_why_waiting(struct backend *b)
{
	return pool_n_workers(b->pool) ? pool_why_waiting(b->pool) : b->notice;
}

const struct backend_ops backend_connect = {
	.name = "connect",
	.help = "workers started by hand on any machine, by gg worker --connect",
	.words = words,
	.open = connect_open,
	.close = connect_close,
	.room = connect_room,
	.accepts = connect_accepts,
	.start = connect_start,
	.cancel = connect_cancel,
	.stop = connect_stop,
	.why_waiting = connect_why_waiting,
};
