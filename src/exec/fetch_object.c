/* fetch_object.c - one object, from the nearest remote that really has it
 *
 * Small blobs come to memory, larger ones to a file in the store's own folder,
 * which is renamed into place once another thread has seen that it has the
 * name: nothing is copied.  What has not the name is a miss, told once for each
 * remote, and the next remote is asked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "depot_private.h"
#include "file.h"

struct getting {
	struct depot *d;
	struct id id;
	struct getting *queued;         /* the next one in the queue */
	struct getting *next, **at;     /* among all */
	struct get_wait *waits;
	struct remote_call call;
	char key[KEY_ROOM];
	size_t i;                       /* the place that is asked */
	uint32_t missed;                /* places that did not have it */
	bool is_calling, has_temp, was_down;
	struct store_temp temp;
	struct http_file file;
	struct landing *landing;
};

/* A blob in a file, between its arrival and its place in the store: what the
 * other thread works on, which is its own. */
struct landing {
	struct getting *g;              /* NULL: nobody wants it any more */
	struct id id;
	char *body;                     /* of n_body bytes, to be written first */
	size_t n_body;
	struct store_temp out;
	int in_fd, out_fd;              /* duplicates */
	int rc;                         /* as codec_unpack_fd */
	struct err err;
};

static void ask_next(struct getting *g);

static void drop_temp(struct getting *g)
{
	if (g->has_temp)
		store_temp_drop(g->d->store, &g->temp);
	g->has_temp = false;
}

static void free_getting(struct getting *g)
{
	drop_temp(g);
	*g->at = g->next;
	if (g->next)
		g->next->at = g->at;
	free(g);
}

static void pump_soon(struct depot *d);

static void end(struct getting *g, const struct err *e)
{
	struct depot *d = g->d;

	known_at(d, &g->id)->get = NULL;
	while (g->waits) {
		struct get_wait *w = g->waits;

		g->waits = w->next;
		w->done(w, &g->id, e);
	}
	free_getting(g);
	d->n_gets--;
	pump_soon(d);
}

/* It is in the store now: nearer places that lack it get it too. */
static void arrived(struct getting *g, uint64_t n_bytes)
{
	struct depot *d = g->d;
	uint32_t to = 0;

	known_at(d, &g->id)->at |= 1u << g->i;
	for (size_t j = 0; j < g->i; j++)
		if (!d->places[j].r.is_read_only && (g->missed & 1u << j) &&
		    place_takes(&d->places[j], n_bytes))
			to |= 1u << j;
	d->counts.n_fetched++;
	d->counts.fetched_bytes += n_bytes;
	if (to)
		put_object(d, &g->id, to, false, NULL);
	end(g, NULL);
}

/* What came is not what was asked for. */
static void lied(struct getting *g)
{
	struct depot *d = g->d;
	struct known *k = known_at(d, &g->id);

	k->at &= ~(1u << g->i);
	k->bad |= 1u << g->i;
	g->missed |= 1u << g->i;
	d->counts.n_bad++;
	depot_tell(d, g->i, CAUSE_LIAR, "%s was damaged there: its bytes do not have its name; "
		   "it is taken from elsewhere or made again", g->key);
	g->i++;
	ask_next(g);
}

/* ---- landing */

static void land(void *arg)
{
	struct landing *l = arg;

	if (l->body && file_write_fd(l->in_fd, l->body, l->n_body) < 0)
		l->rc = err_sys(&l->err, "writing what came");
	else
		l->rc = codec_unpack_fd(l->in_fd, &l->id, l->out_fd, &l->err);
	if (l->rc >= 0) {
		struct store_temp t = { .fd = l->rc ? l->out_fd : l->in_fd,
					.is_volatile = l->out.is_volatile };

		if (store_temp_seal(&t, &l->err) < 0)
			l->rc = -1;
	}
}

static void free_landing(struct landing *l)
{
	close(l->in_fd);
	close(l->out_fd);
	free(l->body);
	free(l);
}

