/* pass.c - forward through the layers, and back
 *
 * A layer's gradient is written by the last layer that reads its output and
 * added to by the others, in falling order of layers: one order for any machine.
 */
#include <stdlib.h>
#include <string.h>
#include "pass.h"
#include "random.h"

enum { PIECE_FLOATS = 1 << 14 };

float *at_param(const struct at *a, float *slab, size_t i)
{
	return slab + a->p->net->params[a->l->first_param + i].at;
}

float *gradient_begin(struct at *a, size_t from)
{
	if (from == 0)
		return NULL;
	return a->p->has_gradient[from] ? a->p->scratch : a->p->dy[from];
}

void gradient_end(struct at *a, size_t from, float *written)
{
	struct pass *p = a->p;

	if (written == p->scratch)
		p->ops->add(a->r->rows * shape_size(p->net->layers[from].out), written,
			    p->dy[from]);
	p->has_gradient[from] = true;
}

struct pieces {
	const struct at *a;
	size_t n_rows, piece;
	void (*fn)(const struct at *a, size_t first, size_t n);
};

static void run_piece(void *arg, size_t i, unsigned thread)
{
	const struct pieces *s = arg;
	size_t first = i * s->piece, rest = s->n_rows - first;

	(void)thread;
	s->fn(s->a, first, rest < s->piece ? rest : s->piece);
}

void each_rows(const struct at *a, size_t n_rows, size_t row_floats,
	       void (*fn)(const struct at *a, size_t first, size_t n))
{
	size_t piece = 1 + PIECE_FLOATS / (row_floats + 1);
	struct pieces s = { a, n_rows, piece, fn };

	team_for(a->r->team, (n_rows + piece - 1) / piece, run_piece, &s);
}

/* ---- layers of few lines */

void add_bias(const struct at *a, size_t first, size_t n)
{
	size_t c = a->l->out.c;

	a->p->ops->activate(a->l->act, n, c, a->y + first * c, at_param(a, a->r->w, 1),
			    a->y + first * c);
}

static void fc_forward(struct at *a)
{
	size_t in = shape_size(a->l->in), out = a->l->out.c;
	struct gemm g = {
		.m = a->r->rows, .n = out, .k = in, .a = a->x, .lda = in,
		.b = at_param(a, a->r->w, 0), .ldb = out, .c = a->y, .ldc = out,
	};

	gemm_run(&g, a->r->team);
	each_rows(a, a->r->rows, out, add_bias);
}

void act_back(const struct at *a, size_t first, size_t n)
{
	size_t c = shape_size(a->l->out);

	a->p->ops->activate_back(a->l->act, n * c, a->y + first * c, a->dy + first * c,
				 a->dy + first * c);
}

static void fc_backward(struct at *a)
{
	size_t in = shape_size(a->l->in), out = a->l->out.c;
	struct gemm g = {
		.m = in, .n = out, .k = a->r->rows, .a = a->x, .lda = in,
		.a_is_transposed = true, .b = a->dy, .ldb = out,
		.c = at_param(a, a->g, 0), .ldc = out,
	};
	float *dx = gradient_begin(a, a->l->from);

	each_rows(a, a->r->rows, out, act_back);
	a->p->ops->sum_rows(a->r->rows, out, a->dy, false, at_param(a, a->g, 1));
	gemm_run(&g, a->r->team);
	if (!dx)
		return;
	g = (struct gemm){
		.m = a->r->rows, .n = in, .k = out, .a = a->dy, .lda = out,
		.b = at_param(a, a->r->w, 0), .ldb = out, .b_is_transposed = true,
		.c = dx, .ldc = in,
	};
	gemm_run(&g, a->r->team);
	gradient_end(a, a->l->from, dx);
}

static void act_some(const struct at *a, size_t first, size_t n)
{
	size_t c = shape_size(a->l->out);

	a->p->ops->activate(a->l->act, n, c, a->x + first * c, NULL, a->y + first * c);
}

/* Activations, and flatten, which only renames. */
static void act_forward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->out), act_some);
}

static void copy_back(struct at *a, size_t from)
{
	float *dx = gradient_begin(a, from);

	if (!dx)
		return;
	memcpy(dx, a->dy, a->r->rows * shape_size(a->l->out) * sizeof *dx);
	gradient_end(a, from, dx);
}

static void act_backward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->out), act_back);
	copy_back(a, a->l->from);
}

static void add_some(const struct at *a, size_t first, size_t n)
{
	size_t c = shape_size(a->l->out);

	a->p->ops->add(n * c, a->p->y[a->l->also] + first * c, a->y + first * c);
	a->p->ops->activate(a->l->act, n, c, a->y + first * c, NULL, a->y + first * c);
}

static void add_forward(struct at *a)
{
	size_t n = a->r->rows * shape_size(a->l->out);

	memcpy(a->y, a->x, n * sizeof *a->y);
	each_rows(a, a->r->rows, shape_size(a->l->out), add_some);
}

static void add_backward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->out), act_back);
	copy_back(a, a->l->from);
	copy_back(a, a->l->also);
}

/* to = from where the keyed dice keep it, divided by the chance of that. */
static void drop(const struct at *a, const float *from, float *to)
{
	size_t n = a->r->rows * shape_size(a->l->out);
	struct source s = { .seed = a->r->seed, .stream = STREAM_DROPOUT,
			    .step = a->r->step << 8 | a->layer };
	float dice[256], keep = 1.0f - a->l->rate, factor = 1.0f / keep;

	for (size_t at = 0; at < n; at += 256) {
		size_t k = n - at < 256 ? n - at : 256;

		random_uniform(&s, at, k, dice);
		for (size_t i = 0; i < k; i++)
			to[at + i] = dice[i] < keep ? from[at + i] * factor : 0.0f;
	}
}

