/* remote_dir.c - a folder as a remote: dir:PATH
 *
 * A blob is the file PATH/KEY, as nginx or bazel-remote would lay it out, so
 * that a folder may be served by them as well.  Disks and networks behind a
 * folder may be slow, so that every call is worked off by another thread
 * (remote_dir_work.c).  There it uses the caller's memory only while is_busy, and
 * who cancels waits for the end of that, which comes after a piece.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "file.h"
#include "remote_dir_private.h"

static void forget(struct dir_call *d)
{
	*d->at = d->next;
	if (d->next)
		d->next->at = d->at;
}

static void free_remote(struct remote *r)
{
	free(r->path);
	free(r->uri);
	free(r);
}

static void tell_listing(struct dir_call *d)
{
	struct remote_listing *l = d->l;
	const char *p = d->keys.p, *end = p + d->keys.n;
	int stop = 0;

	while (p < end && !stop) {
		struct found f;

		memcpy(&f, p, sizeof f);
		stop = l->each(l, p + sizeof f, f.n_bytes, f.modified_s);
		p += sizeof f + strlen(p + sizeof f) + 1;
	}
	l->done(l, d->err.code ? &d->err : NULL);
}

static void ended(void *arg)
{
	struct dir_call *d = arg;
	struct remote *r = d->r;

	d->answer.n_tries = 1;
	if (!d->is_cancelled) {
		forget(d);
		if (d->l)
			tell_listing(d);
		else
			d->c->done(d->c, &d->answer, d->err.code ? &d->err : NULL);
	}
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->rested);
	buf_release(&d->keys);
	free(d->body);
	free(d);
	r->n_calls--;
	if (r->is_closed && !r->n_calls)
		free_remote(r);
}

static struct dir_call *new_call(struct remote *r)
{
	struct dir_call *d = memset(mem_alloc(sizeof *d), 0, sizeof *d);

	d->r = r;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->rested, NULL);
	d->next = r->calls;
	d->at = &r->calls;
	if (d->next)
		d->next->at = &d->next;
	r->calls = d;
	r->n_calls++;
	return d;
}

/* Beside the blob.  Other machines may share the folder, so that no process id
 * would do. */
static void name_temp(struct dir_call *d)
{
	uint64_t any[2];

	if (getrandom(any, sizeof any, 0) != sizeof any)
		abort();
	snprintf(d->temp, sizeof d->temp, "%.*s.gg-%llx%llx.tmp",
		 (int)(path_base(d->path) - d->path), d->path, (unsigned long long)any[0],
		 (unsigned long long)any[1]);
}

static int dir_start(struct remote *r, struct remote_call *c, struct err *e)
{
	struct dir_call *d;

	if (!remote_key_is_good(c->key))
		return err_set(e, ERR_BAD, "%s: \"%.80s\" is no key", r->uri, c->key);
	d = new_call(r);
	d->c = c;
	snprintf(d->path, sizeof d->path, "%s/%s", r->path, c->key);
	name_temp(d);
	c->remote_data = d;
	loop_work(r->loop, dir_work, ended, d);
	return 0;
}

static void stop(struct dir_call *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_cancelled = true;
	while (d->is_busy)
		pthread_cond_wait(&d->rested, &d->lock);
	pthread_mutex_unlock(&d->lock);
	forget(d);
}

static void dir_cancel(struct remote *r, struct remote_call *c)
{
	(void)r;
	stop(c->remote_data);
}

static int dir_list(struct remote *r, struct remote_listing *l, struct err *e)
{
	struct dir_call *d;

	if (strlen(l->prefix) > REMOTE_KEY_MAX)
		return err_set(e, ERR_BAD, "%s: the prefix of a listing is too long", r->uri);
	d = new_call(r);
	d->l = l;
	snprintf(d->path, sizeof d->path, "%s", r->path);
	snprintf(d->prefix, sizeof d->prefix, "%s", l->prefix);
	l->remote_data = d;
	loop_work(r->loop, dir_work, ended, d);
	return 0;
}

static int dir_open(const struct remote_opts *o, const char *uri, struct remote **out,
		    struct err *e)
{
	const char *given = uri + strlen("dir:");
	struct arena a = { 0 };
	char *cwd = getcwd(NULL, 0);
	struct remote *r;

	if (!*given || !cwd || strlen(given) + strlen(cwd) > NAME_ROOM - 2 * REMOTE_KEY_MAX) {
		free(cwd);
		return err_set(e, ERR_USAGE, "%s: dir: needs the path of a folder after it", uri);
	}
	r = memset(mem_alloc(sizeof *r), 0, sizeof *r);
	r->loop = o->loop;
	r->path = mem_str(path_clean(&a, cwd, given));
	r->uri = mem_str(arena_printf(&a, "dir:%s", r->path));
	arena_release(&a);
	free(cwd);
	*out = r;
	return 0;
}

static void dir_close(struct remote *r)
{
	if (!r)
		return;
	while (r->calls)
		stop(r->calls);
	r->is_closed = true;
	if (!r->n_calls)
		free_remote(r);
}

static struct remote_nature dir_nature(const struct remote *r)
{
	(void)r;
	return (struct remote_nature){ .small_bytes = 0 };
}

static const char *dir_uri(const struct remote *r)
{
	return r->uri;
}

/* A folder that is not there yet is made by the first blob, but not those above
 * it. */
static int dir_check(struct remote *r, struct err *e)
{
	char above[NAME_ROOM];
	struct stat st;

	if (stat(r->path, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_BAD, "%s is a file: a folder is wanted", r->path);
	if (stat(r->path, &st) == 0 && access(r->path, W_OK | X_OK) < 0)
		return err_set(e, ERR_REFUSED, "%s may be read but not written by you: its owner "
			       "has to permit it", r->path);
	snprintf(above, sizeof above, "%.*s", (int)(path_base(r->path) - r->path), r->path);
	if (stat(r->path, &st) < 0 && stat(above, &st) < 0)
		return err_set(e, ERR_MISSING, "there is no folder %s: is the disk mounted?",
			       above);
	return 0;
}

const struct remote_ops remote_dir = {
	.scheme = "dir",
	.help = "dir:PATH, a folder, on this machine or on a shared disk",
	.open = dir_open,
	.close = dir_close,
	.start = dir_start,
	.cancel = dir_cancel,
	.list = dir_list,
	.nature = dir_nature,
	.uri = dir_uri,
	.check = dir_check,
};
