/* s3_check.c - what is wrong with a bucket, in words
 *
 * What gg needs is tried in turn: to list, to write, to read back, to delete.
 * The first refusal is told with what it was for.
 */
#include <string.h>
#include <time.h>
#include "s3.h"

enum { SKEW_TOLD_S = 120 };

struct probe {
	struct s3_request q;
	bool is_done, has_failed;
	struct arena arena;
	struct bytes body;
	struct err *e;
};

static void probed(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct probe *p = q->arg;

	p->is_done = true;
	p->has_failed = e != NULL;
	p->body = arena_bytes(&p->arena, a->body);
	if (e)
		*p->e = *e;
}

static int run(struct remote *r, struct probe *p, struct s3_request q, struct err *e)
{
	p->is_done = p->has_failed = false;
	p->e = e;
	p->q = q;
	p->q.r = r;
	p->q.done = probed;
	p->q.arg = p;
	s3_begin(&p->q);
	loop_run(r->loop, &p->is_done);
	return p->has_failed ? -1 : 0;
}

static int try_all(struct remote *r, struct probe *p, struct err *e)
{
	const char *key = arena_printf(&p->arena, "check/%llx",
				       (unsigned long long)(r->seed ^ (uint64_t)time(NULL)));
	struct bytes said = bytes_str("written by gg remote check\n");
	struct buf query = { 0 };
	int rc;

	buf_str(&query, "list-type=2&max-keys=1&prefix=");
	sigv4_encode(bytes_str(r->place.prefix), false, &query);
	rc = run(r, p, (struct s3_request){ .method = "GET", .query = query.p }, e);
	buf_release(&query);
	if (rc < 0)
		return err_wrap(e, "listing the bucket");
	if (run(r, p, (struct s3_request){ .method = "PUT", .key = key, .body = said }, e) < 0)
		return err_wrap(e, "writing an object");
	if (run(r, p, (struct s3_request){ .method = "GET", .key = key }, e) < 0)
		return err_wrap(e, "reading an object that was just written");
	if (!bytes_equal(p->body, said))
		return err_set(e, ERR_BAD, "s3://%s gives back other bytes than were written",
			       r->place.bucket);
	if (run(r, p, (struct s3_request){ .method = "DELETE", .key = key }, e) < 0)
		return err_wrap(e, "deleting an object");
	return 0;
}

static int clock_says(const struct remote *r, struct err *e)
{
	long long off = (long long)r->sign.skew_s;

	if (off > -SKEW_TOLD_S && off < SKEW_TOLD_S)
		return 0;
	return err_set(e, ERR_REFUSED, "this machine's clock is %lld s %s the server's: gg signs "
		       "by the server's, but set it right (timedatectl set-ntp true)",
		       off < 0 ? -off : off, off < 0 ? "ahead of" : "behind");
}

int s3_check(struct remote *r, struct err *e)
{
	struct probe p = { .has_failed = false };
	int rc = try_all(r, &p, e);

	if (rc < 0 && e->code == ERR_REFUSED)
		err_wrap(e, "keys from %s", aws_source(r->aws));
	arena_release(&p.arena);
	return rc < 0 ? -1 : clock_says(r, e);
}
