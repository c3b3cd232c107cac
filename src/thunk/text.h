/* text.h - lines, fields and escapes, as the canonical texts share them;
 * text.c
 *
 * Reading works in place on a copy of the text: a field ends where its
 * separator was, so that a text costs one allocation and its arrays.
 */
#ifndef GG_TEXT_H
#define GG_TEXT_H

#include "thunk.h"

struct text {
	char *p, *end;          /* what is still to be read; *end is NUL */
	unsigned line;          /* the one last begun, from 1 */
	struct err *e;
};

/* Start reading a copy of b (in a) whose first line must be "KIND 1" and has
 * the number first_line.  ERR_BAD. */
int text_open(struct text *t, struct bytes b, const char *kind,
	      unsigned first_line, struct arena *a, struct err *e);

/* Does the next line begin with this keyword? */
bool text_at(const struct text *t, const char *keyword);
/* How many lines from here on begin with prefix: enough room for them. */
size_t text_count(const struct text *t, const char *prefix);
/* Begin the next line, which must have this keyword. */
int text_begin(struct text *t, const char *keyword);
/* The next field, which is not the last (never empty) or is the last of its
 * line.  NULL is failure. */
char *text_field(struct text *t);
char *text_last(struct text *t);
/* An id as next field, and the ' ' or '\n' after it. */
int text_id(struct text *t, struct id *out, char after);
/* The next field, as its place in names. */
int text_choice(struct text *t, const char *const *names, size_t n);
/* The fields "KIND ID", and OUTPUT if it is a thunk; none of them the last. */
int text_ref(struct text *t, struct ref *out);
/* The line "thunk ID OUTPUT" (placeholder.c). */
int text_output_line(struct text *t, struct placeholder *out);
/* No line may be left. */
int text_close(struct text *t);
/* ERR_BAD, "line N: ...". */
int text_bad(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Write a field, and what follows it: ' ' if it is not the last, or '\n'. */
void text_put(struct buf *out, const char *s, char after);
void text_put_id(struct buf *out, const struct id *id, char after);
/* As text_ref reads it, with the space after it. */
void text_put_ref(struct buf *out, const struct ref *r);

/* 1 to 255 bytes. */
bool text_is_name(const char *s);
/* Absolute, not "/", and clean. */
bool text_is_absolute(const char *path);

/* s for a message: escaped and shortened. */
struct text_shown {
	char s[72];
};
struct text_shown text_show(const char *s);

/* All rules of the grammar that are not about spelling: order, paths,
 * nesting.  ERR_BAD with the line number that the text has or would have,
 * when its first line has the number first_line. */
int thunk_check(const struct thunk *t, unsigned first_line, struct err *e);

/* thunk_decode for a text that stands inside another. */
int thunk_decode_at(struct bytes text, unsigned first_line, struct arena *a,
		    struct thunk *out, struct err *e);

#endif
