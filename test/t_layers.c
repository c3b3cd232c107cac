/* t_layers.c - each layer, forward and back, against plain loops in double */
#include <math.h>
#include "net.h"
#include "random.h"
#include "test.h"

static const double allowed = 1e-7;     /* mse(a, b) / mse(a, 0) */

/* One layer on its way, in double; x, dx: rows x in, y, dy: rows x out. */
struct truth {
	const struct layer *l;
	size_t rows;
	const float *x, *dy, *w;        /* w: the layer's first tensor */
	const float *y_seen;            /* the library's: which side of 0 */
	double *y, *dz, *dx, *dw, *db;  /* dz: dy before the activation */
};

static double act(enum activation a, double x)
{
	switch (a) {
	case ACT_RELU:
		return x > 0 ? x : 0;
	case ACT_TANH:
		return tanh(x);
	case ACT_SIGMOID:
		return 1 / (1 + exp(-x));
	case ACT_NONE:
	case ACT_COUNT:
		break;
	}
	return x;
}

static double slope(enum activation a, double y, float seen)
{
	switch (a) {
	case ACT_RELU:
		return seen > 0;
	case ACT_TANH:
		return 1 - y * y;
	case ACT_SIGMOID:
		return y * (1 - y);
	case ACT_NONE:
	case ACT_COUNT:
		break;
	}
	return 1;
}

static void finish(struct truth *t)
{
	size_t n = t->rows * shape_size(t->l->out);

	for (size_t i = 0; i < n; i++) {
		t->y[i] = act(t->l->act, t->y[i]);
		t->dz[i] = (double)t->dy[i] * slope(t->l->act, t->y[i], t->y_seen[i]);
	}
}

/* Call fn for each output o, and each input i of its window with the k-th weight
 * of it; i is SIZE_MAX beyond the image. */
static void windows(struct truth *t, void (*fn)(struct truth *t, size_t o, size_t i, size_t k))
{
	const struct layer *l = t->l;
	bool is_fc = l->kind == LAYER_FC, is_global = l->kind == LAYER_GLOBAL;
	size_t kh = is_fc || is_global ? l->in.h : l->kernel_h;
	size_t kw = is_fc || is_global ? l->in.w : l->kernel_w, stride = l->stride;

	for (size_t r = 0; r < t->rows; r++)
		for (size_t oy = 0; oy < l->out.h; oy++)
			for (size_t ox = 0; ox < l->out.w; ox++)
				for (size_t k = 0; k < kh * kw; k++) {
					size_t y = oy * stride + k / kw - l->pad;
					size_t x = ox * stride + k % kw - l->pad;
					bool is_in = y < l->in.h && x < l->in.w;

					fn(t, (r * l->out.h + oy) * l->out.w + ox,
					   is_in ? (r * l->in.h + y) * l->in.w + x : SIZE_MAX,
					   k);
				}
}

/* Positions o and i stand for out.c and in.c numbers. */
static void dense(struct truth *t, size_t o, size_t i, size_t k)
{
	size_t in = t->l->in.c, out = t->l->out.c;

	for (size_t c = 0; i != SIZE_MAX && c < in; c++)
		for (size_t d = 0; d < out; d++)
			t->y[o * out + d] += (double)t->x[i * in + c] *
					     (double)t->w[(k * in + c) * out + d];
}

static void dense_back(struct truth *t, size_t o, size_t i, size_t k)
{
	size_t in = t->l->in.c, out = t->l->out.c;

	for (size_t d = 0; k == 0 && d < out; d++)
		t->db[d] += t->dz[o * out + d];
	for (size_t c = 0; i != SIZE_MAX && c < in; c++)
		for (size_t d = 0; d < out; d++) {
			size_t w = (k * in + c) * out + d;

			t->dx[i * in + c] += t->dz[o * out + d] * (double)t->w[w];
			t->dw[w] += t->dz[o * out + d] * (double)t->x[i * in + c];
		}
}

