/* train.c - members of an ensemble, step by step
 *
 * What belongs to a member is kept by member; what a step needs besides, by
 * thread.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "random.h"
#include "train.h"

enum { STATES = 2, LINE = 16, SPAN = 1 << 14 };  /* LINE: floats of a cache line */

/* What one thread works in. */
struct bench {
	struct pass *pass;
	struct team *alone;
	float *x, *gradient, *losses, *targets, *image;
	int32_t *labels;
};

struct trainer {
	const struct net *net;
	const struct dataset *data;
	struct recipe recipe;
	const struct member *members;
	struct team *team;
	size_t n_members, step, slab;   /* slab: floats between members */
	float *weights, *states[STATES];
	double *losses;
	struct order *orders;           /* of the epoch in epochs[] */
	uint64_t *epochs;
	struct bench *benches;
	unsigned n_benches;
	struct span {
		size_t at, n;
		bool decays;
	} *spans;               /* of weights that training changes, in pieces */
	size_t n_spans;
};

static const unsigned n_states[RULE_COUNT] = {
	[RULE_MOMENTUM] = 1, [RULE_NESTEROV] = 1, [RULE_ADAM] = 2, [RULE_ADAMW] = 2,
};

static void *zeros(size_t n, size_t each)
{
	return memset(mem_alloc(n * each + 1), 0, n * each + 1);
}

static void bench_init(struct trainer *t, struct bench *b, bool is_alone)
{
	size_t batch = t->recipe.batch;

	b->pass = pass_new(t->net, batch, true);
	b->alone = is_alone ? team_new(1, team_isa(t->team)) : NULL;
	b->x = mem_alloc(batch * t->data->size * sizeof *b->x);
	b->gradient = zeros(t->slab, sizeof *b->gradient);
	b->losses = mem_alloc(batch * sizeof *b->losses);
	b->labels = mem_alloc((batch * t->data->n_targets + 1) * sizeof *b->labels);
	b->image = mem_alloc(t->data->size * sizeof *b->image);
	b->targets = mem_alloc((batch * t->data->n_targets + 1) * sizeof *b->targets);
}

/* Kept statistics are no weights: what the forward pass leaves there stays. */
static void add_spans(struct trainer *t)
{
	for (size_t i = 0; i < t->net->n_params; i++) {
		const struct param *p = &t->net->params[i];
		bool is_weight = p->n_dims > 1 && !p->has_signs;

		for (size_t at = 0; !p->is_kept && at < p->n; at += SPAN) {
			size_t n = p->n - at < SPAN ? p->n - at : SPAN;

			t->spans = mem_grow(t->spans, (t->n_spans + 1) * sizeof *t->spans);
			t->spans[t->n_spans++] = (struct span){ p->at + at, n,
								     is_weight };
		}
	}
}

struct trainer *trainer_new(const struct net *net, const struct dataset *data,
			    const struct recipe *r, const struct member *v, size_t n,
			    struct team *team)
{
	struct trainer *t = mem_alloc(sizeof *t);

	*t = (struct trainer){ .net = net, .data = data, .recipe = *r, .members = v,
			       .team = team, .n_members = n };
	t->slab = (net->n_weights + LINE - 1) / LINE * LINE;
	t->weights = zeros(n * t->slab, sizeof *t->weights);
	for (unsigned i = 0; i < n_states[r->rule]; i++)
		t->states[i] = zeros(n * t->slab, sizeof **t->states);
	t->losses = zeros(n, sizeof *t->losses);
	t->orders = zeros(n, sizeof *t->orders);
	t->epochs = mem_alloc(n * sizeof *t->epochs);
	memset(t->epochs, 0xff, n * sizeof *t->epochs);
	for (size_t i = 0; i < n; i++)
		net_init(net, v[i].seed, t->weights + i * t->slab);
	add_spans(t);
	t->n_benches = n > 1 ? team_size(team) : 1;
	if (t->n_benches > n)
		t->n_benches = (unsigned)n;
	t->benches = zeros(team_size(team), sizeof *t->benches);
	for (unsigned i = 0; i < t->n_benches; i++)
		bench_init(t, &t->benches[i], n > 1);
	return t;
}

void trainer_free(struct trainer *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < team_size(t->team); i++) {
		struct bench *b = &t->benches[i];

		pass_free(b->pass);
		team_free(b->alone);
		free(b->x);
		free(b->gradient);
		free(b->losses);
		free(b->labels);
		free(b->targets);
		free(b->image);
	}
	free(t->benches);
	free(t->weights);
	free(t->states[0]);
	free(t->states[1]);
	free(t->losses);
	free(t->orders);
	free(t->epochs);
	free(t->spans);
	free(t);
}

/* The example at a position of member i's endless sequence of epochs. */
static size_t example(struct trainer *t, size_t i, uint64_t position)
{
	uint64_t n = t->data->n, epoch = position / n;
	struct source s = { .seed = t->members[i].seed, .stream = STREAM_ORDER,
			    .step = epoch };
	uint64_t at;

	if (t->epochs[i] != epoch) {
		t->orders[i] = order_of(&s, n);
		t->epochs[i] = epoch;
	}
	at = order_at(&t->orders[i], position % n);
	if (!t->recipe.is_bagged)
		return at;
	s.stream = STREAM_BAG;
	s.step = 0;
	return (size_t)((uint64_t)random_block(&s, (uint32_t)at).v[0] * n >> 32);
}

