/* worker_connect.c - a worker of a pool
 *
 * It says hello, waits for work in every slot (worker_slot.c), and beats.  Beats
 * go on whatever runs, so that a long step keeps its lease.  Whatever is not
 * answered is tried again with growing pauses, and any answer ends the pauses;
 * after patience_s without one the dispatcher is taken for gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker_link.h"

enum {
	PAUSE_MS = 100, PAUSE_MAX_MS = 5000, PATIENCE_S = 60, GONE_S = 5,
	BEAT_TIMEOUT_MS = 20000, SMALL_MAX = 1 << 20,
};

static void say_hello(struct link *k);

/* ---- ends */

/* The first error counts. */
static void link_fail(struct link *k, enum err_code code, const char *why)
{
	if (!k->has_failed)
		err_set(&k->err, code, "%s: %s", k->o->ticket->url, why);
	k->has_failed = k->is_over = k->wakes = true;
}

static bool is_busy(const struct link *k)
{
	for (unsigned i = 0; i < k->o->n_slots; i++)
		if (k->slots[i].state >= SLOT_WORKING)
			return true;
	return false;
}

void link_look_for_end(struct link *k)
{
	if (k->ends && !is_busy(k) && (k->has_said_so || !k->is_welcome))
		k->is_over = k->wakes = true;
}

static void stop_asking(struct link *k)
{
	for (unsigned i = 0; i < k->o->n_slots; i++) {
		struct slot *s = &k->slots[i];

		if (s->state != SLOT_WAITING && s->state != SLOT_PAUSED)
			continue;
		if (s->http)
			http_cancel(s->http);
		loop_cancel(s->timer);
		s->http = NULL;
		s->timer = NULL;
		s->state = SLOT_IDLE;
	}
}

/* ---- what goes wrong */

/* An answer came, of whatever kind: the dispatcher is there. */
void link_heard(struct link *k)
{
	k->heard_ms = loop_now_ms(k->loop);
	k->pause_ms = PAUSE_MS;
}

/* Nobody else will ever listen at the socket of a run that is over. */
static double patience_s(const struct link *k)
{
	double usual = k->unix_path && k->is_welcome ? GONE_S : PATIENCE_S;

	return k->o->patience_s > 0 ? k->o->patience_s : usual;
}

/* How long to wait before the next try; 0: it is of no use. */
uint32_t link_pause(struct link *k, const struct err *e)
{
	uint64_t now = loop_now_ms(k->loop);
	uint32_t ms = k->pause_ms;
	char why[900];

	if ((double)(now - k->heard_ms) / 1000 > patience_s(k)) {
		snprintf(why, sizeof why, "the dispatcher has been silent for %.0f s: %.700s",
			 patience_s(k), e->text);
		link_fail(k, ERR_RETRY, why);
		return 0;
	}
	/* All slots fail at once, which is one failure. */
	if (now >= k->grows_ms) {
		k->pause_ms = ms * 2 < PAUSE_MAX_MS ? ms * 2 : PAUSE_MAX_MS;
		k->grows_ms = now + ms;
	}
	return ms;
}

/* Statuses that are about this worker as a whole: true if that was one. */
bool link_is_about_us(struct link *k, int status)
{
	if (status == 401) {
		link_fail(k, ERR_REFUSED, "the dispatcher does not know the ticket's token: is it "
		     "a ticket of another run?");
		return true;
	}
	if (status == 403) {            /* it has no more use for us */
		k->ends = k->has_said_so = true;
		stop_asking(k);
		link_look_for_end(k);
		return true;
	}
	return false;
}

/* The dispatcher does not know this worker (any more): its lease had ended. */
void link_join_again(struct link *k)
{
	if (!k->is_welcome)
		return;
	if (k->has_rejoined) {
		link_fail(k, ERR_REFUSED, "the dispatcher does not know this worker, although it "
		     "has just said hello");
		return;
	}
	k->has_rejoined = true;
	k->is_welcome = false;
	stop_asking(k);
	say_hello(k);
}

void link_send(struct link *k, struct http_request *q, const char *path,
	       struct bytes body, struct http_call **out)
{
	const char *type = body.n && body.p[0] != '{' ? MESSAGE_TYPE_PARTS : MESSAGE_TYPE_JSON;
	struct arena a = { 0 };
	const char *headers[] = {
		k->authorization, arena_printf(&a, "Content-Type: %s", type),
		k->is_welcome ? k->as : NULL, NULL
	};
	struct err e;

