/* deeds.c - calls of a command, noted by path before they happen
 *
 * What a path was is looked at when it is first touched, so that at the end
 * what is new can be told from what was there.  A path is known by where it
 * lies once the links on its way are followed; the last part keeps its name,
 * even if it is a link, unless it is written through.  How the command called
 * it is kept beside: that is where it will look again.  Most calls are of a
 * path that came before and cost one look-up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "deeds.h"
#include "file.h"
#include "../thunk/elf_needs.h"

void deeds_init(struct deeds *d, struct project *p)
{
	*d = (struct deeds){ .project = p };
	pthread_mutex_init(&d->lock, NULL);
}

void deeds_release(struct deeds *d)
{
	map_release(&d->by_raw);
	map_release(&d->by_path);
	map_release(&d->dirs);
	listings_release(d);
	free(d->v);
	arena_release(&d->arena);
	pthread_mutex_destroy(&d->lock);
}

/* ---- from a call's path to its deed */

static bool is_placeholder(const struct deeds *d, const char *path)
{
	struct arena a = { 0 };
	struct placeholder ph;
	struct err e;
	bool is = placeholder_at(d->project->root_fd, path, &a, &ph, &e) == 1;

	arena_release(&a);
	return is;
}

static void look_first(const struct deeds *d, struct touched *at)
{
	int root = d->project->root_fd;
	struct stat st;

	if (fstatat(root, at->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	at->is_link = S_ISLNK(st.st_mode);
	if (at->is_link && fstatat(root, at->path, &st, 0) < 0) {
		at->kind = DEED_ODD;
		return;
	}
	at->first = stamp_of(&st);
	at->is_old = stamp_is_old(&at->first);
	at->kind = S_ISREG(st.st_mode) ? DEED_FILE : S_ISDIR(st.st_mode) ? DEED_DIR :
		   DEED_ODD;
	if (S_ISLNK(st.st_mode))
		at->kind = DEED_ODD;
	at->is_to_come = at->kind == DEED_FILE && at->path[0] != '/' &&
			 st.st_size <= PLACEHOLDER_MAX && is_placeholder(d, at->path);
}

/* The deed of a path that is resolved, made if absent.  is_absent: the command
 * has just been told that nothing is there. */
static struct touched *deed_as(struct deeds *d, const char *path, bool is_absent)
{
	struct touched *at = map_get(&d->by_path, bytes_str(path));

	if (at && at->is_unseen && !is_absent) {
		at->is_unseen = false;
		look_first(d, at);
	}
	if (at)
		return at;
	at = arena_alloc(&d->arena, sizeof *at);
	at->path = arena_str(&d->arena, path);
	at->is_unseen = is_absent;
	if (!is_absent)
		look_first(d, at);
	*map_at(&d->by_path, bytes_str(at->path)) = at;
	if (d->n == d->room) {
		d->room = d->room ? 2 * d->room : 256;
		d->v = mem_grow(d->v, d->room * sizeof *d->v);
	}
	d->v[d->n++] = at;
	return at;
}

static struct touched *deed_at(struct deeds *d, const char *path)
{
	return deed_as(d, path, false);
}

struct touched *deeds_root(struct deeds *d)
{
	return deed_at(d, ".");
}

/* Where a folder lies, remembered by how it was spelled. */
static const char *resolve_dir(struct deeds *d, const char *raw, size_t n)
{
	struct bytes key = { raw, n };
	const char *at = map_get(&d->dirs, key);
	bool inside;

	if (at)
		return at;
	key = arena_bytes(&d->arena, key);
	at = project_path(d->project, &d->arena, "/",
			  arena_printf(&d->arena, "%.*s/", (int)n, raw), &inside);
	*map_at(&d->dirs, key) = (void *)at;
	return at;
}

static const char *resolve(struct deeds *d, const char *raw)
{
	const char *base = path_base(raw), *dir;
	bool inside;

	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return project_path(d->project, &d->arena, "/", raw, &inside);
	dir = resolve_dir(d, raw, (size_t)(base - raw));
	if (strcmp(dir, ".") == 0)
		return arena_str(&d->arena, base);
	return arena_printf(&d->arena, "%s%s%s", dir, strcmp(dir, "/") ? "/" : "", base);
}

static bool is_ignored(const struct deeds *d, const char *path)
{
	static const char *const places[] = { "/proc", "/sys", PROJECT_DIR };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (path_is_below(places[i], path))
			return true;
	return path_is_below(d->project->store_dir, path);
}

/* By its text alone, in the project; NULL if that does not lie there or goes
 * back up, where a link may have led elsewhere. */
static const char *spelled_in(struct deeds *d, const char *raw)
{
	const char *root = d->project->root, *full;
	size_t n = root[1] ? strlen(root) : 0;

	if (strstr(raw, "/.."))
		return NULL;
	full = path_clean(&d->arena, "/", raw);
	return path_is_below(root, full) && full[n] && full[n + 1] ? full + n + 1 : NULL;
}

static void note_spelling(struct deeds *d, struct touched *at, const char *raw)
{
	const char *spelled = spelled_in(d, raw);

	if (!spelled || strcmp(spelled, at->path) == 0)
		at->is_plain = true;
	else if (!at->spelled)
		at->spelled = spelled;
}

/* NULL: nothing that counts. */
static struct touched *deed_called(struct deeds *d, const char *raw, bool is_absent)
{
	struct touched *at = map_get(&d->by_raw, bytes_str(raw));
	const char *path;

	if (at && at->is_unseen && !is_absent)
		deed_at(d, at->path);
	if (!at) {
		path = resolve(d, raw);
		at = is_ignored(d, path) ? &d->ignored : deed_as(d, path, is_absent);
		*map_at(&d->by_raw, bytes_str(arena_str(&d->arena, raw))) = at;
		if (at != &d->ignored)
			note_spelling(d, at, raw);
	}
	return at == &d->ignored ? NULL : at;
}

static struct touched *deed_of(struct deeds *d, const char *raw)
{
	return deed_called(d, raw, false);
}

/* ---- what a call says */

static void add(struct deeds *d, struct touched *at, unsigned deeds)
{
	if (at->is_written || (at->deeds & deeds) == deeds)
		return;
	at->deeds |= deeds;
	d->n_news++;
}

static void note_look(struct deeds *d, struct touched *at, unsigned deeds)
{
	add(d, at, at->kind == DEED_NOTHING ? DEED_ABSENT : deeds);
}

static void note_read(struct deeds *d, struct touched *at)
{
	at->is_resumed |= at->kind == DEED_NOTHING && !at->is_written;
	note_look(d, at, at->kind == DEED_DIR ? DEED_LISTED : DEED_READ);
}

static void set_written(struct deeds *d, struct touched *at, bool replaces)
{
	if (at->is_written && (at->is_replaced || !replaces))
		return;
	at->is_tried |= !at->is_written && !replaces;
	at->is_written = true;
	at->is_replaced |= replaces;
	d->n_news++;
}

/* Writing to a link writes what it leads to. */
static void note_write(struct deeds *d, struct touched *at, bool replaces)
{
	if (at->is_link && !at->is_written && at->kind != DEED_NOTHING) {
		const char *full;

		add(d, at, DEED_LOOKED);
		full = at->path[0] == '/' ? at->path :
		       arena_printf(&d->arena, "%s/%s", d->project->root, at->path);
		at = deed_at(d, resolve_dir(d, full, strlen(full)));
	}
	set_written(d, at, replaces);
}

/* Another's file of that name goes; what this command made below it goes along
 * to the new name. */
static void note_rename(struct deeds *d, struct touched *from, struct touched *to)
{
	size_t n = d->n, len = strlen(from->path);

	if (!from->is_written && from->kind != DEED_NOTHING)
		note_read(d, from);
	for (size_t i = 0; from->kind != DEED_FILE && i < n; i++) {
		struct touched *at = d->v[i];
		const char *path;

		if (at == from || !at->is_written || !path_is_below(from->path, at->path))
			continue;
		path = arena_printf(&d->arena, "%s%s", to->path, at->path + len);
		set_written(d, deed_at(d, path), true);
	}
	set_written(d, from, true);
	set_written(d, to, true);
}

/* A file or a pipe by its number: who gave it may count on what is read.  The
 * three standard ones are known otherwise. */
static bool is_descriptor(struct deeds *d, const struct trace_event *ev)
{
	const char *raw = ev->path, *number = NULL;
	char path[64];
	struct stat st;

	if (strncmp(raw, "/dev/fd/", 8) == 0)
		number = raw + 8;
	else if (strncmp(raw, "/proc/self/fd/", 14) == 0)
		number = raw + 14;
	else
		return strncmp(raw, "/dev/std", 8) == 0 || strcmp(raw, "/dev/fd") == 0;
	snprintf(path, sizeof path, "/proc/%d/fd/%.10s", (int)ev->pid, number);
	if (atoi(number) > 2 && ev->kind <= TRACE_UPDATE && stat(path, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) && !d->odd)
		d->odd = arena_printf(&d->arena, "it uses %s, a pipe", raw);
	return true;
}

/* A program that is a link, .venv/bin/python: it asks where its own name leads
 * to find its modules, and does without when it is no link (venv --copies).  In
 * a cell it is a copy.  One that finds its libraries by where it lies, or a
 * script that goes on to what lies beside it, would not run there. */
static bool is_linked_program(struct deeds *d, const struct touched *at)
{
	struct elf_needs here = { .dirs = "" }, there = { .dirs = "" };
	const char *full;
	bool is;

	if (!at->is_link || at->path[0] == '/' || at->kind != DEED_FILE)
		return false;
	full = arena_printf(&d->arena, "%s/%s", d->project->root, at->path);
	is = access(full, X_OK) == 0 && elf_needs(full, &d->arena, &here) &&
	     elf_needs(resolve_dir(d, full, strlen(full)), &d->arena, &there) &&
	     strcmp(here.dirs, there.dirs) == 0;
	strs_release(&here.needed);
	strs_release(&there.needed);
	return is;
}

static bool asks_for_target(const struct trace_event *ev)
{
	return ev->kind == TRACE_LOOK && ev->status == LOOK_TARGET;
}

static void note_odd(struct deeds *d, const struct trace_event *ev, const struct touched *at)
{
	struct stat st;

	if (!d->odd && asks_for_target(ev) && at->is_link &&
	    at->path[0] != '/' && !at->is_written)
		d->odd = arena_printf(&d->arena, "it asks where the link %s leads", at->path);
	if (at->kind != DEED_ODD || d->odd || ev->kind < TRACE_READ ||
	    ev->kind > TRACE_UPDATE ||
	    fstatat(d->project->root_fd, at->path, &st, 0) < 0)
		return;
	if (S_ISFIFO(st.st_mode))
		d->odd = arena_printf(&d->arena, "it uses the pipe %s", at->path);
}

static void note(struct deeds *d, const struct trace_event *ev, struct touched *at)
{
	struct touched *to;

	if (asks_for_target(ev) && is_linked_program(d, at))
		return;
	note_odd(d, ev, at);
	if (ev->is_late && ev->error > 0) {
		at->is_resumed |= ev->kind == TRACE_READ && !at->is_written;
		add(d, at, DEED_ABSENT);
		return;
	}
	switch (ev->kind) {
	case TRACE_EXEC:
		listings_begin_anew(d, ev->pid);
		note_look(d, at, DEED_EXECUTED | DEED_READ);
		break;
	case TRACE_READ:
		note_read(d, at);
		if (at->kind == DEED_DIR)
			listings_note(d, at, ev->pid, ev->is_relative);
		break;
	case TRACE_LOOK:
	case TRACE_ENTER:
		note_look(d, at, DEED_LOOKED);
		break;
	case TRACE_UPDATE:
		note_write(d, at, false);
		break;
	case TRACE_CHANGE:
	case TRACE_TIMES:
		set_written(d, at, at->kind == DEED_NOTHING);
		break;
	case TRACE_WRITE:
		at->is_exclusive |= !ev->status && !at->is_written;
		note_write(d, at, true);
		at->is_emptied |= ev->status;
		break;
	case TRACE_MAKE_DIR:
		at->is_exclusive |= !at->is_written;
		set_written(d, at, true);
		break;
	case TRACE_REMOVE:
		set_written(d, at, true);
		break;
	case TRACE_RENAME:
		to = deed_of(d, ev->path2);
		if (to)
			note_rename(d, at, to);
		break;
	case TRACE_LINK:
		note_read(d, at);
		to = deed_of(d, ev->path2);
		if (to)
			set_written(d, to, true);
		break;
	default:
		break;
	}
}

void deeds_note(struct deeds *d, const struct trace_event *ev)
{
	struct touched *at;

	pthread_mutex_lock(&d->lock);
	at = is_descriptor(d, ev) ? NULL :
	     deed_called(d, ev->path, ev->is_late && ev->error == ENOENT);
	if (at)
		note(d, ev, at);
	pthread_mutex_unlock(&d->lock);
}

void deeds_note_program(struct deeds *d, const char *path)
{
	struct touched *at;

	pthread_mutex_lock(&d->lock);
	at = deed_of(d, path);
	if (at)
		note_look(d, at, DEED_EXECUTED | DEED_READ);
	pthread_mutex_unlock(&d->lock);
}

void deeds_note_bound(struct deeds *d, const char *path)
{
	struct touched *at;

	pthread_mutex_lock(&d->lock);
	at = deed_of(d, path);
	if (at)
		set_written(d, at, true);
	pthread_mutex_unlock(&d->lock);
}
