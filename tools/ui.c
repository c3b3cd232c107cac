/* ui.c - what a person sees while thunks run
 *
 * On a terminal one line, drawn again ten times a second; below it a line for each
 * that has run for a while, when several do; above it what thunks printed and which
 * failed.  Elsewhere a plain line now and then, so that a log shows that it goes on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "gg.h"
#include "quantity.h"

enum { REDRAW_MS = 100, LINES_MAX = 8, LINES_PART = 3, RATE_MS = 5000, LINE_MAX_BYTES = 512 };

#define LONG_S 1.0
/* Plain lines: the first, and from then on twice as long each time. */
#define PLAIN_S 30.0
#define PLAIN_MOST_S 600.0
#define PLAIN_LEAST_S 1.0

struct ui {
	struct ctx *c;
	struct timer *timer;
	size_t n_unrun;                 /* what needs something that failed */
	bool is_terminal, is_drawn;
	unsigned n_lines;               /* drawn below the first */
	double plain_s, plain_most_s;
	/* Steps a second, of the last RATE_MS at least. */
	double rate;
	uint64_t rate_ms;
	size_t n_at_rate;
};

static struct winsize terminal(void)
{
	struct winsize w;

	if (ioctl(2, TIOCGWINSZ, &w) < 0 || w.ws_col <= 20)
		w.ws_col = 80;
	else if (w.ws_row)
		return w;
	w.ws_row = 24;
	return w;
}

void ui_clear(struct ui *u)
{
	if (!u)
		return;
	if (u->n_lines)
		fprintf(stderr, "\033[%uA", u->n_lines);
	if (u->is_drawn)
		fputs(u->n_lines ? "\r\033[J" : "\r\033[K", stderr);
	u->is_drawn = false;
	u->n_lines = 0;
}

/* " (8 lambda, 2 local)": what runs where; how long that is. */
static int engines_text(const struct ctx *c, char *out, size_t room)
{
	struct buf b = { 0 };
	int len = 0;

	for (size_t i = 0; i < c->n_engines; i++) {
		struct engine_counts n;

		exec_engine_counts(c->exec, i, &n);
		if (n.n_running)
			buf_printf(&b, "%s%zu %s", b.n ? ", " : " (", n.n_running,
				   c->engines[i].ops->name);
	}
	if (b.n && b.n + 2 < room / 2)
		len = snprintf(out, room, "%s)", b.p);
	buf_release(&b);
	return len;
}

/* Nothing runs; what was made may still be on its way to remotes. */
static void draw_drain(struct ui *u)
{
	struct depot_counts n = { 0 };

	if (u->c->depot)
		depot_counts(u->c->depot, &n);
	if (!n.n_waiting) {
		ui_clear(u);
		return;
	}
	ui_clear(u);
	fprintf(stderr, "\r\033[K%llu objects on their way to remotes",
		(unsigned long long)n.n_waiting);
	fflush(stderr);
	u->is_drawn = true;
}

/* ---- a line for each that runs long */

struct lines {
	struct ui *u;
	struct buf b;
	unsigned n, n_max, columns;
};

static bool add_line(void *arg, const struct exec_running *r)
{
	struct lines *l = arg;
	size_t from = l->b.n + 1;

	/* All that follow are younger. */
	if (r->seconds < LONG_S || l->n == l->n_max)
		return false;
	buf_printf(&l->b, "\n%6.0f s  %s%s", r->seconds, l->u->c->n_engines > 1 ? r->engine : "",
		   l->u->c->n_engines > 1 ? "  " : "");
	if (r->n_steps > 1)
		buf_printf(&l->b, "%zu at once: ", r->n_steps);
	buf_str(&l->b, r->label);
	if (l->b.n - from > l->columns - 1)
		l->b.n = from + l->columns - 1;
	buf_str(&l->b, "\033[K");
	l->n++;
	return true;
}

/* All at once, over what stands there, so that nothing flickers. */
static void draw_lines(struct ui *u, const char *first, bool has_more, const struct winsize *w)
{
	struct lines l = { .u = u, .n_max = w->ws_row / LINES_PART, .columns = w->ws_col };

	if (l.n_max > LINES_MAX)
		l.n_max = LINES_MAX;
	if (u->n_lines)
		buf_printf(&l.b, "\033[%uA", u->n_lines);
	buf_printf(&l.b, "\r%s\033[K", first);
	if (has_more)
		exec_each_running(u->c->exec, add_line, &l);
	if (u->n_lines > l.n)
		buf_str(&l.b, "\033[J");
	fwrite(l.b.p, 1, l.b.n, stderr);
	fflush(stderr);
	u->n_lines = l.n;
	u->is_drawn = true;
	buf_release(&l.b);
}

static void measure_rate(struct ui *u, const struct exec_counts *n)
{
	uint64_t now = loop_now_ms(u->c->loop);

	if (now - u->rate_ms < RATE_MS)
		return;
	u->rate = ((double)n->forced - (double)u->n_at_rate) / ((double)(now - u->rate_ms) / 1e3);
	u->rate_ms = now;
	u->n_at_rate = n->forced;
}

static int put_count(char *out, size_t room, size_t n, const char *what)
{
	return n ? snprintf(out, room, ", %zu %s", n, what) : 0;
}