static void weighted(struct truth *t)
{
	const struct layer *l = t->l;
	size_t n = t->rows * shape_size(l->out);
	size_t n_w = (l->kind == LAYER_FC ? shape_size(l->in) :
		      (size_t)l->kernel_h * l->kernel_w * l->in.c) * l->out.c;

	for (size_t i = 0; i < n; i++)
		t->y[i] = (double)t->w[n_w + i % l->out.c];
	windows(t, dense);
	finish(t);
	windows(t, dense_back);
}

static void most(struct truth *t, size_t o, size_t i, size_t k)
{
	for (size_t c = 0; c < t->l->in.c; c++) {
		double x = (double)t->x[i * t->l->in.c + c], *y = &t->y[o * t->l->in.c + c];

		if (k == 0 || x > *y)
			*y = x;
	}
}

/* The gradient goes to the first that was the largest: *y is made NaN then. */
static void most_back(struct truth *t, size_t o, size_t i, size_t k)
{
	(void)k;
	for (size_t c = 0; c < t->l->in.c; c++) {
		size_t at = o * t->l->in.c + c;

		if ((double)t->x[i * t->l->in.c + c] != t->y[at])
			continue;
		t->dx[i * t->l->in.c + c] += t->dz[at];
		t->y[at] = NAN;
	}
}

static void pooled(struct truth *t)
{
	size_t bytes = t->rows * shape_size(t->l->out) * sizeof *t->y;
	double *before = malloc(bytes), *y = malloc(bytes);

	windows(t, most);
	memcpy(before, t->y, bytes);
	finish(t);
	memcpy(y, t->y, bytes);
	memcpy(t->y, before, bytes);
	windows(t, most_back);
	memcpy(t->y, y, bytes);
	free(before);
	free(y);
}

static double share(const struct truth *t)
{
	const struct layer *l = t->l;

	return 1 / (double)(l->kind == LAYER_GLOBAL ? l->in.h * l->in.w :
			    l->kernel_h * l->kernel_w);
}

static void mean(struct truth *t, size_t o, size_t i, size_t k)
{
	(void)k;
	for (size_t c = 0; c < t->l->in.c; c++)
		t->y[o * t->l->in.c + c] += (double)t->x[i * t->l->in.c + c] * share(t);
}

static void mean_back(struct truth *t, size_t o, size_t i, size_t k)
{
	(void)k;
	for (size_t c = 0; c < t->l->in.c; c++)
		t->dx[i * t->l->in.c + c] += t->dz[o * t->l->in.c + c] * share(t);
}

static void averaged(struct truth *t)
{
	windows(t, mean);
	finish(t);
	windows(t, mean_back);
}

static void normed(struct truth *t)
{
	size_t c = t->l->out.c, n = t->rows * t->l->in.h * t->l->in.w;

	for (size_t j = 0; j < c; j++) {
		double m = 0, var = 0, factor;

		for (size_t i = 0; i < n; i++)
			m += (double)t->x[i * c + j] / (double)n;
		for (size_t i = 0; i < n; i++)
			var += pow((double)t->x[i * c + j] - m, 2) / (double)n;
		factor = 1 / sqrt(var + 1e-5);
		for (size_t i = 0; i < n; i++)
			t->y[i * c + j] = ((double)t->x[i * c + j] - m) * factor *
					  (double)t->w[j] + (double)t->w[c + j];
	}
	finish(t);
	for (size_t j = 0; j < c; j++) {
		double m = 0, var = 0, factor;

		for (size_t i = 0; i < n; i++)
			m += (double)t->x[i * c + j] / (double)n;
		for (size_t i = 0; i < n; i++)
			var += pow((double)t->x[i * c + j] - m, 2) / (double)n;
		factor = 1 / sqrt(var + 1e-5);
		for (size_t i = 0; i < n; i++) {
			double h = ((double)t->x[i * c + j] - m) * factor;

			t->db[j] += t->dz[i * c + j];
			t->dw[j] += t->dz[i * c + j] * h;
		}
		for (size_t i = 0; i < n; i++) {
			double h = ((double)t->x[i * c + j] - m) * factor;

			t->dx[i * c + j] = factor * (double)t->w[j] *
				(t->dz[i * c + j] - t->db[j] / (double)n -
				 h * t->dw[j] / (double)n);
		}
	}
}

