/* push_object.c - one object, or a signed text, to the places where it belongs
 *
 * A place after the other; the compressed form is made once, by another thread
 * when it is large.  A large object is asked for before it is sent, a small one
 * is sent at once.  What was seen to be damaged at a place is replaced.
 *
 * When a place rests, what was written behind waits until it is asked again,
 * and holds no memory meanwhile.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "depot_private.h"

enum { FRESH_S = 3 * 24 * 3600 };       /* less than any sensible grace period */

enum form { FORM_UNKNOWN, FORM_PLAIN, FORM_PACKED };

struct putting {
	struct depot *d;
	struct id id;
	bool is_text;                   /* ac/: text, else cas/: the object */
	struct bytes text;              /* ours */
	struct putting *queued;
	struct putting *next, **at;
	struct put_wait *waits;
	uint32_t to, done, tried;       /* places, as bits */
	bool insists;
	size_t i;                       /* the place that is being written */
	struct remote_call call;
	char key[KEY_ROOM];
	bool is_calling, is_later;
	bool replaces;                  /* what is at this place is old or bad */
	/* Its bytes, from the time it is begun. */
	uint64_t n_bytes, n_packed;
	enum form form;
	struct arena arena;
	struct bytes small;
	struct buf packed;
	int fd;                         /* of a large one */
	bool has_temp;
	struct store_temp temp;
	struct http_file file;
	struct packing *packing;
	struct err err;
};

/* What the other thread works on. */
struct packing {
	struct putting *p;
	int in_fd, out_fd, rc;
	uint64_t n_bytes, n_out;
	struct err err;
};

static void put_next(struct putting *p);
static void pump_soon(struct depot *d);

/* ---- its bytes */

static void drop_bytes(struct putting *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	if (p->has_temp)
		store_temp_drop(p->d->store, &p->temp);
	p->has_temp = false;
	buf_release(&p->packed);
	p->packed = (struct buf){ 0 };
	arena_release(&p->arena);
	p->arena = (struct arena){ 0 };
	p->small = (struct bytes){ 0 };
	p->form = FORM_UNKNOWN;
}

static int open_bytes(struct putting *p, struct err *e)
{
	if (p->is_text) {
		p->n_bytes = p->text.n;
		p->small = p->text;
		p->form = FORM_PLAIN;
		return 0;
	}
	if (p->fd >= 0 || p->small.p)
		return 0;
	if (store_size(p->d->store, &p->id, &p->n_bytes, e) < 0 ||
	    store_open_large(p->d->store, &p->id, &p->fd, e) < 0)
		return -1;
	if (p->fd >= 0)
		return 0;
	return store_get(p->d->store, &p->id, &p->arena, &p->small, e);
}

static void send(struct putting *p);

static void pack(void *arg)
{
	struct packing *k = arg;

	k->rc = codec_pack_fd(k->in_fd, k->n_bytes, k->out_fd, &k->n_out, &k->err);
}

static void packed(void *arg)
{
	struct packing *k = arg;
	struct putting *p = k->p;

	close(k->in_fd);
	close(k->out_fd);
	if (p) {
		p->packing = NULL;
		/* It can still go as it is. */
		p->form = k->rc > 0 ? FORM_PACKED : FORM_PLAIN;
		p->n_packed = k->n_out;
		send(p);
	}
	free(k);
}

static int begin_packing(struct putting *p)
{
	struct packing *k;
	struct err e;

	if (store_temp_open(p->d->store, &p->temp, &e) < 0)
		return -1;
	p->has_temp = true;
	k = memset(mem_alloc(sizeof *k), 0, sizeof *k);
	k->p = p;
	k->in_fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 3);
	k->out_fd = fcntl(p->temp.fd, F_DUPFD_CLOEXEC, 3);
	if (k->in_fd < 0 || k->out_fd < 0)
		abort();
	k->n_bytes = p->n_bytes;
	p->packing = k;
	loop_work(p->d->loop, pack, packed, k);
	return 0;
}

/* The form in which it travels is known; false: another thread is at it. */
static bool has_form(struct putting *p)
{
	if (p->d->places[p->i].r.is_plain || p->form != FORM_UNKNOWN)
		return true;
	if (p->fd >= 0 && begin_packing(p) == 0)
		return false;
	p->form = p->fd < 0 && codec_pack(p->small, &p->packed) ? FORM_PACKED : FORM_PLAIN;
	return true;
}

/* ---- its end */

static void unlink_putting(struct putting *p)
{
	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
}

static void free_putting(struct putting *p)
{
	drop_bytes(p);
	unlink_putting(p);
	free((void *)p->text.p);
	free(p);
}

