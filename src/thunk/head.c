/* head.c - how a command begins: the program, or an interpreter and its script
 *
 * An interpreter's own options (-u, -O, -W x) change how a script runs, not
 * which script it is, so they are stepped over here, for patterns and
 * commands alike.
 */
#include <string.h>
#include "file.h"
#include "pattern.h"

struct interpreter {
	const char *name;       /* without version */
	const char *valued;     /* letters that take a value, joined or next */
	const char *joined;     /* letters whose value is joined or absent */
	const char *code;       /* letters that take program text */
	char module;            /* letter that takes a module's name */
	bool has_plus;          /* +x is an option too */
};

static const struct interpreter interpreters[] = {
	{ "python",  "WXQ",    "",            "c",  'm', false },
	{ "pypy",    "WXQ",    "",            "c",  'm', false },
	{ "sh",      "oO",     "",            "c",  '\0', true },
	{ "bash",    "oO",     "",            "c",  '\0', true },
	{ "dash",    "oO",     "",            "c",  '\0', true },
	{ "ksh",     "oO",     "",            "c",  '\0', true },
	{ "zsh",     "oO",     "",            "c",  '\0', true },
	{ "perl",    "I",      "CDFMVdilmx0", "eE", '\0', false },
	{ "ruby",    "CEIr",   "FKTWix0",     "e",  '\0', false },
	{ "Rscript", "",       "",            "e",  '\0', false },
	{ "node",    "rC",     "",            "ep", '\0', false },
	{ "julia",   "CHJLpt", "Og",          "eE", '\0', false },
	{ "lua",     "l",      "",            "e",  '\0', false },
	{ "luajit",  "lbj",    "O",           "e",  '\0', false },
};

/* How much of a base name is left without its version: gcc-12, python3.11. */
static size_t stem_length(const char *base)
{
	size_t n = strlen(base);

	while (n && ((base[n - 1] >= '0' && base[n - 1] <= '9') || base[n - 1] == '.' ||
		     base[n - 1] == '-'))
		n--;
	return n;
}

uint32_t head_hash(const char *base)
{
	size_t n = stem_length(base);
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)base[i]) * 16777619u;
	return h ? h : 1;
}

static const struct interpreter *interpreter_find(const char *base)
{
	size_t n;

	base += *base == '-';           /* a login shell */
	n = stem_length(base);
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(*interpreters); i++) {
		const char *name = interpreters[i].name;

		if (*name == *base && strlen(name) == n && memcmp(name, base, n) == 0)
			return &interpreters[i];
	}
	return NULL;
}

bool head_is_interpreter(const char *base)
{
	return interpreter_find(base);
}

bool head_is_script(const char *path)
{
	static const char *const suffixes[] = { ".py", ".sh", ".bash", ".pl", ".rb",
						".R", ".r", ".jl", ".js", ".lua" };
	const char *dot = strrchr(path, '.');

	if (!dot || dot == path || strchr(dot, '/'))
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return true;
	return false;
}

bool head_is_settings(const char *path)
{
	static const char *const suffixes[] = { ".yaml", ".yml", ".json", ".toml", ".ini",
						".cfg", ".conf", ".env" };
	const char *dot = strrchr(path_base(path), '.');

	for (size_t i = 0; dot && i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return true;
	return false;
}

bool head_name_fits(const char *pattern, const char *base)
{
	size_t n = strlen(pattern);
	const char *rest = base + n;

	if (strncmp(pattern, base, n) != 0) {
		/* `python` may well be the python3 that is meant. */
		n = strlen(base);
		return strncmp(pattern, base, n) == 0 && strcmp(pattern + n, "3") == 0 &&
		       interpreter_find(base);
	}
	if (*rest == '\0')
		return true;
	if ((*rest == '.' || *rest == '-') && n)
		rest++;
	else if (stem_length(pattern) != n || !interpreter_find(pattern))
		return false;
	return *rest >= '0' && *rest <= '9' &&
	       rest[strspn(rest, "0123456789.")] == '\0';
}

/* One word of option letters.  1: the next word is its value; 2: the next
 * (or its own rest, *joined) is code; 3: likewise a module; 0: none. */
static int letters(const struct interpreter *in, const char *word,
		   const char **joined)
{
	for (const char *p = word + 1; *p; p++) {
		int kind = strchr(in->code, *p)	    ? 2
			   : *p == in->module	    ? 3
			   : strchr(in->valued, *p) ? 1
						    : 0;

		if (kind) {
			*joined = p[1] ? p + 1 : NULL;
			/* A shell's -c is a flag: `sh -ce CODE`, and the set
			 * options of -o come after the other letters too. */
			if (in->has_plus) {
				*joined = NULL;
				if (kind == 1 && strchr(p, 'c'))
					kind = 2;
			}
			return kind == 1 && *joined ? 0 : kind;
		}
		if (strchr(in->joined, *p))
			return 0;
	}
	return 0;
}

struct head head_of(const char *base, const char *const *words, size_t n)
{
	struct head h = { .interpreter = interpreter_find(base), .at = 1, .rest = 1 };
	size_t i = 1;

	if (!h.interpreter)
		return h;
	for (; i < n; i++) {
		const char *w = words[i], *joined = NULL;
		int kind;

		if (*w == '+' && h.interpreter->has_plus)
			continue;
		if (*w != '-' || w[1] == '\0')
			break;
		if (strcmp(w, "--") == 0) {
			i++;
			break;
		}
		if (w[1] == '-') {
			i += strcmp(w, "--check-hash-based-pycs") == 0;
			continue;
		}
		kind = letters(h.interpreter, w, &joined);
		if (kind == 1)
			i++;
		if (kind < 2)
			continue;
		h.kind = kind == 2 ? HEAD_CODE : HEAD_MODULE;
		h.script = joined ? joined : i + 1 < n ? words[i + 1] : "";
		h.at = joined ? i : i + 1;
		h.rest = h.at + 1;
		return h;
	}
	h.at = h.rest = i;
	if (i < n && strcmp(words[i], "-") != 0) {
		h.kind = HEAD_SCRIPT;
		h.script = words[i];
		h.rest = i + 1;
	}
	return h;
}
