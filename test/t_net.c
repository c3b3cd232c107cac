/* t_net.c - layers forward and backward */
#include <math.h>
#include "net.h"
#include "random.h"
#include "test.h"

enum { ROWS = 7 };

/* The sum over heads. */
static double loss_of(const struct net *n, struct pass *p, struct run_of *r,
		      const int32_t *labels, bool wants_gradient)
{
	double sum = 0;

	pass_forward(p, r);
	for (size_t h = 0; h < n->n_heads; h++) {
		size_t layer = n->heads[h].layer;
		float losses[64];
		int32_t own[64];
		struct loss_job j = {
			.kind = h ? LOSS_LOGISTIC : LOSS_SOFTMAX, .rows = r->rows,
			.cols = net_head_size(n, h), .rows_in_batch = r->rows,
			.labels = own, .losses = losses, .smoothing = 0.1f,
			.x = pass_output(p, layer),
		};

		for (size_t i = 0; i < r->rows; i++)
			own[i] = labels[i] % (int32_t)j.cols;
		j.dx = wants_gradient ? pass_gradient(p, layer) : NULL;
		loss_run(&j, team_isa(r->team));
		sum += tree_sum(losses, r->rows) / (double)r->rows;
	}
	return sum;
}

struct problem {
	struct net n;
	float *w, *g, *x;
	int32_t labels[64];
	struct run_of r;
};

static struct problem problem_of(const char *text, struct team *t, size_t rows)
{
	struct problem b = { 0 };
	struct source s = { .seed = 5, .stream = STREAM_DATA };
	size_t in, out;
	struct err e;

	MUST(net_read(text, &b.n, &e), e);
	in = shape_size(b.n.layers[0].out);
	out = shape_size(b.n.layers[b.n.heads[0].layer].out);
	b.w = malloc(b.n.n_weights * sizeof(float));
	b.g = malloc(b.n.n_weights * sizeof(float));
	b.x = malloc(rows * in * sizeof(float));
	memset(b.g, 0xff, b.n.n_weights * sizeof(float));
	net_init(&b.n, 3, b.w);
	random_normal(&s, 0, rows * in, b.x);
	for (size_t i = 0; i < rows; i++)
		b.labels[i] = (int32_t)(i * 7 % out);
	b.r = (struct run_of){ .team = t, .w = b.w, .rows = rows, .x = b.x,
			       .trains = true, .seed = 9, .step = 4 };
	return b;
}

static void problem_end(struct problem *b)
{
	free(b->w);
	free(b->g);
	free(b->x);
	net_release(&b->n);
}

static bool is_kept(const struct net *n, size_t at)
{
	for (size_t i = 0; i < n->n_params; i++)
		if (at >= n->params[i].at && at < n->params[i].at + n->params[i].n)
			return n->params[i].is_kept;
	return false;
}

/* Statistics as some training left them. */
static void set_kept(const struct net *n, float *w)
{
	for (size_t i = 0; i < n->n_weights; i++)
		w[i] = is_kept(n, i) ? 0.3f + 0.1f * (float)(i % 7) : w[i];
}

/* The mean of |a - b| / |a + b| over weights whose slope is not lost in the
 * rounding of the loss. */
static double gradient_error(const char *text, bool trains)
{
	struct team *t = team_new(1, team_best_isa());
	struct problem b = problem_of(text, t, ROWS);
	struct pass *p;
	double sum = 0;
	size_t n = 0;

	b.r.net = &b.n;
	b.r.trains = trains;
	set_kept(&b.n, b.w);
	p = pass_new(&b.n, ROWS, true);
	loss_of(&b.n, p, &b.r, b.labels, true);
	pass_backward(p, &b.r, b.g);
	for (size_t i = 0; i < b.n.n_weights; i += 1 + b.n.n_weights / 300) {
		float was = b.w[i];
		double up, down, slope, step = 4e-3;

		b.w[i] = was + (float)step;
		up = loss_of(&b.n, p, &b.r, b.labels, false);
		b.w[i] = was - (float)step;
		down = loss_of(&b.n, p, &b.r, b.labels, false);
		b.w[i] = was;
		slope = (up - down) / (2 * step);
		CHECK(isfinite(b.g[i]));
		if (is_kept(&b.n, i))
			CHECK(b.g[i] == 0);
		else if (fabs(slope) >= 2e-3) {
			sum += fabs(slope - (double)b.g[i]) / fabs(slope + (double)b.g[i]);
			n++;
		}
	}
	CHECK(n > 5);
	pass_free(p);
	problem_end(&b);
	team_free(t);
	return sum / (double)n;
}

static const char *const smooth_nets[] = {
	"mlp 12-9-5 tanh", "mlp 12-9-7-5 sigmoid", "linear 12-5",
	"net 6x5x2: conv 3 3x3 pad 1 tanh, avgpool 2, fc 4",
	"net 7x7x1: conv 4 3x3 stride 2 tanh, conv 3 2x2 tanh, fc 3",
	"net 6x6x2: conv 4 3x3 tanh, norm tanh, global, fc 3",
	"net 8x8x1: a=conv 3 3x3 pad 1 tanh, conv 3 3x3 pad 1, add a tanh, flatten, fc 4",
	"net 10: fc 8 tanh, drop 0.3, fc 4",
	"mlp 12-9-5 tanh fast 3", "net 5x5x2: conv 3 3x3, scale of 2 tanh, scale, fc 4",
	"net 10: b=fc 8 tanh, head b, fc 4, head c, from b, fc 3, head d",
};

