/* serve_call.c - one request: its head, its body, its answer */
#include "serve_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPARE_CALLS = 256 };

/* ---- calls */

static struct call *call_new(struct serve *s)
{
	struct call *c = s->spares;

	if (c) {
		s->spares = c->next;
		s->n_spares--;
	} else {
		c = memset(mem_alloc(sizeof *c), 0, sizeof *c);
	}
	c->s = s;
	c->c.body_fd = -1;
	return c;
}

static void call_release(struct call *c)
{
	buf_release(&c->body);
	buf_release(&c->query);
	free(c);
}

static void call_free(struct call *c)
{
	struct serve *s = c->s;
	struct buf body = c->body, query = c->query;

	if (c->response)
		s->api.drop(c->response);
	if (c->c.body_fd >= 0)
		close(c->c.body_fd);
	free(c->path);
	buf_reset(&body);
	buf_reset(&query);
	*c = (struct call){ .body = body, .query = query };
	if (s->n_spares == SPARE_CALLS || body.room > SERVE_MEMORY_BYTES / 16) {
		call_release(c);
		return;
	}
	c->next = s->spares;
	s->spares = c;
	s->n_spares++;
}

void serve_free_spares(struct serve *s)
{
	for (struct call *c = s->spares, *next; c; c = next) {
		next = c->next;
		call_release(c);
	}
}

/* ---- bodies */

static int spool_file(const struct serve *s)
{
	const char *dir = s->o.spool_dir ? s->o.spool_dir : "/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct buf path = { 0 };

	if (fd >= 0)
		return fd;
	buf_printf(&path, "%s/gg-body-XXXXXX", dir);
	fd = mkostemp(path.p, O_CLOEXEC);
	if (fd >= 0)
		unlink(path.p);
	buf_release(&path);
	return fd;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		p += put;
		n -= (size_t)put;
	}
	return true;
}

static int take_piece(struct call *c, const char *p, size_t n)
{
	const struct serve_opts *o = &c->s->o;

	if (c->c.n_bytes + n > c->max_bytes)
		return 413;
	c->c.n_bytes += n;
	if (c->c.body_fd < 0 && c->body.n + n <= o->memory_bytes) {
		buf_add(&c->body, p, n);
		return 0;
	}
	if (c->c.body_fd < 0) {
		c->c.body_fd = spool_file(c->s);
		if (c->c.body_fd < 0 || !write_all(c->c.body_fd, c->body.p, c->body.n))
			return 507;
		buf_release(&c->body);
	}
	return write_all(c->c.body_fd, p, n) ? 0 : 507;
}

/* ---- a request's way */

static struct MHD_Response *make_response(struct serve *s, const struct serve_answer *a)
{
	struct MHD_Response *r;

	if (a->file)
		r = s->api.from_file(a->file->n_bytes, a->file->fd, a->file->offset);
	else
		r = s->api.from_bytes(a->body.n, (void *)(a->body.n ? a->body.p : ""),
				      a->body.n ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);
	if (!r)
		abort();
	for (size_t i = 0; a->headers && a->headers[i]; i++) {
		const char *colon = strchr(a->headers[i], ':');
		char name[64];

		snprintf(name, sizeof name, "%.*s", (int)(colon - a->headers[i]), a->headers[i]);
		if (s->api.add_header(r, name, colon + 2) != MHD_YES)
			abort();
	}
	return r;
}

static enum MHD_Result send_response(struct call *c)
{
	return c->s->api.answer(c->connection, (unsigned)c->status, c->response);
}

static enum MHD_Result refuse(struct call *c, int status)
{
	c->status = status;
	c->response = make_response(c->s, &(struct serve_answer){ .status = status });
	return send_response(c);
}

void serve_answer(struct serve_call *call, const struct serve_answer *a)
{
	struct call *c = (struct call *)call;

	if (c->response)
		abort();
	c->status = a->status;
	c->response = make_response(c->s, a);
	if (c->is_waiting && !c->has_gone)
		serve_wake(c);
}

const char *serve_header(const struct serve_call *call, const char *name)
{
	const struct call *c = (const struct call *)call;

	return c->s->api.header(c->connection, MHD_HEADER_KIND, name);
}

/* ---- who may speak */

static bool same_text(const char *a, const char *b, size_t n)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return !differs;
}

/* In a time that depends on the lengths alone. */
static bool knows_token(struct serve *s, struct MHD_Connection *connection)
{
	const char *said = s->api.header(connection, MHD_HEADER_KIND, "Authorization");
	size_t n = strlen(s->o.token);

	if (s->o.is_open)
		return true;
	return said && strncasecmp(said, "Bearer ", 7) == 0 && strlen(said + 7) == n &&
		same_text(said + 7, s->o.token, n);
}

/* The head has come. */
static enum MHD_Result begin(struct call *c, const char *url, const char *method)
{
	struct serve *s = c->s;
	const char *length = serve_header(&c->c, "Content-Length");
	uint64_t n = length ? strtoull(length, NULL, 10) : 0;
	struct peer *p;
	int status = 0;

	c->has_begun = true;
	if (!knows_token(s, c->connection))
		return refuse(c, 401);
	p = s->api.connection_info(c->connection,
				   MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	serve_knows(p);
	c->path = mem_str(url);
	c->c.path = c->path;
	c->c.method = method;
	c->c.query = c->query.n ? c->query.p : "";
	c->max_bytes = s->o.max_bytes;
	if (n > c->max_bytes)
		status = 413;
	else if (s->o.accepts)
		status = s->o.accepts(s->o.arg, &c->c, n);
	return status ? refuse(c, status) : MHD_YES;
}

static enum MHD_Result finish(struct call *c)
{
	struct serve *s = c->s;

	if (c->has_gone)
		return MHD_NO;
	if (c->response)
		return send_response(c);
	if (s->is_closing)
		return MHD_NO;
	if (c->status)
		return refuse(c, c->status);
	if (c->c.body_fd >= 0 && lseek(c->c.body_fd, 0, SEEK_SET) < 0)
		return refuse(c, 507);
	c->c.body = buf_bytes(&c->body);
	c->is_told = true;
	s->o.request(s->o.arg, &c->c);
	if (c->response)
		return send_response(c);
	serve_rest(c);
	return MHD_YES;
}

enum MHD_Result serve_on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *p,
				  size_t *n, void **own)
{
	struct call *c = *own;

	(void)arg;
	(void)version;
	c->connection = connection;
	if (!c->has_begun)
		return begin(c, url, method);
	if (!*n)
		return finish(c);
	if (!c->status)
		c->status = take_piece(c, p, *n);
	*n = 0;
	return MHD_YES;
}

/* The first that is heard of a request, with all of its address. */
void *serve_on_address(void *arg, const char *address, struct MHD_Connection *connection)
{
	struct call *c = call_new(arg);
	const char *query = strchr(address, '?');

	c->connection = connection;
	if (query)
		buf_str(&c->query, query + 1);
	return c;
}

void serve_on_completed(void *arg, struct MHD_Connection *connection, void **own,
			 enum MHD_RequestTerminationCode code)
{
	struct call *c = *own;

	(void)arg;
	(void)connection;
	(void)code;
	*own = NULL;
	if (c)
		call_free(c);
}
