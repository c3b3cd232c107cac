/* The server keeps the promises of serve.h, to clients of http.h and to those
 * that speak badly. */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "file.h"
#include "http.h"
#include "test.h"
#include "ticket.h"

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct loop *loop;
static struct http *http;
static struct serve *serve;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/gg-serve-XXXXXX";
static char path[64];
static struct ticket ticket;

/* What the server was asked; calls that wait. */
static struct serve_call *waiting[64];
static int n_waiting, n_gone, n_asked;

static void request(void *arg, struct serve_call *c)
{
	struct buf b = { 0 };
	const char *word = serve_header(c, "x-word");
	const char *headers[] = { "X-Said: yes", "Content-Type: text/plain", NULL };
	struct serve_answer a = { .status = 200, .headers = headers };
	struct stat st;

	(void)arg;
	n_asked++;
	if (strcmp(c->path, "/wait") == 0) {
		waiting[n_waiting++] = c;
		return;
	}
	if (strcmp(c->path, "/file") == 0) {
		struct http_file f = { open("/proc/self/exe", O_RDONLY), 0, 0 };

		fstat(f.fd, &st);
		f.n_bytes = (uint64_t)st.st_size;
		a.file = &f;
		serve_answer(c, &a);
		return;
	}
	if (c->body_fd >= 0)
		fstat(c->body_fd, &st);
	buf_printf(&b, "%s %s ?%s %s %llu %s\n", c->method, c->path, c->query, word ? word : "-",
		   (unsigned long long)c->n_bytes, c->body_fd < 0 ? "memory" : "file");
	if (c->body_fd >= 0)
		CHECK((uint64_t)st.st_size == c->n_bytes && st.st_nlink == 0 &&
		      lseek(c->body_fd, 0, SEEK_CUR) == 0);
	buf_add(&b, c->body.p, c->body.n);
	a.body = buf_bytes(&b);
	serve_answer(c, &a);
	buf_release(&b);
}

static void gone(void *arg, struct serve_call *c)
{
	(void)arg;
	n_gone++;
	for (int i = 0; i < n_waiting; i++)
		if (waiting[i] == c)
			waiting[i] = waiting[--n_waiting];
}

static int accepts(void *arg, const struct serve_call *c, uint64_t n)
{
	(void)arg;
	(void)n;
	return strcmp(c->path, "/closed") == 0 ? 403 : 0;
}

/* Of silent connections; tests of them have less. */
enum { LONG_S = 60 };
static unsigned idle_s = LONG_S;

static void open_at(const char *unix_path, const char *address)
{
	struct serve_opts o = { .loop = loop, .unix_path = unix_path, .address = address,
				.token = TOKEN, .spool_dir = dir, .memory_bytes = 4096,
				.max_bytes = 3000000, .idle_s = idle_s, .request = request,
				.gone = gone, .accepts = accepts };

	n_waiting = n_gone = n_asked = 0;
	MUST(serve_open(&o, &serve, &e), e);
	serve_ticket(serve, &ticket);
	if (unix_path)
		strcpy(ticket.url, "http://gg");
}

static int ask(const struct http_request *q, const char *at, const char *token,
	       struct http_answer *a)
{
	struct http_request r = *q;
	const char *headers[] = { arena_printf(&arena, "Authorization: Bearer %s", token),
				  "X-Word: word", NULL };

	r.url = arena_printf(&arena, "%s%s", ticket.url, at);
	r.headers = headers;
	r.unix_path = strcmp(ticket.url, "http://gg") == 0 ? path : NULL;
	r.pinned_key = *ticket.key ? ticket.key : NULL;
	return http_fetch(http, &r, &arena, a, &e);
}

static void requests(void)
{
	struct http_answer a;

	MUST(ask(&(struct http_request){ 0 }, "/a/b?x=1&y", TOKEN, &a), e);
	CHECK(a.status == 200);
	CHECK_STR(arena_strn(&arena, a.body.p, a.body.n), "GET /a/b ?x=1&y word 0 memory\n");
	CHECK_STR(http_header(&a, "x-said"), "yes");
	CHECK(!http_header(&a, "server"));
	MUST(ask(&(struct http_request){ .method = "POST", .body = bytes_str("hallo") }, "/p",
		 TOKEN, &a), e);
	CHECK_STR(arena_strn(&arena, a.body.p, a.body.n), "POST /p ? word 5 memory\nhallo");
	MUST(ask(&(struct http_request){ .method = "HEAD" }, "/p", TOKEN, &a), e);
	CHECK(a.status == 200 && a.body.n == 0);
	CHECK(n_asked == 3);
}

