/* s3_list.c - all keys under a prefix, a thousand for each request */
#include <stdlib.h>
#include <string.h>
#include "s3.h"
#include "when.h"

enum { PAGE_MAX = 16 << 20 };

struct listing {
	struct s3_job job;
	struct s3_request q;
	struct remote_listing *l;
	struct buf query, token;
	bool is_ended;                  /* by who asked */
	struct buf key;                 /* of the object that is being read */
	uint64_t n_bytes;
	int64_t modified_s;
};

static void release(struct listing *g)
{
	s3_job_remove(&g->job);
	buf_release(&g->query);
	buf_release(&g->token);
	buf_release(&g->key);
	free(g);
}

static void drop(struct s3_job *j)
{
	struct listing *g = (struct listing *)j;

	s3_cancel(&g->q);
	release(g);
}

static void leaf(void *arg, const char *name, const char *text)
{
	struct listing *g = arg;

	if (strcmp(name, "Key") == 0) {
		buf_reset(&g->key);
		buf_str(&g->key, text);
	} else if (strcmp(name, "Size") == 0) {
		g->n_bytes = strtoull(text, NULL, 10);
	} else if (strcmp(name, "LastModified") == 0) {
		g->modified_s = 0;
		when_iso(text, &g->modified_s);
	} else if (strcmp(name, "NextContinuationToken") == 0) {
		buf_reset(&g->token);
		buf_str(&g->token, text);
	}
}

static void end(void *arg, const char *name)
{
	struct listing *g = arg;
	const char *prefix = g->job.r->place.prefix;
	size_t n = strlen(prefix);

	if (strcmp(name, "Contents") != 0 || g->is_ended || !g->key.p)
		return;
	if (strncmp(g->key.p, prefix, n) == 0)
		g->is_ended = g->l->each(g->l, g->key.p + n, g->n_bytes, g->modified_s) != 0;
}

static void next_page(struct listing *g);

static void page_came(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct listing *g = q->arg;
	struct remote_listing *l = g->l;
	struct err mine;

	buf_reset(&g->token);
	if (!e && s3_read_xml(a->body, &(struct s3_reader){ leaf, end, g }, &mine) < 0)
		e = &mine;
	if (!e && g->token.n && !g->is_ended) {
		next_page(g);
		return;
	}
	release(g);
	l->done(l, e);
}

static void next_page(struct listing *g)
{
	buf_reset(&g->query);
	if (g->token.n) {
		buf_str(&g->query, "continuation-token=");
		sigv4_encode(buf_bytes(&g->token), false, &g->query);
		buf_char(&g->query, '&');
	}
	buf_str(&g->query, "list-type=2&prefix=");
	sigv4_encode(bytes_str(g->job.r->place.prefix), false, &g->query);
	sigv4_encode(bytes_str(g->l->prefix), false, &g->query);
	g->q.query = g->query.p;
	s3_begin(&g->q);
}

int s3_list(struct remote *r, struct remote_listing *l, struct err *e)
{
	struct listing *g = memset(mem_alloc(sizeof *g), 0, sizeof *g);

	(void)e;
	g->l = l;
	g->job.drop = drop;
	g->q = (struct s3_request){ .r = r, .method = "GET", .max_bytes = PAGE_MAX,
				    .done = page_came, .arg = g };
	l->remote_data = g;
	s3_job_add(r, &g->job);
	next_page(g);
	return 0;
}
