/* journal.c - what happened in a run, as lines of JSON in .gg/runs
 *
 * Lines are gathered and written a few times a second, each time whole ones.
 */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "line.h"
#include "live.h"
#include "shown.h"

enum { WRITE_MS = 250, PENDING_MAX = 1 << 16, KEPT = 200, TEXT_MAX = 1 << 30 };

/* Which slots of an engine are taken, and by which run: a thunk may have two. */
struct slots {
	struct taken {
		struct id thunk;        /* zero: free */
		bool is_second;
	} *v;
	size_t n;
};

struct journal {
	struct journal_opts o;
	char run[64];
	char *path;
	int fd;                         /* -1 until something happens */
	struct buf pending;
	struct timer *timer;
	uint64_t begun_ms;
	time_t begun_s;
	struct map engines;             /* URI -> struct slots */
	struct arena arena;
	struct err bad;                 /* code 0: all was written */
	bool has_begun;
};

/* ---- writing */

static void fail(struct journal *j)
{
	if (!j->bad.code)
		err_sys(&j->bad, "%s", j->path);
	buf_reset(&j->pending);
}

static void write_pending(struct journal *j)
{
	if (j->fd < 0 && !j->bad.code && j->pending.n && !j->o.is_quiet) {
		struct err ignored;

		dir_make_above(AT_FDCWD, j->path, &ignored);
		j->fd = open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_EXCL | O_CLOEXEC, 0666);
		if (j->fd < 0)
			fail(j);
	}
	if (j->fd >= 0 && file_write_fd(j->fd, j->pending.p, j->pending.n) < 0)
		fail(j);
	buf_reset(&j->pending);
}

static void write_is_due(void *arg)
{
	struct journal *j = arg;

	j->timer = NULL;
	write_pending(j);
}

/* A line stands at the end of what is pending.  Passing ones are for those who
 * look on only. */
static void tell(struct journal *j, size_t from, bool is_passing)
{
	if (j->o.line)
		j->o.line(j->o.arg, (struct bytes){ j->pending.p + from,
						    j->pending.n - from });
	if (is_passing || j->bad.code || j->o.is_quiet)
		j->pending.n = from;
	else if (j->pending.n > PENDING_MAX)
		write_pending(j);
	else if (!j->timer)
		j->timer = loop_after(j->o.loop, WRITE_MS, write_is_due, j);
}

/* o is gone. */
static void put(struct journal *j, json_t *o, bool is_passing)
{
	size_t from = j->pending.n;

	if (!o || json_add(&j->pending, o, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0)
		abort();
	json_decref(o);
	buf_char(&j->pending, '\n');
	tell(j, from, is_passing);
}

/* A word of a command, without the password in an address: scheme://WHO:IT@host. */
static json_t *word(const char *s)
{
	struct buf b = { 0 };
	const char *host, *at, *colon;
	json_t *o;

	while ((host = strstr(s, "://"))) {
		host += 3;
		at = memrchr(host, '@', strcspn(host, "/?#, \t"));
		colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
		buf_add(&b, s, (size_t)((colon ? colon + 1 : host) - s));
		if (colon)
			buf_str(&b, "***");
		s = colon ? at : host;
	}
	buf_str(&b, s);
	o = json_name(b.p);
	buf_release(&b);
	return o;
}

static json_t *strings(const char *const *v)
{
	json_t *list = json_array();

	for (; v && *v; v++)
		json_array_append_new(list, word(*v));
	return list;
}

static void begin(struct journal *j)
{
	char date[40];
	struct tm tm;

	if (j->has_begun)
		return;
	j->has_begun = true;
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&j->begun_s, &tm));
	put(j, json_pack("{s:s s:s s:s s:o s:o s:i}", "event", "run", "run", j->run, "time", date,
			 "command", strings(j->o.command), "engines", strings(j->o.engines),
			 "gg", 1), false);
}

struct journal *journal_open(const struct journal_opts *o)
{
	struct journal *j = mem_alloc(sizeof *j);
	struct timespec at;
	char stamp[24];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &at);
	*j = (struct journal){ .o = *o, .fd = -1, .begun_ms = loop_now_ms(o->loop),
			       .begun_s = at.tv_sec };
	/* Sorted by name they are in order, those of one second too. */
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", gmtime_r(&j->begun_s, &tm));
	snprintf(j->run, sizeof j->run, "%s.%03u-%ld", stamp, (unsigned)(at.tv_nsec / 1000000),
		 (long)getpid());
	j->path = arena_printf(&j->arena, "%s/" JOURNAL_DIR "/%s.jsonl", o->store_dir, j->run);
	return j;
}

