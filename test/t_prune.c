/* t_prune.c - weights and channels that go */
#include <math.h>
#include "fisher.h"
#include "prune.h"
#include "random.h"
#include "test.h"
#include "train.h"

static struct err e;

/* Many are equal but for their sign; some are 0, tiny, infinite. */
static void fill(float *x, size_t n, uint64_t step)
{
	struct source s = { .seed = 6, .stream = STREAM_DATA, .step = step };

	random_normal(&s, 0, n, x);
	for (size_t i = 0; i < n; i++) {
		x[i] = i % 3 ? x[i] : roundf(x[i] * 2) / 2;
		x[i] = i % 41 == 7 ? -INFINITY : i % 29 == 3 ? 1e-42f : x[i];
	}
}

static bool is_before(const float *x, size_t a, size_t b)
{
	return fabsf(x[a]) != fabsf(x[b]) ? fabsf(x[a]) > fabsf(x[b]) : a < b;
}

/* By counting, for each, how many come before it. */
static bool belongs(const float *x, const unsigned char *may, size_t n, size_t i, size_t k)
{
	size_t before = 0;

	for (size_t j = 0; j < n; j++)
		before += (!may || may[j]) && is_before(x, j, i);
	return before < k;
}

static size_t rounded_up(size_t n, size_t percent)
{
	return (n * percent + 99) / 100;
}

static void check_layer(const struct net *net, const struct pruning *p,
			const unsigned char *stays, size_t percent)
{
	for (size_t k = 0; k < net->n_params; k++) {
		const struct param *w = &net->params[k];
		const unsigned char *may = p->owned ? p->owned + w->at : NULL;
		size_t n_may = 0;

		for (size_t i = 0; i < w->n; i++)
			n_may += !may || may[i];
		for (size_t i = 0; i < w->n; i++) {
			bool goes = w->n_dims > 1 && strstr(w->name, "scale") == NULL &&
				    (!may || may[i]) &&
				    !belongs(p->w + w->at, may, w->n, i,
					     rounded_up(n_may, percent));

			CHECK(stays[w->at + i] == !goes);
		}
	}
}

static void weights(void)
{
	static const char *const nets[] = {
		"mlp 1-1", "linear 7-3", "mlp 13-17-5 fast 2",
		"net 5x4x2: conv 3 2x2 relu, norm, scale, flatten, fc 9, fc 3",
	};
	static const size_t percents[] = { 1, 7, 30, 50, 99, 100 };

	for (size_t t = 0; t < sizeof nets / sizeof *nets; t++) {
		struct net net;
		float *w;
		unsigned char *stays, *owned;

		MUST(net_read(nets[t], &net, &e), e);
		w = malloc(net.n_weights * sizeof *w);
		stays = malloc(net.n_weights);
		owned = malloc(net.n_weights);
		fill(w, net.n_weights, t);
		for (size_t i = 0; i < net.n_weights; i++)
			owned[i] = i % 5 != 2 && i % 7 != 0;
		for (size_t i = 0; i < 2 * sizeof percents / sizeof *percents; i++) {
			struct pruning p = { .net = &net, .w = w, .owned = i % 2 ? owned : NULL,
					     .share = (double)percents[i / 2] / 100 };

			memset(stays, 9, net.n_weights);
			MUST(prune_weights(&p, stays, &e), e);
			check_layer(&net, &p, stays, percents[i / 2]);
		}
		free(w);
		free(stays);
		free(owned);
		net_release(&net);
	}
}

static void whole(void)
{
	struct net net;
	float w[64];
	unsigned char stays[64], may[64] = { 0 };
	struct pruning p = { .net = &net, .w = w, .share = 0.25, .is_whole = true };

	MUST(net_read("mlp 5-4-3", &net, &e), e);
	fill(w, net.n_weights, 9);
	for (size_t k = 0; k < net.n_params; k++)
		memset(may + net.params[k].at, net.params[k].n_dims > 1, net.params[k].n);
	MUST(prune_weights(&p, stays, &e), e);
	for (size_t i = 0; i < net.n_weights; i++)
		CHECK(stays[i] == (!may[i] || belongs(w, may, net.n_weights, i, 8)));
	net_release(&net);
}

static void no_number(void)
{
	struct net net, small;
	float *w, *left;
	unsigned char stays[100];
	struct pruning p = { .net = &net, .share = 0.5 };

	MUST(net_read("mlp 5-4-3", &net, &e), e);
	p.w = w = malloc(net.n_weights * sizeof *w);
	net_init(&net, 1, w);
	w[net.params[2].at + 5] = NAN;
	CHECK(prune_weights(&p, stays, &e) < 0 && e.code == ERR_BAD);
	CHECK(strstr(e.text, "fc2.weight: number 5 is NaN"));
	CHECK(prune_filters(&p, &small, &left, &e) < 0 && e.code == ERR_BAD);
	CHECK(strstr(e.text, "fc2.weight: number 5 is NaN"));
	free(w);
	net_release(&net);
}

