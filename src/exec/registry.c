/* registry.c - the blobs of an image, then its manifest, to a registry
 *
 * A blob is asked for first.  One that is absent is taken over from another
 * name where this machine has seen it, or sent in chunks; where the next chunk
 * goes is kept in the store before it is sent, so that whoever comes later
 * can ask how much has arrived, and go on.
 */
#include "registry_private.h"

#include <stdlib.h>
#include <string.h>
#include "loop.h"

enum { CHUNK_BYTES = 16 << 20, TRIES = 3, PAUSE_MS = 500 };

static void tell(struct registry *r, enum registry_step step,
		 const struct image_blob *b, uint64_t n)
{
	if (r->o->event)
		r->o->event(r->o->arg, step, b, n);
}

/* ---- what is remembered */

static struct bytes upload_key(struct registry *r, const struct image_blob *b)
{
	return bytes_str(arena_printf(&r->arena, "upload %s/%s %s", r->base, r->o->to.name,
				      id_hex(&b->id).s));
}

static struct bytes seen_key(struct registry *r, const struct image_blob *b)
{
	return bytes_str(arena_printf(&r->arena, "blob %s %s", r->base, id_hex(&b->id).s));
}

static const char *recall(struct registry *r, struct bytes key)
{
	struct err ignored;
	struct bytes value;

	if (!r->o->store || store_table_get(r->o->store, TABLE_RUN, key, &r->arena, &value,
					    &ignored) < 0)
		return NULL;
	return arena_strn(&r->arena, value.p, value.n);
}

static int remember(struct registry *r, struct bytes key, const char *value,
		    struct err *e)
{
	struct store *s = r->o->store;
	int rc;

	if (!s)
		return 0;
	rc = value ? store_table_put(s, TABLE_RUN, key, bytes_str(value), e)
		   : store_table_delete(s, TABLE_RUN, key, e);
	return rc < 0 ? -1 : store_flush(s, e);
}

/* ---- one blob */

static const char *blob_url(struct registry *r, const struct image_blob *b)
{
	return arena_printf(&r->arena, "%s/v2/%s/blobs/sha256:%s", r->base, r->o->to.name,
			    id_hex(&b->id).s);
}

/* 1, 0, -1. */
static int is_there(struct registry *r, const struct image_blob *b, struct err *e)
{
	struct registry_ask ask = { .method = "HEAD", .url = blob_url(r, b) };
	struct http_answer a;

	if (registry_call(r, &ask, &a, e) < 0)
		return -1;
	if (a.status == 200 || a.status == 404)
		return a.status == 200;
	return registry_refused(r, "looking for a layer", &a, e);
}

/* A Location may be a path only. */
static const char *location(struct registry *r, const struct http_answer *a, struct err *e)
{
	const char *s = http_header(a, "Location");

	if (s && *s == '/')
		return arena_printf(&r->arena, "%s%s", r->base, s);
	if (s && (bytes_start(bytes_str(s), "https://") ||
		  (bytes_start(bytes_str(s), "http://") &&
		   bytes_start(bytes_str(r->base), "http://"))))
		return s;
	err_set(e, ERR_BAD, "%s: the registry does not say where a layer goes", r->o->to.host);
	return NULL;
}

/* Begin an upload; *at is NULL when the blob was taken over instead. */
static int begin(struct registry *r, const struct image_blob *b, const char **at,
		 struct err *e)
{
	const char *other = recall(r, seen_key(r, b)), *mount = "";
	struct registry_ask ask = { .method = "POST" };
	struct http_answer a;

	if (other && strcmp(other, r->o->to.name) != 0)
		mount = arena_printf(&r->arena, "?mount=sha256:%s&from=%s", id_hex(&b->id).s,
				     other);
	ask.url = arena_printf(&r->arena, "%s/v2/%s/blobs/uploads/%s", r->base,
			       r->o->to.name, mount);
	if (registry_call(r, &ask, &a, e) < 0)
		return -1;
	*at = NULL;
	if (a.status == 201)
		return 0;
	if (a.status != 202)
		return registry_refused(r, "sending a layer", &a, e);
	*at = location(r, &a, e);
	return *at ? remember(r, upload_key(r, b), *at, e) : -1;
}

