/* redis_link.c - commands to a Redis server and their replies, in order
 *
 * All commands wait in one list, those on the way first.  When the connection
 * breaks, all of them are sent again over the next one; who waited for too long
 * is told.  hiredis writes the commands and reads the replies.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include "redis.h"

enum {
	PATIENCE_MS = 30000,
	FIRST_PATIENCE_MS = 5000,       /* with who never answered yet */
	TICK_MS = 1000,
	PAUSE_MS = 50,
	PAUSE_MAX_MS = 2000,
	OUT_BYTES = 64 << 10,
	IN_MAX = 80 << 20,              /* of one reply */
};

struct redis_call {
	struct redis_call *next;
	char *text;
	size_t n;
	uint64_t began_ms;
	redis_done *done;               /* NULL: forgotten */
	void *arg;
};

struct redis_link {
	struct loop *loop;
	const struct redis_place *place;
	struct redis_stream *stream;
	redisReader *reader;
	struct redis_call *first, **last, *unsent;
	size_t unsent_at;               /* of its text */
	struct buf out;
	size_t out_at;
	unsigned n_greetings;           /* replies that come before those of calls */
	unsigned n_breaks;              /* since the last reply */
	bool has_answered;
	struct timer *pause, *tick;
	struct err why;
};

static void connect_now(struct redis_link *l);

static void free_call(struct redis_call *c)
{
	free(c->text);
	free(c);
}

static struct redis_call *pop(struct redis_link *l)
{
	struct redis_call *c = l->first;

	l->first = c->next;
	if (!l->first)
		l->last = &l->first;
	if (l->unsent == c) {
		l->unsent = c->next;
		l->unsent_at = 0;
	}
	return c;
}

static void fail_first(struct redis_link *l, const struct err *e)
{
	struct redis_call *c = pop(l);

	if (c->done)
		c->done(c->arg, NULL, e);
	free_call(c);
}

/* ---- the connection comes and goes */

static void pause_over(void *arg)
{
	struct redis_link *l = arg;

	l->pause = NULL;
	connect_now(l);
}

static void disconnect(struct redis_link *l)
{
	redis_stream_free(l->stream);
	l->stream = NULL;
	if (l->reader)
		redisReaderFree(l->reader);
	l->reader = NULL;
	buf_reset(&l->out);
	l->out_at = 0;
	l->unsent = l->first;
	l->unsent_at = 0;
	l->n_greetings = 0;
}

/* Later again, unless it can never go better. */
static void broke(struct redis_link *l, const struct err *why)
{
	struct err e = *why;
	struct redis_call *end;
	uint64_t ms = (uint64_t)PAUSE_MS << (l->n_breaks > 6 ? 6 : l->n_breaks);

	disconnect(l);
	l->n_breaks++;
	l->why = e;
	if (e.code == ERR_RETRY) {
		if (l->first && !l->pause)
			l->pause = loop_after(l->loop, ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms,
					      pause_over, l);
		return;
	}
	/* Those that are sent by who is told now have a new chance. */
	for (end = l->last == &l->first ? NULL : l->first; end && end->next;)
		end = end->next;
	while (end && l->first) {
		bool is_end = l->first == end;

		fail_first(l, &e);
		if (is_end)
			break;
	}
}

static void tick(void *arg)
{
	struct redis_link *l = arg;
	uint64_t now = loop_now_ms(l->loop);
	uint64_t most = l->has_answered ? PATIENCE_MS : FIRST_PATIENCE_MS;
	struct err e;

	l->tick = NULL;
	if (l->first && now - l->first->began_ms >= most && l->stream) {
		err_set(&e, ERR_RETRY, "%s: no answer in time", l->place->shown);
		broke(l, &e);
	}
	e = l->why;
	while (l->first && now - l->first->began_ms >= most)
		fail_first(l, &e);
	if (l->first && !l->tick)
		l->tick = loop_after(l->loop, TICK_MS, tick, l);
}

/* ---- bytes out and in */

