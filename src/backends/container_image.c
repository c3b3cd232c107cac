/* container_image.c - the image that workers are started from
 *
 * Either one that is named, which is fetched when it is not there; or one made
 * of closures and this gg, which is made once: its name is that of what is in
 * it, so that the next gg finds it.
 */
#include "container_parts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"

#define ARCHIVE "image.tar"

enum { AGAIN_MS = 500, SILENT_MOST = 4 };

struct container_image {
	struct container_image_opts o;
	char *ref, *archive;
	struct id *closures;            /* NULL: ref is somebody's */
	size_t n_closures;
	bool has_tried;                 /* to fetch or to make it */
	struct http_call *call;
	struct http_file file;          /* the archive */
	struct proc *proc;
	bool no_proc, is_closing;       /* none runs; nobody wants to hear */
	unsigned n_silent;              /* calls that had no answer */
	struct timer *later;
	struct buf said;                /* by the process */
	struct arena arena;
	struct container_picture found;
	bool is_found;
	char told[400];
	struct err err;
};

struct container_image *container_image_new(const struct container_image_opts *o)
{
	struct container_image *m = mem_alloc(sizeof *m);

	*m = (struct container_image){ .o = *o, .file.fd = -1 };
	m->archive = mem_alloc(strlen(o->folder) + sizeof "/" ARCHIVE);
	sprintf(m->archive, "%s/" ARCHIVE, o->folder);
	return m;
}

static void stop(struct container_image *m)
{
	if (m->call)
		http_cancel(m->call);
	if (m->later)
		loop_cancel(m->later);
	if (m->proc)
		proc_kill(m->proc, SIGKILL);
	if (m->file.fd >= 0)
		close(m->file.fd);
	m->call = NULL;
	m->later = NULL;
	m->file.fd = -1;
}

void container_image_free(struct container_image *m)
{
	if (!m)
		return;
	m->is_closing = true;
	stop(m);
	if (m->proc)
		loop_run(m->o.client->loop, &m->no_proc);
	unlink(m->archive);
	buf_release(&m->said);
	arena_release(&m->arena);
	free(m->archive);
	free(m->ref);
	free(m->closures);
	free(m);
}

const char *container_image_id(const struct container_image *m)
{
	return m->is_found ? m->found.id : NULL;
}

const char *container_image_told(const struct container_image *m)
{
	return m->told[0] ? m->told : NULL;
}

const char *container_image_closures(const struct container_image *m)
{
	return m->is_found ? m->found.closures : NULL;
}

bool container_image_forget(struct container_image *m)
{
	bool was_found = m->is_found;

	m->is_found = false;
	return was_found;
}

void container_image_used(const struct container_image *m)
{
	if (m->is_found)
		container_stamp(m->o.o, m->found.made);
}

static void fail(struct container_image *m, const struct err *e)
{
	m->err = *e;
	err_wrap(&m->err, "container: image %s", m->ref);
	m->o.done(m->o.arg, &m->err);
}

static void begin(void *arg);

/* Who serves the socket may be started again: then it is looked for anew. */
static void no_answer(struct container_image *m, const struct err *e)
{
	struct err why;

	if (e->code == ERR_RETRY && m->n_silent < SILENT_MOST) {
		m->has_tried = false;
		buf_reset(&m->said);
		m->later = loop_after(m->o.client->loop, (uint64_t)AGAIN_MS << m->n_silent++,
				      begin, m);
		return;
	}
	container_no_answer(m->o.client, e, &why);
	fail(m, &why);
}

/* ---- is it there? */

static void look(struct container_image *m);

static void send(struct container_image *m, const struct container_ask *q)
{
	struct err e;

	if (container_start(m->o.client, q, &m->call, &e) < 0)
		fail(m, &e);
}

static void found(struct container_image *m)
{
	bool is_named = strchr(m->ref, '@') || bytes_start(bytes_str(m->ref), "sha256:");

	m->is_found = true;
	container_image_used(m);
	/* A tag may be another image tomorrow. */
	if (!m->closures && !is_named)
		snprintf(m->told, sizeof m->told, "image %s is %s", m->ref,
			 *m->found.digest ? m->found.digest : m->found.id);
	m->o.done(m->o.arg, NULL);
}

/* A pull and a load both answer 200 and then say how it went. */
static void on_brought(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container_image *m = arg;
	struct err bad;

	m->call = NULL;
	if (m->file.fd >= 0)
		close(m->file.fd);
	m->file.fd = -1;
	if (e)
		no_answer(m, e);
	else if (a->status != 200 &&
		 container_refusal(m->closures ? "loading it" : "fetching it", a->status, a->body,
				   &bad) < 0)
		fail(m, &bad);
	else if (container_read_progress(a->body, &bad) < 0)
		fail(m, &bad);
	else
		look(m);
}

static void pull(struct container_image *m)
{
	const char *slash = strrchr(m->ref, '/'), *name = slash ? slash : m->ref;
	struct buf path = { 0 };

	buf_str(&path, "/v1.41/images/create?fromImage=");
	container_put_query(&path, m->ref);
	/* Without a tag Docker fetches all there are. */
	if (!strpbrk(name, ":@"))
		buf_str(&path, "&tag=latest");
	send(m, &(struct container_ask){ .method = "POST", .path = path.p,
					 .done = on_brought, .arg = m });
	buf_release(&path);
}