static void landed(void *arg)
{
	struct landing *l = arg;
	struct getting *g = l->g;
	struct store *s = g ? g->d->store : NULL;
	struct store_temp in;
	struct stat st;
	int rc = l->rc;
	struct err e = l->err;

	if (!g) {
		free_landing(l);
		return;
	}
	g->landing = NULL;
	in = g->temp;
	g->has_temp = false;
	if (rc >= 0 && fstat(rc ? l->out_fd : l->in_fd, &st) < 0)
		rc = err_sys(&e, "what came");
	if (rc >= 0) {
		store_temp_drop(s, rc ? &in : &l->out);
		rc = store_temp_keep(s, rc ? &l->out : &in, &l->id, &e);
	} else {
		store_temp_drop(s, &in);
		store_temp_drop(s, &l->out);
	}
	free_landing(l);
	if (rc == 0)
		arrived(g, (uint64_t)st.st_size);
	else if (e.code == ERR_BAD)
		lied(g);
	else
		end(g, &e);
}

/* A duplicate for the other thread, which outlives the depot if it must. */
static int twin(int fd)
{
	int t = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (t < 0)
		abort();
	return t;
}

static int begin_landing(struct getting *g, struct bytes body, struct err *e)
{
	struct store *s = g->d->store;
	struct landing *l;
	struct store_temp out;

	if (store_temp_open(s, &out, e) < 0)
		return -1;
	if (!g->has_temp && store_temp_open(s, &g->temp, e) < 0) {
		store_temp_drop(s, &out);
		return -1;
	}
	g->has_temp = true;
	l = memset(mem_alloc(sizeof *l), 0, sizeof *l);
	l->g = g;
	l->id = g->id;
	l->out = out;
	l->in_fd = twin(g->temp.fd);
	l->out_fd = twin(out.fd);
	if (body.n) {
		l->body = memcpy(mem_alloc(body.n), body.p, body.n);
		l->n_body = body.n;
	}
	g->landing = l;
	loop_work(g->d->loop, land, landed, l);
	return 0;
}

/* A small one is checked here and now.  1 kept, 0 it needs more room, -1. */
static int keep_small(struct getting *g, struct bytes blob, uint64_t *n_bytes, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = 0;

	if (blob.n <= STORE_SMALL && codec_unpack(blob, &g->id, STORE_SMALL, &a, &b, e) == 0) {
		*n_bytes = b.n;
		rc = store_put_named(g->d->store, &g->id, b, e) < 0 ? -1 : 1;
	}
	arena_release(&a);
	return rc;
}

static void take_body(struct getting *g, struct bytes body)
{
	struct err e;
	uint64_t n_bytes;
	int rc = keep_small(g, body, &n_bytes, &e);

	if (rc == 0 && body.n == 0)
		lied(g);                /* what is empty was checked */
	else if (rc > 0)
		arrived(g, n_bytes);
	else if (rc < 0 || begin_landing(g, body, &e) < 0)
		end(g, &e);
}

/* ---- asking */

/* It is large: again, to a file. */
static void ask_for_file(struct getting *g)
{
	struct place *p = &g->d->places[g->i];
	struct err e;

	if (!g->has_temp && store_temp_open(g->d->store, &g->temp, &e) < 0) {
		end(g, &e);
		return;
	}
	g->has_temp = true;
	if (ftruncate(g->temp.fd, 0) < 0) {
		err_sys(&e, "a temporary object");
		end(g, &e);
		return;
	}
	g->file = (struct http_file){ .fd = g->temp.fd, .n_bytes = INT64_MAX };
	g->call.to = &g->file;
	if (p->r.ops->start(p->r.remote, &g->call, &e) < 0) {
		place_failed(g->d, g->i++, WAY_IN, &e);
		ask_next(g);
		return;
	}
	g->is_calling = true;
}

/* What an earlier try left behind the end of the blob goes. */
static int cut(const struct getting *g, uint64_t n_bytes, struct err *e)
{
	return ftruncate(g->temp.fd, (off_t)n_bytes) < 0 ? err_sys(e, "a temporary object") : 0;
}

