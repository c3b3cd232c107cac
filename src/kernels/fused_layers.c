/* fused_layers.c - pass.c, conv.c, pool.c and norm.c for all members at once
 *
 * The same sums in the same order; only what is not part of a sum is cut otherwise.
 */
#include "fused_parts.h"

static const struct by_member none;

/* A layer on its way. */
struct on {
	struct fused *f;
	const struct layer *l;
	size_t layer, rows;
	struct by_member x, y, dy;
};

static struct on on_layer(struct fused *f, size_t i)
{
	const struct layer *l = &f->net->layers[i];

	return (struct on){ .f = f, .l = l, .layer = i, .rows = f->recipe.batch,
			    .x = f->layers[l->from].y, .y = f->layers[i].y,
			    .dy = f->layers[i].dy };
}

static size_t param_at(const struct on *o, size_t i)
{
	return o->f->net->params[o->l->first_param + i].at;
}

static struct by_member param(const struct on *o, struct by_member slab, size_t i)
{
	slab.at += param_at(o, i);
	return slab;
}

static struct by_member moved(struct by_member a, size_t members)
{
	if (a.at)
		a.at += a.step * members;
	return a;
}

static size_t n_outputs(const struct on *o)
{
	return o->rows * shape_size(o->l->out);
}

static size_t n_inputs(const struct on *o)
{
	return o->rows * shape_size(o->l->in);
}

static struct sides sides_of(const struct layer *l)
{
	return (struct sides){ l->in.h, l->in.w, l->in.c, l->out.h, l->out.w, l->out.c,
			       l->kernel_h, l->kernel_w, l->stride, l->pad };
}

/* Room for the gradient of layer `from`; at NULL: nobody needs it. */
static struct by_member gradient_begin(struct on *o, size_t from)
{
	if (from == 0)
		return none;
	return o->f->has_gradient[from] ? o->f->scratch : o->f->layers[from].dy;
}

static void gradient_end(struct on *o, size_t from, struct by_member written)
{
	struct fused *f = o->f;
	struct by_member dy = f->layers[from].dy;

	if (written.at == f->scratch.at)
		FUSED_TASK(f, add, o->rows * shape_size(f->net->layers[from].out), .x = dy,
			   .z = written, .y = dy, .act = ACT_NONE);
	f->has_gradient[from] = true;
}

static void act_back(struct on *o)
{
	if (o->l->act != ACT_NONE)
		FUSED_TASK(o->f, activate_back, n_outputs(o), .y = o->y, .dy = o->dy,
			   .act = o->l->act);
}

static void copy(struct fused *f, size_t n, struct by_member from, struct by_member to)
{
	FUSED_TASK(f, activate, n, .x = from, .y = to, .act = ACT_NONE, .cols = 1);
}

/* ---- products */

/* y = act(x w + bias), for some members; rows of x may be windows. */
static void forward(struct on *o, size_t first, size_t n, struct by_member x, size_t rows,
		    size_t in)
{
	struct by_member w = moved(param(o, o->f->w, 0), first), y = moved(o->y, first);
	size_t out = o->l->out.c;
	struct device_gemm g = {
		.batch = { .n_members = n, .a_step = x.step, .b_step = w.step,
			   .c_step = y.step,
			   .one = { .m = rows, .n = out, .k = in, .a = x.at, .lda = in,
				    .b = w.at, .ldb = out, .c = y.at, .ldc = out } },
		.bias = moved(param(o, o->f->w, 1), first),
		.is_relu = o->l->act == ACT_RELU,
	};

	o->f->d->ops->gemm(o->f->d, &g);
}

/* What a product cannot do at its end. */
static void finish(struct on *o)
{
	if (o->l->act != ACT_NONE && o->l->act != ACT_RELU)
		FUSED_TASK(o->f, activate, n_outputs(o), .x = o->y, .y = o->y,
			   .act = o->l->act, .cols = 1);
}