static void slopes(void)
{
	for (size_t i = 0; i < sizeof smooth_nets / sizeof *smooth_nets; i++) {
		double error = gradient_error(smooth_nets[i], true);
		double still = gradient_error(smooth_nets[i], false);

		CHECK(error < 2e-3 && still < 2e-3);
		if (error >= 2e-3 || still >= 2e-3)
			printf("# %s: %g, not training %g\n", smooth_nets[i], error, still);
	}
	CHECK(gradient_error("net 6x6x1: conv 4 3x3 relu, pool 2, fc 3", true) < 2e-2);
}

static const char *const nets[] = {
	"mlp 33-17-10 fast 4", "mlp 33-17-10", "mlp 784-128-10", "mlp 50-40-30-20 tanh drop 0.2",
	"net 28x28x1: conv 8 3x3 relu, pool 2, conv 16 3x3 relu, pool 2, fc 10",
	"net 9x9x3: conv 5 3x3 pad 1, norm relu, a=conv 5 3x3 pad 1 sigmoid, "
	"conv 5 3x3 pad 1, add a, global, fc 7",
};

/* Outputs and gradients, one after another. */
static float *results(const char *text, struct team *t, size_t *n)
{
	struct problem b = problem_of(text, t, 23);
	struct pass *p;
	size_t out;
	float *all;

	b.r.net = &b.n;
	p = pass_new(&b.n, 23, true);
	loss_of(&b.n, p, &b.r, b.labels, true);
	pass_backward(p, &b.r, b.g);
	out = 23 * shape_size(b.n.layers[b.n.heads[0].layer].out);
	*n = out + b.n.n_weights;
	all = malloc(*n * sizeof *all);
	memcpy(all, pass_output(p, b.n.heads[0].layer), out * sizeof *all);
	memcpy(all + out, b.g, b.n.n_weights * sizeof *all);
	pass_free(p);
	problem_end(&b);
	return all;
}

static void same_bits(void)
{
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		struct team *one = team_new(1, ISA_SCALAR);
		size_t n;
		float *want = results(nets[i], one, &n);

		for (unsigned threads = 1; threads <= 4; threads *= 2)
			for (int isa = ISA_SCALAR; isa <= (int)team_best_isa(); isa++) {
				struct team *t = team_new(threads, (enum isa)isa);
				float *got = results(nets[i], t, &n);

				CHECK(memcmp(got, want, n * sizeof *got) == 0);
				free(got);
				team_free(t);
			}
		free(want);
		team_free(one);
	}
}

static void refusals(void)
{
	static const char *const wrong[] = {
		"", "mlp", "mlp 10", "mlp 10-", "mlp 10-x", "mlp 10-5 swish", "cnn 3",
		"net 28x28x1", "net 28x28: fc 3", "net 0x1x1: fc 3", "net 5: ", "net 5: ,",
		"net 5: fc", "net 5: fc 0", "net 5: fc 3 3", "net 5: fc 3 stride 2",
		"net 5x5x1: conv 3", "net 5x5x1: conv 3 7x7", "net 5x5x1: conv 3 3x",
		"net 5x5x1: conv 3 3x3 stride 0", "net 5x5x1: pool 6", "net 5: drop 1",
		"net 5: add b", "net 5: a=fc 5, fc 4, add a", "net 5: from z",
		"net 5: a=fc 3, a=fc 4", "net 5: head h", "net 5: fc 3, head",
		"net 5: fc 3, head a, head b", "net 5: fc 3, head a, fc 2, head a",
		"net 5: wrong 3", "linear 5", "net 1x1x5000: norm",
		"net 5: scale of 0", "net 5: scale of 2, scale of 3", "mlp 5-4 fast", "mlp 5-4-3 drop", "mlp 5-4 fast x",
		"net 5: fc 65537", "net 65536x65536x65536: global", "mlp 10-100000-10",
		"net 60000x60000x1: conv 65000 1x1", "net 9x9x1: conv 3 3x3 pad 65000",
		"net 60000x30000x1: fc 65000, conv 1 1x1",
	};
	struct net n;
	struct err e;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int rc = net_read(wrong[i], &n, &e);

		CHECK(rc < 0 && e.code == ERR_BAD && strlen(e.text) > 15);
		if (rc == 0) {
			printf("# %s\n", wrong[i]);
			net_release(&n);
		}
	}
}

static void shapes(void)
{
	struct net n;
	struct err e;

	MUST(net_read("net 28x28x1: c=conv 6 5x5 pad 2 relu, pool 2, norm, fc 10, head digit, "
		      "from c, global, fc 2, head kind", &n, &e), e);
	CHECK(n.n_layers == 7 && n.n_heads == 2);
	CHECK(n.layers[2].out.h == 14 && n.layers[2].out.c == 6);
	CHECK(n.heads[0].layer == 4 && n.heads[1].layer == 6);
	CHECK_STR(n.params[0].name, "c.weight");
	CHECK_STR(n.params[n.n_params - 1].name, "fc2.bias");
	CHECK(n.n_weights == 6 * 25 + 6 + 4 * 6 + 14 * 14 * 6 * 10 + 10 + 6 * 2 + 2);
	net_release(&n);
}

static const struct test tests[] = {
	{ "gradients are those of finite differences", slopes },
	{ "bits do not depend on threads or instructions", same_bits },
	{ "texts that are no network are refused with a reason", refusals },
	{ "shapes, heads and weights are as written", shapes },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