/* How much of an upload has arrived: into *n; false if it is not known there. */
static bool arrived(struct registry *r, const struct image_blob *b, const char **at,
		    uint64_t *n)
{
	struct registry_ask ask = { .method = "GET", .url = *at };
	struct http_answer a;
	const char *range, *next;
	unsigned long long last;
	struct err ignored;

	if (registry_call(r, &ask, &a, &ignored) < 0 || a.status != 204)
		return false;
	range = http_header(&a, "Range");
	range = range ? strchr(range, '-') : NULL;
	if (!range)
		return false;
	last = strtoull(range + 1, NULL, 10);
	*n = last ? last + 1 : 0;
	next = location(r, &a, &ignored);
	*at = next ? next : *at;
	return *n <= b->n_bytes;
}

static int send_chunk(struct registry *r, const struct image_blob *b, const char **at,
		      uint64_t *sent, struct err *e)
{
	uint64_t n = r->o->chunk_bytes ? r->o->chunk_bytes : CHUNK_BYTES;
	struct registry_ask ask = { .method = "PATCH", .url = *at };
	struct http_file from = { .fd = r->archive, .offset = b->offset + *sent };
	struct http_answer a;

	n = n < b->n_bytes - *sent ? n : b->n_bytes - *sent;
	from.n_bytes = n;
	ask.from = &from;
	ask.headers[0] = "Content-Type: application/octet-stream";
	ask.headers[1] = arena_printf(&r->arena, "Content-Range: %llu-%llu",
				      (unsigned long long)*sent,
				      (unsigned long long)(*sent + n - 1));
	if (registry_call(r, &ask, &a, e) < 0)
		return -1;
	if (a.status == 416)
		return err_set(e, ERR_RETRY, "%s: the registry has another part of this "
			       "layer", r->o->to.host);
	if (a.status != 202 && a.status != 201 && a.status != 204)
		return registry_refused(r, "sending a layer", &a, e);
	*sent += n;
	*at = location(r, &a, e);
	return *at ? remember(r, upload_key(r, b), *at, e) : -1;
}

static int finish(struct registry *r, const struct image_blob *b, const char *at,
		  struct err *e)
{
	struct registry_ask ask = { .method = "PUT" };
	struct http_answer a;

	ask.url = arena_printf(&r->arena, "%s%cdigest=sha256:%s", at,
			       strchr(at, '?') ? '&' : '?', id_hex(&b->id).s);
	ask.headers[0] = "Content-Type: application/octet-stream";
	if (registry_call(r, &ask, &a, e) < 0)
		return -1;
	return a.status == 201 || a.status == 204 ? 0 :
		registry_refused(r, "ending a layer", &a, e);
}

static void on_pause_over(void *arg)
{
	*(bool *)arg = true;
}

static void pause_for(struct registry *r, uint64_t ms)
{
	struct loop *l = http_loop(r->o->http);
	bool is_over = false;

	loop_after(l, ms, on_pause_over, &is_over);
	loop_run(l, &is_over);
}

/* Send what has not arrived.  A connection that breaks is made again. */
static int send_rest(struct registry *r, const struct image_blob *b, const char *at,
		     uint64_t sent, struct err *e)
{
	for (int tries = 1; sent < b->n_bytes;) {
		uint64_t before = sent;

		if (send_chunk(r, b, &at, &sent, e) == 0)
			continue;
		if (e->code != ERR_RETRY || tries == TRIES)
			return -1;
		pause_for(r, PAUSE_MS * (unsigned)tries);
		if (!arrived(r, b, &at, &sent))
			return -1;
		tries = sent > before ? 1 : tries + 1;
	}
	return finish(r, b, at, e);
}

/* From its beginning. */
static int send_new(struct registry *r, const struct image_blob *b, struct err *e)
{
	const char *at;

	if (begin(r, b, &at, e) < 0)
		return -1;
	if (!at) {
		tell(r, REGISTRY_MOUNTED, b, b->n_bytes);
		return 0;
	}
	if (send_rest(r, b, at, 0, e) < 0)
		return -1;
	tell(r, REGISTRY_SENT, b, b->n_bytes);
	return remember(r, upload_key(r, b), NULL, e);
}