/* The weights' gradient, and dx if that is wanted. */
static void backward(struct on *o, size_t first, size_t n, struct by_member x, size_t rows,
		     size_t in, struct by_member dx)
{
	struct by_member w = moved(param(o, o->f->w, 0), first);
	struct by_member dw = moved(param(o, o->f->g, 0), first), dy = moved(o->dy, first);
	size_t out = o->l->out.c;
	struct device_gemm g = { .batch = {
		.n_members = n, .a_step = x.step, .b_step = dy.step, .c_step = dw.step,
		.one = { .m = in, .n = out, .k = rows, .a = x.at, .lda = in,
			 .a_is_transposed = true, .b = dy.at, .ldb = out, .c = dw.at,
			 .ldc = out },
	} };

	o->f->d->ops->gemm(o->f->d, &g);
	if (!dx.at)
		return;
	g.batch = (struct gemm_batch){
		.n_members = n, .a_step = dy.step, .b_step = w.step, .c_step = dx.step,
		.one = { .m = rows, .n = in, .k = out, .a = dy.at, .lda = out, .b = w.at,
			 .ldb = out, .b_is_transposed = true, .c = dx.at, .ldc = in },
	};
	o->f->d->ops->gemm(o->f->d, &g);
}

static void bias_back(struct on *o, size_t rows)
{
	struct device_sum s = { .n_members = o->f->n_members, .rows = rows,
				.cols = o->l->out.c, .x = o->dy,
				.out = param(o, o->f->g, 1) };

	o->f->d->ops->sum_rows(o->f->d, &s);
}

static void fc_forward(struct on *o)
{
	forward(o, 0, o->f->n_members, o->x, o->rows, shape_size(o->l->in));
	finish(o);
}

static void fc_backward(struct on *o)
{
	struct by_member dx = gradient_begin(o, o->l->from);

	act_back(o);
	bias_back(o, o->rows);
	backward(o, 0, o->f->n_members, o->x, o->rows, shape_size(o->l->in), dx);
	if (dx.at)
		gradient_end(o, o->l->from, dx);
}

static size_t window_floats(const struct layer *l)
{
	return (size_t)l->kernel_h * l->kernel_w * l->in.c;
}

static size_t windows(const struct on *o)
{
	return o->rows * o->l->out.h * o->l->out.w;
}

/* As many members at a time as there is room for windows of. */
static size_t lay_out(struct on *o, size_t first)
{
	struct fused *f = o->f;
	size_t rest = f->n_members - first;
	size_t n = rest < f->columns_members ? rest : f->columns_members;
	struct do_windows how = { .s = sides_of(o->l), .x = moved(o->x, first),
				  .columns = f->columns };

	f->d->ops->task(f->d, TASK_windows, &how, n, windows(o) * window_floats(o->l));
	return n;
}

static void conv_forward(struct on *o)
{
	for (size_t i = 0, n; i < o->f->n_members; i += n) {
		n = lay_out(o, i);
		forward(o, i, n, o->f->columns, windows(o), window_floats(o->l));
	}
	finish(o);
}

static void conv_backward(struct on *o)
{
	struct fused *f = o->f;
	struct by_member dx = gradient_begin(o, o->l->from);

	act_back(o);
	bias_back(o, windows(o));
	for (size_t i = 0, n; i < f->n_members; i += n) {
		struct do_unwindow how = { .s = sides_of(o->l), .columns = f->back,
					   .dx = moved(dx, i) };

		n = lay_out(o, i);
		backward(o, i, n, f->columns, windows(o), window_floats(o->l),
			 dx.at ? f->back : none);
		if (dx.at)
			f->d->ops->task(f->d, TASK_unwindow, &how, n, n_inputs(o));
	}
	if (dx.at)
		gradient_end(o, o->l->from, dx);
}

/* ---- layers without weights */

static void act_forward(struct on *o)
{
	FUSED_TASK(o->f, activate, n_outputs(o), .x = o->x, .y = o->y, .act = o->l->act,
		   .cols = 1);
}

static void copy_back(struct on *o, size_t from)
{
	struct by_member dx = gradient_begin(o, from);

	if (!dx.at)
		return;
	copy(o->f, n_outputs(o), o->dy, dx);
	gradient_end(o, from, dx);
}

static void act_backward(struct on *o)
{
	act_back(o);
	copy_back(o, o->l->from);
}

static void add_forward(struct on *o)
{
	FUSED_TASK(o->f, add, n_outputs(o), .x = o->x, .z = o->f->layers[o->l->also].y,
		   .y = o->y, .act = o->l->act);
}

static void add_backward(struct on *o)
{
	act_back(o);
	copy_back(o, o->l->from);
	copy_back(o, o->l->also);
}

