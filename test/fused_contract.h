/* fused_contract.h - what every exact device promises: the processor's own bytes
 *
 * Included by t_fused.c, which asks the processor's loops, and t_cuda.c, which asks
 * the GPU.  `opened` gives a fresh device.
 */
#ifndef GG_FUSED_CONTRACT_H
#define GG_FUSED_CONTRACT_H

#include <math.h>
#include "fused.h"
#include "random.h"
#include "test.h"
#include "../src/kernels/tiles.h"

static struct device *opened(void);

enum { EXAMPLES = 41, MEMBERS = 10, STEPS = 9, BATCH = 7 };

static const char *const whole_nets[] = {
	"linear 12-5",
	"mlp 33-17-10",
	"mlp 130-129-5 tanh",
	"mlp 50-40-30-20 sigmoid drop 0.2",
	"net 9x9x3: conv 5 3x3 pad 1, norm relu, a=conv 5 3x3 pad 1 sigmoid, "
	"conv 5 3x3 pad 1, add a tanh, drop 0.3, avgpool 3 stride 2, flatten, fc 7",
	"net 11x8x2: conv 17 3x2 stride 2 relu, pool 2 stride 1, norm, global, fc 4",
	"mlp 20-15-4 tanh fast 3",
	"net 5x4x2: conv 3 2x2 relu, scale of 2 sigmoid, scale, flatten, fc 3",
	"net 12x12x1: conv 4 5x5 pad 2 relu, pool 3, conv 6 3x3 tanh, fc 9 relu, fc 3",
	"net 6x6x2: a=conv 3 3x3 pad 1, tanh, b=conv 3 1x1, head side, from a, sigmoid, "
	"add b, norm tanh, pool 3 stride 2, fc 4, head last",
};

struct set {
	struct dataset d;
	unsigned char *bytes;
	float *floats, *targets;
	int32_t *labels;
};

/* Examples that fit a network: of bytes, or of numbers. */
static struct set set_of(const struct net *n, bool has_bytes, bool has_targets)
{
	struct source s = { .seed = 11, .stream = STREAM_DATA };
	size_t in = shape_size(n->layers[0].out);
	size_t out = 0, heads = n->n_heads;
	struct set b = { .d = { .n = EXAMPLES, .size = in, .n_targets = heads } };

	for (size_t h = 0; h < heads; h++)
		out += net_head_size(n, h);
	b.bytes = malloc(EXAMPLES * in);
	b.floats = malloc(EXAMPLES * in * sizeof(float));
	b.targets = malloc(EXAMPLES * out * sizeof(float));
	b.labels = malloc(EXAMPLES * heads * sizeof(int32_t));
	b.d.mean = malloc(in * sizeof(float));
	b.d.factor = malloc(in * sizeof(float));
	random_normal(&s, 0, EXAMPLES * in, b.floats);
	s.step = 1;
	random_normal(&s, 0, EXAMPLES * out, b.targets);
	for (size_t i = 0; i < in; i++) {
		b.d.mean[i] = has_bytes ? 100 + (float)i : b.floats[i] / 3;
		b.d.factor[i] = has_bytes ? 1.0f / 70 : 1 + b.floats[i + 1] / 5;
	}
	for (size_t i = 0; i < EXAMPLES * in; i++)
		b.bytes[i] = (unsigned char)(i * 77 % 251);
	for (size_t i = 0; i < EXAMPLES * heads; i++)
		b.labels[i] = (int32_t)(i / heads * 7 % net_head_size(n, i % heads));
	if (has_bytes)
		b.d.bytes = b.bytes;
	else
		b.d.floats = b.floats;
	if (has_targets) {
		b.d.targets = b.targets;
		b.d.n_targets = out;
	} else {
		b.d.labels = b.labels;
	}
	return b;
}

static void set_end(struct set *b)
{
	free(b->bytes);
	free(b->floats);
	free(b->targets);
	free(b->labels);
	dataset_release(&b->d);
}

static struct member member_of(size_t i)
{
	return (struct member){
		.seed = 3 + i, .rate = 0.02f + 0.003f * (float)i, .gamma = 0.5f,
		.smoothing = i % 2 ? 0.1f : 0,
		.coefs = { .momentum = 0.9f - 0.02f * (float)i, .beta2 = 0.99f,
			   .epsilon = 1e-7f, .decay = i % 3 ? 0.01f : 0,
			   .l1 = i % 2 ? 0.001f : 0 },
	};
}

/* Weights and state of members from..from + n - 1 after STEPS, by the processor's
 * layers, or in two parts by a device. */
