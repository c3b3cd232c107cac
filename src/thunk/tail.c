/* tail.c - an output that says: my value is that of another thunk
 *
 * The texts of thunks that are new stand behind it.  No text has empty lines, so
 * an empty line is where one thunk ends and the next begins.
 */
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "text.h"

bool tail_is(struct bytes b)
{
	return bytes_start(b, "gg-tail ");
}

static size_t count_empty_lines(const char *p, const char *end)
{
	size_t n = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL)
		n += *++p == '\n';
	return n;
}

/* The thunk that starts at p, up to the empty line after it or the end. */
static struct bytes one_thunk(const char *p, const char *end)
{
	const char *gap = memmem(p, (size_t)(end - p), "\n\n", 2);

	return (struct bytes){ p, (size_t)((gap ? gap + 1 : end) - p) };
}

static unsigned count_lines(struct bytes b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	return n;
}

int tail_decode(struct bytes text, struct arena *a, struct tail *out,
		struct err *e)
{
	struct arena scratch = { 0 };
	struct text t;
	int r = 0;

	*out = (struct tail){ 0 };
	if (text_open(&t, text, "gg-tail", 1, a, e) < 0 ||
	    text_output_line(&t, &out->value) < 0)
		return -1;
	out->thunks = arena_alloc(a, (count_empty_lines(t.p - 1, t.end) + 1) *
				  sizeof(*out->thunks));
	while (r == 0 && t.p < t.end) {
		struct bytes b = one_thunk(t.p + 1, t.end);
		struct thunk checked;

		t.line++;
		if (*t.p != '\n') {
			r = text_bad(&t, "an empty line must stand before each thunk");
			break;
		}
		r = thunk_decode_at(b, t.line + 1, &scratch, &checked, e);
		arena_reset(&scratch);
		out->thunks[out->n++] = b;
		t.line += count_lines(b);
		t.p += 1 + b.n;
	}
	arena_release(&scratch);
	return r;
}

/* Of a large one its beginning says whether it is worth reading. */
int store_get_tail(struct store *s, const struct id *id, struct arena *a,
		   struct bytes *out, struct err *e)
{
	char mark[16];
	ssize_t n;
	int fd;

	if (store_open_large(s, id, &fd, e) < 0)
		return -1;
	if (fd >= 0) {
		n = file_read_fd(fd, mark, sizeof(mark));
		close(fd);
		if (n <= 0 || !tail_is((struct bytes){ mark, (size_t)n }))
			return 0;
	}
	if (store_get(s, id, a, out, e) < 0)
		return -1;
	return tail_is(*out);
}