const char *journal_run(const struct journal *j)
{
	return j->run;
}

/* ---- events */

static double now(const struct journal *j)
{
	return (double)(loop_now_ms(j->o.loop) - j->begun_ms) / 1e3;
}

static struct slots *slots_of(struct journal *j, const char *engine)
{
	struct slots *s = map_get(&j->engines, bytes_str(engine));

	if (s)
		return s;
	s = memset(arena_alloc(&j->arena, sizeof *s), 0, sizeof *s);
	*map_at(&j->engines, bytes_str(arena_str(&j->arena, engine))) = s;
	return s;
}

/* The place of a run, or a free one: NULL. */
static size_t slot_of(const struct slots *s, const struct id *thunk, bool is_second)
{
	const struct id none = { { 0 } };
	size_t i = 0;

	while (i < s->n && (!id_equal(&s->v[i].thunk, thunk ? thunk : &none) ||
			    s->v[i].is_second != is_second))
		i++;
	return i;
}

static size_t take_slot(struct journal *j, const struct exec_event *ev)
{
	struct slots *s = slots_of(j, ev->engine);
	size_t i = slot_of(s, NULL, false);

	if (i == s->n) {
		s->v = mem_grow(s->v, (s->n + 1) * sizeof *s->v);
		s->n++;
	}
	s->v[i] = (struct taken){ *ev->thunk, ev->is_second };
	return i;
}

static size_t give_slot(struct journal *j, const struct exec_event *ev)
{
	struct slots *s = slots_of(j, ev->engine);
	size_t i = slot_of(s, ev->thunk, ev->is_second);

	if (i < s->n)
		s->v[i] = (struct taken){ .is_second = false };
	return i;
}

static size_t slot_with(struct journal *j, const struct exec_event *ev)
{
	return slot_of(slots_of(j, ev->engine), ev->with, false);
}

static void add_which(struct buf *b, const struct exec_event *ev)
{
	if (ev->with)
		line_id(b, "with", ev->with);
	if (ev->is_second)
		line_true(b, "second");
}

static void put_start(struct journal *j, const struct exec_event *ev)
{
	struct buf *b = &j->pending;
	size_t from = b->n;

	line_begin(b, "start");
	line_real(b, "t", now(j));
	line_id(b, "thunk", ev->thunk);
	line_name(b, "label", ev->label);
	line_name(b, "engine", ev->engine);
	line_int(b, "slot", (int64_t)(ev->with ? slot_with(j, ev) : take_slot(j, ev)));
	add_which(b, ev);
	if (ev->continues)
		line_true(b, "continued");
	line_end(b);
	tell(j, from, false);
}

/* What most runs have nothing of. */
static void add_rest(struct journal *j, const struct run_report *r)
{
	struct buf *b = &j->pending;
	struct err ignored;
	struct id log;

	if (r->place && *r->place)
		line_name(b, "place", r->place);
	if (r->waited_s > 0)
		line_real(b, "waited", r->waited_s);
	if (r->dollars > 0)
		line_real(b, "dollars", r->dollars);
	if (r->is_cold)
		line_true(b, "cold");
	if (r->text && *r->text)
		line_name(b, "text", r->text);
	if (r->log.n && store_put(j->o.store, r->log, &log, &ignored) == 0)
		line_id(b, "log", &log);
}

static void put_ran(struct journal *j, const struct exec_event *ev)
{
	const struct run_report *r = ev->report;
	struct buf *b = &j->pending;
	size_t from = b->n;

	line_begin(b, "ran");
	line_real(b, "t", now(j));
	line_id(b, "thunk", ev->thunk);
	line_name(b, "engine", ev->engine);
	line_int(b, "slot", (int64_t)(ev->with ? slot_with(j, ev) : give_slot(j, ev)));
	line_word(b, "status", run_status_name(r->status));
	line_int(b, "code", r->code);
	line_real(b, "seconds", r->seconds);
	line_real(b, "cpu", r->cpu_seconds);
	line_int(b, "rss", (int64_t)r->max_rss_bytes);
	add_which(b, ev);
	add_rest(j, r);
	line_end(b);
	tell(j, from, false);
}

