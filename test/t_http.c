/* Requests keep the promises of http.h against Python's HTTP server, which is
 * told what to do wrong. */
#include "http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include "file.h"
#include "loop.h"
#include "python_server.h"
#include "test.h"

static struct loop *loop;
static struct http *http;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/gg-http-XXXXXX";
static int port, tls_port;

static const char *url(const char *path)
{
	return arena_printf(&arena, "http://127.0.0.1:%d%s", port, path);
}

static int get(const char *path, struct http_answer *a)
{
	return http_fetch(http, &(struct http_request){ .url = url(path) }, &arena, a, &e);
}

static void methods(void)
{
	static const char *const methods[] = { "GET", "PUT", "POST", "PATCH", "DELETE" };
	const char *headers[] = { "X-Word: a b", NULL };
	struct http_answer a;

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		bool sends = i > 0 && i < 4;
		struct http_request r = { .method = methods[i], .url = url("/x/../y%2Fz?q=1"),
					  .headers = headers };

		r.body = sends ? bytes_str("said\n") : (struct bytes){ 0 };
		MUST(http_fetch(http, &r, &arena, &a, &e), e);
		CHECK(a.status == 200 && a.was_sent && a.n_bytes == a.body.n);
		CHECK_STR(arena_strn(&arena, a.body.p, a.body.n),
			  arena_printf(&arena, "%s\n/x/../y%%2Fz?q=1\na b\n%s\n-\n-\n%s",
				       methods[i], sends ? "5" : "none",
				       sends ? "said\n" : ""));
	}
	CHECK_STR(http_header(&a, "x-twice"), "two");
	CHECK(!http_header(&a, "X-Twic") && !http_header(&a, "absent"));
	/* Nothing to say is said too, where the method has a body. */
	MUST(http_fetch(http, &(struct http_request){ .method = "POST", .url = url("/echo") },
			&arena, &a, &e), e);
	CHECK(bytes_start(a.body, "POST\n/echo\n-\n0\n"));
	MUST(http_fetch(http, &(struct http_request){ .method = "HEAD", .url = url("/echo") },
			&arena, &a, &e), e);
	CHECK(a.status == 200 && a.body.n == 0 && http_header(&a, "content-length"));
}

static int temporary(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%s/XXXXXX", dir);
	fd = mkstemp(path);
	unlink(path);
	return fd;
}

static void files(void)
{
	enum { N = 3000000 };
	struct http_file from = { .fd = temporary(), .offset = 1000, .n_bytes = N };
	struct http_file to = { .fd = temporary(), .offset = 7, .n_bytes = N + 1000 };
	char *sent = mem_alloc(N + 1000), *got = mem_alloc(N + 1000);
	struct http_answer a;
	ssize_t n;

	for (int i = 0; i < N + 1000; i++)
		sent[i] = (char)(i * 7 + i / 997);
	CHECK(write(from.fd, sent, N + 1000) == N + 1000);
	MUST(http_fetch(http, &(struct http_request){ .method = "PUT", .url = url("/echo"),
			.from = &from, .to = &to }, &arena, &a, &e), e);
	CHECK(a.status == 200 && a.body.n == 0 && a.n_bytes > N);
	n = pread(to.fd, got, N + 1000, (off_t)(7 + a.n_bytes - N));
	CHECK(n == N && memcmp(got, sent + 1000, N) == 0);
	/* An error's words do not go where the object was to be. */
	CHECK(ftruncate(to.fd, 0) == 0);
	MUST(http_fetch(http, &(struct http_request){ .url = url("/error"), .to = &to },
			&arena, &a, &e), e);
	CHECK(a.status == 503 && bytes_equal(a.body, bytes_str("<Error>slow down</Error>")));
	CHECK(lseek(to.fd, 0, SEEK_END) == 0);
	CHECK_STR(http_header(&a, "Retry-After"), "3");
	/* A file that became shorter is told of, not sent as something else. */
	CHECK(ftruncate(from.fd, 5000) == 0);
	CHECK(http_fetch(http, &(struct http_request){ .method = "PUT", .url = url("/echo"),
			 .from = &from }, &arena, &a, &e) < 0 && e.code == ERR_IO);
	to.n_bytes = 100;
	CHECK(http_fetch(http, &(struct http_request){ .url = url("/big?n=1000000"),
			 .to = &to }, &arena, &a, &e) < 0 && e.code == ERR_REFUSED);
	CHECK(lseek(to.fd, 0, SEEK_END) <= 107);
	close(from.fd);
	close(to.fd);
	free(sent);
	free(got);
}