static void bodies(void)
{
	struct buf b = { 0 };
	struct http_answer a;

	for (int i = 0; i < 300000; i++)
		buf_printf(&b, "%09d\n", i);
	MUST(ask(&(struct http_request){ .method = "PUT", .body = { b.p, 2000000 } }, "/p",
		 TOKEN, &a), e);
	CHECK_STR(arena_strn(&arena, a.body.p, a.body.n), "PUT /p ? word 2000000 file\n");
	/* Too large: by what was said, and no byte of it is taken. */
	buf_str(&b, "too much");
	CHECK(ask(&(struct http_request){ .method = "PUT", .body = buf_bytes(&b) }, "/p", TOKEN,
		  &a) < 0 || a.status == 413);
	CHECK(ask(&(struct http_request){ .method = "PUT", .body = { b.p, 2000000 } }, "/closed",
		  TOKEN, &a) < 0 || a.status == 403);
	CHECK(n_asked == 1);
	MUST(ask(&(struct http_request){ .max_bytes = 64 << 20 }, "/file", TOKEN, &a), e);
	CHECK(a.status == 200 && a.body.n > 10000 && memcmp(a.body.p, "\177ELF", 4) == 0);
	buf_release(&b);
}

static void strangers(void)
{
	static const char *const tokens[] = { "", "0", TOKEN "0", ("x" TOKEN) };
	struct http_answer a;
	char other[] = TOKEN;

	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
		MUST(ask(&(struct http_request){ 0 }, "/p", tokens[i], &a), e);
		CHECK(a.status == 401 && a.body.n == 0 && !http_header(&a, "x-said") &&
		      !http_header(&a, "www-authenticate"));
	}
	other[63] ^= 1;
	CHECK(ask(&(struct http_request){ .method = "PUT", .body = { TOKEN, 64 } }, "/p", other,
		  &a) < 0 || a.status == 401);
	CHECK(n_asked == 0);
}

struct client {
	bool is_done;
	int status;
	struct http_call *call;
};

static void client_done(void *arg, const struct http_answer *a, const struct err *why)
{
	struct client *c = arg;

	c->is_done = true;
	c->status = why ? -1 : a->status;
}

static void turn_until(const bool *done)
{
	for (int i = 0; i < 60000 && !*done; i++) {
		loop_turn(loop);
		usleep(1000);
	}
	CHECK(*done);
}

static void turn_for(int ms)
{
	for (int i = 0; i < ms; i++) {
		loop_turn(loop);
		usleep(1000);
	}
}

static void begin_wait(struct client *c)
{
	const char *headers[] = { "Authorization: Bearer " TOKEN, NULL };
	struct http_request r = { .url = arena_printf(&arena, "%s/wait", ticket.url),
				  .headers = headers, .done = client_done, .arg = c };

	r.unix_path = strcmp(ticket.url, "http://gg") == 0 ? path : NULL;
	r.pinned_key = *ticket.key ? ticket.key : NULL;
	*c = (struct client){ 0 };
	MUST(http_start(http, &r, &c->call, &e), e);
}

/* The same anew, for a machine too slow to connect so many before the first is cut
 * off. */
static void reopen_patiently(void)
{
	bool is_tls = strcmp(ticket.url, "http://gg") != 0;

	serve_close(serve);
	idle_s *= 4;
	open_at(is_tls ? NULL : path, is_tls ? "127.0.0.1:0" : NULL);
}

static bool all_wait(struct client c[40])
{
	bool is_cut = false;

	for (int i = 0; i < 40; i++)
		begin_wait(&c[i]);
	for (int i = 0; i < 60000 && n_waiting < 40 && !is_cut; i++) {
		turn_for(1);
		for (int k = 0; k < 40; k++)
			is_cut = is_cut || c[k].is_done;
	}
	for (int i = 0; i < 40 && n_waiting < 40; i++)
		if (!c[i].is_done)
			http_cancel(c[i].call);
	return n_waiting == 40;
}