/* Row `at` of y for each head: the k-th of the head's batch.  A head has the
 * columns behind those of the heads before it. */
static void take_outputs(const struct trainer *t, struct bench *b, size_t k, size_t at)
{
	const struct dataset *d = t->data;
	size_t batch = t->recipe.batch;

	for (size_t h = 0, from = 0, cols; h < t->net->n_heads; h++, from += cols) {
		cols = d->labels ? 1 : net_head_size(t->net, h);
		if (d->labels)
			b->labels[h * batch + k] = d->labels[at * d->n_targets + h];
		else
			memcpy(b->targets + from * batch + k * cols,
			       d->targets + at * d->n_targets + from,
			       cols * sizeof *b->targets);
	}
}

static void take_batch(struct trainer *t, size_t i, size_t step, struct bench *b)
{
	const struct dataset *d = t->data;
	const struct ops *o = ops_for(team_isa(t->team));

	for (size_t k = 0; k < t->recipe.batch; k++) {
		uint64_t position = (uint64_t)step * t->recipe.batch + k;
		size_t at = example(t, i, position);
		struct draw draw = { t->members[i].seed, position, b->image };

		dataset_row(d, o, at, b->x + k * d->size);
		if (t->recipe.augment.crop || t->recipe.augment.flips)
			augment_image(&t->recipe.augment, t->net->layers[0].out, &draw,
				      b->x + k * d->size);
		take_outputs(t, b, k, at);
	}
}

struct update {
	struct trainer *t;
	size_t member;
	const float *gradient;
	struct coefs coefs;
};

static void update_span(void *arg, size_t i, unsigned thread)
{
	const struct update *u = arg;
	struct trainer *t = u->t;
	const struct span *s = &t->spans[i];
	size_t from = u->member * t->slab + s->at;
	const unsigned char *owned = t->members[u->member].owned;
	struct coefs c = u->coefs;

	(void)thread;
	if (!s->decays)
		c.decay = c.l1 = 0.0f;
	ops_for(team_isa(t->team))->step(t->recipe.rule, &c, s->n,
					 u->gradient + s->at, owned ? owned + s->at : NULL,
					 t->weights + from,
					 t->states[0] ? t->states[0] + from : NULL,
					 t->states[1] ? t->states[1] + from : NULL);
}

/* The sum over heads of their mean losses; their gradients lie in the pass. */
static double losses(const struct trainer *t, struct bench *b, float smoothing,
		     struct team *team)
{
	const struct net *n = t->net;
	size_t rows = t->recipe.batch;
	double sum = 0;

	for (size_t h = 0, from = 0; h < n->n_heads; from += net_head_size(n, h), h++) {
		size_t layer = n->heads[h].layer;
		struct loss_job j = {
			.kind = t->recipe.losses[h], .rows = rows, .rows_in_batch = rows,
			.cols = net_head_size(n, h), .labels = b->labels + h * rows,
			.targets = b->targets + from * rows, .smoothing = smoothing,
			.losses = b->losses, .x = pass_output(b->pass, layer),
			.dx = pass_gradient(b->pass, layer),
		};

		loss_run(&j, team_isa(team));
		sum += tree_sum(b->losses, rows) / (double)rows;
	}
	return sum;
}

static void train_member(struct trainer *t, size_t i, size_t step, struct bench *b,
			 struct team *team)
{
	struct run_of r = {
		.net = t->net, .team = team, .w = t->weights + i * t->slab,
		.rows = t->recipe.batch, .x = b->x, .trains = true,
		.owned = t->members[i].owned, .seed = t->members[i].seed, .step = step,
	};
	struct update u = { .t = t, .member = i, .gradient = b->gradient,
			    .coefs = coefs_at(&t->recipe, &t->members[i], step) };

	take_batch(t, i, step, b);
	pass_forward(b->pass, &r);
	t->losses[i] = losses(t, b, t->members[i].smoothing, team);
	pass_backward(b->pass, &r, b->gradient);
	team_for(team, t->n_spans, update_span, &u);
}

struct stretch {
	struct trainer *t;
	size_t n;
};

/* All steps of a member one after another: its weights stay in the cache. */
static void train_one(void *arg, size_t i, unsigned thread)
{
	const struct stretch *s = arg;
	struct trainer *t = s->t;

	for (size_t k = 0; k < s->n; k++)
		train_member(t, i, t->step + k, &t->benches[thread],
			     t->benches[thread].alone);
}

void trainer_run(struct trainer *t, size_t n)
{
	struct stretch s = { t, n };

	if (t->n_members > 1)
		team_for(t->team, t->n_members, train_one, &s);
	for (size_t k = 0; t->n_members == 1 && k < n; k++)
		train_member(t, 0, t->step + k, &t->benches[0], t->team);
	t->step += n;
}

void trainer_step(struct trainer *t)
{
	trainer_run(t, 1);
}

size_t trainer_at(const struct trainer *t)
{
	return t->step;
}

void trainer_set_at(struct trainer *t, size_t step)
{
	t->step = step;
}

float *trainer_weights(struct trainer *t, size_t i)
{
	return t->weights + i * t->slab;
}

float *trainer_state(struct trainer *t, size_t i, int which)
{
	return which < STATES && t->states[which] ? t->states[which] + i * t->slab : NULL;
}

double trainer_loss(const struct trainer *t, size_t i)
{
	return t->losses[i];
}
