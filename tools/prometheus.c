/* prometheus.c - --metrics: how a run goes, as text that Prometheus takes
 *
 * Counts come from exec when somebody asks, so that nobody asking costs
 * nothing but a count for each run that ends.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "serve.h"
#include "ticket.h"

#define TOKEN_FILE "metrics-token"

struct prometheus {
	struct ctx *c;
	struct serve *serve;
	size_t *n_ended;                /* by engine and status */
	time_t begun;
};

static size_t *ended(struct prometheus *p, size_t engine, enum run_status status)
{
	return &p->n_ended[engine * RUN_STATUS_COUNT + (size_t)status];
}

void prometheus_event(struct prometheus *p, const struct exec_event *ev)
{
	if (!p || ev->kind != EXEC_RAN)
		return;
	for (size_t i = 0; i < p->c->n_engines; i++)
		if (strcmp(p->c->engines[i].uri, ev->engine) == 0) {
			++*ended(p, i, ev->report->status);
			return;
		}
}

/* ---- the text */

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP gg_%s %s\n# TYPE gg_%s %s\n", name, help, name, type);
}

/* The value of a label. */
static void quote(struct buf *b, const char *s)
{
	buf_char(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(b, '\\');
		buf_char(b, *s == '\n' ? ' ' : *s);
	}
	buf_char(b, '"');
}

static void add_counts(struct prometheus *p, struct buf *b)
{
	struct exec_counts n;

	exec_counts(p->c->exec, &n);
	head(b, "thunks", "gauge", "Thunks of this run by state.");
	const struct { const char *state; size_t n; } all[] = {
		{ "waiting", n.waiting }, { "running", n.running }, { "forced", n.forced },
		{ "cached", n.cached }, { "failed", n.failed }, { "unrun", n.unrun },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_printf(b, "gg_thunks{state=\"%s\"} %zu\n", all[i].state, all[i].n);
	head(b, "retried_total", "counter", "Runs of thunks that were started again.");
	buf_printf(b, "gg_retried_total %zu\n", n.retried);
	head(b, "duplicated_total", "counter", "Runs beside another that took long.");
	buf_printf(b, "gg_duplicated_total %zu\n", n.duplicated);
	head(b, "remaining_seconds", "gauge", "Predicted time left; 0 when there is no guess.");
	buf_printf(b, "gg_remaining_seconds %g\n", n.remaining_s);
}

static void add_engine(struct prometheus *p, struct buf *b, const char *name, size_t i,
		       double value)
{
	buf_printf(b, "gg_engine_%s{engine=", name);
	quote(b, p->c->engines[i].uri);
	buf_printf(b, "} %.9g\n", value);
}

static void add_engines(struct prometheus *p, struct buf *b)
{
	struct engine_counts *n = mem_alloc((p->c->n_engines + 1) * sizeof *n);

	for (size_t i = 0; i < p->c->n_engines; i++)
		exec_engine_counts(p->c->exec, i, &n[i]);
	head(b, "engine_running", "gauge", "Thunks that run on an engine.");
	for (size_t i = 0; i < p->c->n_engines; i++)
		add_engine(p, b, "running", i, (double)n[i].n_running);
	head(b, "engine_seconds_total", "counter", "Seconds that thunks have run on an engine.");
	for (size_t i = 0; i < p->c->n_engines; i++)
		add_engine(p, b, "seconds_total", i, n[i].seconds);
	head(b, "engine_dollars_total", "counter", "What an engine has charged.");
	for (size_t i = 0; i < p->c->n_engines; i++)
		add_engine(p, b, "dollars_total", i, n[i].dollars);
	free(n);
}

static void add_runs(struct prometheus *p, struct buf *b)
{
	head(b, "runs_total", "counter", "Runs that have ended, by engine and how.");
	for (size_t i = 0; i < p->c->n_engines; i++)
		for (int k = 0; k < RUN_STATUS_COUNT; k++) {
			size_t n = *ended(p, i, (enum run_status)k);

			if (!n && k != RUN_OK)
				continue;
			buf_str(b, "gg_runs_total{engine=");
			quote(b, p->c->engines[i].uri);
			buf_printf(b, ",status=\"%s\"} %zu\n",
				   run_status_name((enum run_status)k), n);
		}
}

static void on_request(void *arg, struct serve_call *call)
{
	static const char *const headers[] = {
		"Content-Type: text/plain; version=0.0.4; charset=utf-8", NULL
	};
	struct prometheus *p = arg;
	struct serve_answer a = { .status = 200, .headers = headers };
	struct buf b = { 0 };

	if (strcmp(call->method, "GET") != 0) {
		a.status = 405;
	} else if (strcmp(call->path, "/metrics") != 0) {
		a.status = 404;
	} else {
		head(&b, "start_time_seconds", "gauge", "When this run began.");
		buf_printf(&b, "gg_start_time_seconds %lld\n", (long long)p->begun);
		if (p->c->exec) {
			add_counts(p, &b);
			add_engines(p, &b);
		}
		add_runs(p, &b);
		a.body = buf_bytes(&b);
	}
	serve_answer(call, &a);
	buf_release(&b);
}

/* ---- opening */

/* The same one for each run of a project, so that Prometheus need not be told
 * anew.  It is nobody else's to read. */
static int token_get(struct ctx *c, const char *path, char token[65], struct err *e)
{
	struct bytes b;

	if (file_read(AT_FDCWD, path, 64, &c->arena, &b, e) == 0 && b.n == 64) {
		memcpy(token, b.p, 64);
		token[64] = 0;
		return strspn(token, "0123456789abcdef") == 64 ? 0 :
			err_set(e, ERR_BAD, "%s is no token: remove it", path);
	}
	if (ticket_token(token, e) < 0)
		return -1;
	return file_write(AT_FDCWD, path, bytes_str(token), 0600, 0, e);
}

static void say_where(const struct prometheus *p, const char *token_file)
{
	struct ticket t = { 0 };
	const char *target;

	serve_ticket(p->serve, &t);
	target = strstr(t.url, "://");
	if (!target || p->c->o.quiet)
		return;
	note("metrics at %s/metrics; in scrape_configs of Prometheus:", t.url);
	fprintf(stderr, "- {job_name: gg, scheme: https, tls_config: {insecure_skip_verify: true}, "
		"authorization: {credentials_file: \"%s\"}, static_configs: [{targets: "
		"[\"%s\"]}]}\n", token_file, target + 3);
	explicit_bzero(&t, sizeof t);
}

int prometheus_open(struct ctx *c, struct prometheus **out, struct err *e)
{
	const char *path = arena_printf(&c->arena, "%s/" TOKEN_FILE, c->project.store_dir);
	struct prometheus *p = mem_alloc(sizeof *p);
	char token[65];
	struct serve_opts o = { .loop = c->loop, .address = c->o.metrics, .token = token,
				.memory_bytes = 4096, .max_bytes = 4096,
				.request = on_request, .arg = p };
	size_t n = (c->n_engines + 1) * RUN_STATUS_COUNT * sizeof *p->n_ended;

	*p = (struct prometheus){ .c = c, .begun = time(NULL) };
	p->n_ended = memset(mem_alloc(n), 0, n);
	if (token_get(c, path, token, e) < 0 || serve_open(&o, &p->serve, e) < 0) {
		prometheus_close(p);
		return err_wrap(e, "--metrics");
	}
	explicit_bzero(token, sizeof token);
	say_where(p, path);
	*out = p;
	return 0;
}

void prometheus_close(struct prometheus *p)
{
	if (!p)
		return;
	serve_close(p->serve);
	free(p->n_ended);
	free(p);
}
