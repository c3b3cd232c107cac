/* help.h - tables that help and man pages are printed from */
#ifndef GG_HELP_H
#define GG_HELP_H

/* A heading (text NULL), a paragraph (name NULL), or a word and its meaning.
 * Both NULL at the end. */
struct notation {
	const char *name, *text;
};
extern const struct notation notation[], events[];

#endif
