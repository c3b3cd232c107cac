/* b_pool.c - a dispatcher and workers in memory, for test/bench/pool.sh
 *
 *	b_pool WORKERS STEPS [together|tls]
 *
 * One process dispatches trivial steps to workers that are connections of
 * another process: keep-alive, over a unix socket, each asking for work and
 * answering at once.  With "together" steps are known to be short and share
 * requests; with "tls" workers come by TLS, through gg's own client.  Prints:
 * steps a second, the dispatcher's microseconds of CPU a step, its resident MiB
 * with all workers waiting, and after the work.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../src/backends/pool.h"
#include "clock.h"
#include "file.h"
#include "http.h"
#include "message.h"

static void die(const char *what)
{
	fprintf(stderr, "b_pool: %s\n", what);
	exit(1);
}

/* ---- workers */

struct client {
	int fd;
	char worker[64], id[64];
	struct buf in, out;
	size_t sent;
	enum { SAYS_HELLO, ASKS, ANSWERS } state;
};

static char token[65];

static void flush(struct client *c)
{
	while (c->sent < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;         /* small messages: does not happen */
		if (n < 0)
			die("a worker cannot send");
		c->sent += (size_t)n;
	}
	buf_reset(&c->out);
	c->sent = 0;
}

static void ask_next(struct client *c)
{
	buf_printf(&c->out, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: gg\r\n"
		   "Authorization: Bearer %s\r\nGg-Worker: %s\r\n\r\n", token, c->worker);
	c->state = ASKS;
	flush(c);
}

static void write_answer(struct buf *out, struct bytes body, struct arena *a)
{
	struct message_request q;
	struct message_answer m = { .n_reports = 0 };
	struct message_report *v;
	struct err e;

	if (message_read_request(body, a, &q, &e) < 0)
		die(e.text);
	v = arena_alloc(a, q.n_steps * sizeof *v);
	for (size_t i = 0; i < q.n_steps; i++) {
		struct result_out *o = arena_alloc(a, sizeof *o);
		struct bytes text;

		v[i].step = id_of(q.steps[i].thunk);
		text = bytes_str(id_hex(&v[i].step).s);
		*o = (struct result_out){ "out", { REF_VALUE, id_of(text), NULL } };
		message_objects_add(&m.objects, &o->ref.id, arena_bytes(a, text));
		v[i].report = (struct run_report){ .status = RUN_OK, .result = { o, 1 } };
	}
	m.reports = v;
	m.n_reports = q.n_steps;
	m.is_json = q.is_json;
	message_put_answer(&m, out);
	message_objects_release(&m.objects);
	message_objects_release(&q.objects);
}

static void answer(struct client *c, struct bytes body, struct arena *a)
{
	struct buf out = { 0 };

	write_answer(&out, body, a);
	buf_printf(&c->out, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
		   "Host: gg\r\nAuthorization: Bearer %s\r\nGg-Worker: %s\r\n"
		   "Content-Length: %zu\r\n\r\n", c->id, token, c->worker, out.n);
	buf_add(&c->out, out.p, out.n);
	buf_release(&out);
	c->state = ANSWERS;
	flush(c);
}

static const char *value_after(const char *text, const char *key, char end, char *out)
{
	const char *s = strstr(text, key);
	size_t n = 0;

	if (!s)
		die("an answer without what it should have");
	for (s += strlen(key); s[n] && s[n] != end && n < 63; n++)
		out[n] = s[n];
	out[n] = 0;
	return out;
}

/* A whole answer has come. */
static void take(struct client *c, size_t head, struct bytes body, struct arena *a)
{
	char was = c->in.p[head];
	int status = atoi(c->in.p + 9);

	if (status == 403)
		exit(0);                /* the dispatcher has closed */
	if (status / 100 != 2)
		die("a worker was refused");
	if (c->state == SAYS_HELLO) {
		value_after(body.p, "\"worker\":\"", '"', c->worker);
		ask_next(c);
	} else if (c->state == ASKS) {
		c->in.p[head] = 0;
		value_after(c->in.p, "Lambda-Runtime-Aws-Request-Id: ", '\r', c->id);
		c->in.p[head] = was;
		answer(c, body, a);
	} else {
		ask_next(c);
	}
}

