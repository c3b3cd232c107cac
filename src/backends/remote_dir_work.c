/* remote_dir_work.c - blobs as files: what is done off the loop's thread
 *
 * A blob appears whole: a temporary beside it, synced, renamed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "remote_dir_private.h"

enum {
	PIECE = 1 << 18,
	GET_MAX = 16 << 20,
	TEMP_AGE_S = 24 * 3600,         /* older ones are of the dead */
};

/* May the caller's memory be used?  True until leave(). */
static bool enter(struct dir_call *d)
{
	bool goes_on;

	pthread_mutex_lock(&d->lock);
	goes_on = !d->is_cancelled;
	d->is_busy = goes_on;
	pthread_mutex_unlock(&d->lock);
	return goes_on;
}

static void leave(struct dir_call *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_busy = false;
	pthread_cond_signal(&d->rested);
	pthread_mutex_unlock(&d->lock);
}

static int given_up(struct dir_call *d)
{
	return err_set(&d->err, ERR_RETRY, "given up");
}

/* What a failed call on path means for who asked. */
static int fail(struct dir_call *d, const char *what)
{
	static const struct {
		int errnum;
		enum err_code code;
		const char *remedy;
	} rows[] = {
		{ ENOENT, ERR_MISSING, "" },
		{ EACCES, ERR_REFUSED, "; its owner has to permit it" },
		{ EPERM, ERR_REFUSED, "; its owner has to permit it" },
		{ EROFS, ERR_REFUSED, "" },
		{ ENOSPC, ERR_IO, "; make room there, or gg remote gc" },
		{ EDQUOT, ERR_IO, "; make room there, or gg remote gc" },
		{ ESTALE, ERR_RETRY, "" },
		{ ETIMEDOUT, ERR_RETRY, "" },
		{ EHOSTDOWN, ERR_RETRY, "" },
		{ ENOTCONN, ERR_RETRY, "; is it mounted?" },
	};
	size_t i = 0, n = sizeof rows / sizeof *rows;
	int errnum = errno;

	while (i < n && rows[i].errnum != errnum)
		i++;
	return err_set(&d->err, i < n ? rows[i].code : ERR_IO, "%s: %s: %s%s", d->path, what,
		       strerror(errnum), i < n ? rows[i].remedy : "");
}