static int count_piece(void *arg, struct bytes b)
{
	size_t *n = arg;

	*n += b.n;
	return *n > 500000;
}

static void pieces(void)
{
	struct http_answer a;
	size_t n = 0;

	MUST(http_fetch(http, &(struct http_request){ .url = url("/big?n=400000"),
			.piece = count_piece, .arg = &n }, &arena, &a, &e), e);
	CHECK(n == 400000 && a.n_bytes == n && a.body.n == 0);
	n = 0;
	CHECK(http_fetch(http, &(struct http_request){ .url = url("/big?n=900000"),
			 .piece = count_piece, .arg = &n }, &arena, &a, &e) < 0);
	CHECK(e.code == ERR_REFUSED && n > 500000);
}

static void bounds(void)
{
	struct http_answer a;

	CHECK(get("/big?n=3000000", &a) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "larger than 1048576") != NULL);
	CHECK(a.body.n <= 1048576);
	MUST(http_fetch(http, &(struct http_request){ .url = url("/big?n=3000000"),
			.max_bytes = 4000000 }, &arena, &a, &e), e);
	CHECK(a.body.n == 3000000);
	CHECK(get("/headers", &a) < 0);
}

static void broken(void)
{
	struct http_answer a;

	CHECK(get("/half", &a) < 0 && e.code == ERR_RETRY && a.was_sent);
	CHECK(strstr(e.text, "half way") != NULL);
	CHECK(get("/nothing", &a) < 0 && e.code == ERR_RETRY && a.was_sent);
	CHECK(get("/nonsense", &a) < 0 && e.code == ERR_BAD);
	CHECK(get("/again", &a) == 0 && a.status == 302);
	CHECK(http_fetch(http, &(struct http_request){ .url = url("/again"), .n_redirects = 3 },
			 &arena, &a, &e) < 0 && e.code == ERR_BAD);
	MUST(http_fetch(http, &(struct http_request){ .url = url("/away"), .n_redirects = 3 },
			&arena, &a, &e), e);
	CHECK(a.status == 200 && bytes_start(a.body, "GET\n/echo\n"));
}

/* A port where nobody listens. */
static int dead_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(bind(fd, (struct sockaddr *)&at, n) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void nobody_there(void)
{
	struct http_answer a;
	struct http_request r = { .url = arena_printf(&arena, "http://127.0.0.1:%d/x",
						      dead_port()) };

	CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && e.code == ERR_RETRY);
	CHECK(!a.was_sent && a.status == 0 && strstr(e.text, "is the server running"));
	r.url = "http://no-such-host.invalid/x";
	CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && e.code == ERR_RETRY);
	CHECK(strstr(e.text, "no such host") != NULL);
	for (size_t i = 0; i < 4; i++) {
		static const char *const wrong[] = { "", "ftp://x/y", "http://", "/etc/passwd" };

		r.url = wrong[i];
		CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && e.code == ERR_USAGE);
	}
}

static void too_slow(void)
{
	struct http_answer a;
	uint64_t from = loop_now_ms(loop);

	CHECK(http_fetch(http, &(struct http_request){ .url = url("/slow?s=5"), .total_ms = 200 },
			 &arena, &a, &e) < 0 && e.code == ERR_RETRY);
	CHECK(loop_now_ms(loop) - from < 2000);
	CHECK(http_fetch(http, &(struct http_request){ .url = url("/stall"), .stall_ms = 1000 },
			 &arena, &a, &e) < 0 && e.code == ERR_RETRY);
	CHECK(loop_now_ms(loop) - from < 4500);
	/* A server that thinks is not one that stalls, when told so. */
	MUST(http_fetch(http, &(struct http_request){ .url = url("/slow?s=2.5"),
			.stall_ms = HTTP_NEVER }, &arena, &a, &e), e);
	CHECK(bytes_equal(a.body, bytes_str("at last")));
}

static void secrets(void)
{
	const char *headers[] = { "Authorization: Bearer hunter2", NULL };
	struct http_request r = { .url = "http://user:hunter2@127.0.0.1/x" };
	struct http_answer a;

	CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && e.code == ERR_USAGE);
	CHECK(!strstr(e.text, "hunter2"));
	r = (struct http_request){ .url = url("/half?X-Amz-Signature=hunter2"),
				   .headers = headers, .body = bytes_str("hunter2"),
				   .method = "PUT" };
	CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && !strstr(e.text, "hunter2"));
	CHECK(strstr(e.text, "PUT 127.0.0.1") && strstr(e.text, "/half"));
	r.url = "http://no-such-host.invalid/?hunter2";
	CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && !strstr(e.text, "hunter2"));
}

