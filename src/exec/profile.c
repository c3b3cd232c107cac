/* profile.c - what running took, and what it may take
 *
 * Commands of one shape (program, script, option names; never values) take
 * about as long as each other.  The estimate of a shape is a running mean of
 * log seconds in which one odd run counts for little, so it follows a change
 * of machine within a few runs and survives an outlier.  Where the inputs of a
 * shape are of several sizes it is a line through that mean, in logs again.
 *
 * Records are one version byte and then numbers as this machine has them: the
 * store never leaves it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "exec_internal.h"
#include "file.h"

enum { PROFILE_VERSION = 1, SHAPE_NAME_MAX = 160, SHAPES_MAX = 4096,
	SEEN_LEAST = 3 };

static const double unknown_seconds = 1.0;
/* Of log seconds, before anything is known: a factor of e either way. */
static const double spread_unknown = 1.0;
/* The variance of log bytes from which on inputs are of several sizes: a third up
 * and down. */
static const double sizes_differ = 0.1;

/* A version byte, then the bytes of a struct without holes. */
static int record_put(struct store *s, enum table t, struct bytes key, struct bytes b,
		      struct err *e)
{
	char space[256] = { PROFILE_VERSION };

	memcpy(space + 1, b.p, b.n);
	return store_table_put(s, t, key, (struct bytes){ space, b.n + 1 }, e);
}

static int record_get(struct store *s, enum table t, struct bytes key, size_t n,
		      void *out, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_table_get(s, t, key, &a, &b, e);

	if (rc == 0 && (b.n != n + 1 || b.p[0] != PROFILE_VERSION))
		rc = err_set(e, ERR_MISSING, "a record of another version");
	if (rc == 0)
		memcpy(out, b.p + 1, n);
	arena_release(&a);
	return rc;
}

/* Runs of digits become "#", so that step-1.sh and step-2.sh are one. */
static void add_plain(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is_digit = s[i] >= '0' && s[i] <= '9';

		if (!is_digit)
			buf_char(out, s[i]);
		else if (!out->n || out->p[out->n - 1] != '#')
			buf_char(out, '#');
	}
}

static bool is_interpreter(const char *base)
{
	static const char *const names[] = { "python", "perl", "ruby", "node", "Rscript",
					     "julia", "sh", "bash", "dash", "lua" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(base, names[i], n) == 0 &&
		    strspn(base + n, "0123456789.") == strlen(base + n))
			return true;
	}
	return false;
}

/* The name of an option without its value: "--lr" of "--lr=0.1", "-I" of
 * "-Iinclude"; 0 for words that are none, negative numbers among them. */
static size_t option_length(const char *w)
{
	if (w[0] != '-' || !w[1] || strchr("0123456789.", w[1]))
		return 0;
	return w[1] == '-' ? strcspn(w, "=") : 2;
}

void shape_name(const struct thunk *t, struct buf *out)
{
	const char *base = path_base(t->args[0]), *last = "";
	bool seeks = true, finds = is_interpreter(base);
	size_t last_n = 0;

	add_plain(out, base, strlen(base));
	for (size_t i = 1; i < t->n_args && out->n < SHAPE_NAME_MAX; i++) {
		const char *w = t->args[i];
		size_t n = option_length(w);

		if (n && n == last_n && memcmp(w, last, n) == 0)
			continue;
		if (n) {
			buf_char(out, ' ');
			add_plain(out, w, n);
			last = w;
			last_n = n;
			seeks = seeks && finds;
		} else if (seeks) {
			/* The script, the module after -m, the first word after
			 * sh -c, or what tells "git log" from "git diff". */
			buf_char(out, ' ');
			add_plain(out, w, strcspn(w, " \t\n"));
			seeks = false;
		}
	}
	if (out->n > SHAPE_NAME_MAX)
		out->n = SHAPE_NAME_MAX;
}

