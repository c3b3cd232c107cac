/* variables.c - variables of the environment that a project's programs ask for
 *
 * No call shows that a program looks at its environment.  But who asks for ALPHA
 * has to spell it: os.environ['ALPHA'], getenv("ALPHA"), ${ALPHA:-1},
 * process.env.ALPHA.  So a variable is asked for if its name stands so in a
 * script or a settings file that the command read.
 */
#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum { TEXT_MAX = 1 << 20, NAME_MIN = 2 };

bool env_is_secret(const char *name_value)
{
	static const char *const parts[] = { "KEY", "*_KEY", "*APIKEY", "*TOKEN", "*SECRET*",
					     "*PASSWORD*", "*PASSWD*", "*CREDENTIAL*" };
	char name[128];
	size_t n = strcspn(name_value, "=");

	if (n >= sizeof(name))
		return true;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)toupper((unsigned char)name_value[i]);
	name[n] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (fnmatch(parts[i], name, 0) == 0)
			return true;
	return false;
}

/* Is the word of n bytes at p spelled as a name that is asked for? */
static bool is_asked(const char *begin, const char *p, size_t n, const char *end)
{
	char before = p > begin ? p[-1] : '\0', after = p + n < end ? p[n] : '\0';

	if (before == '$')
		return true;
	if (before == '\'' || before == '"')
		return after == before;
	if (before == '{')
		return after && strchr("}:-=?+", after);
	return p - begin > 4 && memcmp(p - 4, "env.", 4) == 0;
}

/* Names of env (NAME to NAME=VALUE) that text asks for: their values are marked
 * by going over to out. */
static void text_read(struct bytes text, struct map *env, struct strs *out)
{
	const char *begin = text.p, *end = begin + text.n;

	for (const char *p = begin; p < end;) {
		size_t n = word_length(p, end);
		struct bytes name = { p, n };
		const char *entry;

		if (n >= NAME_MIN && is_asked(begin, p, n, end) &&
		    (entry = map_get(env, name)) != NULL) {
			strs_add(out, entry);
			map_drop(env, name);
		}
		p += n ? n : 1;
	}
}

/* The whole path of a script or settings; NULL: it is none. */
static const char *text_path(const struct view *v, const struct fact *f, struct arena *a)
{
	bool is_script = v->script_path && strcmp(v->script_path, f->path) == 0;
	const char *full;
	char line[256];

	if (f->kind != FACT_READ || *f->path == '/' ||
	    !(is_script || head_is_script(f->path) || head_is_settings(f->path)))
		return NULL;
	full = path_clean(a, v->root, f->path);
	return head_is_script(f->path) || head_is_settings(f->path) ||
	       file_shebang(full, line, sizeof(line)) ? full : NULL;
}

void learn_variables(const struct sighting *s, const struct command *c, struct arena *a,
		     struct strs *out)
{
	struct view v = view_of(s, a);
	struct map env = { 0 };
	struct bytes text;
	struct err e;
	size_t n = 0;

	for (size_t i = 0; i < c->n_env; i++) {
		const char *entry = c->env[i];

		if (strchr(entry, '=') && !env_is_local(entry) && !env_is_known(entry)) {
			*map_at(&env, (struct bytes){ entry, strcspn(entry, "=") }) = (char *)entry;
			n++;
		}
	}
	for (size_t i = 0; n && i < v.n_facts; i++) {
		const char *path = text_path(&v, &v.facts[i], a);

		if (path && file_read(AT_FDCWD, path, TEXT_MAX, a, &text, &e) == 0)
			text_read(text, &env, out);
	}
	map_release(&env);
}