	q->headers = headers;
	q->body = body;
	q->url = arena_printf(&a, "%s%s", k->base, path);
	q->unix_path = k->unix_path;
	q->pinned_key = k->pinned_key;
	if (http_start(k->o->http, q, out, &e) < 0)
		link_fail(k, e.code, e.text);
	arena_release(&a);
}

/* ---- beats */

static void send_beat(void *arg);

static void beat_later(struct link *k, double seconds)
{
	loop_cancel(k->beat_timer);
	k->beat_timer = loop_after(k->loop, (uint64_t)(seconds * 1000), send_beat, k);
}

static void each_named(struct link *k, const struct strs *ids,
		       void (*fn)(struct worker *w, struct worker_call *c))
{
	for (size_t n = 0; n < ids->n; n++)
		for (unsigned i = 0; i < k->o->n_slots; i++)
			if (k->slots[i].state == SLOT_WORKING &&
			    strcmp(k->slots[i].id, ids->v[n]) == 0)
				fn(k->w, &k->slots[i].call);
}

static void take_orders(struct link *k, struct bytes json)
{
	struct arena a = { 0 };
	struct orders o = { .retire = false };
	struct err e;

	if (words_read_beat(json, &a, &o, &e) < 0)
		worker_tell(k->w, "%s", e.text);
	each_named(k, &o.cancel, worker_cancel);
	each_named(k, &o.stop, worker_call_stop);
	if (o.retire && !k->ends) {
		k->ends = true;
		stop_asking(k);
	}
	strs_release(&o.cancel);
	strs_release(&o.stop);
	arena_release(&a);
}

static void on_beat(void *arg, const struct http_answer *a, const struct err *e)
{
	struct link *k = arg;

	k->beat = NULL;
	if (e && link_pause(k, e)) {
		/* The connections that wait for work may be dead without knowing
		 * it: they are made again. */
		stop_asking(k);
		beat_later(k, (double)k->pause_ms / 1000);
		return;
	}
	if (e)
		return;
	link_heard(k);
	if (link_is_about_us(k, a->status))
		return;
	if (a->status == 410) {
		link_join_again(k);
		return;
	}
	if (a->status == 200) {
		worker_news_told(k->w, &k->told);
		k->has_rejoined = false;
		k->has_said_so = k->ends;
		take_orders(k, a->body);
	}
	for (unsigned i = 0; i < k->o->n_slots && !k->ends; i++)
		if (k->slots[i].state == SLOT_IDLE)
			slot_wait(&k->slots[i]);
	beat_later(k, k->ends && !k->has_said_so ? 0 : k->welcome.beat_s);
	link_look_for_end(k);
}

static void send_beat(void *arg)
{
	struct link *k = arg;
	struct arena a = { 0 };
	const char **running = arena_alloc(&a, (k->o->n_slots + 1) * sizeof *running);
	struct http_request q = {
		.method = "POST", .total_ms = BEAT_TIMEOUT_MS, .max_bytes = SMALL_MAX,
		.done = on_beat, .arg = k,
	};
	size_t n = 0;

	k->beat_timer = NULL;
	for (unsigned i = 0; i < k->o->n_slots; i++)
		if (k->slots[i].state == SLOT_WORKING || k->slots[i].state == SLOT_ANSWERING)
			running[n++] = k->slots[i].id;
	worker_news(k->w, &k->told);
	buf_reset(&k->words);
	words_beat(&k->told, running, n, k->ends, &k->words);
	link_send(k, &q, "/gg/1/beat", buf_bytes(&k->words), &k->beat);
	arena_release(&a);
}

/* ---- hello */

static void hello_again(void *arg)
{
	struct link *k = arg;

	k->hello_timer = NULL;
	say_hello(k);
}

static void on_welcome(void *arg, const struct http_answer *a, const struct err *e)
{
	struct link *k = arg;
	struct err why;
	uint32_t ms;

	k->hello = NULL;
	if (!e) {
		link_heard(k);
		if (link_is_about_us(k, a->status))
			return;
		if (a->status == 200 && words_read_welcome(a->body, &k->welcome, &why) < 0) {
			link_fail(k, why.code, why.text);
			return;
		}
		err_set(&why, ERR_RETRY, "status %d instead of a welcome", a->status);
	}
	if (e || a->status != 200) {
		ms = link_pause(k, e ? e : &why);
		if (ms)
			k->hello_timer = loop_after(k->loop, ms, hello_again, k);
		return;
	}
	worker_news_told(k->w, &k->told);
	k->as = arena_printf(&k->arena, "Gg-Worker: %s", k->welcome.name);
	k->is_welcome = true;
	beat_later(k, k->welcome.beat_s);
	for (unsigned i = 0; i < k->o->n_slots && !k->ends; i++)
		if (k->slots[i].state == SLOT_IDLE)
			slot_wait(&k->slots[i]);
	link_look_for_end(k);
}

