/* ui.c - what a person sees while thunks run
 *
 * One line, drawn again ten times a second, on a terminal only; above it what
 * thunks printed and which failed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "gg.h"

enum { REDRAW_MS = 100 };

struct ui {
	struct ctx *c;
	struct timer *timer;
	size_t n_unrun;                 /* what needs something that failed */
	bool is_terminal, is_drawn;
};

static unsigned columns(void)
{
	struct winsize w;

	return ioctl(2, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

void ui_clear(struct ui *u)
{
	if (u && u->is_drawn)
		fputs("\r\033[K", stderr);
	if (u)
		u->is_drawn = false;
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
	fprintf(stderr, "\r\033[K%llu objects on their way to remotes",
		(unsigned long long)n.n_waiting);
	fflush(stderr);
	u->is_drawn = true;
}

static void draw(struct ui *u)
{
	struct exec_counts n;
	char line[512];
	int len;

	exec_counts(u->c->exec, &n);
	if (!n.running && !n.waiting) {
		draw_drain(u);
		return;
	}
	len = snprintf(line, sizeof line, "[%zu/%zu] %zu running", n.forced + n.cached,
		       n.total, n.running);
	if (u->c->n_engines > 1)
		len += engines_text(u->c, line + len, sizeof line - (size_t)len);
	if (n.failed)
		len += snprintf(line + len, sizeof line - (size_t)len, ", %zu failed",
				n.failed);
	if (n.remaining_s >= 1)
		len += snprintf(line + len, sizeof line - (size_t)len, ", about %.0f s left",
				n.remaining_s);
	if (n.oldest_label)
		snprintf(line + len, sizeof line - (size_t)len, ": %s (%.0f s)",
			 n.oldest_label, n.oldest_running_s);
	line[columns() < sizeof line ? columns() - 1 : sizeof line - 1] = 0;
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
	u->is_drawn = true;
}

static void tick(void *arg)
{
	struct ui *u = arg;

	draw(u);
	u->timer = loop_after(u->c->loop, REDRAW_MS, tick, u);
}

struct ui *ui_new(struct ctx *c)
{
	struct ui *u = mem_alloc(sizeof *u);
	const char *term_ok = isatty(2) ? "yes" : NULL;

	*u = (struct ui){ .c = c, .is_terminal = term_ok && !c->o.quiet && !c->o.json };
	if (u->is_terminal)
		u->timer = loop_after(c->loop, REDRAW_MS, tick, u);
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
		fprintf(stderr, "%s\n", ev->label);
		break;
	case EXEC_DONE:
		if (u->c->o.quiet || !ev->log.n)
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
