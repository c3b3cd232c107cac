/* container_client.c - a container engine behind a unix socket */
#include "container_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Making a container or an image may take long without a word. */
enum { STALL_MS = 600000, PING_MS = 10000, ANSWER_MAX = 8 << 20, SPARE_CALLS = 16 };

static const char *unix_of(const char *uri)
{
	return uri && strncmp(uri, "unix://", 7) == 0 ? uri + 7 : NULL;
}

static const char *setting(const struct backend_opts *o, const char *name)
{
	return o->setting ? o->setting(o->setting_arg, name) : NULL;
}

/* 0: somebody listens there.  Else errno. */
static int try_socket(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof at.sun_path)
		return ENAMETOOLONG;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	rc = connect(fd, (struct sockaddr *)&at, sizeof at) < 0 ? errno : 0;
	close(fd);
	return rc;
}

static int no_socket(const char *path, int cause, struct err *e)
{
	if (cause == EACCES || cause == EPERM)
		return err_set(e, ERR_REFUSED, "container: %s is not for this user: ask for the "
			       "group of that socket, or use a podman of your own (systemctl "
			       "--user start podman.socket)", path);
	return err_set(e, ERR_MISSING, "container: nobody listens on %s (%s): systemctl start "
		       "podman.socket, or podman system service --time=0 unix://%s, or say "
		       "socket=PATH", path, strerror(cause), path);
}

/* The first of the usual places where somebody listens. */
static int find_socket(const struct backend_opts *o, const char *said, struct arena *a,
		       const char **out, struct err *e)
{
	const char *of_user = setting(o, "XDG_RUNTIME_DIR");
	const char *all[] = {
		said, unix_of(setting(o, "CONTAINER_HOST")), unix_of(setting(o, "DOCKER_HOST")),
		of_user ? arena_printf(a, "%s/podman/podman.sock", of_user) : NULL,
		"/run/podman/podman.sock", "/run/docker.sock",
	};
	int cause = 0;

	*out = NULL;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		int rc;

		if (!all[i])
			continue;
		rc = try_socket(all[i]);
		if (rc && (!*out || rc == EACCES)) {
			*out = all[i];
			cause = rc;
		}
		if (!rc)
			*out = all[i];
		if (!rc || all[i] == said)
			return rc ? no_socket(said, rc, e) : 0;
	}
	return no_socket(*out, cause, e);
}

/* Podman takes seconds to tell its version, since it asks all its helpers. */
static int ask_who(struct container_client *c, struct err *e)
{
	struct http_request q = { .url = "http://d/_ping", .unix_path = c->socket,
				  .connect_ms = PING_MS, .total_ms = PING_MS };
	struct http_answer a;
	struct arena arena = { 0 };
	int rc = http_fetch(c->http, &q, &arena, &a, e);

	if (rc == 0 && a.status != 200)
		rc = container_refusal("asked whether it is there", a.status, a.body, e);
	if (rc == 0) {
		const char *libpod = http_header(&a, "Libpod-Api-Version");

		c->is_podman = libpod != NULL;
		c->api = container_api_of(libpod, http_header(&a, "Api-Version"));
		if (!c->api)
			rc = err_set(e, ERR_BAD, "who listens there is neither podman nor Docker");
	}
	arena_release(&arena);
	return rc < 0 ? err_wrap(e, "container: %s", c->socket) : 0;
}

int container_client_open(struct container_client *c, const struct backend_opts *o,
			  const char *said, unsigned n_calls, struct err *e)
{
	struct http_opts ho = { .loop = o->loop, .n_per_host = n_calls + SPARE_CALLS };
	struct arena a = { 0 };
	const char *path;
	int rc = find_socket(o, said, &a, &path, e);

	*c = (struct container_client){ .loop = o->loop };
	if (rc == 0)
		c->socket = mem_str(path);
	arena_release(&a);
	if (rc < 0 || http_new(&ho, &c->http, e) < 0 || ask_who(c, e) < 0) {
		container_client_close(c);
		return -1;
	}
	return 0;
}

void container_client_close(struct container_client *c)
{
	http_free(c->http);
	free(c->socket);
	*c = (struct container_client){ 0 };
}

void container_no_answer(const struct container_client *c, const struct err *e, struct err *out)
{
	*out = *e;
	if (e->code == ERR_RETRY)
		err_set(out, ERR_RETRY, "nobody answers on %s any more: systemctl start "
			"podman.socket, or podman system service --time=0 unix://%s", c->socket,
			c->socket);
}

int container_start(struct container_client *c, const struct container_ask *q,
		    struct http_call **out, struct err *e)
{
	const char *headers[] = { q->from ? "Content-Type: application/x-tar" :
				  "Content-Type: application/json", NULL };
	struct buf url = { 0 };
	struct http_request r = {
		.method = q->method, .headers = headers, .body = q->body, .from = q->from,
		.unix_path = c->socket, .max_bytes = ANSWER_MAX, .done = q->done, .arg = q->arg,
		.stall_ms = q->waits ? HTTP_NEVER : STALL_MS,
	};
	int rc;

	buf_printf(&url, "http://d%s", q->path);
	r.url = url.p;
	rc = http_start(c->http, &r, out, e);
	buf_release(&url);
	return rc;
}
