/* refusal.c - commands that must run for real each time, and why
 *
 * What a thunk gives is files below the project's root, made from what it
 * declares.  Whatever else a command does would be done once and then never
 * again.
 */
#include <fnmatch.h>
#include <string.h>
#include "closure.h"
#include "file.h"
#include "learn_private.h"

/* Devices by name: those that may be used, and why the others may not. */
static const struct device {
	const char *pattern;
	const char *why;        /* NULL: it may be used */
} devices[] = {
	{ "/dev/null", NULL },          { "/dev/zero", NULL },
	{ "/dev/full", NULL },          { "/dev/random", NULL },
	{ "/dev/urandom", NULL },       { "/dev/shm", NULL },
	{ "/dev/shm/*", NULL },         { "/dev/ptmx", NULL },
	{ "/dev/pts", NULL },           { "/dev/nvidia*", NULL },
	{ "/dev/dri", NULL },           { "/dev/dri/*", NULL },
	{ "/dev/kfd", NULL },           { "/dev/fd", NULL },
	{ "/dev/fd/*", NULL },          { "/dev/std*", NULL },
	{ "/dev/dxg", NULL },           { "/dev", NULL },
	{ "/dev/infiniband*", NULL },   { "/dev/hugepages*", NULL },
	{ "/dev/tty", "it asks a person at the terminal" },
	{ "/dev/tty*", "it uses a terminal line" },
	{ "/dev/console", "it uses the console" },
	{ "/dev/pts/*", "it uses a terminal" },
	{ "/dev/fuse", "it mounts a file system" },
	{ "/dev/loop*", "it uses a disk" },
	{ "/dev/sd*", "it uses a disk" },
	{ "/dev/video*", "it uses a camera" },
	{ "/dev/snd*", "it uses a sound card" },
	{ "/dev/kvm", "it runs a virtual machine" },
	{ "/dev/*", "it uses a device" },
};

/* Places outside the project where what has a name by chance counts for nothing:
 * nobody else knows it. */
static const char *const for_temps[] = { "/tmp", "/var/tmp", "/dev/shm" };

/* What a variable has TMPDIR say, n bytes of it: without the slashes at its end,
 * which many people write; NULL: it is another variable, or says nothing. */
static const char *said_of_temps(const char *name_value, size_t *n)
{
	const char *dir = env_is_tmpdir(name_value) ? name_value + strlen("TMPDIR=") : "";

	*n = strlen(dir);
	while (*n && dir[*n - 1] == '/')
		--*n;
	return *dir == '/' && *n ? dir : NULL;
}

const char *learn_behind_temps(const char *const *env, size_t n_env, const char *path)
{
	for (size_t i = 0; i < sizeof(for_temps) / sizeof(*for_temps); i++)
		if (path_is_below(for_temps[i], path))
			return path + strlen(for_temps[i]);
	for (size_t i = 0; i < n_env; i++) {
		size_t n;
		const char *dir = said_of_temps(env[i], &n);

		if (dir && strncmp(path, dir, n) == 0 && path[n] == '/')
			return path + n;
	}
	return NULL;
}

static int class_of(char c)
{
	return c >= '0' && c <= '9' ? 1 : c >= 'A' && c <= 'Z' ? 2 : c == '_' ? 3 : 4;
}

/* Could mkstemp, Python's tempfile and the like have thought of it?  Theirs are
 * 6 to 10 letters and digits without an order. */
static bool is_by_chance(const char *word, size_t n)
{
	enum { LEAST = 6, SEEN = 8, CHANGES = 2, OF_PYTHON = 11 };
	size_t changes = 0;

	if (n < LEAST)
		return false;
	for (size_t i = n > SEEN ? n - SEEN + 1 : 1; i < n; i++)
		changes += class_of(word[i]) != class_of(word[i - 1]);
	return changes >= CHANGES || (n == OF_PYTHON && strncmp(word, "tmp", 3) == 0);
}