/* It has grown three times: records of before are read too. */
struct shape_record {
	double log_seconds;
	uint64_t n_seen;
	double log_spread, mem_bytes;
	double size_mean, size_var, size_cov, out_bytes;
	double weight;
};

static const size_t shape_bytes_before[] = { offsetof(struct shape_record, weight),
					     offsetof(struct shape_record, size_mean),
					     offsetof(struct shape_record, log_spread) };

static bool is_amount(double v)
{
	return v >= 0 && v < 1e18;
}

static bool is_sane(const struct shape_record *r)
{
	return isfinite(r->log_seconds) && fabs(r->log_seconds) < 20 && r->log_spread >= 0 &&
		r->log_spread < 20 && is_amount(r->mem_bytes) && is_amount(r->size_mean) &&
		is_amount(r->size_var) && isfinite(r->size_cov) && is_amount(r->out_bytes) &&
		is_amount(r->weight);
}

static int shape_get(struct store *s, struct bytes key, struct shape_record *r)
{
	struct err e;
	int rc;

	*r = (struct shape_record){ .log_spread = spread_unknown };
	rc = record_get(s, TABLE_SHAPE, key, sizeof *r, r, &e);
	for (size_t i = 0; i < 3 && rc < 0; i++)
		rc = record_get(s, TABLE_SHAPE, key, shape_bytes_before[i], r, &e);
	return rc;
}

struct shape *profile_shape(struct exec *x, const struct thunk *t)
{
	struct shape_record r;
	struct bytes key;
	struct shape *s;

	buf_reset(&x->text);
	shape_name(t, &x->text);
	key = buf_bytes(&x->text);
	s = map_get(&x->shapes, key);
	if (s)
		return s;
	if (x->shapes.n >= SHAPES_MAX)
		return &x->other;
	s = arena_alloc(&x->keep, sizeof(*s));
	s->name = arena_strn(&x->keep, key.p, key.n);
	s->log_spread = spread_unknown;
	if (shape_get(x->o.store, key, &r) == 0 && is_sane(&r)) {
		s->log_seconds = r.log_seconds;
		s->log_spread = r.log_spread;
		s->mem_bytes = r.mem_bytes;
		s->size_mean = r.size_mean;
		s->size_var = r.size_var;
		s->size_cov = r.size_cov;
		s->out_bytes = r.out_bytes;
		s->weight = r.weight;
		s->n_seen = r.n_seen < 1000 ? (uint32_t)r.n_seen : 1000;
	}
	*map_at(&x->shapes, bytes_str(s->name)) = s;
	return s;
}

double profile_seconds(const struct shape *s)
{
	return s && s->n_seen ? exp(s->log_seconds) : unknown_seconds;
}

double profile_plausible_s(const struct shape *s)
{
	double factor = exp(4 * s->log_spread);

	return s->n_seen < SEEN_LEAST ? 0 : profile_seconds(s) * (factor > 2 ? factor : 2);
}

/* Take the open nodes of s out of the sums, or put them in. */
static void sum(struct exec *x, const struct shape *s, double n)
{
	if (s->n_seen)
		x->work_s += n * profile_seconds(s);
	else
		x->n_unknown += (size_t)(long)n;
}

void profile_open(struct exec *x, struct node *n)
{
	n->shape->n_open++;
	sum(x, n->shape, 1);
}

void profile_close(struct exec *x, struct node *n)
{
	if (!n->shape)
		return;
	n->shape->n_open--;
	sum(x, n->shape, -1);
	n->shape = NULL;
}

/* ---- what a run teaches */

static double clamp(double v, double most)
{
	return v > most ? most : v < -most ? -most : v;
}

static double log_size(double bytes)
{
	return log(bytes + 1);
}

bool profile_is_sized(const struct shape *s)
{
	return s && s->n_seen > SEEN_LEAST && s->size_var > sizes_differ;
}

