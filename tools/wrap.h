/* wrap.h - text in lines, for the helps of gg and gg-ml */
#ifndef GG_WRAP_H
#define GG_WRAP_H

/* Print the words of text on standard output, and a line's end; the first line
 * is at column `at` already, the others start at `indent`. */
void print_wrapped(const char *text, int indent, int at);

#endif