static void tls(void)
{
	struct http_opts o = { .loop = loop };
	struct http_request r = { .url = arena_printf(&arena, "https://localhost:%d/echo",
						      tls_port) };
	struct http_answer a;
	struct http *h;

	CHECK(http_fetch(http, &r, &arena, &a, &e) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "not trusted") && !a.was_sent);
	o.ca_file = arena_printf(&arena, "%s/cert.pem", dir);
	MUST(http_new(&o, &h, &e), e);
	MUST(http_fetch(h, &r, &arena, &a, &e), e);
	CHECK(a.status == 200);
	/* The certificate is for localhost, not for any name of this machine. */
	r.url = arena_printf(&arena, "https://127.0.0.1:%d/echo", tls_port);
	CHECK(http_fetch(h, &r, &arena, &a, &e) < 0 && e.code == ERR_REFUSED);
	http_free(h);
	o = (struct http_opts){ .loop = loop, .trusts_anyone = true };
	MUST(http_new(&o, &h, &e), e);
	MUST(http_fetch(h, &r, &arena, &a, &e), e);
	CHECK(a.status == 200);
	http_free(h);
	r.ca_file = arena_printf(&arena, "%s/cert.pem", dir);
	r.url = arena_printf(&arena, "https://localhost:%d/echo", tls_port);
	MUST(http_fetch(http, &r, &arena, &a, &e), e);
	CHECK(a.status == 200);
	r.ca_file = NULL;
	o.ca_file = "/no/such/file";
	o.trusts_anyone = false;
	MUST(http_new(&o, &h, &e), e);
	CHECK(http_fetch(h, &r, &arena, &a, &e) < 0 && e.code == ERR_USAGE);
	http_free(h);
}

static void unix_socket(void)
{
	char *path = arena_printf(&arena, "%s/socket", dir);
	struct http_answer a;

	MUST(http_fetch(http, &(struct http_request){ .url = "http://daemon/echo",
			.unix_path = path }, &arena, &a, &e), e);
	CHECK(bytes_start(a.body, "GET\n/echo\n"));
}

struct many {
	size_t n_done, n_good;
	bool is_done;
};

static void one_of_many(void *arg, const struct http_answer *a, const struct err *err)
{
	struct many *m = arg;

	m->n_good += !err && a->status == 200 && bytes_equal(a->body, bytes_str("at last"));
	m->is_done = ++m->n_done == 100;
}

static void many_at_once(void)
{
	struct many m = { .n_done = 0 };
	struct http_call *cut[20];
	uint64_t from = loop_now_ms(loop);

	for (int i = 0; i < 100; i++)
		MUST(http_start(http, &(struct http_request){ .url = url("/slow?s=0.3"),
				.done = one_of_many, .arg = &m }, NULL, &e), e);
	CHECK(m.n_done == 0);
	for (int i = 0; i < 20; i++)
		MUST(http_start(http, &(struct http_request){ .url = url("/slow?s=0.1"),
				.done = one_of_many, .arg = &m }, &cut[i], &e), e);
	for (int i = 0; i < 10; i++)
		http_cancel(cut[i]);
	loop_turn(loop);
	for (int i = 10; i < 20; i++)
		http_cancel(cut[i]);
	loop_run(loop, &m.is_done);
	CHECK(m.n_done == 100 && m.n_good == 100);
	/* One after the other they would take 30 s. */
	CHECK(loop_now_ms(loop) - from < 10000);
	loop_run(loop, NULL);           /* nothing is left to wait for */
}

static void reuse(void)
{
	struct http_answer a;
	int before, after;

	MUST(get("/count", &a), e);
	before = atoi(arena_strn(&arena, a.body.p, a.body.n));
	for (int i = 0; i < 50; i++)
		MUST(get("/echo", &a), e);
	MUST(get("/count", &a), e);
	after = atoi(arena_strn(&arena, a.body.p, a.body.n));
	CHECK(after == before);
}