static void end(struct putting *p)
{
	struct depot *d = p->d;
	uint32_t at = p->is_text ? p->done : known_places(d, &p->id);
	const struct err why = p->err, *e = why.code ? &why : NULL;

	if (!p->is_text)
		known_at(d, &p->id)->put = NULL;
	while (p->waits) {
		struct put_wait *w = p->waits;

		p->waits = w->next;
		w->done(w, &p->id, at, e);
	}
	free_putting(p);
	d->n_puts--;
	behind_ended(d, e);
	pump_soon(d);
}

/* One place is dealt with. */
static void placed(struct putting *p, bool is_there, const struct err *e)
{
	struct depot *d = p->d;
	uint32_t bit = 1u << p->i;

	p->replaces = false;

	p->tried |= bit;
	if (is_there)
		p->done |= bit;
	if (is_there && !p->is_text) {
		struct known *k = known_at(d, &p->id);

		k->at |= bit;
		k->bad &= ~bit;
	}
	if (e && !p->err.code)
		p->err = *e;
	put_next(p);
}

/* ---- asking and sending */

static void failed(struct putting *p, const struct err *e)
{
	struct depot *d = p->d;
	struct err copy = *e;

	place_failed(d, p->i, WAY_OUT, &copy);
	/* A place that is down is asked again; put_next sees to that. */
	if (copy.code == ERR_RETRY && !p->insists && !d->drains)
		put_next(p);
	else
		placed(p, false, &copy);
}

static void start(struct putting *p)
{
	struct place *t = &p->d->places[p->i];
	struct err e;

	if (t->r.ops->start(t->r.remote, &p->call, &e) < 0) {
		failed(p, &e);
		return;
	}
	p->is_calling = true;
}

/* Written so long ago that gg remote gc may be about to remove it: then it is written
 * again. */
static bool is_old(int64_t modified_s)
{
	return modified_s && modified_s + FRESH_S < time(NULL);
}

static void look(struct putting *p);

static void sent(struct remote_call *c, const struct remote_answer *a, const struct err *e)
{
	struct putting *p = c->arg;
	struct depot *d = p->d;

	p->is_calling = false;
	if (e) {
		failed(p, e);
		return;
	}
	place_answered(d, p->i, WAY_OUT);
	if (a->was_there && !a->modified_s && !p->replaces) {
		look(p);
		return;
	}
	if (a->was_there && is_old(a->modified_s)) {
		p->replaces = true;
		send(p);
		return;
	}
	d->counts.n_published += p->is_text;
	if (!p->is_text && !a->was_there) {
		d->counts.n_pushed++;
		d->counts.pushed_bytes += p->n_bytes;
	}
	if (!a->was_there)
		d->counts.wire_out_bytes += c->from ? c->from->n_bytes : c->body.n;
	placed(p, true, NULL);
}

static void send(struct putting *p)
{
	struct depot *d = p->d;
	bool is_packed;

	if (!has_form(p))
		return;
	is_packed = p->form == FORM_PACKED && !d->places[p->i].r.is_plain;
	p->call = (struct remote_call){ .verb = REMOTE_PUT, .key = p->key, .done = sent,
					.only_new = !p->is_text && !p->replaces, .arg = p };
	if (p->fd >= 0) {
		p->file = (struct http_file){ .fd = is_packed ? p->temp.fd : p->fd,
					      .n_bytes = is_packed ? p->n_packed : p->n_bytes };
		p->call.from = &p->file;
	} else {
		p->call.body = is_packed ? buf_bytes(&p->packed) : p->small;
	}
	start(p);
}

static void looked(struct remote_call *c, const struct remote_answer *a, const struct err *e)
{
	struct putting *p = c->arg;

	p->is_calling = false;
	p->replaces = !e && is_old(a->modified_s);
	if (!e && !p->replaces)
		placed(p, true, NULL);
	else if (e && e->code == ERR_RETRY)
		failed(p, e);
	else
		send(p);
}

static void look(struct putting *p)
{
	p->call = (struct remote_call){ .verb = REMOTE_HEAD, .key = p->key, .done = looked,
					.arg = p };
	start(p);
}

static void begin(struct putting *p)
{
	struct err e;

	if (open_bytes(p, &e) < 0) {
		p->to = p->tried = 0;
		p->insists = false;
		p->err = e;
		end(p);
		return;
	}
	p->replaces = !p->is_text && (known_at(p->d, &p->id)->bad & 1u << p->i);
	if (p->fd < 0 || p->replaces)
		send(p);
	else
		look(p);
}

