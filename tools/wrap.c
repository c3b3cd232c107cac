/* wrap.c - words of a text, for the tables and helps of gg and gg-ml */
#include <stdio.h>
#include <string.h>
#include "wrap.h"

enum { COLUMNS = 78 };

void print_wrapped(const char *text, int indent, int at)
{
	while (*text) {
		int n = (int)strcspn(text, " ");

		if (at > indent && at + 1 + n > COLUMNS) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		printf("%.*s", n, text);
		at += n;
		text += n + strspn(text + n, " ");
	}
	putchar('\n');
}

bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = words; (s = strstr(s, word)); s += n)
		if ((s == words || s[-1] == ' ') && (!s[n] || s[n] == ' '))
			return true;
	return false;
}