static struct trainer *trained(const struct net *net, const struct set *s,
			       const struct recipe *r, const struct member *v, size_t n,
			       struct device *d, struct team *team, double *losses)
{
	struct trainer *t = trainer_new(net, &s->d, r, v, n, team);
	struct fused *f;
	struct err e;

	if (!d) {
		for (size_t i = 0; i < STEPS; i++)
			trainer_step(t);
		for (size_t i = 0; i < n; i++)
			losses[i] = trainer_loss(t, i);
		return t;
	}
	for (size_t parts = 0; parts < 2; parts++) {
		MUST(fused_new(d, net, &s->d, r, v, n, &f, &e), e);
		fused_take(f, t);
		MUST(fused_run(f, parts ? STEPS - 6 : 1, &e), e);
		if (!parts)
			MUST(fused_run(f, 5, &e), e);
		MUST(fused_give(f, t, &e), e);
		for (size_t i = 0; i < n && parts; i++)
			losses[i] = fused_loss(f, STEPS - 7, i);
		fused_free(f);
	}
	CHECK(trainer_at(t) == STEPS);
	return t;
}

static bool is_equal(const struct net *net, struct trainer *a, size_t i, struct trainer *b,
		     size_t k)
{
	size_t n = net->n_weights * sizeof(float);
	bool same = memcmp(trainer_weights(a, i), trainer_weights(b, k), n) == 0;

	for (size_t j = 0; j < net->n_weights; j++)
		same = same && isfinite(trainer_weights(a, i)[j]);

	for (int s = 0; s < 2; s++)
		if (trainer_state(a, i, s))
			same = same && memcmp(trainer_state(a, i, s), trainer_state(b, k, s),
					      n) == 0;
	return same;
}

static void compare_runs(const char *text, const struct recipe *r, bool has_bytes,
			 size_t first, size_t n)
{
	struct team *team = team_new(1, team_best_isa());
	struct device *d = opened();
	double losses[2][MEMBERS];
	struct member v[MEMBERS];
	struct trainer *want, *got;
	struct net net;
	struct set s;
	struct err e;

	for (size_t i = 0; i < n; i++)
		v[i] = member_of(first + i);
	MUST(net_read(text, &net, &e), e);
	s = set_of(&net, has_bytes, r->losses[0] == LOSS_MSE);
	want = trained(&net, &s, r, v, n, NULL, team, losses[0]);
	got = trained(&net, &s, r, v, n, d, team, losses[1]);
	for (size_t i = 0; i < n; i++) {
		bool same = is_equal(&net, want, i, got, i) && losses[0][i] == losses[1][i];

		CHECK(same);
		if (!same)
			printf("# member %zu of %zu: %s, rule %d, loss %d\n", i, n, text,
			       r->rule, r->losses[0]);
	}
	trainer_free(want);
	trainer_free(got);
	d->ops->close(d);
	set_end(&s);
	net_release(&net);
	team_free(team);
}

static void all_layers(void)
{
	for (size_t i = 0; i < sizeof whole_nets / sizeof *whole_nets; i++) {
		struct recipe r = { .rule = RULE_MOMENTUM, .batch = BATCH, .steps = STEPS,
				    .is_bagged = i % 2, .schedule = SCHEDULE_COSINE };

		compare_runs(whole_nets[i], &r, i % 2 == 0, 0, 3);
	}
}

static void all_rules(void)
{
	for (int rule = 0; rule < RULE_COUNT; rule++)
		for (int loss = 0; loss < LOSS_COUNT; loss++) {
			struct recipe r = { .rule = (enum rule)rule, .losses = { (enum loss)loss },
					    .batch = BATCH, .steps = STEPS, .warm_up = 2,
					    .schedule = SCHEDULE_CYCLIC, .period = 4 };

			r.losses[1] = r.losses[0];
			compare_runs(loss % 2 ? "mlp 19-7-1" : "mlp 19-7-4 relu", &r, true, 0, 2);
			compare_runs("net 9: a=fc 6 relu, head one, from a, fc 3, head two", &r,
				     false, 0, 2);
		}
}

/* Members of one array against each alone, both on the device. */
static void fused_and_alone(void)
{
	static const size_t together[] = { 1, 2, 5, 10 };

	for (size_t k = 0; k < sizeof together / sizeof *together; k++) {
		struct recipe r = { .rule = RULE_ADAM, .batch = BATCH, .steps = STEPS };

		compare_runs(whole_nets[1], &r, true, 0, together[k]);
		compare_runs(whole_nets[5], &r, false, MEMBERS - together[k], together[k]);
	}
}

static void augmented(void)
{
	static const struct augment hows[] = { { 2, true }, { 0, true }, { 5, false } };

	for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
		struct recipe r = { .rule = RULE_SGD, .batch = BATCH, .steps = STEPS,
				    .augment = hows[i] };

		compare_runs("net 7x6x3: conv 4 3x3 relu, fc 5", &r, i == 0, 0, 4);
	}
}