/* Half of the channels that may go have no weights: without them the network says
 * the same, number for number. */
static void kill_channels(const struct net *n, float *w)
{
	for (size_t i = 1; i < n->n_layers; i++) {
		const struct layer *l = &n->layers[i];
		bool goes = (l->kind == LAYER_CONV || l->kind == LAYER_FC) &&
			    !prune_stays_whole(n, i);

		for (size_t k = 0; goes && k < 2; k++) {
			const struct param *p = &n->params[l->first_param + k];

			for (size_t j = 0; j < p->n; j++)
				if ((2 * l->out.c - j % l->out.c + i) % l->out.c < l->out.c / 2)
					w[p->at + j] = 0;
		}
	}
}

static const char *const larger[][2] = {
	{ "linear 12-5", "linear 12-5" },
	{ "mlp 12-11-6-4 tanh drop 0.2", "mlp 12-6-3-4 tanh drop 0.2" },
	{ "mlp 12-7-4 fast 3", "mlp 12-4-4 fast 3" },
	{ "net 12: a=fc 9 relu,body= fc 8,\tfc 4", "net 12: a=fc 5 relu,body= fc 4,\tfc 4" },
	{ "net 2x3x2: conv 7 2x2 pad 1 relu, norm, pool 2, drop 0.1, conv 9 1x1, flatten, "
	  "norm, fc 6 relu, fc 4",
	  "net 2x3x2: conv 4 2x2 pad 1 relu, norm, pool 2, drop 0.1, conv 5 1x1, flatten, "
	  "norm, fc 3 relu, fc 4" },
	{ "net 4x3x1: conv 5 3x3 pad 1 relu, a=conv 6 1x1, conv 8 1x1 relu, conv 6 1x1, add a, "
	  "scale, avgpool 2, fc 3",
	  "net 4x3x1: conv 3 3x3 pad 1 relu, a=conv 6 1x1, conv 4 1x1 relu, conv 6 1x1, add a, "
	  "scale, avgpool 2, fc 3" },
	{ "net 12: body=fc 10 relu, fc 4, head shell, from body, fc 6 relu, fc 1, head side",
	  "net 12: body=fc 5 relu, fc 4, head shell, from body, fc 3 relu, fc 1, head side" },
	{ "net 3x4x1: conv 9 2x2 relu, global, conv 5 1x1, relu",
	  "net 3x4x1: conv 5 2x2 relu, global, conv 5 1x1, relu" },
	{ "net 6x2x1: conv 4 3x3 pad 1, norm tanh, head early, pool 2, conv 6 1x1 relu, fc 2",
	  "net 6x2x1: conv 4 3x3 pad 1, norm tanh, head early, pool 2, conv 3 1x1 relu, fc 2" },
};

static void compare_outputs(const struct net *a, const float *wa, const struct net *b,
			    const float *wb)
{
	enum { ROWS = 19 };
	float x[ROWS * 12], y[2][ROWS * 64];
	struct dataset d = { .floats = x, .n = ROWS, .size = 12 };
	struct source s = { .seed = 3, .stream = STREAM_DATA };
	struct team *team = team_new(1, team_best_isa());

	random_normal(&s, 0, ROWS * 12, x);
	for (size_t h = 0; h < a->n_heads; h++) {
		struct prediction p = { .net = a, .w = wa, .data = &d, .head = h, .n = ROWS };
		float sum = 0;

		predict(&p, team, y[0]);
		p.net = b;
		p.w = wb;
		predict(&p, team, y[1]);
		CHECK(net_head_size(a, h) == net_head_size(b, h));
		CHECK(memcmp(y[0], y[1], ROWS * net_head_size(a, h) * sizeof **y) == 0);
		for (size_t i = 0; i < ROWS * net_head_size(a, h); i++)
			sum += fabsf(y[0][i]);
		CHECK(sum > 0 && isfinite(sum));
	}
	team_free(team);
}

static void filters(void)
{
	for (size_t i = 0; i < sizeof larger / sizeof *larger; i++) {
		struct net net, small;
		float *w, *left;
		struct pruning p = { .net = &net, .share = 0.5 };

		MUST(net_read(larger[i][0], &net, &e), e);
		p.w = w = malloc(net.n_weights * sizeof *w);
		net_init(&net, 4 + i, w);
		kill_channels(&net, w);
		MUST(prune_filters(&p, &small, &left, &e), e);
		CHECK_STR(small.text, larger[i][1]);
		compare_outputs(&net, w, &small, left);
		free(left);
		net_release(&small);
		p.share = 1;
		MUST(prune_filters(&p, &small, &left, &e), e);
		CHECK_STR(small.text, larger[i][0]);
		CHECK(memcmp(w, left, net.n_weights * sizeof *w) == 0);
		free(w);
		free(left);
		net_release(&small);
		net_release(&net);
	}
}