static int look(struct dir_call *d, int fd)
{
	struct stat st;

	if (fd < 0 ? stat(d->path, &st) < 0 : fstat(fd, &st) < 0)
		return fail(d, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return err_set(&d->err, ERR_BAD, "%s: this is not a file", d->path);
	d->answer.n_bytes = (uint64_t)st.st_size;
	d->answer.modified_s = st.st_mtim.tv_sec;
	return 0;
}

/* Read all to memory of our own. */
static int get_body(struct dir_call *d, int fd, uint64_t max)
{
	uint64_t n = d->answer.n_bytes;
	ssize_t got;

	if (n > max)
		return err_set(&d->err, ERR_REFUSED, "%s: larger than %llu bytes", d->path,
			       (unsigned long long)max);
	d->body = mem_alloc(n + 1);
	got = file_read_fd(fd, d->body, n);
	if (got < 0)
		return fail(d, "cannot read");
	d->answer.body = (struct bytes){ d->body, (size_t)got };
	d->answer.n_bytes = (uint64_t)got;
	return 0;
}

static int write_at(int fd, const char *p, size_t n, uint64_t at)
{
	while (n) {
		ssize_t put = pwrite(fd, p, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
		at += (uint64_t)put;
	}
	return 0;
}

static int get_file(struct dir_call *d, int fd, const struct http_file *to)
{
	char *piece = mem_alloc(PIECE);
	uint64_t at = 0;
	int rc = 0;

	while (rc == 0) {
		ssize_t n = file_read_fd(fd, piece, PIECE);

		if (n <= 0) {
			rc = n < 0 ? fail(d, "cannot read") : 0;
			break;
		}
		if (!enter(d)) {
			rc = given_up(d);
			break;
		}
		if (at + (uint64_t)n > to->n_bytes)
			rc = err_set(&d->err, ERR_REFUSED, "%s: larger than %llu bytes", d->path,
				     (unsigned long long)to->n_bytes);
		else if (write_at(to->fd, piece, (size_t)n, to->offset + at) < 0)
			rc = err_sys(&d->err, "writing what came from %s", d->path);
		leave(d);
		at += (uint64_t)n;
	}
	d->answer.n_bytes = at;
	free(piece);
	return rc;
}

static int get(struct dir_call *d)
{
	struct http_file to = { 0 };
	bool has_to;
	uint64_t max;
	int fd, rc;

	if (!enter(d))
		return given_up(d);
	has_to = d->c->to != NULL;
	if (has_to)
		to = *d->c->to;
	max = d->c->max_bytes ? d->c->max_bytes : GET_MAX;
	leave(d);
	fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return fail(d, "cannot open");
	rc = look(d, fd);
	if (rc == 0)
		rc = has_to ? get_file(d, fd, &to) : get_body(d, fd, max);
	close(fd);
	return rc;
}

/* Give the temporary file its name.  1: another was there and stays. */
static int put_in_place(struct dir_call *d, bool only_new)
{
	if (!only_new)
		return rename(d->temp, d->path) < 0 ? fail(d, "cannot put it in place") : 0;
	if (renameat2(AT_FDCWD, d->temp, AT_FDCWD, d->path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST) {
		unlink(d->temp);
		return 1;
	}
	/* Some file systems of networks do not know the flag. */
	if (errno != EINVAL)
		return fail(d, "cannot put it in place");
	return put_in_place(d, false);
}

/* The bytes to a new file, piece by piece. */
static int write_body(struct dir_call *d, int out)
{
	const struct remote_call *c = d->c;
	char *piece = mem_alloc(PIECE);
	uint64_t at = 0, total = 1;
	int rc = 0;

	while (rc == 0 && at < total) {
		ssize_t n;

		if (!enter(d)) {
			rc = given_up(d);
			break;
		}
		total = c->from ? c->from->n_bytes : c->body.n;
		n = total - at < PIECE ? (ssize_t)(total - at) : PIECE;
		if (!c->from)
			memcpy(piece, c->body.p ? c->body.p + at : "", (size_t)n);
		else if (n)
			n = pread(c->from->fd, piece, (size_t)n, (off_t)(c->from->offset + at));
		if (n < 0)
			rc = err_sys(&d->err, "reading what goes to %s", d->path);
		leave(d);
		if (rc == 0 && n == 0 && total)
			rc = err_set(&d->err, ERR_IO, "%s: what is to go there became shorter",
				     d->path);
		if (rc == 0 && file_write_fd(out, piece, (size_t)n) < 0)
			rc = fail(d, "cannot write");
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	d->answer.n_bytes = at;
	return rc;
}

/* Folders are made from the one that the URI names on: what is above it may be
 * a disk that is not mounted. */
static int make_folders(struct dir_call *d)
{
	size_t n_root = strlen(d->r->path);
	char folder[NAME_ROOM];

	for (const char *p = d->path + n_root; p; p = strchr(p + 1, '/')) {
		snprintf(folder, sizeof folder, "%.*s", (int)(p - d->path), d->path);
		if (mkdir(folder, 0777) < 0 && errno != EEXIST)
			return fail(d, "cannot make its folder");
	}
	return 0;
}

static int open_temp(struct dir_call *d)
{
	int fd = open(d->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? fail(d, "cannot make a file there") : fd;
	if (make_folders(d) < 0)
		return -1;
	fd = open(d->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? fail(d, "cannot make a file there") : fd;
}

static int put(struct dir_call *d)
{
	mode_t mode = 0644;
	struct stat st;
	bool only_new;
	int fd, rc;

	if (!enter(d))
		return given_up(d);
	only_new = d->c->only_new;
	leave(d);
	if (only_new && stat(d->path, &st) == 0) {
		d->answer.was_there = true;
		d->answer.modified_s = st.st_mtim.tv_sec;
		return 0;
	}
	fd = open_temp(d);
	if (fd < 0)
		return -1;
	rc = write_body(d, fd);
	if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		rc = fail(d, "cannot write");
	if (close(fd) < 0 && rc == 0)
		rc = fail(d, "cannot write");
	if (rc == 0)
		rc = put_in_place(d, only_new);
	if (rc < 0)
		unlink(d->temp);
	d->answer.was_there = rc > 0;
	return rc < 0 ? -1 : 0;
}

static int delete(struct dir_call *d)
{
	return unlink(d->path) < 0 && errno != ENOENT ? fail(d, "cannot remove") : 0;
}

static void found(struct dir_call *d, const char *key, const struct stat *st)
{
	struct found f = { (uint64_t)st->st_size, st->st_mtim.tv_sec };

	buf_add(&d->keys, &f, sizeof f);
	buf_add(&d->keys, key, strlen(key) + 1);
}

/* All files below folder (a key, or "" for all) whose keys start with prefix.
 * A killed process's temporaries go when they are met. */
static int list_folder(struct dir_call *d, const char *folder)
{
	const char *prefix = d->prefix;
	char path[NAME_ROOM], key[NAME_ROOM];
	const struct dirent *ent;
	struct stat st;
	int rc = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/%s", d->r->path, folder);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : fail(d, "cannot list");
	while (rc == 0 && (ent = readdir(dir))) {
		bool is_temp = strncmp(ent->d_name, ".gg-", 4) == 0;
		int n = snprintf(key, sizeof key, "%s%s%s", folder, *folder ? "/" : "",
				 ent->d_name);

		if ((!is_temp && !remote_key_is_good(key)) || n > REMOTE_KEY_MAX ||
		    fstatat(dirfd(dir), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_temp && S_ISREG(st.st_mode) && st.st_mtim.tv_sec + TEMP_AGE_S < time(NULL))
			unlinkat(dirfd(dir), ent->d_name, 0);
		else if (is_temp)
			continue;
		else if (S_ISDIR(st.st_mode) && (strncmp(key, prefix, (size_t)n) == 0 ||
						 strncmp(key, prefix, strlen(prefix)) == 0))
			rc = list_folder(d, key);
		else if (S_ISREG(st.st_mode) && strncmp(key, prefix, strlen(prefix)) == 0)
			found(d, key, &st);
	}
	closedir(dir);
	return rc;
}

void dir_work(void *arg)
{
	static int (*const verbs[])(struct dir_call *d) = {
		[REMOTE_GET] = get, [REMOTE_PUT] = put, [REMOTE_DELETE] = delete,
	};
	struct dir_call *d = arg;
	enum remote_verb verb;

	if (d->l) {
		list_folder(d, "");
		return;
	}
	if (!enter(d))
		return;
	verb = d->c->verb;
	leave(d);
	if (verb == REMOTE_HEAD)
		look(d, -1);
	else
		verbs[verb](d);
}