/* "[5/14] 3 running, 6 waiting, 2 cached, 1.5/s, about 9 s left" */
static int status_text(struct ui *u, const struct exec_counts *n, char *out, size_t room)
{
	bool is_fast = u->rate >= 1;
	int len = snprintf(out, room, "[%zu/%zu] %zu running", n->forced + n->cached, n->total,
			   n->running);

	measure_rate(u, n);
	if (u->c->n_engines > 1)
		len += engines_text(u->c, out + len, room - (size_t)len);
	len += put_count(out + len, room - (size_t)len, n->waiting, "waiting");
	len += put_count(out + len, room - (size_t)len, n->cached, "cached");
	len += put_count(out + len, room - (size_t)len, n->failed, "failed");
	if (u->rate > 0)
		len += snprintf(out + len, room - (size_t)len, ", %.1f/%s",
				is_fast ? u->rate : 60 * u->rate, is_fast ? "s" : "min");
	if (n->remaining_s >= 1)
		len += snprintf(out + len, room - (size_t)len, ", about %.0f s left",
				n->remaining_s);
	return len;
}

static void draw(struct ui *u)
{
	const struct winsize w = terminal();
	struct exec_counts n;
	char line[LINE_MAX_BYTES];
	int len;

	exec_counts(u->c->exec, &n);
	if (!n.running && !n.waiting) {
		draw_drain(u);
		return;
	}
	len = status_text(u, &n, line, sizeof line);
	if (n.oldest_label && n.running == 1)
		snprintf(line + len, sizeof line - (size_t)len, ": %s (%.0f s)",
			 n.oldest_label, n.oldest_running_s);
	line[w.ws_col < sizeof line ? w.ws_col - 1u : sizeof line - 1] = 0;
	draw_lines(u, line, n.running > 1, &w);
}

static void say_plain(void *arg)
{
	struct ui *u = arg;
	struct exec_counts n;
	char line[LINE_MAX_BYTES];

	exec_counts(u->c->exec, &n);
	if (n.running || n.waiting) {
		status_text(u, &n, line, sizeof line);
		note("%s", line);
	}
	u->plain_s = fmin(2 * u->plain_s, u->plain_most_s);
	u->timer = loop_after(u->c->loop, (uint64_t)(u->plain_s * 1e3), say_plain, u);
}

static void tick(void *arg)
{
	struct ui *u = arg;

	draw(u);
	u->timer = loop_after(u->c->loop, REDRAW_MS, tick, u);
}

/* GG_STATUS says how often, 0 never. */
static void begin_plain(struct ui *u)
{
	const char *said = getenv("GG_STATUS");
	double s;

	u->plain_s = PLAIN_S;
	u->plain_most_s = PLAIN_MOST_S;
	if (said && strcmp(said, "0") == 0)
		return;
	if (said && *said && quantity_seconds(said, &s))
		u->plain_s = u->plain_most_s = fmax(s, PLAIN_LEAST_S);
	else if (said && *said)
		note("GG_STATUS=%s: write it as 30s or 5m, or 0 for no such lines", said);
	u->timer = loop_after(u->c->loop, (uint64_t)(u->plain_s * 1e3), say_plain, u);
}

struct ui *ui_new(struct ctx *c)
{
	struct ui *u = mem_alloc(sizeof *u);
	bool is_silent = c->o.quiet || c->o.json;

	*u = (struct ui){ .c = c, .is_terminal = isatty(2) && !is_silent,
			  .rate_ms = loop_now_ms(c->loop) };
	if (u->is_terminal)
		u->timer = loop_after(c->loop, REDRAW_MS, tick, u);
	else if (!is_silent)
		begin_plain(u);
	return u;
}

void ui_free(struct ui *u)
{
	if (!u)
		return;
	ui_clear(u);
	if (u->n_unrun)
		note("%zu more could not run because of that", u->n_unrun);
	if (u->timer)
		loop_cancel(u->timer);
	free(u);
}

static void print_log(struct bytes log)
{
	if (!log.n)
		return;
	fwrite(log.p, 1, log.n, stderr);
	if (log.p[log.n - 1] != '\n')
		fputc('\n', stderr);
}

void ui_event(void *arg, const struct exec_event *ev)
{
	struct ui *u = arg;
	const char *red = u->c->has_color ? "\033[31m" : "";
	const char *plain = u->c->has_color ? "\033[0m" : "";

	switch (ev->kind) {
	case EXEC_STARTED:
		if (!u->c->o.verbose)
			break;
		ui_clear(u);
		fprintf(stderr, "%s%s\n", ev->label, ev->is_second ?
			" (beside the run that takes long)" : ev->continues ? " (goes on)" : "");
		break;
	case EXEC_DONE:
		if (u->c->o.quiet || ev->is_hushed || !ev->log.n)
			break;
		ui_clear(u);
		print_log(ev->log);
		break;
	case EXEC_FAILED:
		if (ev->cause && ev->thunk && !id_equal(ev->cause, ev->thunk)) {
			u->n_unrun++;
			break;
		}
		ui_clear(u);
		print_log(ev->log);
		fprintf(stderr, "%sfailed%s: %s\n", red, plain, ev->label);
		note("%s", ev->text ? ev->text : "it failed");
		break;
	case EXEC_NOTICE:
		ui_clear(u);
		note("%s", ev->text);
		break;
	case EXEC_RAN:
	case EXEC_PRINTED:
	case EXEC_CACHED:
		break;
	}
}
