/* follow.c - gg log --follow: what a thunk prints, as it prints it
 *
 * The journal of the run that goes on says when the thunk begins and ends, a
 * file beside it what it prints (live.h).  Both are looked at a few times a
 * second; the other gg knows nothing of who looks on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "gg.h"
#include "journal.h"
#include "live.h"

enum { LOOK_MS = 150, READ_BYTES = 1 << 16, LOG_LOOKS = 40 };

struct attempt {
	char *path;                     /* of what it prints */
	int fd;                         /* -1: not open yet */
	bool runs, has_printed;
};

struct follow {
	struct ctx *c;
	const char *run;
	char hex[ID_HEX + 1];
	int journal;
	long pid;
	struct buf lines;               /* of the journal, not yet taken */
	struct attempt v[2];            /* the first, and one beside it */
	unsigned n_begun;
	int status;                     /* -1: it goes on */
	bool is_over;                   /* the whole run */
};

static bool is_alive(long pid)
{
	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static void nap(void)
{
	struct timespec t = { 0, LOOK_MS * 1000000 };

	nanosleep(&t, NULL);
}

static void mark(struct follow *f, const char *text)
{
	fflush(stdout);
	fprintf(stderr, "%s-- %s --%s\n", f->c->has_color ? "\033[2m" : "", text,
		f->c->has_color ? "\033[0m" : "");
}

/* ---- what it prints */

static void copy_new(struct attempt *a)
{
	char b[READ_BYTES];
	ssize_t n;

	if (a->fd < 0) {
		a->fd = open(a->path, O_RDONLY | O_CLOEXEC);
		if (a->fd < 0)
			return;
		/* Of a file that grew too large the front is a hole. */
		lseek(a->fd, 0, SEEK_DATA);
	}
	while ((n = read(a->fd, b, sizeof b)) > 0) {
		fwrite(b, 1, (size_t)n, stdout);
		a->has_printed = true;
	}
	fflush(stdout);
}

/* The rest of one that has ended; true once nothing more can come. */
static bool drain(struct attempt *a)
{
	struct stat st;
	bool has_no_name = a->fd >= 0 && fstat(a->fd, &st) == 0 && st.st_nlink == 0;

	copy_new(a);
	return a->fd < 0 || has_no_name;
}

static void finish(struct attempt *a)
{
	for (int i = 0; i < LOG_LOOKS && !drain(a); i++)
		nap();
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->runs = false;
}

/* It was too short, or too far away, to be read while it ran.  The store of
 * the other gg may show its log a little later. */
static void print_kept(struct follow *f, json_t *ran)
{
	const char *hex = json_string_value(json_object_get(ran, "log"));
	struct bytes b;
	struct err e;
	struct id id;

	if (!hex || !id_parse(bytes_str(hex), &id))
		return;
	for (int i = 0; i < LOG_LOOKS; i++, nap())
		if (store_get(f->c->store, &id, &f->c->arena, &b, &e) == 0) {
			fwrite(b.p, 1, b.n, stdout);
			fflush(stdout);
			return;
		}
	note("what it printed is not in the store: %s", e.text);
}

/* ---- what the journal says */

static void on_start(struct follow *f, json_t *o)
{
	const char *engine = json_string_value(json_object_get(o, "engine"));
	bool is_second = json_is_true(json_object_get(o, "second"));
	struct attempt *a = &f->v[is_second];

	if (f->n_begun++)
		mark(f, arena_printf(&f->c->arena, is_second ? "beside it, since that takes long, "
				     "it runs on %s too" : "it runs again, on %s; what stands "
				     "above is superseded", engine ? engine : "?"));
	a->runs = true;
	a->has_printed = false;
}

static void on_ran(struct follow *f, json_t *o)
{
	const char *status = json_string_value(json_object_get(o, "status"));
	const char *text = json_string_value(json_object_get(o, "text"));
	bool is_ok = status && strcmp(status, "ok") == 0;
	struct attempt *a = &f->v[json_is_true(json_object_get(o, "second"))];

	finish(a);
	if (!a->has_printed)
		print_kept(f, o);
	if (is_ok)
		f->status = 0;
	else
		mark(f, arena_printf(&f->c->arena, "%s%s%s", status ? status : "ended",
				     text ? ": " : "", text ? text : ""));
}

static void on_line(struct follow *f, json_t *o)
{
	const char *event = json_string_value(json_object_get(o, "event"));
	const char *thunk = json_string_value(json_object_get(o, "thunk"));

	if (!event || f->status >= 0)
		return;
	if (strcmp(event, "end") == 0)
		f->is_over = true;
	if (!thunk || strcmp(thunk, f->hex) != 0)
		return;
	if (strcmp(event, "start") == 0)
		on_start(f, o);
	else if (strcmp(event, "ran") == 0)
		on_ran(f, o);
	else if (strcmp(event, "failed") == 0)
		f->status = EXIT_THUNK;
}

static void take_lines(struct follow *f)
{
	struct bytes left;
	const char *end;
	char b[READ_BYTES];
	ssize_t n;

	while ((n = read(f->journal, b, sizeof b)) > 0)
		buf_add(&f->lines, b, (size_t)n);
	left = buf_bytes(&f->lines);
	while (left.n && (end = memchr(left.p, '\n', left.n))) {
		size_t size = (size_t)(end - left.p);
		/* Most lines are of other thunks, and need no parsing. */
		bool is_ours = memmem(left.p, size, f->hex, ID_HEX) ||
			bytes_start(left, "{\"event\":\"end\"");
		json_t *o = is_ours ? json_loadb(left.p, size, 0, NULL) : NULL;

		if (o)
			on_line(f, o);
		json_decref(o);
		left.p += size + 1;
		left.n -= size + 1;
	}
	if (left.n)
		memmove(f->lines.p, left.p, left.n);
	f->lines.n = left.n;
}

/* ---- */

static int follow_run(struct follow *f)
{
	bool was_alive = true;

	while (f->status < 0 && !f->is_over && was_alive) {
		was_alive = is_alive(f->pid);
		take_lines(f);
		for (int i = 0; i < 2 && f->status < 0; i++)
			if (f->v[i].runs)
				copy_new(&f->v[i]);
		if (f->status < 0)
			nap();
	}
	if (f->status < 0 && f->n_begun)
		mark(f, f->is_over ? "the run has ended" : "the run was killed");
	return f->status < 0 ? EXIT_THUNK : f->status;
}

/* Has the run begun it, or is it still to be made, by this run it may be? */
static bool is_of_run(struct follow *f, const struct id *thunk)
{
	struct result r;
	struct err ignored;

	take_lines(f);
	return f->n_begun || store_get_result(f->c->store, thunk, &f->c->arena, &r, &ignored) < 0;
}

/* The newest run whose gg is alive and has not said its end. */
static bool find_run(struct follow *f, const struct strs *runs)
{
	const char *dir = f->c->project.store_dir;
	struct arena *a = &f->c->arena;

	for (size_t i = runs->n; i-- > 0;) {
		const char *pid = strrchr(runs->v[i], '-');
		struct bytes text;
		struct err ignored;

		f->pid = pid ? strtol(pid + 1, NULL, 10) : 0;
		if (!is_alive(f->pid) || journal_read(dir, runs->v[i], a, &text, &ignored) < 0 ||
		    memmem(text.p, text.n, "\n{\"event\":\"end\"", 15))
			continue;
		f->run = arena_str(a, runs->v[i]);
		f->journal = open(arena_printf(a, "%s/" JOURNAL_DIR "/%s.jsonl", dir, f->run),
				  O_RDONLY | O_CLOEXEC);
		return f->journal >= 0;
	}
	return false;
}

int live_follow(struct ctx *c, const struct id *thunk, bool *found, struct err *e)
{
	struct follow f = { .c = c, .journal = -1, .status = -1 };
	struct strs runs = { 0 };
	int rc = journal_list(c->project.store_dir, &c->arena, &runs, e);

	*found = rc == 0 && find_run(&f, &runs);
	memcpy(f.hex, id_hex(thunk).s, sizeof f.hex);
	for (int i = 0; i < 2; i++) {
		f.v[i].fd = -1;
		f.v[i].path = arena_printf(&c->arena, "%s/" JOURNAL_DIR "/%s" LIVE_ENDING "/%s%s",
				c->project.store_dir, f.run ? f.run : "", f.hex, i ? ".2" : "");
	}
	if (*found && (*found = is_of_run(&f, thunk)))
		rc = follow_run(&f);
	for (int i = 0; i < 2; i++)
		if (f.v[i].fd >= 0)
			close(f.v[i].fd);
	if (f.journal >= 0)
		close(f.journal);
	buf_release(&f.lines);
	strs_release(&runs);
	return rc;
}
