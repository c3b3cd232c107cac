/* shape.c - which commands are alike, and which are worth learning
 *
 * A shape is what a person would call "the same program": an interpreter with
 * its script or module, else the program's own name and sub-command.  It is
 * read off the command alone, so that the same command has one shape on every
 * machine.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "file.h"
#include "id.h"
#include "learn.h"
#include "pattern.h"

/* Programs whose effect is on a folder, on processes or on a person rather
 * than on a file, and so cheap that a thunk would cost more. */
static const struct glue {
	const char *names, *why;
} glues[] = {
	{ "[ basename cat chgrp chmod chown cksum comm cp cut date dd df dir dirname du echo "
	  "expand expr factor false fmt fold groups head hostid id install join link ln logname "
	  "ls md5sum mkdir mkfifo mknod mktemp mv nl nproc numfmt od paste pathchk pr printenv "
	  "printf ptx pwd readlink realpath rm rmdir seq sha1sum sha256sum sha512sum shred shuf "
	  "sleep sort split stat stty sum sync tac tail tee test touch tr true truncate tsort tty "
	  "uname unexpand uniq unlink users vdir wc who whoami yes awk gawk mawk sed grep egrep "
	  "fgrep cmp diff diff3 patch file which locale getconf column rev",
	  "moving files and text about is quicker done than learned" },
	{ "env nice ionice nohup time timeout setsid stdbuf chrt taskset numactl flock watch "
	  "xargs parallel find entr script strace ltrace gdb perf valgrind",
	  "it runs another command, which is looked at by itself" },
	{ "make gmake ninja cmake ctest meson bazel scons snakemake dvc luigi airflow just task "
	  "tup redo waf ant mvn gradle",
	  "it runs other commands, which are looked at one by one" },
	{ "sudo su doas chroot unshare nsenter docker podman buildah singularity apptainer srun "
	  "sbatch salloc qsub kubectl systemctl systemd-run crontab at",
	  "it works for another user, in a container or on another machine" },
	{ "ssh scp sftp rsync rclone curl wget aria2c git git-lfs hg svn gh aws gsutil gcloud az "
	  "ping nc ncat telnet ftp",
	  "it talks to other machines" },
	{ "tar gzip gunzip zcat bzip2 bunzip2 xz unxz zstd unzstd lz4 zip unzip 7z cpio",
	  "packing and unpacking is quicker done than learned" },
	{ "vi vim nano emacs less more man top htop tmux screen clear reset dialog",
	  "it is for a person at a terminal" },
	{ "kill pkill killall ps pgrep free vmstat uptime lscpu lsblk lspci nvidia-smi rocm-smi "
	  "ldconfig ldd uptime dmesg hostname hostnamectl",
	  "it is about the machine, and says something else on each" },
	{ "apt apt-get dpkg dpkg-query pip pip3 conda mamba npm yarn cargo gem cpan",
	  "it changes or asks what is installed" },
	{ "gcc g++ cc c++ clang clang++ ar ld ranlib strip objcopy as cc1 cc1plus f951 lto1 "
	  "lto-wrapper gnat1 collect2 nvcc ptxas nvlink fatbinary cicc objdump nm readelf "
	  "pkg-config",
	  "compilers and their like have models of their own" },
	{ "gg gg-infer gg-force", "it is gg" },
};

static bool is_listed(const char *names, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = names; n && (s = strstr(s, name)); s += n)
		if ((s == names || s[-1] == ' ') && (s[n] == ' ' || s[n] == '\0'))
			return true;
	return false;
}

/* A program's base name without a version behind it: gcc-12, python3.11. */
static const char *name_only(struct arena *a, const char *base)
{
	size_t n = strlen(base), whole = n;

	while (n && (isdigit((unsigned char)base[n - 1]) || strchr(".-", base[n - 1])))
		n--;
	if (!n || n == whole)
		return base;
	if (head_is_interpreter(base) || base[n] == '-')
		return arena_strn(a, base, n);
	return base;
}

static const char *glue_reason(const char *base, struct arena *a)
{
	const char *name = name_only(a, base);

	for (size_t i = 0; i < sizeof(glues) / sizeof(*glues); i++)
		if (is_listed(glues[i].names, base) || is_listed(glues[i].names, name))
			return glues[i].why;
	return NULL;
}