static void put_failed(struct journal *j, const struct exec_event *ev)
{
	put(j, json_pack("{s:s s:f s:s s:o s:o s:s}", "event", "failed", "t", now(j), "thunk",
			 id_hex(ev->thunk).s, "label", json_name(ev->label ? ev->label : ""),
			 "text", json_name(ev->text ? ev->text : ""), "cause",
			 id_hex(ev->cause ? ev->cause : ev->thunk).s), false);
}

static void put_notice(struct journal *j, const struct exec_event *ev)
{
	put(j, json_pack("{s:s s:f s:o}", "event", "notice", "t", now(j), "text",
			 json_name(ev->text)), false);
}

void journal_event(struct journal *j, const struct exec_event *ev)
{
	static void (*const puts_it[])(struct journal *, const struct exec_event *) = {
		[EXEC_STARTED] = put_start, [EXEC_RAN] = put_ran, [EXEC_FAILED] = put_failed,
		[EXEC_NOTICE] = put_notice,
	};

	if (!j || (size_t)ev->kind >= sizeof puts_it / sizeof *puts_it || !puts_it[ev->kind])
		return;
	begin(j);
	puts_it[ev->kind](j, ev);
}

void journal_waits(struct journal *j, const char *text)
{
	begin(j);
	put(j, json_pack("{s:s s:f s:o}", "event", "waits", "t", now(j), "text",
			 json_name(text)), false);
}

void journal_progress(struct journal *j, const struct exec_counts *n)
{
	if (!j->o.line)
		return;
	begin(j);
	put(j, json_pack("{s:s s:f s:I s:I s:I s:I s:I s:f}", "event", "progress", "t", now(j),
			 "done", (json_int_t)n->forced, "cached", (json_int_t)n->cached,
			 "running", (json_int_t)n->running, "waiting", (json_int_t)n->waiting,
			 "failed", (json_int_t)n->failed, "left", n->remaining_s), true);
}

void journal_targets(struct journal *j, const struct journal_target *v, size_t n)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(paths, json_pack("[o,s,o]", json_name(v[i].path),
						       id_hex(&v[i].ph.thunk).s,
						       json_name(v[i].ph.out)));
	begin(j);
	put(j, json_pack("{s:s s:o}", "event", "targets", "paths", paths), false);
}

/* ---- the end, and runs of before */

static void remove_old(const struct journal *j)
{
	struct arena a = { 0 };
	struct strs runs = { 0 };
	size_t kept = j->o.n_kept ? j->o.n_kept : KEPT;
	struct err ignored;

	if (journal_list(j->o.store_dir, &a, &runs, &ignored) < 0)
		runs.n = 0;
	for (size_t i = 0; i + kept < runs.n; i++) {
		const char *path = arena_printf(&a, "%s/" JOURNAL_DIR "/%s", j->o.store_dir,
						runs.v[i]);

		unlink(arena_printf(&a, "%s.jsonl", path));
		/* Left by a gg that was killed. */
		dir_remove(AT_FDCWD, arena_printf(&a, "%s" LIVE_ENDING, path), &ignored);
	}
	strs_release(&runs);
	arena_release(&a);
}

static void put_end(struct journal *j, json_t *end)
{
	json_t *o = json_pack("{s:s s:f}", "event", "end", "t", now(j));

	begin(j);
	json_object_update(o, end);
	put(j, o, false);
}

static void free_slots(struct journal *j)
{
	size_t pos = 0;
	struct bytes key;
	void *value;

	while (map_each(&j->engines, &pos, &key, &value))
		free(((struct slots *)value)->v);
	map_release(&j->engines);
}

int journal_close(struct journal *j, json_t *end, struct err *e)
{
	int rc;

	if (j && end)
		put_end(j, end);
	json_decref(end);
	if (!j)
		return 0;
	if (j->timer)
		loop_cancel(j->timer);
	if (j->has_begun)
		write_pending(j);
	if (j->fd >= 0) {
		if (close(j->fd) < 0)
			fail(j);
		remove_old(j);
	}
	rc = j->bad.code ? -1 : 0;
	*e = j->bad;
	free_slots(j);
	buf_release(&j->pending);
	arena_release(&j->arena);
	free(j);
	return rc;
}