/* Log seconds for inputs of that size: the line through the mean, and no further
 * along it than a hundredfold. */
static double log_expected(const struct shape *s, double in_bytes)
{
	double slope, far;

	if (!profile_is_sized(s))
		return s->log_seconds;
	slope = s->size_cov / s->size_var;
	slope = slope < 0 ? 0 : slope > 2 ? 2 : slope;
	far = clamp(log_size(in_bytes) - s->size_mean, log(100));
	return s->log_seconds + slope * far;
}

/* Where the line of time by size goes, from one more point. */
static void learn_size(struct shape *s, double dx, double dy)
{
	double k = 1.0 / (s->n_seen < 32 ? s->n_seen : 32);

	s->size_var = (1 - k) * (s->size_var + k * dx * dx);
	s->size_cov = (1 - k) * (s->size_cov + k * dx * dy);
	s->size_mean += dx / (s->n_seen < 8 ? s->n_seen : 8);
}

/* One run moves the mean by an eighth of a factor of e at most once the shape
 * is known; the first runs move it freely. */
void profile_learn(struct exec *x, struct shape *s, const struct sample *took)
{
	double seconds = took->seconds, step, dy;
	double v = log(seconds > 1e-4 ? seconds < 1e7 ? seconds : 1e7 : 1e-4);

	sum(x, s, -(double)s->n_open);
	step = v - log_expected(s, (double)took->in_bytes);
	dy = v - s->log_seconds;
	if (s->n_seen < 1000)
		s->n_seen++;
	if (s->n_seen > 3) {
		dy += clamp(step, 1) - step;
		step = clamp(step, 1);
	}
	learn_size(s, log_size((double)took->in_bytes) - s->size_mean, dy);
	s->log_seconds += dy / (s->n_seen < 8 ? s->n_seen : 8);
	if (s->n_seen > 1)
		s->log_spread += (fabs(step) - s->log_spread) / (s->n_seen < 8 ? s->n_seen : 8);
	/* A peak is forgotten slowly; 0 is none: it ran with others. */
	if (took->mem_bytes)
		s->mem_bytes -= s->mem_bytes / 16;
	if ((double)took->mem_bytes > s->mem_bytes)
		s->mem_bytes = (double)took->mem_bytes;
	if (took->weight > s->weight)
		s->weight = took->weight;
	s->out_bytes += ((double)took->out_bytes - s->out_bytes) / (s->n_seen < 8 ? s->n_seen : 8);
	s->is_dirty = true;
	sum(x, s, (double)s->n_open);
}

double node_seconds(const struct node *n)
{
	double s = flotilla_seconds(n);

	if (s > 0)
		return s;
	if (!profile_is_sized(n->shape) || n->in_bytes <= 0)
		return profile_seconds(n->shape);
	return exp(log_expected(n->shape, (double)n->in_bytes));
}

void profile_expect(const struct node *n, struct job *j)
{
	if (!n->shape || !n->shape->n_seen)
		return;
	j->expected_s = node_seconds(n);
	j->expected_mem_bytes = (uint64_t)n->shape->mem_bytes;
}

static uint64_t size_of(struct store *s, const struct ref *r)
{
	uint64_t n = 0;
	struct err e;

	return r->kind != REF_THUNK && store_size(s, &r->id, &n, &e) == 0 ? n : 0;
}

uint64_t profile_in_bytes(struct exec *x, const struct thunk *t)
{
	uint64_t sum_bytes = 0;

	for (size_t i = 0; i < t->n_in; i++)
		sum_bytes += size_of(x->o.store, &t->in[i].ref);
	return sum_bytes;
}

/* What is made by steps that have not run is added by graph_order. */
void profile_size(struct exec *x, struct node *n, const struct thunk *t)
{
	n->in_bytes = (float)profile_in_bytes(x, t);
}

