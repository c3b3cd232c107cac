/* wrap.c - text in lines, for the helps of gg and gg-ml */
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