static void plain(struct truth *t)
{
	size_t n = t->rows * shape_size(t->l->in);
	double times = t->l->kind == LAYER_ADD ? 2 : 1;

	for (size_t i = 0; i < n; i++)
		t->y[i] = times * (double)t->x[i];
	finish(t);
	for (size_t i = 0; i < n; i++)
		t->dx[i] = times * t->dz[i];
}

static void scaled(struct truth *t)
{
	size_t c = t->l->out.c, one = shape_size(t->l->in), n = t->rows * one;

	for (size_t i = 0; i < n; i++)
		t->y[i] = (double)t->x[i] * (double)t->w[i / one % t->l->n_sets * c + i % c];
	finish(t);
	for (size_t i = 0; i < n; i++) {
		size_t w = i / one % t->l->n_sets * c + i % c;

		t->dx[i] = t->dz[i] * (double)t->w[w];
		t->dw[w] += t->dz[i] * (double)t->x[i];
	}
}

static void (*const truths[LAYER_KIND_COUNT])(struct truth *t) = {
	[LAYER_CONV] = weighted, [LAYER_FC] = weighted, [LAYER_NORM] = normed,
	[LAYER_POOL] = pooled, [LAYER_AVGPOOL] = averaged, [LAYER_GLOBAL] = averaged,
	[LAYER_FLATTEN] = plain, [LAYER_ACT] = plain, [LAYER_ADD] = plain,
	[LAYER_DROP] = plain, [LAYER_SCALE] = scaled,
};

static void near(const char *text, const char *what, const float *a, const double *b, size_t n)
{
	double miss = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		miss += pow((double)a[i] - b[i], 2);
		all += b[i] * b[i];
	}
	CHECK(miss <= allowed * all && isfinite(miss) && all > 0);
	if (!(miss <= allowed * all) || !(all > 0))
		printf("# %s: %s: %g\n", text, what, miss / all);
}

static float *noise(size_t n, uint64_t step)
{
	struct source s = { .seed = 8, .stream = STREAM_DATA, .step = step };
	float *x = malloc((n + 1) * sizeof *x);

	random_normal(&s, 0, n, x);
	return x;
}

/* The layer under test is the last; the one that it reads is an identity, so
 * that its gradient is asked for.  Everything that is written begins as NaN. */
static void check_layer(const char *text, size_t rows, struct team *team)
{
	struct net n;
	struct err e;
	const struct layer *l;
	struct pass *p;
	struct run_of r = { .net = &n, .team = team, .rows = rows, .trains = true };
	struct truth t = { .rows = rows };
	size_t in, out, last, n_w;
	float *g, *w, *x, *dy;

	MUST(net_read(text, &n, &e), e);
	last = n.n_layers - 1;
	l = t.l = &n.layers[last];
	in = rows * shape_size(l->in);
	out = rows * shape_size(l->out);
	n_w = l->n_params ? n.params[l->first_param].n : 0;
	x = noise(in, 1);
	dy = noise(out, 2);
	w = noise(n.n_weights, 3);
	g = malloc((n.n_weights + 1) * sizeof *g);
	memset(g, 0xff, n.n_weights * sizeof *g);
	p = pass_new(&n, rows, true);
	r.x = x;
	r.w = w;
	memset(pass_output(p, last), 0xff, out * sizeof *x);
	memset(pass_gradient(p, 1), 0xff, in * sizeof *x);
	t.x = x;
	t.dy = dy;
	t.w = w + (l->n_params ? n.params[l->first_param].at : 0);
	t.y = calloc(out, sizeof *t.y);
	t.dz = calloc(out, sizeof *t.dz);
	t.dx = calloc(in, sizeof *t.dx);
	t.dw = calloc(n_w + 1, sizeof *t.dw);
	t.db = calloc(l->out.c, sizeof *t.db);
	pass_forward(p, &r);
	t.y_seen = memcpy(malloc(out * sizeof *x), pass_output(p, last), out * sizeof *x);
	memcpy(pass_gradient(p, last), dy, out * sizeof *dy);
	truths[l->kind](&t);
	near(text, "outputs", t.y_seen, t.y, out);
	pass_backward(p, &r, g);
	near(text, "inputs' gradient", pass_gradient(p, 1), t.dx, in);
	if (l->n_params) {
		const struct param *v = &n.params[l->first_param];

		near(text, "weights' gradient", g + v[0].at, t.dw, v[0].n);
		if (l->n_params > 1)
			near(text, "biases' gradient", g + v[1].at, t.db, v[1].n);
	}
	pass_free(p);
	free((float *)t.y_seen);
	free(t.y);
	free(t.dz);
	free(t.dx);
	free(t.dw);
	free(t.db);
	free(x);
	free(dy);
	free(w);
	free(g);
	net_release(&n);
}