void profile_observe(struct exec *x, const struct run *r, const struct run_report *rep,
		     struct sample *took)
{
	const struct node *n = r->node;
	struct store *s = x->o.store;
	struct observation o = {
		.date_s = (int64_t)time(NULL), .seconds = rep->seconds,
		.cpu_seconds = rep->cpu_seconds, .max_rss_bytes = rep->max_rss_bytes,
		.code = rep->status == RUN_SIGNALED ? 128 + rep->code :
			rep->status == RUN_OK ? 0 : rep->code ? rep->code : 1,
		.status = rep->status, .dollars = rep->dollars, .waited_s = rep->waited_s,
		.in_bytes = r->in_bytes,
	};
	struct err ignored;

	snprintf(o.place, sizeof o.place, "%s%s%s", r->site->engine->ops->name,
		 rep->place ? " " : "", rep->place ? rep->place : "");
	for (size_t i = 0; rep->status == RUN_OK && i < rep->result.n; i++)
		o.out_bytes += size_of(s, &rep->result.v[i].ref);
	if (took)
		*took = (struct sample){ rep->seconds, rep->max_rss_bytes, o.in_bytes,
					 o.out_bytes, r->weight };
	/* It is kept beside: nothing is wrong when it cannot be kept. */
	if (rep->log.n && store_put(s, rep->log, &o.log, &ignored) < 0)
		o.log = (struct id){ { 0 } };
	if (observation_put(s, &n->id, &o, &ignored) == 0 && !id_equal(&n->id, &n->reduced))
		observation_put(s, &n->reduced, &o, &ignored);
}

/* Bytes of an input; what another step gave by that step's result. */
static uint64_t input_bytes(struct store *s, const struct ref *r, struct arena *a)
{
	const struct ref *value = r;
	struct result given;
	struct err ignored;

	if (r->kind == REF_THUNK)
		value = store_get_result(s, &r->id, a, &given, &ignored) == 0 ?
			result_output(&given, r->out) : NULL;
	return value ? size_of(s, value) : 0;
}

void exec_saw(struct exec *x, const struct id *thunk, double seconds)
{
	struct observation o = { .date_s = (int64_t)time(NULL), .seconds = seconds,
				 .place = PLACE_OF_SCRIPT };
	struct store *s = x->o.store;
	struct arena a = { 0 };
	struct shape *shape;
	struct bytes text;
	struct result r;
	struct thunk t;
	struct err ignored;

	if (store_get(s, thunk, &a, &text, &ignored) < 0 ||
	    thunk_decode(text, &a, &t, &ignored) < 0 ||
	    store_get_result(s, thunk, &a, &r, &ignored) < 0) {
		arena_release(&a);
		return;
	}
	for (size_t i = 0; i < t.n_in; i++)
		o.in_bytes += input_bytes(s, &t.in[i].ref, &a);
	for (size_t i = 0; i < r.n; i++)
		o.out_bytes += size_of(s, &r.v[i].ref);
	observation_put(s, thunk, &o, &ignored);
	/* It may have waited for what others were to make first. */
	shape = profile_shape(x, &t);
	if (!shape->n_seen)
		profile_learn(x, shape, &(struct sample){ seconds, 0, o.in_bytes, o.out_bytes,
							  0 });
	arena_release(&a);
}

int profile_flush(struct exec *x, struct err *e)
{
	struct bytes key;
	size_t pos = 0;
	void *value;

	while (map_each(&x->shapes, &pos, &key, &value)) {
		struct shape *s = value;
		struct shape_record r = { s->log_seconds, s->n_seen, s->log_spread,
					  s->mem_bytes, s->size_mean, s->size_var,
					  s->size_cov, s->out_bytes, s->weight };

		if (!s->is_dirty)
			continue;
		s->is_dirty = false;
		if (record_put(x->o.store, TABLE_SHAPE, key,
			       (struct bytes){ (char *)&r, sizeof(r) }, e) < 0)
			return -1;
	}
	return flotilla_flush(x, e);
}
