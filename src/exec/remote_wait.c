/* remote_wait.c - one request to a remote at a time, for tools */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "remote_gc.h"

struct waiting {
	bool is_done;
	struct arena *a;
	struct remote_answer *out;
	struct err err;
};

static void done(struct remote_call *c, const struct remote_answer *a, const struct err *e)
{
	struct waiting *w = c->arg;

	*w->out = *a;
	w->out->body = arena_bytes(w->a, a->body);
	if (e)
		w->err = *e;
	w->is_done = true;
}

int remote_wait(struct loop *l, const struct remote_ops *ops, struct remote *r,
		const struct remote_call *c, struct arena *a, struct remote_answer *out,
		struct err *e)
{
	struct waiting w = { .a = a, .out = out };

	struct remote_call own = *c;

	own.done = done;
	own.arg = &w;
	if (ops->start(r, &own, e) < 0)
		return -1;
	loop_run(l, &w.is_done);
	if (!w.err.code)
		return 0;
	*e = w.err;
	return -1;
}

/* Under a name that is true: some caches look whether it is. */
int remote_probe(struct loop *l, const struct remote_ops *ops, struct remote *r,
		 int64_t *modified_s, struct err *e)
{
	unsigned char any[64];
	struct bytes body = { (char *)any, sizeof any };
	char key[8 + ID_HEX];
	struct remote_call c = { .verb = REMOTE_PUT, .key = key, .body = body };
	struct arena a = { 0 };
	struct remote_answer got;
	struct id id;
	int rc;

	if (getrandom(any, sizeof any, 0) != sizeof any)
		return err_sys(e, "no random bytes");
	id = id_of(body);
	snprintf(key, sizeof key, "cas/%s", id_hex(&id).s);
	rc = remote_wait(l, ops, r, &c, &a, &got, e);
	c = (struct remote_call){ .verb = REMOTE_GET, .key = key };
	if (rc == 0)
		rc = remote_wait(l, ops, r, &c, &a, &got, e);
	if (rc == 0 && !bytes_equal(got.body, body))
		rc = err_set(e, ERR_BAD, "%s: what was written comes back as something else; is "
			     "there a proxy that keeps or changes answers?", ops->uri(r));
	c = (struct remote_call){ .verb = REMOTE_HEAD, .key = key };
	if (rc == 0)
		rc = remote_wait(l, ops, r, &c, &a, &got, e);
	*modified_s = rc == 0 ? got.modified_s : 0;
	c = (struct remote_call){ .verb = REMOTE_DELETE, .key = key };
	if (rc == 0 && remote_wait(l, ops, r, &c, &a, &got, e) < 0)
		rc = err_wrap(e, "blobs are written and read, but not removed, as gg remote gc "
			      "would");
	arena_release(&a);
	return rc;
}
