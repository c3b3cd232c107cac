/* remote_redis.c - objects in a Redis server: small ones, near, for a while */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "redis.h"

enum { VALUE_MAX = 64 << 20, GET_MAX = 16 << 20, SCAN_STEP = 1000, KEY_ROOM = 512 };

struct remote {
	struct loop *loop;
	struct arena arena;
	struct redis_place place;
	struct redis_link *link;
	struct job *jobs;
};

/* A call or a listing. */
struct job {
	struct remote *r;
	struct job *next, **at;
	struct remote_call *c;          /* or l */
	struct remote_listing *l;
	struct redis_call *call;        /* under way */
	struct map seen;                /* SCAN tells of some keys twice */
	struct arena arena;             /* of a listing: keys */
	struct strs keys;               /* of this step */
	size_t n_told;
	char *cursor;
};

static struct job *job_new(struct remote *r)
{
	struct job *j = memset(mem_alloc(sizeof *j), 0, sizeof *j);

	j->r = r;
	j->next = r->jobs;
	j->at = &r->jobs;
	if (j->next)
		j->next->at = &j->next;
	r->jobs = j;
	return j;
}

static void job_free(struct job *j)
{
	if (j->call)
		redis_forget(j->call);
	*j->at = j->next;
	if (j->next)
		j->next->at = j->at;
	map_release(&j->seen);
	strs_release(&j->keys);
	arena_release(&j->arena);
	free(j);
}

/* prefix:key, as bytes. */
static struct bytes full_key(const struct remote *r, const char *key, char room[KEY_ROOM])
{
	int n = snprintf(room, KEY_ROOM, "%s:%s", r->place.prefix, key);

	return (struct bytes){ room, n < KEY_ROOM ? (size_t)n : KEY_ROOM - 1 };
}

static void send(struct job *j, const struct bytes *args, size_t n, redis_done *done)
{
	j->call = redis_send(j->r->link, args, n, done, j);
}

/* ---- calls */

static void finish(struct job *j, struct remote_answer *a, const struct err *e)
{
	struct remote_call *c = j->c;

	a->n_tries = 1;
	job_free(j);
	c->done(c, a, e);
}

