/* b_remote.c - objects to and from S3: gg's remote, and a client as bare as can be
 *
 *	b_remote gg|bare put|get|fetch URI N BYTES ABREAST
 *
 * N objects of BYTES, ABREAST requests in flight; what is fetched goes to files
 * in the folder where this runs.  Prints seconds, and microseconds of CPU an
 * object.  The bare client writes requests that were
 * signed before the clock runs, over ABREAST connections that stay open, by
 * epoll; of an answer it reads the status, the length and the body, which like
 * gg's stands whole in memory at the end, in room that was there before.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../../src/backends/sigv4.h"
#include "clock.h"
#include "id.h"
#include "remote.h"

static size_t n_objects, size, abreast, n_begun, n_done;
static bool puts_them, to_files, is_over;
static char *body;
static struct err e;

static int die(const char *why)
{
	fprintf(stderr, "b_remote: %s\n", why);
	exit(1);
}

static void tell(double from, double cpu)
{
	printf("%.6f %.1f\n", now_s() - from,
	       (cpu_s() - cpu) / (double)n_objects * 1e6);
}

static int new_file(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		die("no file can be made here");
	return fd;
}

/* ---- by gg */

struct one {
	struct remote_call c;
	struct http_file to;
	char key[40];
};

static const struct remote_ops *ops;
static struct remote *remote;
static struct loop *loop;

static const char *setting(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static void begin(struct one *o);

static void done(struct remote_call *c, const struct remote_answer *a, const struct err *why)
{
	if (why)
		die(why->text);
	if (!puts_them && (to_files ? a->n_bytes : a->body.n) != size)
		die("another length came");
	if (to_files)
		close(((struct one *)c->arg)->to.fd);
	n_done++;
	is_over = n_done == n_objects;
	if (n_begun < n_objects)
		begin(c->arg);
}

static void begin(struct one *o)
{
	snprintf(o->key, sizeof o->key, "bench/%zu", n_begun++);
	o->c = (struct remote_call){ .verb = puts_them ? REMOTE_PUT : REMOTE_GET, .key = o->key,
				     .max_bytes = size, .done = done, .arg = o };
	if (puts_them)
		o->c.body = (struct bytes){ body, size };
	if (to_files) {
		o->to = (struct http_file){ .fd = new_file(), .n_bytes = size };
		o->c.to = &o->to;
	}
	if (ops->start(remote, &o->c, &e) < 0)
		die(e.text);
}

static void by_gg(const char *uri)
{
	struct http_opts h = { .ca_file = NULL };
	struct remote_opts o = { .setting = setting };
	struct one *all = calloc(abreast, sizeof *all);
	struct http *http;
	double from, cpu;

	if (loop_new(&loop, &e) < 0)
		die(e.text);
	h.loop = o.loop = loop;
	ops = remote_find(uri, &e);
	if (!ops || http_new(&h, &http, &e) < 0)
		die(e.text);
	o.http = http;
	if (ops->open(&o, uri, &remote, &e) < 0)
		die(e.text);
	from = now_s();
	cpu = cpu_s();
	for (size_t i = 0; i < abreast && n_begun < n_objects; i++)
		begin(&all[i]);
	loop_run(loop, &is_over);
	tell(from, cpu);
	ops->close(remote);
	http_free(http);
	loop_free(loop);
	free(all);
}

/* ---- barely */

struct conn {
	int fd, file;
	struct bytes request;
	size_t sent, got, wanted, n_body;       /* wanted: of the whole answer, once known */
	char *body;                     /* what is fetched into memory, as gg has it there */
	char head[4096];
};

static struct bytes *requests;
static struct sockaddr_in server;

/* http://127.0.0.1:PORT out of s3://bucket/prefix?endpoint=... */
static void sign_all(const char *uri)
{
	struct sigv4 s = { .region = "us-east-1", .service = "s3", .flags = SIGV4_OF_S3 };
	struct aws_keys k = { .access_key = getenv("AWS_ACCESS_KEY_ID"),
			      .secret_key = getenv("AWS_SECRET_ACCESS_KEY") };
	const char *where = strstr(uri, "endpoint=http://"), *path = uri + strlen("s3://");
	static struct arena arena;
	struct id hash = id_of((struct bytes){ body, size });
	struct id_hex hex = id_hex(&hash);
	int port;

	if (!where || !k.access_key || !k.secret_key ||
	    sscanf(where, "endpoint=http://127.0.0.1:%d", &port) != 1)
		die("the bare client wants s3://bucket/prefix?endpoint=http://127.0.0.1:PORT");
	where += strlen("endpoint=http://");
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	requests = calloc(n_objects, sizeof *requests);
	for (size_t i = 0; i < n_objects; i++) {
		struct sigv4_request r = {
			.method = puts_them ? "PUT" : "GET", .host = where,
			.path = arena_printf(&arena, "/%.*s/bench/%zu", (int)strcspn(path, "?"),
					     path, i),
			.payload = puts_them ? hex.s : NULL, .now_s = time(NULL),
		};
		struct strs headers = { 0 };
		struct buf b = { 0 };

		sigv4_sign(&s, &k, &r, &arena, &headers);
		buf_printf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.path, where);
		for (size_t h = 0; h < headers.n; h++)
			buf_printf(&b, "%s\r\n", headers.v[h]);
		if (puts_them)
			buf_printf(&b, "Content-Length: %zu\r\n\r\n", size);
		else
			buf_str(&b, "\r\n");
		if (puts_them)
			buf_add(&b, body, size);
		requests[i] = buf_bytes(&b);
		strs_release(&headers);
	}
}