/* About two weights of three, another choice for each k. */
static unsigned char *mask_of(const struct net *net, size_t k)
{
	unsigned char *mask = malloc(net->n_weights);

	for (size_t i = 0; i < net->n_weights; i++)
		mask[i] = (i * 7 + k * 13 + i / 11) % 3 != 0;
	return mask;
}

/* What is not owned stands as it stood, its state at 0; of the rest much has changed. */
static bool keeps_to(const struct net *net, const struct member *v, struct trainer *t, size_t i)
{
	float *w = malloc(net->n_weights * sizeof *w);
	size_t n_moved = 0, n_owned = 0;
	bool keeps = true;

	net_init(net, v->seed, w);
	for (size_t k = 0; k < net->n_weights; k++) {
		bool is_same = w[k] == trainer_weights(t, i)[k];

		for (int s = 0; s < 2 && !v->owned[k]; s++)
			is_same = is_same && (!trainer_state(t, i, s) ||
					      trainer_state(t, i, s)[k] == 0);
		keeps = keeps && (v->owned[k] || is_same);
		n_owned += v->owned[k];
		n_moved += !is_same;
	}
	free(w);
	return keeps && n_moved <= n_owned && n_moved > n_owned / 2;
}

static void compare_owned(const char *text, enum rule rule, size_t n_masks)
{
	struct recipe r = { .rule = rule, .batch = BATCH, .steps = STEPS };
	struct team *team = team_new(1, team_best_isa());
	struct device *d = opened();
	unsigned char *masks[3];
	double losses[2][3];
	struct member v[3];
	struct trainer *want, *got;
	struct net net;
	struct set s;
	struct err e;

	MUST(net_read(text, &net, &e), e);
	s = set_of(&net, true, false);
	for (size_t i = 0; i < 3; i++) {
		v[i] = member_of(i);
		masks[i] = mask_of(&net, i);
		v[i].owned = masks[i % n_masks];
	}
	want = trained(&net, &s, &r, v, 3, NULL, team, losses[0]);
	got = trained(&net, &s, &r, v, 3, d, team, losses[1]);
	for (size_t i = 0; i < 3; i++) {
		CHECK(keeps_to(&net, &v[i], want, i));
		CHECK(is_equal(&net, want, i, got, i) && losses[0][i] == losses[1][i]);
	}
	for (size_t i = 0; i < 3; i++)
		free(masks[i]);
	trainer_free(want);
	trainer_free(got);
	d->ops->close(d);
	set_end(&s);
	net_release(&net);
	team_free(team);
}

static void owned(void)
{
	for (int rule = 0; rule < RULE_COUNT; rule++) {
		compare_owned("mlp 33-17-10", (enum rule)rule, 3);
		compare_owned("net 9x9x3: conv 5 3x3 pad 1, norm relu, norm, scale, flatten, fc 7",
			      (enum rule)rule, 1);
	}
	compare_owned(whole_nets[4], RULE_MOMENTUM, 3);
	compare_owned(whole_nets[6], RULE_ADAM, 2);
}

static void wide_batches(void)
{
	struct recipe r = { .rule = RULE_MOMENTUM, .batch = 300, .steps = STEPS };

	compare_runs("mlp 70-130-3", &r, true, 0, 1);
	compare_runs("net 7x7x3: conv 6 3x3 relu, norm, pool 2, fc 3", &r, false, 0, 1);
}

static float *noise(size_t n, uint64_t step)
{
	struct source s = { .seed = 2, .stream = STREAM_DATA, .step = step };
	float *x = malloc((n + 1) * sizeof *x);

	random_normal(&s, 0, n, x);
	return x;
}

struct product {
	size_t m, n, k;
	bool ta, tb, adds, has_bias, is_relu;
};