/* Of channels that are alike the first stay; the order of those that stay is kept. */
static void which(void)
{
	static const float norms[] = { 2, 1, 3, 2, 2, 0.5f, 3 };
	static const size_t wanted[] = { 0, 2, 3, 6 };
	struct net net, small;
	float w[32] = { 0 }, *left;
	struct pruning p = { .net = &net, .w = w, .share = 0.5 };

	MUST(net_read("mlp 1-7-1", &net, &e), e);
	for (size_t c = 0; c < 7; c++) {
		w[c] = c % 2 ? -norms[c] : norms[c];
		w[7 + c] = (float)c;
	}
	MUST(prune_filters(&p, &small, &left, &e), e);
	CHECK_STR(small.text, "mlp 1-4-1");
	for (size_t c = 0; c < 4; c++)
		CHECK(left[c] == w[wanted[c]] && left[4 + c] == (float)wanted[c]);
	free(left);
	net_release(&small);
	net_release(&net);
}

enum { EXAMPLES = 6 };

/* The loss of example i alone, as when the network predicts. */
static double loss_alone(const struct net *net, const float *w, const struct dataset *d,
			 size_t i, struct team *team)
{
	float y[8], loss;
	struct prediction q = { .net = net, .w = w, .data = d, .first = i, .n = 1,
				.set = 1 + i % net->n_sets };
	struct loss_job j = { .kind = LOSS_SOFTMAX, .rows = 1, .rows_in_batch = 1, .x = y,
			      .cols = net_head_size(net, 0), .labels = d->labels + i,
			      .losses = &loss };

	predict(&q, team, y);
	loss_run(&j, team_isa(team));
	return (double)loss;
}

/* The mean squared slope times the weight's square, by differences of losses. */
static double owed(const struct net *net, float *w, size_t at, const struct dataset *d,
		   struct team *team)
{
	const double step = 4e-3;
	double sum = 0, was = (double)w[at];

	for (size_t i = 0; i < d->n; i++) {
		double up, down;

		w[at] = (float)(was + step);
		up = loss_alone(net, w, d, i, team);
		w[at] = (float)(was - step);
		down = loss_alone(net, w, d, i, team);
		w[at] = (float)was;
		sum += pow((up - down) / (2 * step), 2);
	}
	return sum / (double)d->n * was * was;
}

static void importance(void)
{
	static const char *const texts[] = {
		"linear 12-3", "mlp 12-7-4 tanh fast 2",
		"net 3x4x1: conv 3 2x2 tanh, norm, drop 0.4, fc 5 sigmoid, fc 3",
	};
	static const enum loss softmax[] = { LOSS_SOFTMAX };
	static const int32_t labels[EXAMPLES] = { 0, 2, 1, 1, 2, 0 };
	struct team *team = team_new(1, team_best_isa());
	float x[EXAMPLES * 12];
	struct dataset d = { .floats = x, .labels = labels, .n = EXAMPLES, .size = 12,
			     .n_targets = 1 };
	struct source s = { .seed = 8, .stream = STREAM_DATA };

	random_normal(&s, 0, EXAMPLES * 12, x);
	for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
		double miss = 0, all = 0;
		struct net net;
		float *w, *got;
		struct importance of = { .net = &net, .data = &d, .losses = softmax,
					 .team = team };

		MUST(net_read(texts[t], &net, &e), e);
		of.w = w = malloc(net.n_weights * sizeof *w);
		got = malloc(net.n_weights * sizeof *got);
		net_init(&net, 4, w);
		memset(got, 0xff, net.n_weights * sizeof *got);
		fisher(&of, got);
		for (size_t k = 0; k < net.n_params; k++) {
			const struct param *p = &net.params[k];

			for (size_t i = p->at; i < p->at + p->n; i++) {
				double want = p->is_kept ? 0 : owed(&net, w, i, &d, team);

				CHECK(isfinite(got[i]));
				miss += pow((double)got[i] - want, 2);
				all += want * want;
			}
		}
		CHECK(all > 0 && miss < 1e-4 * all);
		if (miss >= 1e-4 * all)
			printf("# %s: %g of %g\n", texts[t], miss, all);
		free(w);
		free(got);
		net_release(&net);
	}
	team_free(team);
}

static const struct test tests[] = {
	{ "the largest of each layer stay, the lowest index first, among what is owned", weights },
	{ "or the largest of all layers", whole },
	{ "a NaN is refused, by layer and index", no_number },
	{ "channels go from all that reads them, and no output changes that did not use them",
	  filters },
	{ "what the loss owes to a weight is as defined", importance },
	{ "channels with the least norm go, of equal ones the last", which },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
