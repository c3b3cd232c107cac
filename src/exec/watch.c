/* watch.c - a traced call, before it happens: does it meet a placeholder, or start a
 * program with a model?
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "session_private.h"

const char *watch_inside(const struct session *s, struct arena *a,
			  const char *path)
{
	const char *root = s->o.project->root, *rest = path + s->root_len;

	if (strncmp(path, root, s->root_len) != 0 || (*rest && *rest != '/'))
		return NULL;
	while (*rest == '/')
		rest++;
	if (strstr(rest, "./") || strstr(rest, "//"))
		rest = path_clean(a, "/", rest) + 1;
	if (strncmp(rest, PROJECT_DIR, sizeof PROJECT_DIR - 1) == 0 &&
	    (!rest[sizeof PROJECT_DIR - 1] || rest[sizeof PROJECT_DIR - 1] == '/'))
		return NULL;
	return *rest ? rest : NULL;
}

/* Calls that see the bytes of what they name, or what is below it. */
static const bool sees[] = {
	[TRACE_EXEC] = true, [TRACE_READ] = true, [TRACE_UPDATE] = true,
	[TRACE_LINK] = true, [TRACE_LOOK] = true, [TRACE_CHANGE] = false,
	[TRACE_TIMES] = false, [TRACE_ENTER] = true,
};

/* Is there a placeholder at path?  A damaged one has no name of an output. */
static bool stands_at(struct session *s, struct arena *a, const char *path,
		      struct placeholder *ph)
{
	struct err e;
	int rc = placeholder_at(s->o.project->root_fd, path, a, ph, &e);

	if (rc < 0)
		*ph = (struct placeholder){ 0 };
	return rc == 1 || (rc < 0 && e.code == ERR_BAD);
}

/* Where the placeholder lies that is seen at path, which may be a link to it. */
static const char *behind_links(struct session *s, struct arena *a, const char *path)
{
	bool inside;
	const char *at = project_path(s->o.project, a, s->o.project->root,
				      arena_printf(a, "%s/.", path), &inside);

	return inside ? at : path;
}

bool watch_placeholder(struct session *s, struct arena *a,
			     const struct trace_event *ev, const char **at,
			     struct placeholder *ph)
{
	const char *path = watch_inside(s, a, ev->path);
	char *dir, *slash;
	struct stat st;

	/* A placeholder in the way would have been no folder. */
	if (!path || !sees[ev->kind] || (ev->is_late && ev->error == ENOENT))
		return false;
	dir = arena_str(a, path);
	*at = dir;
	if (stands_at(s, a, dir, ph)) {
		*at = behind_links(s, a, dir);
		return ev->kind != TRACE_LOOK || looks_closely(s, ev, ph);
	}
	if (!strchr(dir, '/') ||
	    fstatat(s->o.project->root_fd, dir, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	while ((slash = strrchr(dir, '/'))) {
		*slash = 0;
		if (stands_at(s, a, dir, ph)) {
			*at = behind_links(s, a, dir);
			return true;
		}
	}
	return false;
}

/* The program that env would find by this name, or the name. */
static const char *found_by_env(struct arena *a, const char *name,
				const struct trace_exec *x)
{
	const char *at = NULL;

	for (size_t i = 0; i < x->n_env && !at; i++)
		if (strncmp(x->env[i], "PATH=", 5) == 0)
			at = x->env[i] + 5;
	while (at && *at) {
		size_t n = strcspn(at, ":");
		const char *path = arena_printf(a, "%.*s/%s", (int)n, at, name);

		if (n && access(path, X_OK) == 0)
			return path;
		at += n + (at[n] == ':');
	}
	return name;
}

/* Of the words after #! the interpreter, which `env` may only look for. */
static char *interpreter_word(char *line, bool *is_looked_for, char **save)
{
	char *word = strtok_r(line, " \t", save);

	*is_looked_for = word && strcmp(path_base(word), "env") == 0;
	if (!*is_looked_for)
		return word;
	word = strtok_r(NULL, " \t", save);
	if (word && strcmp(word, "-S") == 0)
		word = strtok_r(NULL, " \t", save);
	return word && *word != '-' && !strchr(word, '=') ? word : NULL;
}

/* How the caller spelled it, as far as that can be told: where the project lies
 * is not part of a command. */
static const char *as_spelled(struct arena *a, const char *path, const struct trace_exec *x)
{
	size_t n = strlen(x->cwd);

	if (x->n_args && strchr(x->args[0], '/') &&
	    strcmp(path_clean(a, x->cwd, x->args[0]), path_clean(a, x->cwd, path)) == 0)
		return x->args[0];
	return n > 1 && path_is_below(x->cwd, path) ? path + n + 1 : path;
}

/* A script whose interpreter may have a model: its arguments are then those
 * that the interpreter would be given. */
static bool is_script_known(struct session *s, const char *path,
			    struct trace_exec *x)
{
	char line[256], *word, *save = NULL;
	const char **args;
	size_t n_args = 0;
	bool is_looked_for;

	if (!file_shebang(path, line, sizeof line))
		return false;
	word = interpreter_word(line, &is_looked_for, &save);
	if (!word || (!s->o.learns && !models_know(s->o.models, path_base(word))))
		return false;
	if (!x)
		return true;
	args = arena_alloc(&s->arena, (x->n_args + 4) * sizeof *args);
	args[n_args++] = is_looked_for ? found_by_env(&s->arena, word, x)
				       : arena_str(&s->arena, word);
	word = strtok_r(NULL, "", &save);
	if (word)
		args[n_args++] = arena_str(&s->arena, word + strspn(word, " \t"));
	args[n_args++] = as_spelled(&s->arena, path, x);
	for (size_t i = 1; i < x->n_args; i++)
		args[n_args++] = x->args[i];
	x->args = args;
	x->n_args = n_args;
	return true;
}

bool watch_may_be_modelled(struct session *s, const struct trace_event *ev,
			    bool *is_script)
{
	*is_script = false;
	if (ev->kind != TRACE_EXEC)
		return false;
	if (models_know(s->o.models, path_base(ev->path)))
		return true;
	return *is_script = is_script_known(s, ev->path, NULL);
}

bool watch_may_be_learned(struct session *s, const struct trace_event *ev,
			  bool *is_script)
{
	const char *args[] = { ev->path, "x.py", NULL }, *why;
	struct command c = { .program = ev->path, .args = args, .n_args = 2, .cwd = "/" };
	struct arena a = { 0 };
	bool may;

	if (ev->kind != TRACE_EXEC || access(ev->path, X_OK) < 0)
		return false;
	may = learn_shape(&c, &a, &why);
	*is_script = may && is_script_known(s, ev->path, NULL);
	arena_release(&a);
	return may;
}

bool watch_follows_links(const struct trace_event *ev)
{
	return ev->kind == TRACE_EXEC && (strcmp(path_base(ev->path), "realpath") == 0 ||
					  strcmp(path_base(ev->path), "readlink") == 0);
}

void watch_see_through(struct session *s, const char *path, struct trace_exec *x)
{
	is_script_known(s, path, x);
}

void watch_as_script(struct session *s, struct command *c)
{
	struct trace_exec x = { .args = c->args, .n_args = c->n_args, .env = c->env,
				.n_env = c->n_env, .cwd = c->cwd };
	const char *why;

	if (!learn_shape(c, &s->arena, &why) || !is_script_known(s, c->program, &x))
		return;
	c->args = x.args;
	c->n_args = x.n_args;
	c->program = x.args[0];
}