static void long_polls(void)
{
	struct client c[40];
	bool all = false;

	while (!all_wait(c) && idle_s < 64)
		reopen_patiently();
	CHECK(n_waiting == 40);
	if (n_waiting < 40)
		return;
	/* Longer than a silent connection would live. */
	turn_for((int)idle_s * 1300);
	CHECK(n_waiting == 40 && n_gone == 0);
	http_cancel(c[7].call);
	for (int i = 0; i < 60000 && !n_gone; i++)
		turn_for(1);
	CHECK(n_gone == 1 && n_waiting == 39);
	while (n_waiting)
		serve_answer(waiting[--n_waiting], &(struct serve_answer){ .status = 204 });
	for (int i = 0; i < 60000 && !all; i++) {
		turn_for(1);
		all = true;
		for (int k = 0; k < 40; k++)
			all = all && (k == 7 || c[k].is_done);
	}
	CHECK(all);
	for (int k = 0; k < 40; k++)
		CHECK(k == 7 || c[k].status == 204);
	/* Closing cuts off who waits. */
	begin_wait(&c[0]);
	for (int i = 0; i < 60000 && !n_waiting; i++)
		turn_for(1);
	serve_close(serve);
	serve = NULL;
	turn_until(&c[0].is_done);
	CHECK(c[0].status == -1 && n_gone == 1);
}

static int connect_raw(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, path);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
	return fd;
}

static void say(int fd, const char *s)
{
	CHECK(send(fd, s, strlen(s), MSG_NOSIGNAL) == (ssize_t)strlen(s));
}

