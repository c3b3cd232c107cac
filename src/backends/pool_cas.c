/* pool_cas.c - objects and results for workers, straight from and into the store
 *
 * Any HTTP cache client with the token can use it.  What is put is checked
 * against its name; large bodies were received into an unlinked file in the
 * store's own folder, which is checked on another thread and then linked into
 * place.  Results can be read and not be written: only an answer to a request
 * makes one.
 */
#include "pool_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A body that is being checked, or an object that is being fetched. */
struct pool_fetching {
	struct pool_wait wait;          /* first; call NULL: its peer has gone */
	struct pool *p;
	struct pool_fetching *next, **at;
	struct id id;
	char worker[POOL_ID_ROOM];      /* of whoever asked, or "" */
	struct ref ref;                 /* GET */
	struct depot_fetch fetch;
	int fd;                         /* PUT */
	uint64_t n_bytes;
	struct id is;
	struct err err;
	bool has_failed;
};

static struct pool_fetching *begin(struct pool *p, struct serve_call *c, const struct id *id)
{
	struct pool_fetching *f = memset(mem_alloc(sizeof *f), 0, sizeof *f);
	const struct pool_peer *w = pool_peer_of(p, c);

	f->wait = (struct pool_wait){ .kind = WAIT_OBJECT, .call = c };
	f->p = p;
	f->id = *id;
	f->fd = -1;
	if (w)
		memcpy(f->worker, w->id, sizeof f->worker);
	c->data = &f->wait;
	f->next = p->fetching;
	f->at = &p->fetching;
	if (f->next)
		f->next->at = &f->next;
	p->fetching = f;
	return f;
}

static void end(struct pool_fetching *f)
{
	if (f->p) {
		*f->at = f->next;
		if (f->next)
			f->next->at = f->at;
	}
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

void pool_cas_gone(struct pool_wait *k)
{
	k->call = NULL;
}

/* A worker that has it needs not be sent it again. */
static void note_held(struct pool_peer *w, const struct id *id, uint64_t n_bytes)
{
	if (w)
		pool_holds_add(w, id, n_bytes);
}

/* ---- GET */

/* 0 answered, -1 the store has it not. */
static int answer_object(struct pool *p, struct serve_call *c, const struct id *id,
			 struct pool_peer *w)
{
	const char *headers[] = { "Content-Type: application/octet-stream", NULL };
	struct serve_answer a = { .status = 200, .headers = headers };
	bool is_get = strcmp(c->method, "GET") == 0;
	struct http_file f = { .fd = -1 };
	struct arena arena = { 0 };
	struct err ignored;
	struct stat st;
	int rc = store_open_large(p->b.store, id, &f.fd, &ignored);

	if (rc == 0 && f.fd >= 0 && fstat(f.fd, &st) == 0) {
		f.n_bytes = (uint64_t)st.st_size;
		a.file = &f;
		if (is_get)
			note_held(w, id, f.n_bytes);
	} else if (rc == 0) {
		rc = store_get(p->b.store, id, &arena, &a.body, &ignored);
	}
	if (rc == 0)
		serve_answer(c, &a);
	arena_release(&arena);
	return rc;
}

static void fetched(struct depot_fetch *d, const struct id *missing, const struct err *e)
{
	struct pool_fetching *f = d->arg;
	struct serve_call *c = f->wait.call;
	struct pool_peer *w = map_get(&f->p->by_id, bytes_str(f->worker));

	(void)missing;
	if (c && (e || answer_object(f->p, c, &f->id, w) < 0))
		pool_say(c, e && e->code == ERR_RETRY ? 503 : 404, "");
	end(f);
}

static void get(struct pool *p, struct serve_call *c, const struct id *id)
{
	struct pool_fetching *f;

	if (answer_object(p, c, id, pool_peer_of(p, c)) == 0)
		return;
	if (!p->b.depot || !depot_knows(p->b.depot, id)) {
		pool_say(c, 404, "");
		return;
	}
	f = begin(p, c, id);
	f->ref = (struct ref){ REF_VALUE, *id, NULL };
	f->fetch = (struct depot_fetch){ .refs = &f->ref, .n_refs = 1, .done = fetched, .arg = f };
	depot_fetch(p->b.depot, &f->fetch);
}

/* ---- PUT */

static void put_small(struct pool *p, struct serve_call *c, const struct id *id)
{
	struct id is = id_of(c->body);
	struct err e;

	if (!id_equal(&is, id)) {
		pool_say(c, 400, "these bytes have another name\n");
	} else if (store_put_named(p->b.store, id, c->body, &e) < 0) {
		pool_say(c, 507, "the store cannot keep it\n");
	} else {
		note_held(pool_peer_of(p, c), id, c->n_bytes);
		pool_say(c, 200, "");
	}
}

/* Off the loop: the file's name, and the file safe on disk. */
static void check_file(void *arg)
{
	static const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT }, { .tv_sec = STORE_OBJECT_TIME },
	};
	struct pool_fetching *f = arg;

	f->has_failed = id_of_fd(f->fd, &f->is, &f->n_bytes, &f->err) < 0;
	if (f->has_failed || !id_equal(&f->is, &f->id) || f->n_bytes <= STORE_SMALL)
		return;
	if (fchmod(f->fd, 0444) < 0 || futimens(f->fd, times) < 0 || fsync(f->fd) < 0) {
		f->has_failed = true;
		err_sys(&f->err, "an object that a worker sent");
	}
}