static void readable(struct client *c, struct arena *a)
{
	char b[16384], length[64];
	ssize_t n = recv(c->fd, b, sizeof b, 0);
	const char *end;
	size_t head, body;

	if (n <= 0)
		exit(0);
	buf_add(&c->in, b, (size_t)n);
	end = strstr(c->in.p, "\r\n\r\n");
	if (!end)
		return;
	head = (size_t)(end - c->in.p) + 4;
	value_after(c->in.p, "Content-Length: ", '\r', length);
	body = strtoul(length, NULL, 10);
	if (c->in.n < head + body)
		return;
	take(c, head, (struct bytes){ c->in.p + head, body }, a);
	buf_reset(&c->in);
	arena_reset(a);
}

static void work(const char *path, size_t n)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct client *v = calloc(n, sizeof *v);
	int ep = epoll_create1(0);
	struct epoll_event ev[256];
	struct arena a = { 0 };

	strcpy(at.sun_path, path);
	for (size_t i = 0; i < n; i++) {
		char body[200];
		int m = snprintf(body, sizeof body, "{\"gg\":1,\"name\":\"w%zu\",\"host\":\"h\","
				 "\"cpus\":1,\"mem\":1000000000,\"slots\":1}", i);

		v[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (v[i].fd < 0 || connect(v[i].fd, (struct sockaddr *)&at, sizeof at) < 0)
			die("a worker cannot connect");
		fcntl(v[i].fd, F_SETFL, O_NONBLOCK);
		ev[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = &v[i] };
		epoll_ctl(ep, EPOLL_CTL_ADD, v[i].fd, &ev[0]);
		buf_printf(&v[i].out, "POST /gg/1/hello HTTP/1.1\r\nHost: gg\r\n"
			   "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", token, m, body);
		flush(&v[i]);
	}
	for (;;) {
		int k = epoll_wait(ep, ev, 256, -1);

		for (int i = 0; i < k; i++)
			readable(ev[i].data.ptr, &a);
	}
}

/* ---- workers that come by TLS */

struct guest {
	struct http *h;
	char worker[64], auth[100], as[80];
	const char *headers[3];
	struct buf body;
	struct arena a;
	bool answers;
};

static const char *base, *pin;

static void guest_came(void *arg, const struct http_answer *r, const struct err *e);

static void guest_ask(struct guest *g, const char *method, const char *path)
{
	struct buf url = { 0 };
	struct http_request q = { .method = method, .headers = g->headers, .pinned_key = pin,
				  .body = buf_bytes(&g->body), .stall_ms = HTTP_NEVER,
				  .done = guest_came, .arg = g };
	struct err e;

	buf_printf(&url, "%s%s", base, path);
	q.url = url.p;
	if (http_start(g->h, &q, NULL, &e) < 0)
		die(e.text);
	buf_release(&url);
}

static void guest_came(void *arg, const struct http_answer *r, const struct err *e)
{
	const char *id = http_header(r, "Lambda-Runtime-Aws-Request-Id");
	struct client c = { .fd = -1 };
	struct guest *g = arg;
	char path[160];

	if (e || r->status == 403)
		_exit(0);
	if (r->status / 100 != 2)
		die("a worker was refused");
	buf_reset(&g->body);
	if (!*g->worker) {
		struct bytes text = arena_bytes(&g->a, r->body);

		value_after(text.p, "\"worker\":\"", '"', g->worker);
		snprintf(g->as, sizeof g->as, "Gg-Worker: %s", g->worker);
		g->headers[1] = g->as;
	}
	if (!id) {
		guest_ask(g, "GET", "/2018-06-01/runtime/invocation/next");
		return;
	}
	write_answer(&c.out, r->body, &g->a);
	buf_add(&g->body, c.out.p, c.out.n);
	buf_release(&c.out);
	snprintf(path, sizeof path, "/2018-06-01/runtime/invocation/%s/response", id);
	guest_ask(g, "POST", path);
	arena_reset(&g->a);
}

static void work_tls(size_t n)
{
	struct loop *l;
	struct http *h;
	struct err e;

	if (loop_new(&l, &e) < 0 ||
	    http_new(&(struct http_opts){ .loop = l, .n_per_host = (unsigned)n }, &h, &e) < 0)
		die(e.text);
	for (size_t i = 0; i < n; i++) {
		struct guest *g = calloc(1, sizeof *g);

		g->h = h;
		snprintf(g->auth, sizeof g->auth, "Authorization: Bearer %s", token);
		g->headers[0] = g->auth;
		buf_printf(&g->body, "{\"gg\":1,\"name\":\"w%zu\",\"host\":\"h\",\"cpus\":1,"
			   "\"mem\":1000000000,\"slots\":1}", i);
		guest_ask(g, "POST", "/gg/1/hello");
	}
	loop_run(l, NULL);
}

