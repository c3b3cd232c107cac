/* answers.c - does a script say what it does when a step fails?
 *
 * A shell script that says nothing goes on after any failure, and ends well if
 * its last command does: that is an oversight more often than it is meant.  One
 * that stops at failures unless it says otherwise, or looks at how a command
 * ended, has decided; so has whatever is no shell.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"

enum { MOST_BYTES = 1 << 20 };

static const char *const shells[] = { "sh", "bash", "dash", "ksh", "zsh" };

static bool is_shell(const char *path)
{
	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
		if (strcmp(path_base(path), shells[i]) == 0)
			return true;
	return false;
}

/* A word of options, as -euo, with e among them. */
static bool has_errexit(const char *word)
{
	return *word == '-' && word[1] != '-' &&
	       memchr(word, 'e', strcspn(word, " \t\r\n;"));
}

static bool says(const char *text)
{
	static const char *const marks[] = { "||", "&&", "$?", "errexit", "if ", "until ",
					     "trap " };

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (strstr(text, marks[i]))
			return true;
	for (const char *p = text; (p = strstr(p, "set -")); p += 5)
		if (has_errexit(p + 4))
			return true;
	return false;
}

/* The text of the script file, or NULL. */
static const char *text_of(const char *path, struct arena *a)
{
	struct bytes b;
	struct err e;

	return file_read(AT_FDCWD, path, MOST_BYTES, a, &b, &e) < 0 ? NULL :
	       arena_strn(a, b.p, b.n);
}

/* What the shell is given; NULL: nothing that can be read.  *answers: its own
 * options say it. */
static const char *given_text(const char **args, struct arena *a, bool *answers)
{
	for (; *args && (**args == '-' || **args == '+'); args++) {
		*answers |= has_errexit(*args) ||
			    (args[1] && strcmp(args[1], "errexit") == 0);
		if (**args == '-' && args[0][1] != '-' && strchr(*args, 'c'))
			return args[1];
		if (strcmp(*args, "-o") == 0 && args[1])
			args++;
	}
	return *args ? text_of(*args, a) : NULL;
}

bool script_answers(const char **args, struct arena *a)
{
	char line[256] = "", *save = NULL, *word;
	const char *text;
	bool answers = false;

	if (is_shell(*args)) {
		text = given_text(args + 1, a, &answers);
	} else if (file_shebang(*args, line, sizeof line)) {
		word = strtok_r(line, " \t", &save);
		if (word && strcmp(path_base(word), "env") == 0)
			word = strtok_r(NULL, " \t", &save);
		if (!word || !is_shell(word))
			return true;
		while ((word = strtok_r(NULL, " \t", &save)))
			answers |= has_errexit(word);
		text = text_of(*args, a);
	} else {
		return true;
	}
	return answers || (text && says(text));
}