/* Give the unlinked file its name in the store.  false: it has to be copied. */
static bool link_in(struct pool *p, const struct pool_fetching *f)
{
	struct object_path at = store_object_path(&f->id);
	int dir = store_objects_fd(p->b.store);
	char self[64], folder[3] = { at.s[0], at.s[1], 0 };

	snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
	if (linkat(AT_FDCWD, self, dir, at.s, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST)
		return true;
	if (errno != ENOENT || (mkdirat(dir, folder, 0755) < 0 && errno != EEXIST))
		return false;
	return linkat(AT_FDCWD, self, dir, at.s, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST;
}

static void file_checked(void *arg)
{
	struct pool_fetching *f = arg;
	struct serve_call *c = f->wait.call;
	struct pool *p = f->p;
	int status = 200;
	struct id id;

	if (!p) {                       /* the pool was closed meanwhile */
		end(f);
		return;
	}
	if (f->has_failed)
		status = 507;
	else if (!id_equal(&f->is, &f->id))
		status = 400;
	else if (!store_has(p->b.store, &f->id) &&
		 (f->n_bytes <= STORE_SMALL || !link_in(p, f)) &&
		 store_put_fd(p->b.store, f->fd, &id, &f->err) < 0)
		status = 507;
	if (status == 200)
		note_held(map_get(&p->by_id, bytes_str(f->worker)), &f->id, f->n_bytes);
	if (c)
		pool_say(c, status, "");
	end(f);
}

static void put(struct pool *p, struct serve_call *c, const struct id *id)
{
	struct pool_fetching *f;

	if (c->body_fd < 0) {
		put_small(p, c, id);
		return;
	}
	f = begin(p, c, id);
	f->fd = fcntl(c->body_fd, F_DUPFD_CLOEXEC, 3);
	if (f->fd < 0) {
		pool_say(c, 507, "");
		end(f);
		return;
	}
	loop_work(p->b.loop, check_file, file_checked, f);
}

/* ---- both */

void pool_cas(struct pool *p, struct serve_call *c, const struct id *id)
{
	if (strcmp(c->method, "PUT") == 0)
		put(p, c, id);
	else
		get(p, c, id);
}

void pool_ac(struct pool *p, struct serve_call *c, const struct id *id)
{
	struct arena a = { 0 };
	struct result r;
	struct buf text = { 0 };
	struct err e;

	if (store_get_result(p->b.store, id, &a, &r, &e) < 0 || result_encode(&r, &text, &e) < 0)
		pool_say(c, 404, "");
	else
		serve_answer(c, &(struct serve_answer){ .status = 200, .body = buf_bytes(&text) });
	buf_release(&text);
	arena_release(&a);
}

/* What is on another thread comes back to nobody. */
void pool_cas_close(struct pool *p)
{
	while (p->fetching) {
		struct pool_fetching *f = p->fetching;

		p->fetching = f->next;
		f->wait.call = NULL;
		if (f->fd < 0) {
			depot_cancel_fetch(p->b.depot, &f->fetch);
			free(f);
		} else {
			f->p = NULL;
		}
	}
}
