/* fisher.c - each example's gradient squared, and the mean of that
 *
 * The square of a float is a double without rounding, so that only the sum rounds,
 * in the order of examples.
 */
#include <stdlib.h>
#include <string.h>
#include "fisher.h"

struct one {
	const struct importance *of;
	struct pass *pass;
	float *x;
};

/* The slopes of a head's loss for one example. */
static void set_slopes(const struct one *o, size_t i, size_t h, size_t from)
{
	const struct net *n = o->of->net;
	const struct dataset *d = o->of->data;
	size_t layer = n->heads[h].layer;
	float loss;
	struct loss_job j = {
		.kind = o->of->losses[h], .rows = 1, .rows_in_batch = 1,
		.cols = net_head_size(n, h), .losses = &loss,
		.labels = d->labels ? d->labels + i * d->n_targets + h : NULL,
		.targets = d->targets ? d->targets + i * d->n_targets + from : NULL,
		.x = pass_output(o->pass, layer), .dx = pass_gradient(o->pass, layer),
	};

	loss_run(&j, team_isa(o->of->team));
}

static void go_through(const struct one *o, size_t i, float *g)
{
	const struct importance *of = o->of;
	struct run_of r = { .net = of->net, .team = of->team, .w = (float *)of->w, .rows = 1,
			    .x = o->x, .set = 1 + i % of->net->n_sets };

	dataset_row(of->data, ops_for(team_isa(of->team)), i, o->x);
	pass_forward(o->pass, &r);
	for (size_t h = 0, from = 0; h < of->net->n_heads; h++) {
		set_slopes(o, i, h, from);
		from += net_head_size(of->net, h);
	}
	pass_backward(o->pass, &r, g);
}

void fisher(const struct importance *of, float *out)
{
	size_t n = of->net->n_weights, size = of->data->size;
	struct one o = { .of = of, .pass = pass_new(of->net, 1, true),
			 .x = mem_alloc(size * sizeof *o.x) };
	float *g = mem_alloc((n + 1) * sizeof *g);
	double *sums = memset(mem_alloc((n + 1) * sizeof *sums), 0, (n + 1) * sizeof *sums);

	for (size_t i = 0; i < of->data->n; i++) {
		go_through(&o, i, g);
		for (size_t k = 0; k < n; k++)
			sums[k] += (double)g[k] * (double)g[k];
	}
	for (size_t k = 0; k < n; k++) {
		double square = (double)of->w[k] * (double)of->w[k];

		out[k] = (float)(sums[k] / (double)of->data->n * square);
	}
	pass_free(o.pass);
	free(o.x);
	free(g);
	free(sums);
}