static bool has_chance(const char *name)
{
	for (size_t n; *name && *name != '/'; name += n + (name[n] && name[n] != '/')) {
		n = strcspn(name, ".-/");
		if (is_by_chance(name, n))
			return true;
	}
	return false;
}

static bool is_exclusive(const struct sighting *s, const char *path, size_t n)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].deeds & DEED_EXCLUSIVE && strncmp(s->v[i].path, path, n) == 0 &&
		    !s->v[i].path[n])
			return true;
	return false;
}

/* Does writing or removing it leave nothing behind that counts? */
static bool is_passing(const struct sighting *s, const struct deed_at *d)
{
	const char *at = learn_behind_temps(s->command.env, s->command.n_env, d->path);

	if (path_is_cache(d->path))
		return true;
	if (!at)
		return path_is_below("/proc", d->path) || path_is_below("/dev", d->path);
	if (d->deeds & DEED_FOLDER && !(d->deeds & DEED_REMOVED))
		return true;
	for (; *at; at += 1 + strcspn(at + 1, "/"))
		if (has_chance(at + 1) &&
		    is_exclusive(s, d->path, (size_t)(at - d->path) + 1 +
				 strcspn(at + 1, "/")))
			return true;
	return false;
}

/* A place that an argument names is one where the caller will look. */
static bool is_asked_for(const struct sighting *s, const char *path, struct arena *a)
{
	for (size_t i = 1; i < s->command.n_args; i++) {
		const char *w = strchr(s->command.args[i], '/');

		if (w && strcmp(path_clean(a, s->command.cwd, w), path) == 0)
			return true;
	}
	return false;
}

/* bash opens the terminal whenever it begins, and asks it nothing. */
static bool runs_bash(const struct sighting *s)
{
	if (strcmp(path_base(s->command.program), "bash") == 0)
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].deeds & DEED_EXECUTED &&
		    strcmp(path_base(s->v[i].path), "bash") == 0)
			return true;
	return false;
}

static const char *device_reason(const struct sighting *s, const struct deed_at *d,
				 struct arena *a)
{
	const unsigned uses = DEED_READ | DEED_WROTE | DEED_UPDATED;

	if (strncmp(d->path, "/dev/", 5) != 0 || !(d->deeds & uses) ||
	    (strcmp(d->path, "/dev/tty") == 0 && runs_bash(s)))
		return NULL;
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		if (fnmatch(devices[i].pattern, d->path, 0) == 0)
			return !devices[i].why ? NULL
					       : arena_printf(a, "%s (%s)", devices[i].why,
							      d->path);
	return NULL;
}

/* What a deed at one path alone forbids. */
static const char *path_reason(const struct sighting *s, const struct deed_at *d,
			       struct arena *a)
{
	const unsigned writes = DEED_WROTE | DEED_UPDATED;

	if (*d->path == '/') {
		const char *verb = d->deeds & DEED_REMOVED ? "removes" : "writes";

		if (d->deeds & (writes | DEED_REMOVED) &&
		    (!is_passing(s, d) || (strncmp(d->path, "/dev/", 5) != 0 &&
						 is_asked_for(s, d->path, a))))
			return arena_printf(a, "it %s %s, outside the project", verb, d->path);
		return device_reason(s, d, a);
	}
	if (path_is_cache(d->path))
		return NULL;
	if (d->deeds & DEED_REMOVED)
		return arena_printf(a, "it removes %s, which it had not made", d->path);
	return NULL;
}

/* A folder whose names are read and in which the command writes: what it found
 * there depends on what ran before. */
static const char *listed_reason(const struct view *v, struct arena *a)
{
	for (size_t i = 0; i < v->n_facts; i++)
		for (size_t k = 0; v->facts[i].kind == FACT_TREE && k < v->n_facts; k++)
			if (v->facts[k].kind >= FACT_WRITE &&
			    path_is_below(v->facts[i].path, v->facts[k].path))
				return arena_printf(a, "it lists %s and writes %s in it",
						    *v->facts[i].path == '.'
							    ? "the project's root"
							    : v->facts[i].path,
						    v->facts[k].path);
	return NULL;
}