static void drop(struct on *o, struct by_member from, struct by_member to)
{
	struct fused *f = o->f;
	size_t n = n_outputs(o);

	FUSED_TASK(f, drop, (n + 3) / 4, .clock = f->clock, .seeds = f->seeds, .x = from,
		   .y = to, .n = (uint32_t)n, .layer = (uint32_t)o->layer, .rate = o->l->rate);
}

static void drop_forward(struct on *o)
{
	if (o->l->rate > 0)
		drop(o, o->x, o->y);
	else
		copy(o->f, n_outputs(o), o->x, o->y);
}

static void drop_backward(struct on *o)
{
	struct by_member dx = gradient_begin(o, o->l->from);

	if (!dx.at)
		return;
	drop(o, o->dy, dx);
	gradient_end(o, o->l->from, dx);
}

static void pool_forward(struct on *o)
{
	FUSED_TASK(o->f, pool, n_outputs(o), .s = sides_of(o->l), .x = o->x, .y = o->y,
		   .place = o->f->layers[o->layer].places, .place_step = n_outputs(o),
		   .act = o->l->act);
}

static void avgpool_forward(struct on *o)
{
	FUSED_TASK(o->f, avgpool, n_outputs(o), .s = sides_of(o->l), .x = o->x, .y = o->y,
		   .act = o->l->act);
}

static void global_forward(struct on *o)
{
	FUSED_TASK(o->f, global, n_outputs(o), .spots = o->l->in.h * o->l->in.w,
		   .cols = o->l->in.c, .x = o->x, .y = o->y, .act = o->l->act);
}

static void pool_backward(struct on *o)
{
	struct by_member dx = gradient_begin(o, o->l->from);

	act_back(o);
	if (!dx.at)
		return;
	if (o->l->kind == LAYER_POOL)
		FUSED_TASK(o->f, unpool, n_inputs(o), .s = sides_of(o->l), .dy = o->dy,
			   .dx = dx, .place = o->f->layers[o->layer].places,
			   .place_step = n_outputs(o));
	else if (o->l->kind == LAYER_AVGPOOL)
		FUSED_TASK(o->f, unavgpool, n_inputs(o), .s = sides_of(o->l), .dy = o->dy,
			   .dx = dx);
	else
		FUSED_TASK(o->f, unglobal, n_inputs(o), .spots = o->l->in.h * o->l->in.w,
			   .cols = o->l->in.c, .dy = o->dy, .dx = dx);
	gradient_end(o, o->l->from, dx);
}

/* ---- batch normalisation */

static uint32_t norm_rows(const struct on *o)
{
	return (uint32_t)(o->rows * o->l->in.h * o->l->in.w);
}

static void norm_pieces(struct on *o, struct by_member x, struct by_member other)
{
	uint32_t rows = norm_rows(o), cols = o->l->out.c;

	FUSED_TASK(o->f, norm_pieces,
		   (size_t)((rows + NORM_PIECE_ROWS - 1) / NORM_PIECE_ROWS) * cols,
		   .rows = rows, .cols = cols, .x = x, .other = other,
		   .pieces = o->f->pieces);
}

static void norm_forward(struct on *o)
{
	struct fused *f = o->f;
	struct by_member mean = f->layers[o->layer].mean, factor = f->layers[o->layer].factor;
	uint32_t rows = norm_rows(o), cols = o->l->out.c;

	norm_pieces(o, o->x, none);
	FUSED_TASK(f, norm_mean, cols, .rows = rows, .cols = cols, .pieces = f->pieces,
		   .mean = mean);
	FUSED_TASK(f, norm_centre, n_outputs(o), .cols = cols, .x = o->x, .mean = mean,
		   .y = o->y);
	norm_pieces(o, o->y, o->y);
	FUSED_TASK(f, norm_factor, cols, .rows = rows, .cols = cols, .pieces = f->pieces,
		   .mean = mean, .factor = factor, .kept_mean = param(o, f->w, 2),
		   .kept_var = param(o, f->w, 3), .kinds_step = f->kinds_step,
		   .mean_kinds = f->kinds + param_at(o, 2),
		   .var_kinds = f->kinds + param_at(o, 3));
	FUSED_TASK(f, norm_scale, n_outputs(o), .cols = cols, .x = o->x, .mean = mean,
		   .factor = factor, .w = param(o, f->w, 0), .b = param(o, f->w, 1),
		   .y = o->y, .act = o->l->act);
}