int journal_list(const char *store_dir, struct arena *a, struct strs *out, struct err *e)
{
	const char *path = arena_printf(a, "%s/" JOURNAL_DIR, store_dir);
	DIR *d = opendir(path);
	struct dirent *ent;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	while ((ent = readdir(d))) {
		size_t n = strlen(ent->d_name);

		if (n > 6 && ent->d_name[0] != '.' && strcmp(ent->d_name + n - 6, ".jsonl") == 0)
			strs_add(out, arena_strn(a, ent->d_name, n - 6));
	}
	closedir(d);
	strs_sort(out);
	return 0;
}

/* "last" is 0, "last-3" is 3; -1 if word is no such. */
static long back_of(const char *word)
{
	char *end;
	long n;

	if (strncmp(word, "last", 4) != 0)
		return -1;
	if (!word[4])
		return 0;
	n = word[4] == '-' && word[5] >= '0' && word[5] <= '9' ? strtol(word + 5, &end, 10) : -1;
	return n >= 0 && *end ? -1 : n;
}

int journal_find(const char *store_dir, const char *word, struct arena *a, const char **out,
		 struct err *e)
{
	struct strs runs = { 0 };
	long back = back_of(word);
	size_t n_found = 0;

	if (journal_list(store_dir, a, &runs, e) < 0)
		return -1;
	if (back >= 0 && (size_t)back < runs.n) {
		*out = runs.v[runs.n - 1 - (size_t)back];
		n_found = 1;
	}
	for (size_t i = 0; back < 0 && i < runs.n; i++)
		if (strncmp(runs.v[i], word, strlen(word)) == 0) {
			*out = runs.v[i];
			n_found++;
		}
	strs_release(&runs);
	if (n_found == 1)
		return 0;
	return err_set(e, ERR_USAGE, n_found ? "%s is the beginning of several runs; see gg "
		       "history" : "there is no run %s; see gg history", word);
}

int journal_read(const char *store_dir, const char *run, struct arena *a, struct bytes *out,
		 struct err *e)
{
	const char *path = arena_printf(a, "%s/" JOURNAL_DIR "/%s.jsonl", store_dir, run);

	if (file_read(AT_FDCWD, path, TEXT_MAX, a, out, e) < 0)
		return -1;
	while (out->n && out->p[out->n - 1] != '\n')
		out->n--;
	return 0;
}

int journal_each(struct bytes text, int (*fn)(void *arg, const char *event, json_t *o),
		 void *arg, struct err *e)
{
	int rc = 0;

	for (size_t line = 1; rc == 0 && text.n; line++) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		json_t *o = json_loadb(text.p, n, 0, NULL);
		const char *event = json_string_value(json_object_get(o, "event"));

		if (!event) {
			json_decref(o);
			return err_set(e, ERR_BAD, "line %zu is no event", line);
		}
		rc = fn(arg, event, o);
		json_decref(o);
		text.p += n + (end != NULL);
		text.n -= n + (end != NULL);
	}
	return 0;
}

/* Journals are long: lines are not read as JSON, in which a quotation mark within
 * a text would have a backslash before it. */
static bool each_log(struct bytes text, void (*fn)(void *arg, const struct id *log), void *arg)
{
	static const char mark[] = "\"log\":\"";
	const char *end, *p = text.p;
	bool has_any = false;
	struct id id;

	if (!text.n)
		return false;
	end = p + text.n;
	while ((p = memmem(p, (size_t)(end - p), mark, sizeof mark - 1))) {
		p += sizeof mark - 1;
		if (end - p < ID_HEX || !id_parse((struct bytes){ p, ID_HEX }, &id))
			continue;
		fn(arg, &id);
		has_any = true;
	}
	return has_any;
}

int journal_logs(const char *store_dir, size_t n, void (*fn)(void *arg, const struct id *log),
		 void *arg, struct err *e)
{
	struct arena a = { 0 };
	struct strs runs = { 0 };
	int rc = journal_list(store_dir, &a, &runs, e);

	for (size_t i = runs.n; rc == 0 && n && i-- > 0;) {
		struct arena one = { 0 };
		struct bytes text;

		rc = journal_read(store_dir, runs.v[i], &one, &text, e);
		n -= rc == 0 && each_log(text, fn, arg);
		arena_release(&one);
	}
	strs_release(&runs);
	arena_release(&a);
	return rc;
}