/* Those that prepare an environment for the command, where the system has them:
 * a script of the project may be called so and do something else. */
static const char *wrapper_reason(const char *base)
{
	return is_listed("uv uvx poetry pipenv pdm hatch rye tox nox pixi direnv dotenv pyenv "
			 "rbenv nodenv", base)
		       ? "it runs another command, which is looked at by itself" : NULL;
}

/* A path as seen from the root when it is inside, tidied. */
static const char *from_root(const struct command *c, const char *path, struct arena *a)
{
	const char *root = c->root ? c->root : c->cwd;
	const char *full = path_clean(a, c->cwd, path);
	size_t n = strlen(root);

	if (strcmp(full, root) == 0 || !path_is_below(root, full) || n == 1)
		return full;
	return full + n + 1;
}

static struct head head_find(const struct command *c)
{
	struct head h = head_of(path_base(c->args[0]), c->args, c->n_args);

	return h.interpreter ? h : head_of(path_base(c->program), c->args, c->n_args);
}

static const char *interpreter_name(const struct command *c, struct arena *a)
{
	const char *base = path_base(c->args[0]);
	const char *name;

	base += *base == '-';
	if (!head_is_interpreter(base))
		base = path_base(c->program);
	name = name_only(a, base);
	return strcmp(name, "python") == 0 ? "python3" : name;
}