static bool digits(const char *s, size_t n)
{
	return strspn(s, "0123456789") >= n;
}

/* Does s begin with a date of this century, as 2024-05-31 or 20240531? */
static bool is_date(const char *s)
{
	int dash = s[0] == '2' && s[1] == '0' && digits(s, 4) && (s[4] == '-' || s[4] == '_');
	const char *month = s + 4 + dash, *day;

	if (s[0] != '2' || s[1] != '0' || !digits(s, 4) || !digits(month, 2))
		return false;
	day = month + 2 + dash;
	if (dash && (month[2] != s[4]))
		return false;
	return digits(day, 2) && (month[0] == '0' || (month[0] == '1' && month[1] <= '2')) &&
	       day[0] <= '3' && !(day[2] >= '0' && day[2] <= '9');
}

static bool is_given(const struct command *c, const char *s, size_t n)
{
	for (size_t i = 1; i < c->n_args; i++)
		if (memmem(c->args[i], strlen(c->args[i]), s, n))
			return true;
	for (size_t i = 0; i < c->n_env; i++)
		if (memmem(c->env[i], strlen(c->env[i]), s, n))
			return true;
	return false;
}

/* An output called by the day it was made is another one tomorrow. */
static const char *dated_reason(const struct view *v, struct arena *a)
{
	for (size_t i = 0; i < v->n_facts; i++) {
		const char *path = v->facts[i].path;

		if (v->facts[i].kind < FACT_WRITE)
			continue;
		for (const char *p = path; *p; p++)
			if ((p == path || !(p[-1] >= '0' && p[-1] <= '9')) && is_date(p) &&
			    !is_given(&v->s->command, p, 8))
				return arena_printf(a, "it calls what it makes by the date (%s)",
						    path);
	}
	return NULL;
}

/* What a closure cannot hold and no argument names. */
static const char *stray_reason(const struct view *v, struct arena *a)
{
	for (size_t i = 0; i < v->s->n; i++) {
		const struct deed_at *d = &v->s->v[i];
		const char *what;

		if (*d->path != '/' || !(d->deeds & DEED_READ) || d->deeds & DEED_FOLDER ||
		    path_is_cache(d->path) || fact_at(v, d->path))
			continue;
		what = closure_stray(d->path);
		if (what)
			return arena_printf(a, "it reads %s, %s outside the project", d->path,
					    what);
	}
	return NULL;
}

static const char *script_reason(const struct view *v, struct arena *a)
{
	const struct fact *f = v->script_path ? fact_at(v, v->script_path) : NULL;

	return f && f->kind >= FACT_WRITE ? arena_printf(a, "it changes itself, %s", f->path)
					  : NULL;
}

const char *learn_refusal(const struct sighting *s, struct arena *a)
{
	const char *why = NULL;
	struct view v;

	if (!s->command.n_args)
		return "it has no name";
	for (size_t i = 0; i < s->n && !why; i++)
		why = path_reason(s, &s->v[i], a);
	if (why)
		return why;
	v = view_of(s, a);
	why = script_reason(&v, a);
	if (!why)
		why = stray_reason(&v, a);
	if (!why)
		why = listed_reason(&v, a);
	return why ? why : dated_reason(&v, a);
}

static bool reads_project(const struct sighting *s)
{
	bool reads = s->command.std[0].kind == STREAM_FILE;

	for (size_t i = 0; i < s->n && !reads; i++)
		reads = *s->v[i].path != '/' && s->v[i].deeds & DEED_READ &&
			!(s->v[i].deeds & DEED_FOLDER) && !path_is_cache(s->v[i].path);
	return reads;
}

bool learn_prints(const struct sighting *s)
{
	return command_prints_to(&s->command, STREAM_FILE) ||
	       (command_prints_to(&s->command, STREAM_PIPE) && reads_project(s));
}