static void send_more(struct conn *c)
{
	while (c->sent < c->request.n) {
		ssize_t n = send(c->fd, c->request.p + c->sent, c->request.n - c->sent,
				 MSG_NOSIGNAL);

		if (n <= 0)
			return;
		c->sent += (size_t)n;
	}
}

static bool next(struct conn *c)
{
	if (n_begun == n_objects)
		return false;
	c->request = requests[n_begun++];
	c->sent = c->got = c->wanted = 0;
	c->file = to_files ? new_file() : -1;
	send_more(c);
	return true;
}

static void read_head(struct conn *c)
{
	const char *end, *length;

	c->head[c->got < sizeof c->head ? c->got : sizeof c->head - 1] = 0;
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return;
	if (strncmp(c->head, "HTTP/1.1 200", 12) != 0)
		die(c->head);
	length = strcasestr(c->head, "\ncontent-length:");
	if (!length)
		die("no length");
	c->n_body = strtoul(length + 16, NULL, 10);
	if (!puts_them && c->n_body != size)
		die("another length came");
	c->wanted = (size_t)(end + 4 - c->head) + c->n_body;
}

/* What has come of the body. */
static void keep(struct conn *c, const char *p, size_t n)
{
	size_t n_head = c->wanted - c->n_body;

	if (c->body)
		memcpy(c->body + (c->got - n - n_head), p, n);
	if (to_files && pwrite(c->file, p, n, (off_t)(c->got - n - n_head)) != (ssize_t)n)
		die("writing");
}

/* Where the next bytes go: a body that is kept straight to its place. */
static struct bytes room_for(struct conn *c, char *trash, size_t n_trash)
{
	if (!c->wanted)
		return (struct bytes){ c->head + c->got, sizeof c->head - 1 - c->got };
	if (c->body && c->got < c->wanted)
		return (struct bytes){ c->body + (c->got + c->n_body - c->wanted),
				       c->wanted - c->got };
	return (struct bytes){ trash, n_trash };
}

static void receive(struct conn *c, char *trash, size_t n_trash)
{
	for (;;) {
		bool in_head = !c->wanted;
		struct bytes room = room_for(c, trash, n_trash);
		ssize_t n = recv(c->fd, (char *)room.p, room.n, 0);

		if (n == 0)
			die("the server closed a connection");
		if (n < 0)
			return;
		c->got += (size_t)n;
		if (in_head)
			read_head(c);
		if (in_head && c->wanted)
			keep(c, c->head + (c->wanted - c->n_body),
			     c->got - (c->wanted - c->n_body));
		else if (to_files && c->wanted)
			keep(c, trash, (size_t)n);
		if (c->wanted && c->got >= c->wanted) {
			if (to_files)
				close(c->file);
			n_done++;
			if (!next(c))
				return;
		}
	}
}

static void barely(const char *uri)
{
	struct conn *all = calloc(abreast, sizeof *all);
	struct epoll_event events[64];
	int poll = epoll_create1(0), one = 1;
	char *trash = malloc(1 << 20);
	double from, cpu;

	sign_all(uri);
	for (size_t i = 0; i < abreast && !puts_them && !to_files; i++)
		all[i].body = memset(malloc(size), 1, size);
	from = now_s();
	cpu = cpu_s();
	for (size_t i = 0; i < abreast; i++) {
		struct epoll_event want = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
					    .data.ptr = &all[i] };

		all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(all[i].fd, (struct sockaddr *)&server, sizeof server) < 0)
			die("cannot connect");
		setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
		epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &want);
		next(&all[i]);
	}
	while (n_done < n_objects) {
		int n = epoll_wait(poll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			send_more(c);
			if (c->request.n)
				receive(c, trash, 1 << 20);
		}
	}
	tell(from, cpu);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		return die("b_remote gg|bare put|get|fetch URI N BYTES ABREAST");
	puts_them = strcmp(argv[2], "put") == 0;
	to_files = strcmp(argv[2], "fetch") == 0;
	n_objects = strtoul(argv[4], NULL, 10);
	size = strtoul(argv[5], NULL, 10);
	abreast = strtoul(argv[6], NULL, 10);
	body = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 31 + i / 257);
	if (strcmp(argv[1], "gg") == 0)
		by_gg(argv[3]);
	else
		barely(argv[3]);
	return 0;
}
