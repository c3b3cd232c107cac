/* engine_words.c - WORD=VALUE,WORD=VALUE into a struct, by a table */
#include "engine_words.h"

#include <stdlib.h>
#include <string.h>
#include "quantity.h"

/* Up to the next single comma: *text moves behind it. */
static char *next_part(const char **text, struct arena *a)
{
	struct buf b = { 0 };
	const char *s = *text;
	char *part;

	for (; *s; s++) {
		if (*s == ',' && s[1] != ',')
			break;
		s += *s == ',';
		buf_char(&b, *s);
	}
	*text = *s ? s + 1 : s;
	part = arena_strn(a, b.p, b.n);
	buf_release(&b);
	return part;
}

static bool count_read(const char *s, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	*out = (unsigned)n;
	return *s >= '0' && *s <= '9' && !*end && n <= 100000000;
}

/* NULL, or what should have stood there. */
static const char *take(const struct engine_word *w, char *value, void *out)
{
	void *at = (char *)out + w->offset;

	switch (w->kind) {
	case WORD_TEXT:
		*(const char **)at = value;
		return *value ? NULL : "a text";
	case WORD_LIST:
		strs_add(at, value);
		return *value ? NULL : "a text";
	case WORD_COUNT:
		return count_read(value, at) ? NULL : "a whole number";
	case WORD_NUMBER:
		return quantity_number(value, at) ? NULL : "a number such as 1 or 0.5";
	case WORD_BYTES:
		return quantity_bytes(value, at) ? NULL : "a size such as 512M or 2G";
	case WORD_SECONDS:
		return quantity_seconds(value, at) ? NULL : "a time such as 90s or 1h30m";
	case WORD_YES:
		break;
	}
	return NULL;
}

static int unknown(const char *engine, const char *name, const struct engine_word *words,
		   struct arena *a, struct err *e)
{
	struct buf all = { 0 };

	for (const struct engine_word *w = words; w->name; w++)
		buf_printf(&all, "%s%s", w == words ? "" : ", ", w->name);
	err_set(e, ERR_USAGE, "the engine %s does not know \"%s\", only: %s", engine, name,
		all.n ? arena_strn(a, all.p, all.n) : "nothing");
	buf_release(&all);
	return -1;
}

int engine_words_read(const char *engine, const char *text, const struct engine_word *words,
		      struct arena *a, void *out, struct err *e)
{
	while (*text) {
		char *part = next_part(&text, a), *value = strchr(part, '=');
		const struct engine_word *w = words;
		const char *wanted;

		if (value)
			*value++ = 0;
		while (w->name && strcmp(w->name, part) != 0)
			w++;
		if (!w->name)
			return unknown(engine, part, words, a, e);
		if ((w->kind == WORD_YES) != !value)
			return err_set(e, ERR_USAGE, value ? "%s: %s is said alone, without =" :
				       "%s: %s wants a value: %s=...", engine, part, part);
		if (w->kind == WORD_YES)
			*(bool *)((char *)out + w->offset) = true;
		wanted = value ? take(w, value, out) : NULL;
		if (wanted)
			return err_set(e, ERR_USAGE, "%s: %s=%s: say %s", engine, part, value,
				       wanted);
	}
	return 0;
}
