/* blame.c - what went wrong with a thunk, in words that say what to do
 *
 * A program only says which path it could not open.  Compared with what is
 * in the project and what was declared, that tells what the model lacks.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "file.h"

/* Only the end of a long log is searched. */
enum { SEARCHED_MAX = 1 << 16, TOKEN_MAX = 4095, PREFIXES_MAX = 4, FULL_BYTES = 64 << 10 };

const char *blame_who(const struct cell *c)
{
	const struct thunk *t = &c->thunk;
	struct arena a = { 0 };
	const char *found = NULL;

	/* A script that is an input says more than its interpreter. */
	for (size_t i = 1; i < t->n_args && i < 4 && !found; i++) {
		const char *p = path_clean(&a, "/", t->args[i]) + 1;

		if (t->cwd && strcmp(t->cwd, ".") != 0)
			p = arena_printf(&a, "%s/%s", t->cwd, p);
		if (t->args[i][0] != '-' && thunk_input(t, p))
			found = t->args[i];
	}
	arena_release(&a);
	return found ? found : path_base(t->args[0]);
}

const char *blame_status(struct arena *a, enum run_status status, int code)
{
	const char *name = sigabbrev_np(code), *what = sigdescr_np(code);
	char *s;

	if (status == RUN_SIGNALED && (!name || !what))
		return arena_printf(a, "killed by signal %d", code);
	if (status == RUN_SIGNALED) {
		s = arena_str(a, what);
		if (s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a')
			s[0] = (char)(s[0] - 'A' + 'a');
		return arena_printf(a, "killed by SIG%s (%s%s)", name, s,
				    code == SIGKILL ? "; often for lack of memory" : "");
	}
	if (code > 128 && (name = sigabbrev_np(code - 128)))
		return arena_printf(a, "exit status %d, as a shell says when its "
				    "program was killed by SIG%s", code, name);
	if (code == 127)
		return "exit status 127, as a shell says when a command was not found";
	return arena_printf(a, "exit status %d", code);
}

/* ---- reading a log */

static bool says(struct bytes line, const char *text)
{
	return line.n && memmem(line.p, line.n, text, strlen(text));
}

static bool is_absent_line(struct bytes line)
{
	static const char *const ways[] = {
		"No such file", "no such file", "not found", "annot open", "an't open",
		"annot find", "an't find", "annot stat", "annot access", "does not exist",
		"doesn't exist", "No module named", "No rule to make", "ENOENT",
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (says(line, ways[i]))
			return true;
	return false;
}

/* As a path of the project, plain; NULL if it is none. */
static const char *as_plain(struct cell *c, struct bytes token)
{
	const char *root = c->box.seen_root, *p, *s;
	size_t n = strlen(root);

	if (!token.n || token.n > TOKEN_MAX || memchr(token.p, '\0', token.n))
		return NULL;
	s = arena_strn(&c->arena, token.p, token.n);
	p = c->thunk.cwd ? arena_printf(&c->arena, "%s/%s", root, c->thunk.cwd) : root;
	p = path_clean(&c->arena, p, s);
	if (!path_is_below(root, p) || !p[n])
		return NULL;
	return path_is_plain(p + n + 1) ? p + n + 1 : NULL;
}

static bool is_declared(const struct thunk *t, const char *path)
{
	for (size_t i = 0; i < t->n_in; i++)
		if (path_is_below(t->in[i].path, path))
			return true;
	for (size_t i = 0; i < t->n_out; i++)
		if (path_is_below(t->out[i].path, path))
			return true;
	return false;
}

/* Seen from the thunk's cwd, as a model spells it. */
static const char *as_spelled(struct cell *c, const char *path)
{
	const char *cwd = c->thunk.cwd;
	struct buf b = { 0 };
	const char *s;

	if (!cwd || strcmp(cwd, ".") == 0)
		return path;
	if (path_is_below(cwd, path) && path[strlen(cwd)])
		return path + strlen(cwd) + 1;
	for (const char *p = cwd; p; p = strchr(p + 1, '/'))
		buf_str(&b, "../");
	buf_str(&b, path);
	s = arena_str(&c->arena, b.p);
	buf_release(&b);
	return s;
}

const char *blame_undeclared(struct cell *c, const char *path, bool is_folder)
{
	return arena_printf(&c->arena, "%s needs %s, which is in the project but not "
			    "among its inputs: add `also %s%s` to its model in gg.models",
			    blame_who(c), path, as_spelled(c, path), is_folder ? "/" : "");
}

const char *blame_stray(struct cell *c, const char *path)
{
	return arena_printf(&c->arena, "%s wrote %s, which is not among its outputs: add "
			    "`makes %s` to its model in gg.models", blame_who(c), path,
			    as_spelled(c, path));
}

static const char *undeclared(struct cell *c, struct bytes token)
{
	const char *path = as_plain(c, token);
	struct stat st;

	if (!path || is_declared(&c->thunk, path) || path_is_below(".gg", path) ||
	    fstatat(c->box.real_project, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	c->report.undeclared = path;
	return blame_undeclared(c, path, S_ISDIR(st.st_mode));
}

/* import a.b.c: a module of the project beside the script. */
static const char *undeclared_module(struct cell *c, struct bytes name)
{
	static const char *const forms[] = { "%s%.*s.py", "%s%.*s/__init__.py", "%s%.*s" };
	const char *who = blame_who(c), *slash = strrchr(who, '/');
	const char *dir = slash ? arena_strn(&c->arena, who, (size_t)(slash - who) + 1) : "";
	char part[256];
	size_t n = 0;

	for (; n < name.n && n < sizeof part; n++)
		part[n] = name.p[n] == '.' ? '/' : name.p[n];
	/* The whole name first, then its first part. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
			struct buf b = { 0 };
			const char *found;

			buf_str(&b, dir);
			buf_add(&b, part, n);
			buf_str(&b, forms[i] + strlen("%s%.*s"));
			found = undeclared(c, buf_bytes(&b));
			buf_release(&b);
			if (found)
				return found;
		}
		n = memchr(part, '/', n) ? (size_t)((char *)memchr(part, '/', n) - part) : n;
	}
	return NULL;
}

typedef const char *judge_token(struct cell *c, struct bytes token);

/* What stands in quotes, then what stands between colons, then words. */
static const char *each_token(struct cell *c, struct bytes line, judge_token *judge)
{
	static const char *const cuts[] = { "'\"`", ":", " \t'\"`:;,()<>[]=" };

	for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
		size_t from = 0;

		for (size_t i = 0; i <= line.n; i++) {
			struct bytes t = { line.p + from, i - from };
			const char *found;

			if (i < line.n && !strchr(cuts[k], line.p[i]))
				continue;
			while (t.n && t.p[0] == ' ')
				t.p++, t.n--;
			while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '.'))
				t.n--;
			found = t.n ? judge(c, t) : NULL;
			if (found)
				return found;
			from = i + 1;
		}
	}
	return NULL;
}

static const char *wrote_input(struct cell *c, struct bytes token)
{
	const char *path = as_plain(c, token);

	if (path && thunk_input(&c->thunk, path))
		return arena_printf(&c->arena, "%s tried to write its input %s: let it "
				    "write to another path, or declare that path as an "
				    "output too", blame_who(c), path);
	return NULL;
}

static const char *wrote_outside(struct cell *c, struct bytes token)
{
	if (token.p[0] != '/' || as_plain(c, token))
		return NULL;
	return arena_printf(&c->arena, "%s tried to write %s, outside the project: let it "
			    "write below the project and declare that as an output, or "
			    "below $TMPDIR what need not last", blame_who(c),
			    arena_strn(&c->arena, token.p, token.n));
}

/* A refused write.  What complains names itself first, as in "step.sh: 1:
 * cannot create x", and a script is an input too: what follows counts more. */
static const char *blame_write(struct cell *c, struct bytes line)
{
	bool may_leave = says(line, "Read-only file system");
	size_t from[PREFIXES_MAX + 1] = { 0 }, n = 1;
	const char *found = NULL;

	for (size_t i = 0; i < line.n && n <= PREFIXES_MAX; i++)
		if (line.p[i] == ':')
			from[n++] = i + 1;
	while (!found && n--) {
		struct bytes rest = { line.p + from[n], line.n - from[n] };

		found = each_token(c, rest, wrote_input);
		if (!found && may_leave)
			found = each_token(c, rest, wrote_outside);
	}
	return found;
}

static const char *blame_line(struct cell *c, struct bytes line)
{
	static const char module[] = "No module named ";
	const char *p = memmem(line.p, line.n, module, sizeof module - 1), *found;

	if (says(line, "Permission denied"))
		return blame_write(c, line);
	if (says(line, "Read-only file system")) {
		found = blame_write(c, line);
		return found ? found : arena_printf(&c->arena,
			"%s tried to write where it may not: a step writes below the "
			"project, what it declared, or below $TMPDIR", blame_who(c));
	}
	if (p) {
		struct bytes name = { p + sizeof module - 1, 0 };
		const char *end = line.p + line.n;

		while (name.p < end && strchr("'\"", *name.p))
			name.p++;
		while (name.p + name.n < end && !strchr("'\"; ", name.p[name.n]))
			name.n++;
		return undeclared_module(c, name);
	}
	return is_absent_line(line) ? each_token(c, line, undeclared) : NULL;
}

static struct bytes end_of_log(const struct cell *c)
{
	struct bytes log = c->report.log;

	if (log.n > SEARCHED_MAX) {
		log.p += log.n - SEARCHED_MAX;
		log.n = SEARCHED_MAX;
	}
	return log;
}

/* ---- a full disk */

/* It still has what it wrote.  Root alone may use the last of some disks, so that
 * only a program's word tells whether it was root for them. */
static bool is_full(const struct cell *c, bool says_so)
{
	struct statvfs fs;

	if (fstatvfs(c->box.tmps[TMP_TMP], &fs) < 0)
		return false;
	if (fs.f_files && !fs.f_ffree)
		return true;
	return fs.f_blocks &&
	       (says_so ? fs.f_bavail : fs.f_bfree) * fs.f_frsize < FULL_BYTES;
}

const char *blame_disk(struct cell *c)
{
	struct run_report *r = &c->report;
	struct bytes log = end_of_log(c);
	bool says_so = says(log, "No space left on device") || says(log, "Disk quota exceeded");
	const char *status = blame_status(&c->arena, r->status, r->code);

	if (is_full(c, says_so)) {
		r->status = RUN_DISK_FULL;
		return arena_printf(&c->arena, "%s found no space left on the disk that it writes "
				    "to: free some, and let `disk 10G` in its model say how much "
				    "it needs, so that it starts only where so much is free (%s)",
				    blame_who(c), status);
	}
	if (!says_so)
		return NULL;
	return arena_printf(&c->arena, "%s says that it found no space left, yet where it writes "
			    "there was some when it had ended: it may have removed what it wrote, "
			    "or have filled /dev/shm or its quota; `disk 10G` in its model says "
			    "how much must be free when it starts (%s)", blame_who(c), status);
}

const char *blame_log(struct cell *c)
{
	struct bytes log = end_of_log(c);

	while (log.n) {
		const char *end = memchr(log.p, '\n', log.n);
		size_t n = end ? (size_t)(end - log.p) : log.n;
		const char *found = blame_line(c, (struct bytes){ log.p, n });

		if (found)
			return found;
		log.p += n + (end != NULL);
		log.n -= n + (end != NULL);
	}
	return NULL;
}
