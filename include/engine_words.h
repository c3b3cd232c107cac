/* engine_words.h - what follows the name of an engine in its URI; src/exec/engine_words.c
 *
 *     lambda:jobs=500,function=gg-1024,function=gg-3008
 *
 * WORD=VALUE or WORD alone, commas between; a comma in a value is written
 * twice.  Each engine has a const table of the words it knows, from which
 * gg help engines prints what there is.
 */
#ifndef GG_ENGINE_WORDS_H
#define GG_ENGINE_WORDS_H

#include "base.h"

/* Where a value goes: (char *)out + offset, of this type. */
enum word_kind {
	WORD_TEXT,              /* const char * */
	WORD_LIST,              /* struct strs: may be said more than once */
	WORD_COUNT,             /* unsigned */
	WORD_NUMBER,            /* double */
	WORD_BYTES,             /* uint64_t, written 2G */
	WORD_SECONDS,           /* double, written 30m */
	WORD_YES,               /* bool: the word alone */
};

struct engine_word {
	const char *name;       /* NULL at the end of a table */
	enum word_kind kind;
	size_t offset;
	const char *help;       /* one line */
};

/* Fill out, which holds the defaults, from text; what it names lives in a but
 * for lists, whose arrays are the caller's (strs_release).  ERR_USAGE names the
 * engine, the word, and the words there are. */
int engine_words_read(const char *engine, const char *text, const struct engine_word *words,
		      struct arena *a, void *out, struct err *e);

#endif