/* What is left of an earlier upload: 1 done, 0 it cannot go on.  A registry may
 * still be ending it for somebody who was killed. */
static int send_left(struct registry *r, const struct image_blob *b, struct err *e)
{
	const char *at = recall(r, upload_key(r, b));
	uint64_t sent = 0;

	if (!at || !arrived(r, b, &at, &sent) || sent == 0)
		return 0;
	tell(r, REGISTRY_RESUMED, b, sent);
	if (send_rest(r, b, at, sent, e) < 0) {
		if (e->code == ERR_RETRY)
			return -1;
		return is_there(r, b, e);
	}
	tell(r, REGISTRY_SENT, b, b->n_bytes - sent);
	return remember(r, upload_key(r, b), NULL, e) < 0 ? -1 : 1;
}

static int send_blob(struct registry *r, const struct image_blob *b, struct err *e)
{
	int rc = send_left(r, b, e);

	return rc < 0 ? -1 : rc ? 0 : send_new(r, b, e);
}

static int push_blob(struct registry *r, const struct image_blob *b, struct err *e)
{
	int has = is_there(r, b, e);

	if (has < 0)
		return -1;
	if (has)
		tell(r, REGISTRY_HAS, b, b->n_bytes);
	else if (send_blob(r, b, e) < 0)
		return -1;
	return remember(r, seen_key(r, b), r->o->to.name, e);
}

/* ---- the whole */

static int put_manifest(struct registry *r, struct err *e)
{
	struct registry_ask ask = { .method = "PUT", .body = r->m->manifest_text };
	struct http_answer a;

	ask.url = arena_printf(&r->arena, "%s/v2/%s/manifests/%s", r->base, r->o->to.name,
			       r->o->to.tag);
	ask.headers[0] = arena_printf(&r->arena, "Content-Type: %s", r->m->manifest.type);
	if (registry_call(r, &ask, &a, e) < 0)
		return -1;
	if (a.status != 201)
		return registry_refused(r, "the image's manifest", &a, e);
	tell(r, REGISTRY_DONE, &r->m->manifest, r->m->manifest_text.n);
	return 0;
}

/* Which of http and https the registry speaks, where both may be spoken. */
static int find_base(struct registry *r, struct err *e)
{
	const char *host = r->o->to.host, *dial = host;
	bool is_local = http_host_is_local((struct bytes){ host, strcspn(host, ":") });
	const char *schemes[2] = { "https", NULL };
	struct http_answer a;

	if (strcmp(host, "docker.io") == 0)
		dial = "registry-1.docker.io";
	if (is_local || r->o->trusts_anyone)
		schemes[1] = is_local ? schemes[0] : "http";
	if (is_local)
		schemes[0] = "http";
	for (size_t i = 0; i < 2 && schemes[i]; i++) {
		struct http_request q = { .url = arena_printf(&r->arena, "%s://%s/v2/",
							      schemes[i], dial) };

		if (http_fetch(r->o->http, &q, &r->arena, &a, e) < 0) {
			if (!a.status && i == 0 && schemes[1] && e->code == ERR_RETRY)
				continue;
			return err_wrap(e, "registry %s", host);
		}
		r->base = arena_printf(&r->arena, "%s://%s", schemes[i], dial);
		if (a.status == 200 || a.status == 401)
			return 0;
	}
	return registry_refused(r, "saying hello", &a, e);
}

int registry_push(const struct registry_opts *o, const struct image *m, int archive,
		  struct err *e)
{
	struct registry r = { .o = o, .m = m, .archive = archive };
	int rc = find_base(&r, e);

	for (size_t i = 0; i < m->n && rc == 0; i++)
		rc = push_blob(&r, &m->blobs[i], e);
	if (rc == 0)
		rc = put_manifest(&r, e);
	arena_release(&r.arena);
	return rc;
}