static void add_command(struct redis_link *l, const char *const *words, size_t n)
{
	char *text = NULL;
	int len = redisFormatCommandArgv(&text, (int)n, (const char **)(uintptr_t)words, NULL);

	if (len < 0)
		abort();
	buf_add(&l->out, text, (size_t)len);
	free(text);
	l->n_greetings++;
}

static void greet(struct redis_link *l)
{
	const struct redis_place *p = l->place;
	const char *auth[] = { "AUTH", p->user ? p->user : p->password, p->password };
	char number[16];
	const char *select[] = { "SELECT", number };

	snprintf(number, sizeof number, "%u", p->db);
	if (p->password)
		add_command(l, auth, p->user ? 3 : 2);
	if (p->db)
		add_command(l, select, 2);
}

static void fill(struct redis_link *l)
{
	if (l->out_at == l->out.n) {
		buf_reset(&l->out);
		l->out_at = 0;
	}
	while (l->unsent && l->out.n < OUT_BYTES) {
		struct redis_call *c = l->unsent;
		size_t room = OUT_BYTES - l->out.n, n = c->n - l->unsent_at;

		n = n < room ? n : room;
		buf_add(&l->out, c->text + l->unsent_at, n);
		l->unsent_at += n;
		if (l->unsent_at == c->n) {
			l->unsent = c->next;
			l->unsent_at = 0;
		}
	}
}

static void write_out(struct redis_link *l)
{
	for (;;) {
		ssize_t n;

		fill(l);
		if (l->out_at == l->out.n)
			break;
		n = redis_stream_write(l->stream, l->out.p + l->out_at, l->out.n - l->out_at);
		if (n <= 0)
			break;
		l->out_at += (size_t)n;
	}
	redis_stream_want(l->stream, l->first || l->n_greetings, l->out_at < l->out.n);
}

/* false: the connection is no more. */
static bool take_greeting(struct redis_link *l, const redisReply *r)
{
	struct err e;

	l->n_greetings--;
	if (r->type != REDIS_REPLY_ERROR)
		return true;
	redis_meaning(l->place, r->str, &e);
	broke(l, &e);
	return false;
}

static bool take_reply(struct redis_link *l, const redisReply *r)
{
	struct redis_call *c;
	struct err e;

	if (l->n_greetings)
		return take_greeting(l, r);
	/* It starts, or its master is away: the same as not being there yet. */
	if (r->type == REDIS_REPLY_ERROR && redis_meaning(l->place, r->str, &e) < 0 &&
	    e.code == ERR_RETRY) {
		broke(l, &e);
		return false;
	}
	if (!l->first || l->first == l->unsent) {
		err_set(&e, ERR_BAD, "%s: answers what nobody asked", l->place->shown);
		broke(l, &e);
		return false;
	}
	l->has_answered = true;
	l->n_breaks = 0;
	c = pop(l);
	if (c->done)
		c->done(c->arg, r, NULL);
	free_call(c);
	return true;
}

static bool take_replies(struct redis_link *l)
{
	void *reply;
	struct err e;

	for (;;) {
		bool goes_on;

		if (redisReaderGetReply(l->reader, &reply) != REDIS_OK ||
		    l->reader->len - l->reader->pos > IN_MAX) {
			err_set(&e, ERR_BAD, "%s: what answers does not speak as Redis does",
				l->place->shown);
			broke(l, &e);
			return false;
		}
		if (!reply)
			return true;
		goes_on = take_reply(l, reply);
		freeReplyObject(reply);
		if (!goes_on)
			return false;
	}
}

static bool read_in(struct redis_link *l)
{
	char bytes[32 << 10];
	ssize_t n;

	while ((n = redis_stream_read(l->stream, bytes, sizeof bytes)) > 0) {
		if (redisReaderFeed(l->reader, bytes, (size_t)n) != REDIS_OK)
			abort();
		if (!take_replies(l))
			return false;
	}
	return true;
}