/* Outputs are poisoned before. */
static void compare_product(struct device *d, const struct product *p)
{
	struct team *t = team_new(1, team_best_isa());
	size_t n_a = p->m * p->k, n_b = p->k * p->n, n_c = p->m * p->n, members = 3;
	float *a = noise(members * n_a, 1), *b = noise(n_b, 2), *c = noise(members * n_c, 3);
	float *bias = noise(members * p->n, 4), *got = malloc((members * n_c + 1) * sizeof *got);
	float *da = d->ops->alloc(d, members * n_a * 4), *db = d->ops->alloc(d, n_b * 4);
	float *dc = d->ops->alloc(d, members * n_c * 4);
	float *dbias = d->ops->alloc(d, members * p->n * 4);
	struct gemm_batch g = { .n_members = members, .a_step = n_a, .c_step = n_c, .one = {
		.m = p->m, .n = p->n, .k = p->k, .a = a, .b = b, .c = c, .ldc = p->n,
		.lda = p->ta ? p->m : p->k, .ldb = p->tb ? p->k : p->n,
		.a_is_transposed = p->ta, .b_is_transposed = p->tb, .adds = p->adds } };
	struct device_gemm on = { .batch = g, .is_relu = p->is_relu };
	struct err e;

	if (!p->adds)
		memset(c, 0xff, members * n_c * sizeof *c);
	d->ops->put(d, da, a, members * n_a * 4);
	d->ops->put(d, db, b, n_b * 4);
	d->ops->put(d, dc, c, members * n_c * 4);
	d->ops->put(d, dbias, bias, members * p->n * 4);
	on.batch.one.a = da;
	on.batch.one.b = db;
	on.batch.one.c = dc;
	on.bias = (struct by_member){ p->has_bias ? dbias : NULL, p->n };
	d->ops->gemm(d, &on);
	d->ops->get(d, got, dc, members * n_c * 4);
	MUST(d->ops->wait(d, &e), e);
	gemm_run_batch(&g, t);
	for (size_t i = 0; i < members; i++)
		ops_for(ISA_SCALAR)->activate(p->is_relu ? ACT_RELU : ACT_NONE, p->m, p->n,
					      c + i * n_c, p->has_bias ? bias + i * p->n : NULL,
					      c + i * n_c);
	CHECK(memcmp(got, c, members * n_c * sizeof *c) == 0);
	if (memcmp(got, c, members * n_c * sizeof *c) != 0)
		printf("# %zu x %zu x %zu, %d %d, adds %d\n", p->m, p->n, p->k, p->ta, p->tb,
		       p->adds);
	d->ops->free(d, da);
	d->ops->free(d, db);
	d->ops->free(d, dc);
	d->ops->free(d, dbias);
	free(a);
	free(b);
	free(c);
	free(bias);
	free(got);
	team_free(t);
}

static void products(void)
{
	static const size_t sides[][3] = {
		{ 1, 1, 1 }, { 1, 17, 3 }, { 16, 16, 32 }, { 33, 31, 65 }, { 100, 128, 50 },
		{ 129, 10, 77 }, { 128, 128, 16 }, { 257, 130, 9 }, { 25, 8, 500 },
		{ 600, 16, 40 }, { 300, 513, 24 }, { 64, 64, 0 }, { 5, 1, 130 },
	};
	struct device *d = opened();

	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
		for (unsigned k = 0; k < 16 * (TILE_SIZES + 1); k += 3) {
			struct product p = { sides[i][0], sides[i][1], sides[i][2], k & 1,
					     k & 2, k & 4, k & 8, k % 3 == 0 };

			d->tile = k / 16;
			compare_product(d, &p);
		}
	d->ops->close(d);
}

static void sums(void)
{
	static const size_t sides[][2] = {
		{ 1, 1 }, { 63, 33 }, { 64, 32 }, { 65, 31 }, { 1000, 10 }, { 7, 200 },
	};
	struct device *d = opened();

	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		size_t rows = sides[i][0], cols = sides[i][1], n = rows * cols;
		float *x = noise(2 * n, i), *want = malloc(2 * cols * 4), *got = malloc(2 * cols * 4);
		float *dx = d->ops->alloc(d, 2 * n * 4), *out = d->ops->alloc(d, 2 * cols * 4);
		struct device_sum s = { 2, rows, cols, { dx, n }, { out, cols } };

		d->ops->put(d, dx, x, 2 * n * 4);
		d->ops->sum_rows(d, &s);
		d->ops->get(d, got, out, 2 * cols * 4);
		for (size_t m = 0; m < 2; m++)
			ops_for(ISA_SCALAR)->sum_rows(rows, cols, x + m * n, false,
						      want + m * cols);
		CHECK(memcmp(got, want, 2 * cols * 4) == 0);
		d->ops->free(d, dx);
		d->ops->free(d, out);
		free(x);
		free(want);
		free(got);
	}
	d->ops->close(d);
}

static const struct test contract[] = {
	{ "products of all shapes and tiles are the processor's, byte for byte", products },
	{ "and sums of columns", sums },
	{ "networks of all layers end with the trainer's bytes, also continued", all_layers },
	{ "by every rule and loss", all_rules },
	{ "1, 2, 5 or 10 members at once change nothing", fused_and_alone },
	{ "images are moved and mirrored alike", augmented },
	{ "what a member does not own keeps weights, statistics and state", owned },
	{ "batches larger than tiles and pieces too", wide_batches },
	{ 0 }
};

#endif
