/* host.c - the machine part of a step, as text */
#include <string.h>
#include "file.h"
#include "text.h"

static int bad(unsigned line, const char *what, const char *which, struct err *e)
{
	return err_set(e, ERR_BAD, "line %u: %s: \"%s\"", line, what,
		       text_show(which).s);
}

static int check_program(const struct host_file *p, struct err *e)
{
	if (text_is_absolute(p->path))
		return id_is_zero(&p->id) ?
			bad(3, "a program outside the project needs its id",
			    p->path, e) : 0;
	if (!path_is_plain(p->path))
		return bad(3, "not a clean path", p->path, e);
	if (!id_is_zero(&p->id))
		return bad(3, "the id of a program among the inputs is written as zeros",
			   p->path, e);
	return 0;
}

static int check_file(const struct host *h, size_t i, struct err *e)
{
	const struct host_file *f = &h->files[i];
	int order = i ? strcmp(f[-1].path, f->path) : -1;

	if (!text_is_absolute(f->path))
		return bad((unsigned)i + 4, "not an absolute clean path", f->path, e);
	if (order == 0)
		return bad((unsigned)i + 4, "file twice", f->path, e);
	if (order > 0)
		return bad((unsigned)i + 4, "files not in order of path", f->path, e);
	return 0;
}

static int host_check(const struct host *h, struct err *e)
{
	if (!text_is_name(h->arch))
		return bad(2, "arch must have 1 to 255 bytes", h->arch, e);
	if (check_program(&h->program, e) < 0)
		return -1;
	for (size_t i = 0; i < h->n; i++)
		if (check_file(h, i, e) < 0)
			return -1;
	return 0;
}

static void put_file(struct buf *out, const char *keyword,
		     const struct host_file *f)
{
	text_put(out, keyword, ' ');
	text_put_id(out, &f->id, ' ');
	text_put(out, f->path, '\n');
}

int host_encode(const struct host *h, struct buf *out, struct err *e)
{
	if (host_check(h, e) < 0)
		return -1;
	buf_str(out, "gg-host 1\narch ");
	text_put(out, h->arch, '\n');
	put_file(out, "program", &h->program);
	for (size_t i = 0; i < h->n; i++)
		put_file(out, "file", &h->files[i]);
	return 0;
}

static int read_file(struct text *t, const char *keyword, struct host_file *f)
{
	if (text_begin(t, keyword) < 0 || text_id(t, &f->id, ' ') < 0)
		return -1;
	f->path = text_last(t);
	return f->path ? 0 : -1;
}

int host_decode(struct bytes text, struct arena *a, struct host *out,
		struct err *e)
{
	struct text t;
	size_t room;

	*out = (struct host){ 0 };
	if (text_open(&t, text, "gg-host", 1, a, e) < 0 ||
	    text_begin(&t, "arch") < 0 || !(out->arch = text_last(&t)) ||
	    read_file(&t, "program", &out->program) < 0)
		return -1;
	room = text_count(&t, "");
	out->files = room ? arena_alloc(a, room * sizeof(*out->files)) : NULL;
	for (; t.p < t.end; out->n++)
		if (read_file(&t, "file", &out->files[out->n]) < 0)
			return -1;
	return host_check(out, e);
}