static void ready(void *arg)
{
	struct redis_link *l = arg;
	struct err why;

	if (!l->reader && redis_stream_state(l->stream, &why) == REDIS_OPEN) {
		l->reader = redisReaderCreate();
		if (!l->reader)
			abort();
		greet(l);
	}
	if (redis_stream_state(l->stream, &why) == REDIS_OPEN && !read_in(l))
		return;
	if (redis_stream_state(l->stream, &why) == REDIS_OPEN)
		write_out(l);
	if (redis_stream_state(l->stream, &why) == REDIS_BROKEN)
		broke(l, &why);
}

static void connect_now(struct redis_link *l)
{
	l->stream = redis_stream_new(l->loop, l->place, ready, l);
}

/* ---- commands */

struct redis_call *redis_send(struct redis_link *l, const struct bytes *args, size_t n,
			      redis_done *done, void *arg)
{
	struct redis_call *c = memset(mem_alloc(sizeof *c), 0, sizeof *c);
	const char *words[8];
	size_t lengths[8];
	int len;

	for (size_t i = 0; i < n; i++) {
		words[i] = args[i].p ? args[i].p : "";
		lengths[i] = args[i].n;
	}
	len = redisFormatCommandArgv(&c->text, (int)n, words, lengths);
	if (len < 0)
		abort();
	c->n = (size_t)len;
	c->done = done;
	c->arg = arg;
	c->began_ms = loop_now_ms(l->loop);
	*l->last = c;
	l->last = &c->next;
	if (!l->unsent)
		l->unsent = c;
	if (!l->tick)
		l->tick = loop_after(l->loop, TICK_MS, tick, l);
	if (!l->stream && !l->pause)
		connect_now(l);
	else if (l->stream && l->reader)
		redis_stream_want(l->stream, true, true);
	return c;
}

void redis_forget(struct redis_call *c)
{
	c->done = NULL;
}

struct redis_link *redis_link_new(struct loop *loop, const struct redis_place *p)
{
	struct redis_link *l = memset(mem_alloc(sizeof *l), 0, sizeof *l);

	l->loop = loop;
	l->place = p;
	l->last = &l->first;
	return l;
}

void redis_link_free(struct redis_link *l)
{
	if (!l)
		return;
	disconnect(l);
	loop_cancel(l->pause);
	loop_cancel(l->tick);
	while (l->first)
		free_call(pop(l));
	buf_release(&l->out);
	free(l);
}

int redis_meaning(const struct redis_place *p, const char *error, struct err *e)
{
	static const struct meaning {
		const char *word;
		enum err_code code;
		const char *text;
	} meanings[] = {
		{ "OOM", ERR_IO, "its memory is full (maxmemory): let old keys go "
		  "(maxmemory-policy allkeys-lru), or give it more" },
		{ "MISCONF", ERR_IO, "it cannot write its snapshots to disk and takes no more" },
		{ "NOAUTH", ERR_REFUSED, "it wants a password: set GG_REDIS_PASSWORD" },
		{ "WRONGPASS", ERR_REFUSED, "the user or the password is wrong" },
		{ "NOPERM", ERR_REFUSED, "this user may not do that" },
		{ "READONLY", ERR_REFUSED, "it is a copy that takes nothing: name its master" },
		{ "MOVED", ERR_REFUSED, "it is a cluster; gg speaks with single servers" },
		{ "LOADING", ERR_RETRY, "it still loads its data" },
		{ "MASTERDOWN", ERR_RETRY, "its master is away" },
		{ "BUSY", ERR_RETRY, "it runs a script" },
		{ "TRYAGAIN", ERR_RETRY, "it moves its data" },
	};
	size_t n = strcspn(error, " ");

	/* The rest of an error may hold what was sent, a password for one. */
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strlen(meanings[i].word) == n && strncmp(error, meanings[i].word, n) == 0)
			return err_set(e, meanings[i].code, "%s: %s", p->shown, meanings[i].text);
	return err_set(e, ERR_REFUSED, "%s: refused (%.*s): is it a Redis server, its password "
		       "right, and is there such a database?", p->shown, (int)(n > 20 ? 20 : n),
		       error);
}