static void norm_total(struct on *o, struct by_member out)
{
	FUSED_TASK(o->f, norm_total, o->l->out.c, .rows = norm_rows(o), .cols = o->l->out.c,
		   .pieces = o->f->pieces, .out = out);
}

static void norm_backward(struct on *o)
{
	struct fused *f = o->f;
	struct by_member mean = f->layers[o->layer].mean, factor = f->layers[o->layer].factor;
	struct by_member dw = param(o, f->g, 0), db = param(o, f->g, 1);
	struct by_member dx = gradient_begin(o, o->l->from);
	uint32_t cols = o->l->out.c;

	act_back(o);
	FUSED_TASK(f, norm_hat, n_outputs(o), .cols = cols, .x = o->x, .mean = mean,
		   .factor = factor, .y = o->y);
	norm_pieces(o, o->dy, none);
	norm_total(o, db);
	norm_pieces(o, o->dy, o->y);
	norm_total(o, dw);
	if (!dx.at)
		return;
	FUSED_TASK(f, norm_back, n_outputs(o), .rows = norm_rows(o), .cols = cols,
		   .dy = o->dy, .hat = o->y, .factor = factor, .w = param(o, f->w, 0),
		   .dw = dw, .db = db, .dx = dx);
	gradient_end(o, o->l->from, dx);
}

/* ---- scales */

static void scale_forward(struct on *o)
{
	FUSED_TASK(o->f, scale, n_outputs(o), .spots = o->l->in.h * o->l->in.w,
		   .cols = o->l->out.c, .sets = o->l->n_sets, .x = o->x, .y = o->y,
		   .w = param(o, o->f->w, 0), .act = o->l->act);
}

static void scale_backward(struct on *o)
{
	uint32_t spots = o->l->in.h * o->l->in.w, cols = o->l->out.c, sets = o->l->n_sets;
	struct by_member dx = gradient_begin(o, o->l->from);

	act_back(o);
	FUSED_TASK(o->f, scale_slopes, (size_t)sets * cols, .rows = (uint32_t)o->rows,
		   .spots = spots, .cols = cols, .sets = sets, .x = o->x, .dy = o->dy,
		   .dw = param(o, o->f->g, 0));
	if (!dx.at)
		return;
	FUSED_TASK(o->f, unscale, n_inputs(o), .spots = spots, .cols = cols, .sets = sets,
		   .dy = o->dy, .w = param(o, o->f->w, 0), .dx = dx);
	gradient_end(o, o->l->from, dx);
}

static const struct {
	void (*forward)(struct on *o);
	void (*backward)(struct on *o);
} kinds[LAYER_KIND_COUNT] = {
	[LAYER_CONV] = { conv_forward, conv_backward },
	[LAYER_FC] = { fc_forward, fc_backward },
	[LAYER_NORM] = { norm_forward, norm_backward },
	[LAYER_POOL] = { pool_forward, pool_backward },
	[LAYER_AVGPOOL] = { avgpool_forward, pool_backward },
	[LAYER_GLOBAL] = { global_forward, pool_backward },
	[LAYER_FLATTEN] = { act_forward, act_backward },
	[LAYER_DROP] = { drop_forward, drop_backward },
	[LAYER_ACT] = { act_forward, act_backward },
	[LAYER_ADD] = { add_forward, add_backward },
	[LAYER_SCALE] = { scale_forward, scale_backward },
};

bool fused_does(enum layer_kind k)
{
	return kinds[k].forward;
}

void fused_forward(struct fused *f)
{
	for (size_t i = 1; i < f->net->n_layers; i++) {
		struct on o = on_layer(f, i);

		kinds[o.l->kind].forward(&o);
	}
}

/* What no head reads keeps the gradient 0 that it has from the beginning. */
void fused_backward(struct fused *f)
{
	for (size_t i = 0; i < f->net->n_layers; i++)
		f->has_gradient[i] = false;
	for (size_t i = 0; i < f->net->n_heads; i++)
		f->has_gradient[f->net->heads[i].layer] = true;
	for (size_t i = f->net->n_layers - 1; i > 0; i--) {
		struct on o = on_layer(f, i);

		if (f->has_gradient[i])
			kinds[o.l->kind].backward(&o);
	}
}
