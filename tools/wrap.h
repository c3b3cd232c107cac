/* wrap.h - words of a text, for the tables and helps of gg and gg-ml */
#ifndef GG_WRAP_H
#define GG_WRAP_H

#include <stdbool.h>

/* Print the words of text on standard output, and a line's end; the first line
 * is at column `at` already, the others start at `indent`. */
void print_wrapped(const char *text, int indent, int at);

/* Is word, which has no space in it, one of those between the spaces of words? */
bool has_word(const char *words, const char *word);

#endif