static int into_file(const struct http_file *to, const redisReply *reply, struct err *e)
{
	if (reply->len > to->n_bytes)
		return err_set(e, ERR_REFUSED, "there is room for %llu bytes, not for %zu",
			       (unsigned long long)to->n_bytes, (size_t)reply->len);
	for (size_t at = 0; at < reply->len;) {
		ssize_t n = pwrite(to->fd, reply->str + at, reply->len - at,
				   (off_t)(to->offset + at));

		if (n < 0 && errno != EINTR)
			return err_sys(e, "writing a value");
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int take_value(struct job *j, const redisReply *reply, struct remote_answer *a,
		      struct err *e)
{
	const struct remote_call *c = j->c;
	uint64_t max = c->max_bytes ? c->max_bytes : GET_MAX;

	if (reply->type == REDIS_REPLY_NIL)
		return err_set(e, ERR_MISSING, "%s: %s is not there", j->r->place.shown, c->key);
	if (reply->type != REDIS_REPLY_STRING)
		return err_set(e, ERR_BAD, "%s: %s is no plain value", j->r->place.shown, c->key);
	a->n_bytes = reply->len;
	if (c->to)
		return into_file(c->to, reply, e);
	if (reply->len > max)
		return err_set(e, ERR_REFUSED, "%s: %s is larger than %llu bytes",
			       j->r->place.shown, c->key, (unsigned long long)max);
	a->body = (struct bytes){ reply->str, reply->len };
	return 0;
}

static void exists(void *arg, const struct redisReply *reply, const struct err *failed)
{
	struct job *j = arg;
	struct remote_answer a = { 0 };
	struct err e;

	j->call = NULL;
	if (!failed && reply->type == REDIS_REPLY_INTEGER && reply->integer)
		finish(j, &a, NULL);
	else if (failed)
		finish(j, &a, failed);
	else
		finish(j, &a, (err_set(&e, ERR_MISSING, "%s: %s is not there",
				       j->r->place.shown, j->c->key), &e));
}

/* An empty value and none have the same length. */
static void ask_exists(struct job *j)
{
	char room[KEY_ROOM];
	struct bytes args[] = { bytes_str("EXISTS"), full_key(j->r, j->c->key, room) };

	send(j, args, 2, exists);
}

static void answered(void *arg, const struct redisReply *reply, const struct err *failed)
{
	struct job *j = arg;
	struct remote_answer a = { 0 };
	struct err e;

	j->call = NULL;
	if (failed) {
		finish(j, &a, failed);
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		redis_meaning(&j->r->place, reply->str, &e);
		finish(j, &a, &e);
	} else if (j->c->verb == REMOTE_GET) {
		finish(j, &a, take_value(j, reply, &a, &e) < 0 ? &e : NULL);
	} else if (j->c->verb == REMOTE_HEAD && reply->integer == 0) {
		ask_exists(j);
	} else {
		a.n_bytes = j->c->verb == REMOTE_HEAD ? (uint64_t)reply->integer : 0;
		a.was_there = j->c->verb == REMOTE_PUT && reply->type == REDIS_REPLY_NIL;
		finish(j, &a, NULL);
	}
}

/* The part of a file that is to be sent, in memory. */
static int read_part(const struct http_file *f, char *p, struct err *e)
{
	for (uint64_t at = 0; at < f->n_bytes;) {
		ssize_t n = pread(f->fd, p + at, f->n_bytes - at, (off_t)(f->offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "reading what is to be sent");
		if (n == 0)
			return err_set(e, ERR_IO, "what is to be sent became shorter");
		at += (uint64_t)n;
	}
	return 0;
}

static void put(struct remote *r, struct remote_call *c, struct bytes body)
{
	char room[KEY_ROOM], ttl[32];
	struct bytes args[6] = { bytes_str("SET"), full_key(r, c->key, room), body };
	struct job *j = job_new(r);
	size_t n = 3;

	if (r->place.ttl_s) {
		snprintf(ttl, sizeof ttl, "%llu", (unsigned long long)r->place.ttl_s);
		args[n++] = bytes_str("EX");
		args[n++] = bytes_str(ttl);
	}
	if (c->only_new)
		args[n++] = bytes_str("NX");
	j->c = c;
	c->remote_data = j;
	send(j, args, n, answered);
}

static int start_put(struct remote *r, struct remote_call *c, struct err *e)
{
	struct bytes body = c->body;
	char *p = NULL;
	int rc = 0;

	if (c->from)
		body = (struct bytes){ NULL, (size_t)c->from->n_bytes };
	if ((c->from ? c->from->n_bytes : body.n) > VALUE_MAX)
		return err_set(e, ERR_REFUSED, "%s: %s is larger than the %d MiB that gg keeps in "
			       "Redis", r->place.shown, c->key, VALUE_MAX >> 20);
	if (c->from) {
		body.p = p = mem_alloc(body.n);
		rc = read_part(c->from, p, e);
	}
	if (rc == 0)
		put(r, c, body);
	free(p);
	return rc;
}

static int redis_start(struct remote *r, struct remote_call *c, struct err *e)
{
	static const char *const words[] = { [REMOTE_HEAD] = "STRLEN", [REMOTE_GET] = "GET",
					     [REMOTE_DELETE] = "DEL" };
	char room[KEY_ROOM];
	struct job *j;

	if (!remote_key_is_good(c->key))
		return err_set(e, ERR_BAD, "%s: no key of ours", r->place.shown);
	if (c->verb == REMOTE_PUT)
		return start_put(r, c, e);
	j = job_new(r);
	j->c = c;
	c->remote_data = j;
	send(j, (struct bytes[]){ bytes_str(words[c->verb]), full_key(r, c->key, room) }, 2,
	     answered);
	return 0;
}

static void redis_cancel(struct remote *r, struct remote_call *c)
{
	(void)r;
	job_free(c->remote_data);
}

/* ---- listing: SCAN, and for each key its length */

static void scan(struct job *j);

static void end_listing(struct job *j, const struct err *e)
{
	struct remote_listing *l = j->l;

	job_free(j);
	l->done(l, e);
}

static void next_length(struct job *j);

static void length(void *arg, const struct redisReply *reply, const struct err *failed)
{
	struct job *j = arg;
	size_t n = strlen(j->r->place.prefix) + 1;

	j->call = NULL;
	if (failed) {
		end_listing(j, failed);
		return;
	}
	if (reply->type == REDIS_REPLY_INTEGER &&
	    j->l->each(j->l, j->keys.v[j->n_told] + n, (uint64_t)reply->integer, 0)) {
		end_listing(j, NULL);
		return;
	}
	j->n_told++;
	next_length(j);
}

static void next_length(struct job *j)
{
	if (j->n_told < j->keys.n)
		send(j, (struct bytes[]){ bytes_str("STRLEN"), bytes_str(j->keys.v[j->n_told]) },
		     2, length);
	else if (strcmp(j->cursor, "0") == 0)
		end_listing(j, NULL);
	else
		scan(j);
}

static void note_key(struct job *j, const redisReply *k)
{
	struct bytes key;
	void **seen;

	if (k->type != REDIS_REPLY_STRING || memchr(k->str, 0, k->len))
		return;
	key = arena_bytes(&j->arena, (struct bytes){ k->str, k->len });
	seen = map_at(&j->seen, key);
	if (!*seen)
		strs_add(&j->keys, key.p);
	*seen = j;
}

static void scanned(void *arg, const struct redisReply *r, const struct err *failed)
{
	struct job *j = arg;
	struct err e;

	j->call = NULL;
	j->keys.n = j->n_told = 0;
	if (!failed && r->type == REDIS_REPLY_ERROR) {
		redis_meaning(&j->r->place, r->str, &e);
		failed = &e;
	} else if (!failed && (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
			       r->element[0]->type != REDIS_REPLY_STRING ||
			       r->element[1]->type != REDIS_REPLY_ARRAY)) {
		err_set(&e, ERR_BAD, "%s: does not list as Redis does", j->r->place.shown);
		failed = &e;
	}
	if (failed) {
		end_listing(j, failed);
		return;
	}
	j->cursor = arena_str(&j->arena, r->element[0]->str);
	for (size_t i = 0; i < r->element[1]->elements; i++)
		note_key(j, r->element[1]->element[i]);
	next_length(j);
}

static void scan(struct job *j)
{
	char count[16];
	struct buf pattern = { 0 };
	const char *const parts[] = { j->r->place.prefix, ":", j->l->prefix };

	for (size_t i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p; p++) {
			if (strchr("*?[]\\^", *p))
				buf_char(&pattern, '\\');
			buf_char(&pattern, *p);
		}
	buf_char(&pattern, '*');
	snprintf(count, sizeof count, "%d", SCAN_STEP);
	send(j, (struct bytes[]){ bytes_str("SCAN"), bytes_str(j->cursor), bytes_str("MATCH"),
				  buf_bytes(&pattern), bytes_str("COUNT"), bytes_str(count) },
	     6, scanned);
	buf_release(&pattern);
}

static int redis_list(struct remote *r, struct remote_listing *l, struct err *e)
{
	struct job *j = job_new(r);

	(void)e;
	j->l = l;
	j->cursor = arena_str(&j->arena, "0");
	l->remote_data = j;
	scan(j);
	return 0;
}

/* ---- opening */

static void redis_close(struct remote *r)
{
	if (!r)
		return;
	while (r->jobs)
		job_free(r->jobs);
	redis_link_free(r->link);
	arena_release(&r->arena);
	free(r);
}

static int redis_open(const struct remote_opts *o, const char *uri, struct remote **out,
		      struct err *e)
{
	struct remote *r = memset(mem_alloc(sizeof *r), 0, sizeof *r);

	r->loop = o->loop;
	if (redis_place_read(uri, o, &r->arena, &r->place, e) < 0) {
		redis_close(r);
		return -1;
	}
	if (strlen(r->place.prefix) + REMOTE_KEY_MAX + 2 > KEY_ROOM) {
		redis_close(r);
		return err_set(e, ERR_USAGE, "the prefix of a redis:// address is too long");
	}
	r->link = redis_link_new(o->loop, &r->place);
	*out = r;
	return 0;
}

static struct remote_nature redis_nature(const struct remote *r)
{
	return (struct remote_nature){ .small_bytes = r->place.small_bytes };
}

static const char *redis_uri(const struct remote *r)
{
	return r->place.shown;
}

/* ---- check: a value there and back */

struct probe {
	struct remote_call c;
	bool is_done, has_failed, is_right;
	struct err *e;
};

static void probed(struct remote_call *c, const struct remote_answer *a, const struct err *e)
{
	struct probe *p = c->arg;

	p->is_done = true;
	p->has_failed = e != NULL;
	p->is_right = bytes_equal(a->body, bytes_str("written by gg remote check"));
	if (e)
		*p->e = *e;
}

static int redis_check(struct remote *r, struct err *e)
{
	static const enum remote_verb verbs[] = { REMOTE_PUT, REMOTE_GET, REMOTE_DELETE };
	static const char *const whats[] = {
		"writing a value", "reading what was just written", "deleting a value",
	};

	for (size_t i = 0; i < 3; i++) {
		struct probe p = { .c = { .verb = verbs[i], .key = "check/value", .done = probed },
				   .e = e };

		p.c.arg = &p;
		if (verbs[i] == REMOTE_PUT)
			p.c.body = bytes_str("written by gg remote check");
		if (redis_start(r, &p.c, e) < 0)
			return -1;
		loop_run(r->loop, &p.is_done);
		if (p.has_failed)
			return err_wrap(e, "%s", whats[i]);
		if (verbs[i] == REMOTE_GET && !p.is_right)
			return err_set(e, ERR_BAD, "%s gives back other bytes than were written",
				       r->place.shown);
	}
	return 0;
}

#define REDIS_OPS \
	.open = redis_open, .close = redis_close, .start = redis_start, \
	.cancel = redis_cancel, .list = redis_list, .nature = redis_nature, .uri = redis_uri, \
	.check = redis_check

const struct remote_ops remote_redis = {
	.scheme = "redis",
	.help = "redis://HOST[:PORT][/DB][?ttl=7d&small=1M&prefix=NAME]",
	REDIS_OPS,
};

const struct remote_ops remote_rediss = {
	.scheme = "rediss",
	.help = "the same with TLS; cacert=FILE names who signed the server's certificate",
	REDIS_OPS,
};