static void got(struct remote_call *c, const struct remote_answer *a, const struct err *e)
{
	struct getting *g = c->arg;
	struct depot *d = g->d;
	struct err mine;

	g->is_calling = false;
	if (!e || e->code == ERR_MISSING)
		place_answered(d, g->i, WAY_IN);
	if (!e) {
		d->counts.wire_in_bytes += c->to ? a->n_bytes : a->body.n;
		if (!c->to)
			take_body(g, a->body);
		else if (cut(g, a->n_bytes, &mine) < 0 ||
			 begin_landing(g, (struct bytes){ 0 }, &mine) < 0)
			end(g, &mine);
		return;
	}
	if (e->code == ERR_REFUSED && !c->to && a->n_bytes > GET_MEMORY) {
		ask_for_file(g);
		return;
	}
	if (e->code == ERR_MISSING) {
		g->missed |= 1u << g->i;
		known_at(d, &g->id)->at &= ~(1u << g->i);
	} else {
		g->was_down |= e->code == ERR_RETRY;
		place_failed(d, g->i, WAY_IN, e);
	}
	g->i++;
	ask_next(g);
}

static void not_found(struct getting *g)
{
	struct err e;

	if (g->was_down)
		err_set(&e, ERR_RETRY, "object %.12s... cannot be had: a remote does not answer, "
			"and the others do not have it", id_hex(&g->id).s);
	else
		err_set(&e, ERR_MISSING, "object %.12s... is in no remote", id_hex(&g->id).s);
	end(g, &e);
}

static void ask_next(struct getting *g)
{
	struct depot *d = g->d;
	struct err e;

	for (; g->i < d->n_places; g->i++) {
		struct place *p = &d->places[g->i];

		if (!place_is_up(d, g->i, WAY_IN)) {
			g->was_down = true;
			continue;
		}
		g->call = (struct remote_call){ .verb = REMOTE_GET, .key = g->key,
						.max_bytes = GET_MEMORY, .done = got, .arg = g };
		if (p->r.ops->start(p->r.remote, &g->call, &e) == 0) {
			g->is_calling = true;
			return;
		}
		place_failed(d, g->i, WAY_IN, &e);
	}
	not_found(g);
}

static bool is_wanted(const struct getting *g)
{
	for (const struct get_wait *w = g->waits; w; w = w->next)
		if (w->is_wanted(w))
			return true;
	return false;
}

static void pump(void *arg)
{
	struct depot *d = arg;
	struct err e;

	d->gets_soon = false;
	while (d->get_first && d->n_gets < GETS_MAX) {
		struct getting *g = d->get_first;

		d->get_first = g->queued;
		if (!d->get_first)
			d->get_end = &d->get_first;
		d->n_gets++;
		if (is_wanted(g)) {
			ask_next(g);
			continue;
		}
		err_set(&e, ERR_RETRY, "given up");
		end(g, &e);
	}
}

/* Not from inside an end: thousands may end at once. */
static void pump_soon(struct depot *d)
{
	if (d->gets_soon || !d->get_first)
		return;
	d->gets_soon = true;
	depot_soon(d, pump, d);
}

void get_object(struct depot *d, const struct id *id, struct get_wait *w)
{
	struct known *k = known_at(d, id);
	struct getting *g = k->get;

	if (!g) {
		g = memset(mem_alloc(sizeof *g), 0, sizeof *g);
		g->d = d;
		g->id = *id;
		g->next = d->gets;
		g->at = &d->gets;
		if (g->next)
			g->next->at = &g->next;
		d->gets = g;
		k->get = g;
		object_key(g->key, "cas", id);
		*d->get_end = g;
		d->get_end = &g->queued;
		pump_soon(d);
	}
	w->next = g->waits;
	g->waits = w;
}

void gets_free(struct depot *d)
{
	while (d->gets) {
		struct getting *g = d->gets;

		if (g->is_calling)
			d->places[g->i].r.ops->cancel(d->places[g->i].r.remote, &g->call);
		if (g->landing) {
			g->landing->g = NULL;
			store_temp_drop(d->store, &g->landing->out);
		}
		free_getting(g);
	}
}