/* ---- which place is next */

static void again(void *arg)
{
	struct depot *d = arg;

	d->again = NULL;
	for (struct putting *p = d->puts; p; p = p->next) {
		if (!p->is_later)
			continue;
		p->is_later = false;
		*d->put_end = p;
		p->queued = NULL;
		d->put_end = &p->queued;
	}
	d->n_later = 0;
	pump_soon(d);
}

/* Let it wait until a place has rested, without its bytes. */
static void wait_for_place(struct putting *p)
{
	struct depot *d = p->d;
	uint64_t now = loop_now_ms(d->loop), until = UINT64_MAX;

	drop_bytes(p);
	p->is_later = true;
	d->n_later++;
	d->n_puts--;
	for (size_t i = 0; i < d->n_places; i++)
		if ((p->to & ~p->tried & 1u << i) && d->places[i].rests_until_ms[WAY_OUT] < until)
			until = d->places[i].rests_until_ms[WAY_OUT];
	if (!d->again)
		d->again = loop_after(d->loop, until > now ? until - now + 1 : 1, again, d);
	pump_soon(d);
}

static void put_next(struct putting *p)
{
	struct depot *d = p->d;
	bool rests = false;

	for (size_t i = 0; i < d->n_places; i++) {
		if (!(p->to & ~p->tried & 1u << i))
			continue;
		p->i = i;
		if (!p->is_text && (known_places(d, &p->id) & 1u << i)) {
			placed(p, true, NULL);
			return;
		}
		if (place_is_up(d, i, WAY_OUT)) {
			begin(p);
			return;
		}
		if (p->insists || d->drains) {
			placed(p, false, &d->places[i].why[WAY_OUT]);
			return;
		}
		rests = true;
	}
	if (rests) {
		wait_for_place(p);
		return;
	}
	if (p->insists && !known_places(d, &p->id)) {
		p->to |= depot_next_target(d, p->n_bytes, p->tried);
		if (p->to & ~p->tried) {
			put_next(p);
			return;
		}
		if (!p->err.code)
			err_set(&p->err, ERR_REFUSED, "no remote can be written to");
	} else if (p->insists) {
		p->err.code = ERR_NONE;         /* one place is enough */
	}
	end(p);
}

/* ---- beginnings */

static void pump(void *arg)
{
	struct depot *d = arg;

	d->puts_soon = false;
	while (d->put_first && d->n_puts < PUTS_MAX) {
		struct putting *p = d->put_first;

		d->put_first = p->queued;
		if (!d->put_first)
			d->put_end = &d->put_first;
		d->n_puts++;
		put_next(p);
	}
}

static void pump_soon(struct depot *d)
{
	if (d->puts_soon || !d->put_first)
		return;
	d->puts_soon = true;
	depot_soon(d, pump, d);
}

static struct putting *new_putting(struct depot *d, const struct id *id, uint32_t to)
{
	struct putting *p = memset(mem_alloc(sizeof *p), 0, sizeof *p);

	p->d = d;
	p->id = *id;
	p->to = to;
	p->fd = -1;
	p->next = d->puts;
	p->at = &d->puts;
	if (p->next)
		p->next->at = &p->next;
	d->puts = p;
	*d->put_end = p;
	d->put_end = &p->queued;
	d->n_behind++;
	pump_soon(d);
	return p;
}

void put_object(struct depot *d, const struct id *id, uint32_t to, bool insists,
		struct put_wait *w)
{
	struct known *k = known_at(d, id);

	if (!k->put) {
		k->put = new_putting(d, id, to);
		object_key(k->put->key, "cas", id);
	}
	k->put->to |= to;
	k->put->insists |= insists;
	if (insists && k->put->is_later)
		puts_hurry(d);
	if (!w)
		return;
	w->next = k->put->waits;
	k->put->waits = w;
}

void put_text(struct depot *d, const struct id *name, struct bytes text, uint32_t to)
{
	struct putting *p = new_putting(d, name, to);

	p->is_text = true;
	p->text = (struct bytes){ memcpy(mem_alloc(text.n + 1), text.p, text.n), text.n };
	object_key(p->key, "ac", name);
}

void puts_hurry(struct depot *d)
{
	if (!d->n_later)
		return;
	loop_cancel(d->again);
	again(d);
}

void puts_free(struct depot *d)
{
	while (d->puts) {
		struct putting *p = d->puts;

		if (p->is_calling)
			d->places[p->i].r.ops->cancel(d->places[p->i].r.remote, &p->call);
		if (p->packing)
			p->packing->p = NULL;
		free_putting(p);
	}
}