/* ---- the dispatcher */

static struct loop *loop;
static struct pool *pool;
static struct store *store;
static struct job *jobs;
static size_t n_steps, n_started, n_done;
static double expected_s;

static bool all_done;

static void one_done(struct job *j, const struct run_report *r);

static void start_one(void)
{
	struct job *j = &jobs[n_started++];
	struct err e;

	j->needs = (struct room){ 1, 0, 1 << 20, 0 };
	j->expected_s = expected_s;
	j->done = one_done;
	if (pool_start(pool, j, &e) < 0)
		die(e.text);
}

static void one_done(struct job *j, const struct run_report *r)
{
	(void)j;
	if (r->status != RUN_OK)
		die(r->text ? r->text : "a step failed");
	all_done = ++n_done == n_steps;
	if (n_started < n_steps)
		start_one();
}

/* Thunks as exec would hand them over: reduced, named. */
static void make_jobs(void)
{
	struct output out = { "out", "out", false };
	struct id host;
	struct err e;

	store_put(store, bytes_str("a machine\n"), &host, &e);
	jobs = calloc(n_steps, sizeof *jobs);
	for (size_t i = 0; i < n_steps; i++) {
		char word[32];
		const char *args[] = { "true", word };
		struct thunk t = { .args = args, .n_args = 2, .out = &out, .n_out = 1,
				   .runtime_id = host };
		struct buf text = { 0 };

		snprintf(word, sizeof word, "%zu", i);
		if (thunk_encode(&t, &text, &e) < 0)
			die(e.text);
		jobs[i].text = buf_bytes(&text);
		jobs[i].reduced = id_of(jobs[i].text);
		jobs[i].host = bytes_str("a machine\n");
	}
}

static double rss_mib(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		die("no statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void turn_for(int ms)
{
	for (int i = 0; i < ms; i++) {
		loop_turn(loop);
		usleep(1000);
	}
}

static void dispatch(size_t n_workers, pid_t workers)
{
	double from, cpu, before;

	while (pool_n_workers(pool) < n_workers)
		turn_for(1);
	turn_for(300);                  /* all of them wait by then */
	before = rss_mib();
	from = now_s();
	cpu = cpu_s();
	while (n_started < n_steps && n_started < 2 * n_workers + 16)
		start_one();
	loop_run(loop, &all_done);
	cpu = cpu_s() - cpu;
	from = now_s() - from;
	printf("%.0f %.1f %.0f %.0f\n", (double)n_steps / from, cpu / (double)n_steps * 1e6, before,
	       rss_mib());
	fflush(stdout);
	kill(workers, SIGTERM);
	waitpid(workers, NULL, 0);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/gg-b-pool-XXXXXX", path[64];
	struct backend_opts o = { 0 };
	struct pool_opts po = { .o = &o, .name = "bench", .unix_path = path };
	struct ticket ticket;
	bool is_tls;
	struct err e;
	pid_t child;

	if (argc < 3 || !mkdtemp(dir))
		die("b_pool WORKERS STEPS [TOGETHER]");
	n_steps = strtoul(argv[2], NULL, 10);
	is_tls = argc > 3 && strcmp(argv[3], "tls") == 0;
	expected_s = argc > 3 && !is_tls ? 0.001 : 0;
	snprintf(path, sizeof path, "%s/sock", dir);
	if (loop_new(&loop, &e) < 0 || store_open(dir, STORE_CREATE, &store, &e) < 0)
		die(e.text);
	o = (struct backend_opts){ .loop = loop, .store = store, .store_dir = dir };
	if (is_tls) {
		po.unix_path = NULL;
		po.address = "127.0.0.1:0";
	}
	if (pool_open(&po, &pool, &e) < 0)
		die(e.text);
	pool_ticket(pool, &ticket);
	memcpy(token, ticket.token, sizeof token);
	child = fork();
	if (child == 0) {
		base = ticket.url;
		pin = ticket.key;
		if (is_tls)
			work_tls(strtoul(argv[1], NULL, 10));
		else
			work(path, strtoul(argv[1], NULL, 10));
		_exit(0);
	}
	make_jobs();
	dispatch(strtoul(argv[1], NULL, 10), child);
	pool_close(pool);
	loop_free(loop);
	store_close(store, &e);
	dir_remove(AT_FDCWD, dir, &e);
	return 0;
}