static const char *const layers[] = {
	"net 1: drop 0, fc 1", "net 7: drop 0, fc 3 tanh", "net 130: drop 0, fc 17 relu",
	"net 300: drop 0, fc 33 sigmoid", "net 3x5x2: drop 0, fc 9",
	"net 1x1x1: drop 0, conv 1 1x1", "net 5x7x3: drop 0, conv 4 3x2 tanh",
	"net 9x8x1: drop 0, conv 17 5x5 pad 2 relu", "net 11x6x5: drop 0, conv 3 4x3 stride 2 pad 1",
	"net 12x12x8: drop 0, conv 16 3x3 stride 3 sigmoid", "net 6x6x20: drop 0, conv 7 1x1",
	"net 28x28x1: drop 0, conv 8 5x5 relu", "net 7x7x3: drop 0, pool 2",
	"net 9x5x17: drop 0, pool 3 stride 2 tanh", "net 7x7x3: drop 0, avgpool 2 relu",
	"net 9x6x18: drop 0, avgpool 3 stride 1", "net 5x3x6: drop 0, global sigmoid",
	"net 1x1x5: drop 0, norm", "net 5x6x7: drop 0, norm relu", "net 3x3x33: drop 0, norm tanh",
	"net 4x3x2: drop 0, flatten", "net 19: drop 0, relu", "net 19: drop 0, tanh",
	"net 19: drop 0, sigmoid", "net 3x3x5: drop 0, drop 0",
	"net 3x4x2: drop 0, scale sigmoid", "net 3x3x17: drop 0, scale of 4 relu",
	"net 3x4x2: a=drop 0, drop 0, add a tanh", "net 33: a=drop 0, drop 0, add a",
};

static void all_layers(void)
{
	for (int isa = ISA_SCALAR; isa <= (int)team_best_isa(); isa++) {
		struct team *team = team_new(2, (enum isa)isa);

		for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
			check_layer(layers[i], 5, team);
			check_layer(layers[i], 23, team);
		}
		team_free(team);
	}
}

/* What dropout leaves is x / keep, and about keep of it. */
static void dropped(void)
{
	enum { N = 4000 };
	struct team *team = team_new(1, team_best_isa());
	struct net n;
	struct err e;
	float *x = noise(N, 1);
	struct pass *p;
	struct run_of r = { .net = &n, .team = team, .rows = N / 40, .trains = true, .x = x };
	size_t kept = 0;

	MUST(net_read("net 40: drop 0.25", &n, &e), e);
	p = pass_new(&n, N / 40, true);
	pass_forward(p, &r);
	for (size_t i = 0; i < N; i++) {
		float y = pass_output(p, 1)[i];

		CHECK(y == 0 || fabsf(y - x[i] / 0.75f) <= 1e-6f * fabsf(y));
		kept += y != 0;
	}
	CHECK(kept > N * 72 / 100 && kept < N * 78 / 100);
	pass_free(p);
	net_release(&n);
	free(x);
	team_free(team);
}

static const struct test tests[] = {
	{ "layers are those of plain loops in double", all_layers },
	{ "dropout keeps its share, and scales it", dropped },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