static void cut_off(void)
{
	struct many m = { .n_done = 0 };
	struct http *h;

	MUST(http_new(&(struct http_opts){ .loop = loop }, &h, &e), e);
	for (int i = 0; i < 5; i++)
		MUST(http_start(h, &(struct http_request){ .url = url("/slow?s=2"),
				.done = one_of_many, .arg = &m }, NULL, &e), e);
	loop_turn(loop);
	http_free(h);
	http_free(NULL);
	loop_run(loop, NULL);
	CHECK(m.n_done == 0);
}

/* A listener that lets nobody in any more: who connects waits. */
static int full_port(int fds[4])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;

	for (int i = 0; i < 4; i++)
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(bind(fds[0], (struct sockaddr *)&at, n) == 0 && listen(fds[0], 0) == 0);
	CHECK(getsockname(fds[0], (struct sockaddr *)&at, &n) == 0);
	for (int i = 1; i < 4; i++)
		(void)connect(fds[i], (struct sockaddr *)&at, n);
	return ntohs(at.sin_port);
}

struct early {
	struct http *h;
	struct http_request r;
	struct http_call *c;
	bool has_begun;
};

static void start_early(void *arg)
{
	struct early *x = arg;

	MUST(http_start(x->h, &x->r, &x->c, &e), e);
	x->has_begun = true;
}

/* libcurl does not say that it closes a socket which has not connected yet.  What
 * begins in a timer has its socket before the kernel was asked about it. */
static void cut_off_early(void)
{
	int fds[4], closed = full_port(fds);
	struct many m = { .n_done = 0 };
	struct early x = { .r = { .done = one_of_many, .arg = &m } };
	struct http_answer a;

	x.r.url = arena_printf(&arena, "http://127.0.0.1:%d/x", closed);
	MUST(http_new(&(struct http_opts){ .loop = loop }, &x.h, &e), e);
	for (int turns = 0; turns < 6; turns++) {
		x.has_begun = false;
		loop_after(loop, 5, start_early, &x);
		loop_run(loop, &x.has_begun);
		for (int i = 0; i < turns; i++) {
			usleep(1000);
			loop_turn(loop);
		}
		http_cancel(x.c);
		loop_turn(loop);
		MUST(http_fetch(x.h, &(struct http_request){ .url = url("/echo"),
				.total_ms = 20000 }, &arena, &a, &e), e);
		CHECK(a.status == 200);
	}
	CHECK(m.n_done == 0);
	http_free(x.h);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

static void local_hosts(void)
{
	static const char *const yes[] = { "localhost", "127.0.0.1", "127.1.2.3", "::1" };
	static const char *const no[] = { "", "127.evil.example", "localhost.example",
					  "10.0.0.1", "1127.0.0.1" };

	for (size_t i = 0; i < 4; i++)
		CHECK(http_host_is_local(bytes_str(yes[i])));
	for (size_t i = 0; i < 5; i++)
		CHECK(!http_host_is_local(bytes_str(no[i])));
}

static const struct test tests[] = {
	{ "every method, its headers and its body arrive as given", methods },
	{ "bodies come from a part of a file and go to one; errors do not", files },
	{ "an answer can be taken in pieces, and refused half way", pieces },
	{ "answers and headers have a largest size", bounds },
	{ "broken, missing and foolish answers are told apart", broken },
	{ "nobody there, no such host and no address are told, with nothing sent", nobody_there },
	{ "connections and transfers that take too long end; long thought is allowed", too_slow },
	{ "errors hold no header, body, query or password", secrets },
	{ "certificates are checked against the system's or the given authorities", tls },
	{ "a request goes through a unix socket", unix_socket },
	{ "a hundred run at once, others are cancelled, and the loop can end", many_at_once },
	{ "a connection serves request after request", reuse },
	{ "a client that is freed is silent", cut_off },
	{ "who is cancelled while it connects is in nobody's way", cut_off_early },
	{ "only this machine's own names count as local", local_hosts },
	{ 0 }
};

int main(void)
{
	char said[64];
	int rc, keep;
	pid_t pid;

	if (!mkdtemp(dir))
		return 1;
	pid = python_start("http_server.py", dir, &keep, said, sizeof said);
	if (sscanf(said, "%d %d", &port, &tls_port) != 2) {
		printf("1..0 # SKIP needs python3 and openssl\n");
		return 77;
	}
	MUST(loop_new(&loop, &e), e);
	MUST(http_new(&(struct http_opts){ .loop = loop }, &http, &e), e);
	rc = test_main(tests);
	http_free(http);
	loop_free(loop);
	python_end(pid, keep);
	dir_remove(AT_FDCWD, dir, &e);
	arena_release(&arena);
	return rc;
}
