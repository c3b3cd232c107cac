/* remote_refs.c - what projects have pushed, as texts at the remote */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "remote_gc.h"

enum { REF_TEXT_MAX = 256 << 20, BASE_MAX = 40 };

#define MAGIC "gg-ref 1\ndate "
#define THUNK "thunk "

void remote_ref_name(const char *root, char out[REF_NAME_ROOM])
{
	const char *base = path_base(root);
	struct buf b = { 0 };
	char host[256] = "";
	struct id id;
	size_t n = 0;

	(void)gethostname(host, sizeof host - 1);
	buf_printf(&b, "%s:%s", host, root);
	id = id_of(buf_bytes(&b));
	buf_release(&b);
	for (const char *p = base; *p && n < BASE_MAX; p++)
		if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || (n && *p == '-'))
			out[n++] = *p;
	snprintf(out + n, REF_NAME_ROOM - n, "%s%.12s", n ? "-" : "", id_hex(&id).s);
}

static int order(const void *a, const void *b)
{
	return memcmp(((const struct id *)a)->b, ((const struct id *)b)->b, ID_BYTES);
}

int remote_ref_write(struct loop *l, const struct remote_ops *ops, struct remote *r,
		     const char *name, struct id *thunks, size_t n, struct err *e)
{
	struct arena a = { 0 };
	struct remote_call c = { .verb = REMOTE_PUT,
				 .key = arena_printf(&a, "refs/%s", name) };
	struct remote_answer got;
	struct buf b = { 0 };
	int rc;

	qsort(thunks, n, sizeof *thunks, order);
	buf_printf(&b, MAGIC "%lld\n", (long long)time(NULL));
	for (size_t i = 0; i < n; i++)
		if (!i || !id_equal(&thunks[i - 1], &thunks[i]))
			buf_printf(&b, THUNK "%s\n", id_hex(&thunks[i]).s);
	c.body = buf_bytes(&b);
	rc = remote_wait(l, ops, r, &c, &a, &got, e);
	buf_release(&b);
	arena_release(&a);
	return rc;
}

int remote_ref_get(struct loop *l, const struct remote_ops *ops, struct remote *r,
		   const char *name, struct arena *a, struct id **out, size_t *n, struct err *e)
{
	struct remote_call c = { .verb = REMOTE_GET, .key = arena_printf(a, "refs/%s", name),
				 .max_bytes = REF_TEXT_MAX };
	struct remote_answer got;
	int64_t date_s;

	*out = NULL;
	*n = 0;
	if (remote_wait(l, ops, r, &c, a, &got, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	if (remote_ref_read(got.body, a, out, n, &date_s, e) < 0)
		return err_wrap(e, "refs/%s at %s", name, ops->uri(r));
	return 0;
}

static int bad_line(size_t line, struct err *e)
{
	return err_set(e, ERR_BAD, "line %zu of this ref is none; remove it there, or push again",
		       line);
}

int remote_ref_read(struct bytes text, struct arena *a, struct id **out, size_t *n,
		    int64_t *date_s, struct err *e)
{
	const size_t line_n = strlen(THUNK) + ID_HEX + 1;
	const char *p = text.p + strlen(MAGIC), *end = text.p + text.n;
	struct id *v;
	size_t room, digits = 0;

	*n = 0;
	*date_s = 0;
	if (!bytes_start(text, MAGIC))
		return bad_line(1, e);
	for (; p < end && *p >= '0' && *p <= '9' && digits < 18; p++, digits++)
		*date_s = *date_s * 10 + (*p - '0');
	if (!digits || p == end || *p != '\n')
		return bad_line(2, e);
	p++;
	room = (size_t)(end - p) / line_n;
	v = arena_alloc(a, (room + 1) * sizeof *v);
	for (; p < end; p += line_n, (*n)++)
		if ((size_t)(end - p) < line_n || memcmp(p, THUNK, strlen(THUNK)) != 0 ||
		    p[line_n - 1] != '\n' ||
		    !id_parse((struct bytes){ p + strlen(THUNK), ID_HEX }, &v[*n]) ||
		    (*n && order(&v[*n - 1], &v[*n]) >= 0))
			return bad_line(3 + *n, e);
	*out = v;
	return 0;
}
