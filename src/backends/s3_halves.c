/* s3_halves.c - uploads in parts that nobody will end, since who began them was killed
 *
 * Their parts take room, and no listing of objects shows them.  Whose they are shows
 * in their keys: others may use the same bucket.
 */
#include <string.h>
#include "s3.h"
#include "when.h"

enum { PAGE_MAX = 16 << 20 };

struct halves {
	struct remote *r;
	int64_t before_s;
	struct arena arena;
	struct strs keys, ids;          /* old ones of ours; keys without the prefix */
	const char *key, *id;           /* of the one that is being read */
	const char *next_key, *next_id; /* where the next page begins */
	int64_t begun_s;
	bool is_done, is_truncated;
	struct err err;
};

static bool is_ours(const char *key)
{
	return remote_key_is_good(key) && (strncmp(key, "cas/", 4) == 0 ||
					   strncmp(key, "ac/", 3) == 0 ||
					   strncmp(key, "refs/", 5) == 0);
}

static void leaf(void *arg, const char *name, const char *text)
{
	struct halves *h = arg;
	struct arena *a = &h->arena;

	if (strcmp(name, "Key") == 0)
		h->key = arena_str(a, text);
	else if (strcmp(name, "UploadId") == 0)
		h->id = arena_str(a, text);
	else if (strcmp(name, "Initiated") == 0 && !when_iso(text, &h->begun_s))
		h->begun_s = 0;
	else if (strcmp(name, "NextKeyMarker") == 0)
		h->next_key = arena_str(a, text);
	else if (strcmp(name, "NextUploadIdMarker") == 0)
		h->next_id = arena_str(a, text);
	else if (strcmp(name, "IsTruncated") == 0)
		h->is_truncated = strcmp(text, "true") == 0;
}

static void end(void *arg, const char *name)
{
	struct halves *h = arg;
	const char *prefix = h->r->place.prefix;
	size_t n = strlen(prefix);

	if (strcmp(name, "Upload") != 0)
		return;
	if (h->key && h->id && h->begun_s && h->begun_s <= h->before_s &&
	    strncmp(h->key, prefix, n) == 0 && is_ours(h->key + n)) {
		strs_add(&h->keys, h->key + n);
		strs_add(&h->ids, h->id);
	}
	h->key = h->id = NULL;
	h->begun_s = 0;
}

static void add(struct buf *b, const char *name, const char *value)
{
	buf_str(b, name);
	sigv4_encode(bytes_str(value), false, b);
}

static void done(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct halves *h = q->arg;

	h->is_done = true;
	if (e)
		h->err = *e;
	else if (q->max_bytes)
		s3_read_xml(a->body, &(struct s3_reader){ leaf, end, h }, &h->err);
}

static int ask(struct halves *h, struct s3_request *q, struct err *e)
{
	q->r = h->r;
	q->done = done;
	q->arg = h;
	h->is_done = false;
	h->err.code = 0;
	s3_begin(q);
	loop_run(h->r->loop, &h->is_done);
	*e = h->err;
	return e->code ? -1 : 0;
}

static int read_page(struct halves *h, struct err *e)
{
	struct s3_request q = { .method = "GET", .max_bytes = PAGE_MAX };
	struct buf b = { 0 };
	int rc;

	if (h->next_key) {
		add(&b, "key-marker=", h->next_key);
		buf_char(&b, '&');
	}
	add(&b, "prefix=", h->r->place.prefix);
	if (h->next_key && h->next_id)
		add(&b, "&upload-id-marker=", h->next_id);
	buf_str(&b, "&uploads=");
	h->is_truncated = false;
	h->next_key = h->next_id = NULL;
	q.query = b.p;
	rc = ask(h, &q, e);
	buf_release(&b);
	return rc;
}

static int abort_one(struct halves *h, size_t i, struct err *e)
{
	struct s3_request q = { .method = "DELETE", .key = h->keys.v[i] };
	struct buf b = { 0 };
	int rc;

	add(&b, "uploadId=", h->ids.v[i]);
	q.query = b.p;
	rc = ask(h, &q, e);
	buf_release(&b);
	/* Whoever began it has ended it meanwhile. */
	return rc < 0 && (e->code == ERR_MISSING || strcmp(q.code, "NoSuchUpload") == 0) ? 0 : rc;
}

int s3_halves(struct remote *r, int64_t before_s, bool is_dry, size_t *n, struct err *e)
{
	struct halves h = { .r = r, .before_s = before_s };
	int rc;

	do {
		rc = read_page(&h, e);
	} while (rc == 0 && h.is_truncated && h.next_key);
	for (size_t i = 0; rc == 0 && !is_dry && i < h.keys.n; i++)
		rc = abort_one(&h, i, e);
	*n = h.keys.n;
	strs_release(&h.keys);
	strs_release(&h.ids);
	arena_release(&h.arena);
	return rc < 0 ? err_wrap(e, "uploads left half done") : 0;
}
