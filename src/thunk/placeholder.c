/* placeholder.c - the small file that stands where an output will be
 *
 * Its text is short and fixed in length but for one name, so that a look at
 * any file of the project, however large, costs one open and one short read.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "text.h"

static int check_name(const char *out, unsigned line, struct err *e)
{
	if (text_is_name(out))
		return 0;
	return err_set(e, ERR_BAD, "line %u: an output's name must have 1 to 255 bytes: \"%s\"",
		       line, text_show(out).s);
}

int placeholder_encode(const struct placeholder *p, struct buf *out,
		       struct err *e)
{
	if (check_name(p->out, 2, e) < 0)
		return -1;
	buf_str(out, "gg-placeholder 1\nthunk ");
	text_put_id(out, &p->thunk, ' ');
	text_put(out, p->out, '\n');
	return 0;
}

int text_output_line(struct text *t, struct placeholder *out)
{
	if (text_begin(t, "thunk") < 0 || text_id(t, &out->thunk, ' ') < 0 ||
	    !(out->out = text_last(t)))
		return -1;
	return check_name(out->out, t->line, t->e);
}

int placeholder_decode(struct bytes text, struct arena *a,
		       struct placeholder *out, struct err *e)
{
	struct text t;

	*out = (struct placeholder){ 0 };
	if (text_open(&t, text, "gg-placeholder", 1, a, e) < 0 ||
	    text_output_line(&t, out) < 0)
		return -1;
	return text_close(&t);
}

static bool may_be_one(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_size <= PLACEHOLDER_MAX;
}

/* Open what may be a placeholder: -1 with errno.  A FIFO is not opened: whoever
 * waits for a reader would find one.  A file that is too long need not be. */
static int open_candidate(int dirfd, const char *path, struct stat *st)
{
	int fd, inner;

	if (fstatat(dirfd, path, st, 0) < 0)
		return -1;
	if (!S_ISDIR(st->st_mode) && !may_be_one(st)) {
		errno = ENXIO;
		return -1;
	}
	fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st) < 0 || !S_ISDIR(st->st_mode))
		return fd;
	inner = openat(fd, PLACEHOLDER_NAME, O_RDONLY | O_NONBLOCK | O_NOCTTY |
		       O_NOFOLLOW | O_CLOEXEC);
	close(fd);
	if (inner >= 0 && fstat(inner, st) < 0) {
		close(inner);
		return -1;
	}
	return inner;
}

/* Errors of open that mean: nothing there that could be a placeholder. */
static bool is_absence(int err)
{
	return err == ENOENT || err == ENOTDIR || err == ENXIO || err == ENODEV ||
		err == ELOOP || err == ENAMETOOLONG;
}

int placeholder_at(int dirfd, const char *path, struct arena *a,
		   struct placeholder *out, struct err *e)
{
	char text[PLACEHOLDER_MAX + 1];
	struct stat st = { 0 };
	struct err why;
	ssize_t n;
	int fd;

	fd = open_candidate(dirfd, path, &st);
	if (fd < 0)
		return is_absence(errno) ? 0 : err_sys(e, "%s: cannot open", path);
	if (!may_be_one(&st)) {
		close(fd);
		return 0;
	}
	n = file_read_fd(fd, text, sizeof(text));
	if (n < 0)
		err_sys(e, "%s: cannot read", path);
	close(fd);
	if (n < 0)
		return -1;
	if (!bytes_start((struct bytes){ text, (size_t)n }, "gg-placeholder "))
		return 0;
	if (placeholder_decode((struct bytes){ text, (size_t)n }, a, out, &why) == 0)
		return 1;
	return err_set(e, ERR_BAD, "%s begins as a placeholder, but is damaged (%.300s): "
		       "remove it and run gg infer again", path, why.text);
}