/* Program text in a shape: its begin, and its name where that is not all. */
static const char *code_shape(const char *program, const char *code, struct arena *a)
{
	enum { SHOWN = 60 };
	const char *option = is_listed("python3 pypy", program) ? "-c" : "-e";
	struct id id = id_of(bytes_str(code));
	char *s = arena_strn(a, code, strnlen(code, SHOWN));

	for (char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (strcmp(s, code) == 0)
		return arena_printf(a, "%s %s '%s'", program, option, s);
	return arena_printf(a, "%s %s '%s...' %.12s", program, option, s,
			    id_hex(&id).s);
}

/* A word that a person would take for a sub-command. */
static bool is_name(const char *w)
{
	return isalpha((unsigned char)*w) &&
	       w[strspn(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] == '\0';
}

static bool is_shell(const char *interpreter)
{
	return is_listed("sh bash dash ksh zsh", interpreter);
}

bool learn_is_shell(const struct command *c)
{
	struct arena a = { 0 };
	struct head h = head_find(c);
	bool is = h.interpreter && is_shell(interpreter_name(c, &a));

	arena_release(&a);
	return is;
}

bool learn_is_streamed(const struct command *c)
{
	return c->n_args > 1 && strcmp(c->args[1], "-") == 0 && head_find(c).interpreter &&
	       !learn_is_shell(c);
}

static const char *shape_of_script(const struct command *c, const struct head *h,
				   struct arena *a, const char **why)
{
	const char *program = interpreter_name(c, a);

	switch (h->kind) {
	case HEAD_SCRIPT:
		/* `which` and `ldd` are scripts of the system. */
		*why = *from_root(c, h->script, a) == '/'
			       ? glue_reason(path_base(h->script), a) : NULL;
		if (!*why && *from_root(c, h->script, a) == '/')
			*why = wrapper_reason(path_base(h->script));
		if (*why)
			return NULL;
		if (!*h->script || strncmp(h->script, "/dev/", 5) == 0 ||
		    strncmp(h->script, "/proc/", 6) == 0)
			break;
		return arena_printf(a, "%s %s", program, from_root(c, h->script, a));
	case HEAD_MODULE:
		if (is_listed("uv poetry pipenv pdm hatch tox nox dotenv", h->script)) {
			*why = "it runs another command, which is looked at by itself";
			return NULL;
		}
		if (is_listed("pip venv ensurepip http.server pdb", h->script)) {
			*why = "it changes what is installed, or is for a person";
			return NULL;
		}
		return arena_printf(a, "%s -m %s", program, h->script);
	case HEAD_CODE:
		if (is_shell(program)) {
			*why = "what a shell's -c runs is looked at by itself";
			return NULL;
		}
		return code_shape(program, h->script, a);
	case HEAD_PROGRAM:
		break;
	}
	*why = "its program comes from a stream, which is read but once";
	return NULL;
}

const char *learn_shape(const struct command *c, struct arena *a, const char **why)
{
	struct head h;
	const char *path, *base;

	*why = "it has no name";
	if (!c->n_args || !*c->args[0])
		return NULL;
	h = head_find(c);
	if (h.interpreter)
		return shape_of_script(c, &h, a, why);
	path = from_root(c, c->program, a);
	*why = glue_reason(path_base(c->args[0]), a);
	if (!*why)
		*why = glue_reason(path_base(c->program), a);
	if (!*why && *path == '/')
		*why = wrapper_reason(path_base(c->program));
	if (*why)
		return NULL;
	if (*path != '/')
		return arena_printf(a, "./%s", path);
	base = path_base(c->args[0]);
	if (c->n_args > 1 && is_name(c->args[1]))
		return arena_printf(a, "%s %s", base, c->args[1]);
	return base;
}

/* Does one of c's own arguments name this: a path, or a module? */
static bool is_named(const struct command *c, const char *path, const char *module,
		     struct arena *a)
{
	for (size_t i = 1; i < c->n_args; i++) {
		if (module && strcmp(c->args[i], module) == 0)
			return true;
		if (path && *c->args[i] && *c->args[i] != '-' &&
		    strcmp(path_clean(a, c->cwd, c->args[i]), path) == 0)
			return true;
	}
	return false;
}

/* Does inner go on with what outer was to run: R --file=fit.R below Rscript
 * fit.R? */
static bool carries_on(const struct command *outer, const struct head *o,
		       const struct command *inner)
{
	if (o->kind != HEAD_SCRIPT)
		return false;
	for (size_t i = 1; i < inner->n_args; i++) {
		const char *equals = strchr(inner->args[i], '=');

		if (equals && *inner->args[i] == '-' && strcmp(equals + 1, o->script) == 0 &&
		    strcmp(outer->cwd, inner->cwd) == 0)
			return true;
	}
	return false;
}

/* Does an argument look like a file of the project?  Asking the disk would
 * make the same command another on another day. */
static bool names_project_file(const struct command *c, struct arena *a)
{
	for (size_t i = 1; i < c->n_args; i++) {
		const char *w = c->args[i];

		if (*w == '-' || !*w || strspn(w, "0123456789.eE+-,") == strlen(w) ||
		    strstr(w, "://"))
			continue;
		if (*from_root(c, w, a) != '/')
			return true;
	}
	return false;
}

static bool in_project(const struct command *c, const char *path, struct arena *a)
{
	return path && *from_root(c, path, a) != '/';
}

static bool is_part(const struct command *outer, const struct command *inner,
		    struct arena *a)
{
	struct head o = head_find(outer), h = head_find(inner);
	bool is_driver = o.interpreter && is_shell(interpreter_name(outer, a));
	const char *why, *path = inner->program, *module = NULL;

	if (!learn_shape(inner, a, &why))
		return true;
	if (h.kind == HEAD_CODE)
		return !is_driver;
	if (h.kind == HEAD_MODULE) {
		module = h.script;
		path = NULL;
		if (strstr(module, "joblib") || strstr(module, "loky") ||
		    strstr(module, "multiprocessing"))
			return true;
	}
	if (h.kind == HEAD_SCRIPT)
		path = path_clean(a, inner->cwd, h.script);
	if (is_named(outer, path, module, a) || carries_on(outer, &o, inner))
		return true;
	/* A script that starts itself again: ranks of one training. */
	if (path && o.kind == HEAD_SCRIPT && o.script &&
	    strcmp(path_clean(a, outer->cwd, o.script), path) == 0)
		return true;
	if (is_driver || in_project(inner, path, a))
		return false;
	return !names_project_file(inner, a);
}

bool learn_is_part(const struct command *outer, const struct command *inner)
{
	struct arena a = { 0 };
	bool is = true;

	if (outer->n_args && inner->n_args)
		is = is_part(outer, inner, &a);
	arena_release(&a);
	return is;
}