static void say_hello(struct link *k)
{
	struct http_request q = {
		.method = "POST", .total_ms = BEAT_TIMEOUT_MS, .max_bytes = SMALL_MAX,
		.done = on_welcome, .arg = k,
	};

	if (k->beat)
		http_cancel(k->beat);
	loop_cancel(k->beat_timer);
	k->beat = NULL;
	k->beat_timer = NULL;
	worker_news(k->w, &k->told);
	buf_reset(&k->words);
	words_hello(k->w, k->o, &k->words);
	link_send(k, &q, "/gg/1/hello", buf_bytes(&k->words), &k->hello);
}

/* ---- the whole */

static void read_ticket(struct link *k)
{
	static const char unix_scheme[] = "unix:";
	const struct ticket *t = k->o->ticket;

	k->base = t->url;
	if (strncmp(t->url, unix_scheme, sizeof unix_scheme - 1) == 0) {
		k->base = "http://dispatcher";
		k->unix_path = t->url + sizeof unix_scheme - 1;
	}
	k->authorization = arena_printf(&k->arena, "Authorization: Bearer %s", t->token);
	k->pinned_key = t->key[0] ? t->key : NULL;
}

static int open_home(struct link *k, struct remote **out, const struct remote_ops **ops,
		     struct err *e)
{
	struct remote_opts o = { .loop = k->loop, .http = k->o->http,
				 .token = k->o->ticket->token, .unix_path = k->unix_path,
				 .pinned_key = k->pinned_key };

	*ops = remote_find(k->base, e);
	if (!*ops || (*ops)->open(&o, k->base, out, e) < 0)
		return err_wrap(e, "the dispatcher's objects");
	worker_set_home(k->w, *ops, *out);
	return 0;
}

static void obey_stop(struct link *k)
{
	const struct worker_stop *s = k->o->stop;

	if (s->is_urgent)
		k->is_over = true;
	if (!s->is_wanted || k->winds_up)
		return;
	k->winds_up = true;
	for (unsigned i = 0; i < k->o->n_slots; i++)
		if (k->slots[i].state == SLOT_WORKING)
			worker_call_stop(k->w, &k->slots[i].call);
	if (k->ends)
		return;
	k->ends = true;
	worker_wind_up(k->w);
	stop_asking(k);
	if (k->is_welcome && !k->beat)
		beat_later(k, 0);
	link_look_for_end(k);
}

static void cut_off(struct link *k)
{
	stop_asking(k);
	for (unsigned i = 0; i < k->o->n_slots; i++) {
		struct slot *s = &k->slots[i];

		if (s->http)
			http_cancel(s->http);
		loop_cancel(s->timer);
		buf_release(&s->answer);
	}
	if (k->beat)
		http_cancel(k->beat);
	if (k->hello)
		http_cancel(k->hello);
	loop_cancel(k->beat_timer);
	loop_cancel(k->hello_timer);
	buf_release(&k->words);
}

int worker_connect(struct worker *w, const struct connect_opts *o, struct err *e)
{
	struct link k = { .w = w, .o = o, .pause_ms = PAUSE_MS };
	const struct remote_ops *ops;
	struct remote *home = NULL;

	w->stop = o->stop;
	k.loop = http_loop(o->http);
	k.heard_ms = loop_now_ms(k.loop);
	k.slots = memset(mem_alloc(o->n_slots * sizeof *k.slots), 0,
			 o->n_slots * sizeof *k.slots);
	for (unsigned i = 0; i < o->n_slots; i++)
		k.slots[i].link = &k;
	read_ticket(&k);
	if (open_home(&k, &home, &ops, e) < 0) {
		k.has_failed = true;
		k.err = *e;
	} else {
		say_hello(&k);
		o->stop->wait_is_over = &k.wakes;
		while (!k.is_over) {
			loop_run(k.loop, &k.wakes);
			k.wakes = false;
			obey_stop(&k);
			worker_tend(w);
		}
		o->stop->wait_is_over = NULL;
	}
	cut_off(&k);
	worker_abandon(w);
	w->stop = NULL;
	for (unsigned i = 0; i < o->n_slots; i++)
		buf_release(&k.slots[i].request);
	worker_set_home(w, NULL, NULL);
	if (home)
		ops->close(home);
	free(k.slots);
	arena_release(&k.arena);
	if (k.has_failed)
		*e = k.err;
	return k.has_failed ? -1 : 0;
}