static bool is_closed(int fd)
{
	char b[4096];
	ssize_t n;

	while ((n = recv(fd, b, sizeof b, MSG_DONTWAIT)) > 0)
		;
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void bad_talk(void)
{
	static const char *const words[] = {
		"", "GET", "GET /p HTTP/1.1\r\n", "\r\n\r\n\r\n", "nonsense\r\n\r\n",
		"GET /p HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\nContent-Length: 10\r\n\r\nhalf",
		"PUT /p HTTP/1.1\r\nAuthorization: Bearer " TOKEN "\r\nContent-Length: -5\r\n\r\n",
		"PUT /p HTTP/1.1\r\nAuthorization: Bearer " TOKEN
		"\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"PUT /p HTTP/1.1\r\nAuthorization: Bearer " TOKEN
		"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET /p HTTP/1.1\r\nAuthorization: Bearer\r\n\r\n",
	};
	enum { N = sizeof words / sizeof *words };
	int fds[N];
	struct http_answer a;
	int n_closed = 0;

	for (int i = 0; i < N; i++) {
		fds[i] = connect_raw();
		say(fds[i], words[i]);
	}
	turn_for(50);
	MUST(ask(&(struct http_request){ 0 }, "/p", TOKEN, &a), e);
	CHECK(a.status == 200);
	turn_for(4300);
	for (int i = 0; i < N; i++) {
		n_closed += i != N - 1 && is_closed(fds[i]);
		close(fds[i]);
	}
	CHECK(n_closed == N - 1);
	CHECK(n_asked == 1);
}

enum { CROWD = 2000 };

/* Are all of them there, before the first is cut off? */
static bool is_crowded(int fds[CROWD])
{
	uint64_t from = loop_now_ms(loop);

	for (int i = 0; i < CROWD; i++) {
		fds[i] = connect_raw();
		if (i % 50 == 0)
			turn_for(1);
	}
	while (serve_connections(serve) < CROWD && loop_now_ms(loop) - from < 1000 * idle_s)
		turn_for(1);
	return serve_connections(serve) >= CROWD;
}

/* A connection that asks again and again is not silent, but thousands that are
 * do not keep others out. */
static void silent(void)
{
	static int fds[CROWD];
	struct http_answer a;
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	CHECK(r.rlim_cur == r.rlim_max);
	while (!is_crowded(fds) && idle_s < 64) {
		for (int i = 0; i < CROWD; i++)
			close(fds[i]);
		reopen_patiently();
	}
	CHECK(serve_connections(serve) >= CROWD);
	MUST(ask(&(struct http_request){ 0 }, "/p", TOKEN, &a), e);
	CHECK(a.status == 200);
	for (unsigned i = 0; i < 60000 * idle_s && serve_connections(serve) > 1; i++)
		turn_for(1);
	CHECK(serve_connections(serve) <= 1);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
}

static void with_socket(void (*fn)(void))
{
	struct stat st;

	open_at(path, NULL);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	fn();
	serve_close(serve);
	CHECK(access(path, F_OK) < 0);
}

static void with_tls(void (*fn)(void))
{
	open_at(NULL, "127.0.0.1:0");
	CHECK(strncmp(ticket.url, "https://127.0.0.1:", 18) == 0);
	fn();
	serve_close(serve);
}

static void both(void (*fn)(void))
{
	with_socket(fn);
	with_tls(fn);
}

static void test_requests(void) { both(requests); }
static void test_bodies(void) { both(bodies); }
static void test_strangers(void) { both(strangers); }

static void with_less(unsigned seconds, void (*with)(void (*fn)(void)), void (*fn)(void))
{
	idle_s = seconds;
	with(fn);
	idle_s = LONG_S;
}

static void test_polls(void)
{
	with_less(1, with_socket, long_polls);
	with_less(1, with_tls, long_polls);
}

static void test_bad_talk(void) { with_less(2, with_socket, bad_talk); }
static void test_silent(void) { with_less(1, with_socket, silent); }

/* Nothing is asked of a server with another key; one that is too slow is asked again. */
static bool is_refused(void)
{
	struct http_answer a;

	for (int i = 0; i < 10; i++) {
		if (ask(&(struct http_request){ 0 }, "/p", TOKEN, &a) == 0)
			return false;
		if (e.code != ERR_RETRY)
			break;
		printf("# %s\n", e.text);
	}
	return e.code == ERR_REFUSED;
}

static void keys(void)
{
	struct http_answer a;
	struct ticket right;

	open_at(NULL, "127.0.0.1:0");
	right = ticket;
	ticket.key[20] = ticket.key[20] == 'A' ? 'B' : 'A';
	CHECK(is_refused());
	CHECK(strstr(e.text, "key") && !strstr(e.text, TOKEN));
	ticket.key[0] = 0;
	CHECK(is_refused());
	ticket = right;
	MUST(ask(&(struct http_request){ 0 }, "/p", TOKEN, &a), e);
	CHECK(n_asked == 1);
	serve_close(serve);
	/* The next run has another key, though the token be the same. */
	open_at(NULL, "127.0.0.1:0");
	strcpy(ticket.key, right.key);
	CHECK(is_refused());
	serve_close(serve);
}

static void places(void)
{
	static const char *const wrong[] = { "127.0.0.1", ":80", "127.0.0.1:x", "::1:0",
					     "127.0.0.1:70000", "no.such.host.invalid:0" };
	struct serve_opts o = { .loop = loop, .token = TOKEN, .request = request };
	struct serve *other;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		o.address = wrong[i];
		CHECK(serve_open(&o, &other, &e) < 0);
		CHECK(e.code == ERR_USAGE || e.code == ERR_IO);
	}
	open_at(path, NULL);
	o.unix_path = path;
	CHECK(serve_open(&o, &other, &e) < 0 && e.code == ERR_REFUSED);
	CHECK(access(path, F_OK) == 0);
	serve_close(serve);
	/* What a killed process left is in nobody's way. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	unlink(path);
	CHECK(mknod(path, S_IFSOCK | 0600, 0) == 0);
	open_at(path, NULL);
	serve_close(serve);
}

int main(void)
{
	static const struct test tests[] = {
		{ "requests come whole and are answered, by socket and by TLS", test_requests },
		{ "large bodies go to unlinked files, too large ones nowhere", test_bodies },
		{ "who has not the token is told nothing", test_strangers },
		{ "an answer may come later; who went away is told of", test_polls },
		{ "only who has the key of the ticket is believed to be the server", keys },
		{ "half and wrong requests end and hinder nobody", test_bad_talk },
		{ "thousands of silent connections hinder nobody and are cut off", test_silent },
		{ "a place that cannot be listened at is told of", places },
		{ 0 }
	};
	int rc;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/sock", dir);
	MUST(loop_new(&loop, &e), e);
	MUST(http_new(&(struct http_opts){ .loop = loop }, &http, &e), e);
	rc = test_main(tests);
	http_free(http);
	loop_free(loop);
	arena_release(&arena);
	dir_remove(AT_FDCWD, dir, &e);
	return rc;
}