static void make(struct container_image *m);

static void on_looked(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container_image *m = arg;
	struct err bad;

	m->call = NULL;
	if (e) {
		no_answer(m, e);
	} else if (a->status == 404 && !m->has_tried) {
		m->has_tried = true;
		if (m->closures)
			make(m);
		else
			pull(m);
	} else if (a->status != 200) {
		container_refusal("looking for it", a->status, a->body, &bad);
		fail(m, &bad);
	} else if (container_read_image(a->body, &m->arena, &m->found, &bad) < 0) {
		fail(m, &bad);
	} else {
		found(m);
	}
}

static void look(struct container_image *m)
{
	struct buf path = { 0 };

	buf_printf(&path, "/v1.41/images/%s/json", m->ref);
	send(m, &(struct container_ask){ .method = "GET", .path = path.p, .done = on_looked,
					 .arg = m });
	buf_release(&path);
}

/* ---- making it */

static void load(struct container_image *m)
{
	struct stat st;
	struct err e;

	m->file.fd = open(m->archive, O_RDONLY | O_CLOEXEC);
	if (m->file.fd < 0 || fstat(m->file.fd, &st) < 0) {
		err_sys(&e, "%s", m->archive);
		fail(m, &e);
		return;
	}
	unlink(m->archive);
	m->file.n_bytes = (uint64_t)st.st_size;
	send(m, &(struct container_ask){ .method = "POST", .path = "/v1.41/images/load",
					 .from = &m->file, .done = on_brought, .arg = m });
}

static void on_said(void *arg, struct bytes b)
{
	struct container_image *m = arg;

	if (m->said.n + b.n < sizeof m->err.text)
		buf_add(&m->said, b.p, b.n);
}

static void on_packed(void *arg, int status)
{
	struct container_image *m = arg;
	struct err e;

	m->proc = NULL;
	m->no_proc = true;
	if (m->is_closing)
		return;
	if (status == 0) {
		load(m);
		return;
	}
	unlink(m->archive);
	err_set(&e, ERR_REFUSED, "it cannot be made of the closures: %s", m->said.n ?
		m->said.p : "the process that made it was killed");
	fail(m, &e);
}

static void make(struct container_image *m)
{
	const struct proc_ops ops = { .bytes = on_said, .gone = on_packed, .arg = m };
	const char *env[] = { "LC_ALL=C.UTF-8", NULL };
	struct strs args = { 0 };
	struct arena a = { 0 };
	struct err e;
	int rc;

	strs_add(&args, m->o.o->self);
	strs_add(&args, "_pack");
	strs_add(&args, m->o.o->store_dir);
	strs_add(&args, m->archive);
	strs_add(&args, m->ref);
	strs_add(&args, m->o.client->is_podman ? "zstd" : "gzip");
	strs_add(&args, m->o.worker);
	strs_add(&args, m->o.library);
	for (size_t i = 0; i < m->n_closures; i++)
		strs_add(&args, arena_str(&a, id_hex(&m->closures[i]).s));
	m->no_proc = false;
	/* The other process sees what is flushed. */
	rc = store_flush(m->o.o->store, &e);
	if (rc == 0)
		rc = loop_spawn(m->o.client->loop, args.v, env, &ops, &m->proc, &e);
	strs_release(&args);
	arena_release(&a);
	if (rc < 0)
		fail(m, &e);
}

/* ---- beginning; never calls back from within */

static const char plain[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:@-";

static void begin(void *arg)
{
	struct container_image *m = arg;
	struct err e;

	m->later = NULL;
	if (!m->closures && m->ref[strspn(m->ref, plain)]) {
		err_set(&e, ERR_USAGE, "write it as NAME@sha256:64 hex digits");
		fail(m, &e);
		return;
	}
	look(m);
}

static void start(struct container_image *m, const char *ref)
{
	free(m->ref);
	m->ref = mem_str(ref);
	m->has_tried = m->is_found = false;
	m->told[0] = 0;
	m->n_silent = 0;
	buf_reset(&m->said);
	m->later = loop_after(m->o.client->loop, 0, begin, m);
}

void container_image_get(struct container_image *m, const char *ref)
{
	free(m->closures);
	m->closures = NULL;
	start(m, ref);
}

/* The name of what is in it: the worker, and the closures in any order. */
void container_image_make(struct container_image *m, const struct id *closures, size_t n)
{
	struct id sum = { { 0 } }, self = { { 0 } };
	struct id *copy = mem_alloc(n * sizeof *copy);
	struct buf ref = { 0 };
	struct hash *h = hash_new();
	struct err ignored;

	memcpy(copy, closures, n * sizeof *copy);
	free(m->closures);
	m->closures = copy;
	m->n_closures = n;
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < ID_BYTES; k++)
			sum.b[k] = (unsigned char)(sum.b[k] ^ copy[i].b[k]);
	stat_name(m->o.o->store, AT_FDCWD, m->o.worker, 0, &self, NULL, &ignored);
	hash_add(h, &self, sizeof self);
	hash_add(h, &sum, sizeof sum);
	sum = hash_end(h);
	hash_free(h);
	buf_printf(&ref, CONTAINER_MADE ":%.32s", id_hex(&sum).s);
	start(m, ref.p);
	buf_release(&ref);
}