static void drop_forward(struct at *a)
{
	if (a->r->trains && a->l->rate > 0)
		drop(a, a->x, a->y);
	else
		memcpy(a->y, a->x, a->r->rows * shape_size(a->l->out) * sizeof *a->y);
}

static void drop_backward(struct at *a)
{
	float *dx = gradient_begin(a, a->l->from);

	if (!dx)
		return;
	if (a->r->trains && a->l->rate > 0)
		drop(a, a->dy, dx);
	else
		memcpy(dx, a->dy, a->r->rows * shape_size(a->l->out) * sizeof *dx);
	gradient_end(a, a->l->from, dx);
}

static const struct {
	void (*forward)(struct at *a);
	void (*backward)(struct at *a);
} kinds[LAYER_KIND_COUNT] = {
	[LAYER_CONV] = { conv_forward, conv_backward },
	[LAYER_FC] = { fc_forward, fc_backward },
	[LAYER_NORM] = { norm_forward, norm_backward },
	[LAYER_POOL] = { pool_forward, pool_backward },
	[LAYER_AVGPOOL] = { avgpool_forward, avgpool_backward },
	[LAYER_GLOBAL] = { global_forward, global_backward },
	[LAYER_FLATTEN] = { act_forward, act_backward },
	[LAYER_DROP] = { drop_forward, drop_backward },
	[LAYER_ACT] = { act_forward, act_backward },
	[LAYER_ADD] = { add_forward, add_backward },
	[LAYER_SCALE] = { scale_forward, scale_backward },
};

/* ---- the whole */

static void *room(size_t n, size_t each)
{
	return memset(mem_alloc((n ? n : 1) * each), 0, (n ? n : 1) * each);
}

struct pass *pass_new(const struct net *n, size_t rows_max, bool trains)
{
	struct pass *p = mem_alloc(sizeof *p);

	*p = (struct pass){ .net = n, .rows_max = rows_max, .trains = trains };
	p->y = room(n->n_layers, sizeof *p->y);
	p->dy = room(n->n_layers, sizeof *p->dy);
	p->places = room(n->n_layers, sizeof *p->places);
	p->stats = room(n->n_layers, sizeof *p->stats);
	p->has_gradient = room(n->n_layers, sizeof *p->has_gradient);
	for (size_t i = 1; i < n->n_layers; i++) {
		const struct layer *l = &n->layers[i];
		size_t floats = rows_max * shape_size(l->out), columns;

		p->y[i] = mem_alloc(floats * sizeof(float));
		p->dy[i] = trains ? mem_alloc(floats * sizeof(float)) : NULL;
		if (trains && floats > p->n_scratch)
			p->n_scratch = floats;
		if (l->kind == LAYER_POOL)
			p->places[i] = mem_alloc(floats * sizeof **p->places);
		if (l->kind == LAYER_NORM)
			p->stats[i] = mem_alloc(2 * (size_t)l->out.c * sizeof(float));
		columns = l->kind == LAYER_CONV ? conv_columns(l, rows_max) : 0;
		if (columns > p->n_columns)
			p->n_columns = columns;
	}
	p->scratch = mem_alloc((p->n_scratch + 1) * sizeof(float));
	p->columns = mem_alloc((2 * p->n_columns + 1) * sizeof(float));
	return p;
}

void pass_free(struct pass *p)
{
	if (!p)
		return;
	for (size_t i = 1; i < p->net->n_layers; i++) {
		free(p->y[i]);
		free(p->dy[i]);
		free(p->places[i]);
		free(p->stats[i]);
	}
	free(p->y);
	free(p->dy);
	free(p->places);
	free(p->stats);
	free(p->has_gradient);
	free(p->scratch);
	free(p->columns);
	free(p);
}

static struct at at_layer(struct pass *p, const struct run_of *r, size_t i, float *g)
{
	const struct layer *l = &p->net->layers[i];

	return (struct at){ .p = p, .r = r, .l = l, .layer = i, .x = p->y[l->from],
			    .y = p->y[i], .dy = p->dy[i], .g = g };
}

void pass_forward(struct pass *p, const struct run_of *r)
{
	p->ops = ops_for(team_isa(r->team));
	p->y[0] = (float *)r->x;
	for (size_t i = 1; i < p->net->n_layers; i++) {
		struct at a = at_layer(p, r, i, NULL);

		kinds[a.l->kind].forward(&a);
	}
}

float *pass_output(struct pass *p, size_t layer)
{
	return p->y[layer];
}

float *pass_gradient(struct pass *p, size_t layer)
{
	return p->dy[layer];
}

void pass_backward(struct pass *p, const struct run_of *r, float *g)
{
	memset(p->has_gradient, 0, p->net->n_layers * sizeof *p->has_gradient);
	for (size_t i = 0; i < p->net->n_heads; i++)
		p->has_gradient[p->net->heads[i].layer] = true;
	for (size_t i = 0; i < p->net->n_params; i++)
		if (p->net->params[i].is_kept)
			memset(g + p->net->params[i].at, 0,
			       p->net->params[i].n * sizeof *g);
	for (size_t i = p->net->n_layers - 1; i > 0; i--) {
		struct at a = at_layer(p, r, i, g);

		if (p->has_gradient[i])
			kinds[a.l->kind].backward(&a);
		else
			for (size_t k = 0; k < a.l->n_params; k++)
				memset(at_param(&a, g, k), 0,
				       p->net->params[a.l->first_param + k].n * sizeof *g);
	}
}
