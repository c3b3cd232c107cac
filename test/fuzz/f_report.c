/* f_report.c - any bytes as the metrics of a step, and as the journal of a run */
#include <stdint.h>
#include <stdlib.h>
#include "../../tools/shown.c"
#include "../../tools/report_curves.c"
#include "../../tools/journal.c"
#include "../../tools/line.c"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int count(void *arg, const char *event, json_t *o)
{
	size_t *left = arg;

	if (!event || !json_is_object(o))
		abort();
	return --*left == 0;
}

static void as_metrics(struct bytes text)
{
	json_t *all = report_series(text), *one;
	size_t i;

	if (json_array_size(all) > SERIES_MAX)
		abort();
	json_array_foreach(all, i, one)
		if (json_array_size(json_object_get(one, "points")) > 2 * POINTS_MAX)
			abort();
	json_decref(all);
}

static void as_both(struct bytes text)
{
	size_t left = 100;
	struct err e;

	as_metrics(text);
	journal_each(text, count, &left, &e);
}

/* ---- JSON that is whole, of any shape */

static unsigned next(struct bytes *b)
{
	if (!b->n)
		return 0;
	b->n--;
	return (unsigned char)*b->p++;
}

static void value(struct bytes *b, int depth, struct buf *out)
{
	static const char *const plain[] = { "0", "1e308", "-7.5", "12", "null", "\"x\"", "true" };
	static const char *const names[] = { "step", "loss", "epoch", "event", "history", "m" };
	unsigned kind = next(b) % 4, n = next(b) % 6;

	if (depth > 5 || kind > 1) {
		buf_str(out, plain[n % (sizeof plain / sizeof *plain)]);
		return;
	}
	buf_char(out, kind ? '{' : '[');
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_char(out, ',');
		if (kind)
			buf_printf(out, "\"%s\":", names[next(b) % (sizeof names / sizeof *names)]);
		value(b, depth + 1, out);
	}
	buf_char(out, kind ? '}' : ']');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes text = { (const char *)p, n };
	struct buf lines = { 0 };

	as_both(text);
	while (text.n && lines.n < 1 << 16) {
		value(&text, 0, &lines);
		buf_char(&lines, '\n');
	}
	as_both(buf_bytes(&lines));
	buf_release(&lines);
	return 0;
}
