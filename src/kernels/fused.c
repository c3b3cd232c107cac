/* fused.c - memory of fused members on a device, and their steps
 *
 * What changes from step to step lies on the device too: the clock, and for some
 * steps ahead each member's coefficients.  So a step is the same list of tasks every
 * time, and the host looks up only now and then.
 */
#include <stdlib.h>
#include <string.h>
#include "fused_parts.h"

enum { LINE = 16 };
/* Floats of windows that are laid out at a time. */
static const size_t columns_max = (size_t)1 << 28;

static void *room(struct fused *f, size_t n_bytes)
{
	void *p = f->has_no_room ? NULL : f->d->ops->alloc(f->d, n_bytes);

	f->n_bytes += n_bytes;
	if (!p) {
		f->has_no_room = true;
		return NULL;
	}
	f->memory = mem_grow(f->memory, (f->n_memory + 1) * sizeof *f->memory);
	return f->memory[f->n_memory++] = p;
}

static struct by_member floats(struct fused *f, size_t n)
{
	return (struct by_member){ room(f, f->n_members * n * sizeof(float)), n };
}

static void *sent(struct fused *f, const void *from, size_t n_bytes)
{
	void *p = from ? room(f, n_bytes) : NULL;

	if (p)
		f->d->ops->put(f->d, p, from, n_bytes);
	return p;
}

static void send_data(struct fused *f)
{
	const struct dataset *d = f->data;
	size_t n = d->n * d->size;

	f->bytes = sent(f, d->bytes, n);
	f->floats = sent(f, d->floats, n * sizeof(float));
	f->mean = sent(f, d->mean, d->size * sizeof(float));
	f->factor = sent(f, d->factor, d->size * sizeof(float));
	f->all_labels = sent(f, d->labels, d->n * d->n_targets * sizeof(int32_t));
	f->all_targets = sent(f, d->targets, d->n * d->n_targets * sizeof(float));
}

static void send_members(struct fused *f)
{
	uint64_t *seeds = mem_alloc(f->n_members * sizeof *seeds);
	float *smoothing = mem_alloc(f->n_members * sizeof *smoothing);

	for (size_t i = 0; i < f->n_members; i++) {
		seeds[i] = f->members[i].seed;
		smoothing[i] = f->members[i].smoothing;
	}
	f->seeds = sent(f, seeds, f->n_members * sizeof *seeds);
	f->smoothing = sent(f, smoothing, f->n_members * sizeof *smoothing);
	free(seeds);
	free(smoothing);
}

static void set_kinds(const struct fused *f, const unsigned char *owned, unsigned char *kinds)
{
	memset(kinds, WEIGHT_KEPT, f->slab);
	for (size_t i = 0; i < f->net->n_params; i++) {
		const struct param *p = &f->net->params[i];
		bool is_weight = p->n_dims > 1 && !p->has_signs;

		if (!p->is_kept)
			memset(kinds + p->at, is_weight ? WEIGHT_DECAYS : WEIGHT_PLAIN, p->n);
	}
	for (size_t i = 0; owned && i < f->net->n_weights; i++)
		kinds[i] = owned[i] ? kinds[i] : WEIGHT_FROZEN;
}

static void send_kinds(struct fused *f)
{
	unsigned char *all;
	size_t n = 1;

	for (size_t i = 1; i < f->n_members; i++)
		if (f->members[i].owned != f->members[0].owned)
			n = f->n_members;
	f->kinds_step = n > 1 ? f->slab : 0;
	all = mem_alloc(n * f->slab);
	for (size_t i = 0; i < n; i++)
		set_kinds(f, f->members[i].owned, all + i * f->slab);
	f->kinds = sent(f, all, n * f->slab);
	free(all);
}

/* Windows and their gradients share one size; the fewest members at a time that
 * a layer has room for count. */
static void make_columns(struct fused *f)
{
	size_t most = 0;

	for (size_t i = 1; i < f->net->n_layers; i++) {
		const struct layer *l = &f->net->layers[i];
		size_t n = f->recipe.batch * l->out.h * l->out.w * l->kernel_h * l->kernel_w *
			   l->in.c;

		if (l->kind == LAYER_CONV && n > most)
			most = n;
	}
	if (!most)
		return;
	f->columns_members = columns_max / most + 1;
	if (f->columns_members > f->n_members)
		f->columns_members = f->n_members;
	f->columns = (struct by_member){
		room(f, f->columns_members * most * sizeof(float)), most };
	f->back = (struct by_member){
		room(f, f->columns_members * most * sizeof(float)), most };
}

static void make_layers(struct fused *f)
{
	size_t rows = f->recipe.batch, scratch = 0, pieces = 0;

	f->layers = mem_alloc(f->net->n_layers * sizeof *f->layers);
	memset(f->layers, 0, f->net->n_layers * sizeof *f->layers);
	for (size_t i = 0; i < f->net->n_layers; i++) {
		const struct layer *l = &f->net->layers[i];
		struct fused_layer *on = &f->layers[i];
		size_t n = rows * shape_size(l->out);
		size_t n_pieces = (rows * l->in.h * l->in.w + NORM_PIECE_ROWS - 1) /
				  NORM_PIECE_ROWS * l->out.c;

		on->y = floats(f, n);
		if (i > 0)
			on->dy = floats(f, n);
		if (n > scratch && i > 0)
			scratch = n;
		if (l->kind == LAYER_POOL)
			on->places = room(f, f->n_members * n * sizeof *on->places);
		if (l->kind != LAYER_NORM)
			continue;
		on->mean = floats(f, l->out.c);
		on->factor = floats(f, l->out.c);
		pieces = n_pieces > pieces ? n_pieces : pieces;
	}
	f->scratch = floats(f, scratch);
	f->pieces = floats(f, pieces + 1);
	make_columns(f);
}

/* Places of a task are counted in 32 bits. */
static int check_sizes(const struct fused *f, struct err *e)
{
	for (size_t i = 0; i < f->net->n_layers; i++) {
		const struct layer *l = &f->net->layers[i];
		size_t each = l->kind == LAYER_CONV ?
			      (size_t)l->kernel_h * l->kernel_w * l->in.c : 1;
		size_t n = f->recipe.batch * each * l->out.h * l->out.w;

		if (i > 0 && !fused_does(l->kind))
			return err_set(e, ERR_REFUSED, "layer %s: devices do no such layers",
				       l->name);
		if (n >= UINT32_MAX || f->recipe.batch * shape_size(l->out) >= UINT32_MAX)
			return err_set(e, ERR_REFUSED, "layer %s is too large for a device "
				       "with batches of %zu", l->name, f->recipe.batch);
	}
	if (f->data->n >= UINT32_MAX || f->slab >= UINT32_MAX || f->n_members > 65535)
		return err_set(e, ERR_REFUSED, "too many examples, weights or members for a "
			       "device");
	return 0;
}

static unsigned n_states(enum rule r)
{
	return r == RULE_SGD ? 0 : r == RULE_ADAM || r == RULE_ADAMW ? 2 : 1;
}

static void make_room(struct fused *f)
{
	size_t n = f->n_members, batch = f->recipe.batch, rows = n * f->net->n_heads * batch;

	f->w = floats(f, f->slab);
	f->g = floats(f, f->slab);
	for (unsigned i = 0; i < FUSED_STATES; i++)
		if (i < n_states(f->recipe.rule))
			f->states[i] = floats(f, f->slab);
	f->clock = room(f, sizeof *f->clock);
	f->coefs = room(f, FUSED_STEPS_MAX * n * sizeof *f->coefs);
	f->losses = room(f, FUSED_STEPS_MAX * rows * sizeof *f->losses);
	f->means = room(f, FUSED_STEPS_MAX * n * sizeof *f->means);
	f->labels = room(f, rows * sizeof *f->labels);
	f->chosen = room(f, n * batch * sizeof *f->chosen);
	if (f->data->targets)
		f->targets = floats(f, batch * f->data->n_targets);
	make_layers(f);
	send_members(f);
	send_kinds(f);
	send_data(f);
}

int fused_new(struct device *d, const struct net *net, const struct dataset *data,
	      const struct recipe *r, const struct member *v, size_t n, struct fused **out,
	      struct err *e)
{
	struct fused *f = mem_alloc(sizeof *f);

	*f = (struct fused){ .d = d, .net = net, .data = data, .recipe = *r, .members = v,
			     .n_members = n };
	f->slab = (net->n_weights + LINE - 1) / LINE * LINE;
	f->has_gradient = mem_alloc(net->n_layers * sizeof *f->has_gradient);
	f->told = mem_alloc(FUSED_STEPS_MAX * n * sizeof *f->told);
	if (check_sizes(f, e) < 0) {
		fused_free(f);
		return -1;
	}
	make_room(f);
	if (f->has_no_room) {
		err_set(e, ERR_REFUSED, "%s has less than the %zu MiB that %zu members want "
			"at once: fewer --members, or a smaller --batch", d->name,
			f->n_bytes >> 20, n);
		fused_free(f);
		return -1;
	}
	*out = f;
	return 0;
}

void fused_free(struct fused *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_memory; i++)
		f->d->ops->free(f->d, f->memory[i]);
	free(f->memory);
	free(f->layers);
	free(f->has_gradient);
	free(f->told);
	free(f);
}

/* Between a trainer's slab and the device's. */
static void each_slab(struct fused *f, struct trainer *t, bool gives)
{
	size_t n = f->net->n_weights * sizeof(float);

	for (size_t i = 0; i < f->n_members; i++)
		for (int k = -1; k < FUSED_STATES; k++) {
			float *here = k < 0 ? trainer_weights(t, i) : trainer_state(t, i, k);
			const struct by_member *all = k < 0 ? &f->w : &f->states[k];

			if (!here || !all->at)
				continue;
			if (gives)
				f->d->ops->get(f->d, here, all->at + i * all->step, n);
			else
				f->d->ops->put(f->d, all->at + i * all->step, here, n);
		}
}

void fused_take(struct fused *f, struct trainer *t)
{
	f->step = trainer_at(t);
	each_slab(f, t, false);
}

int fused_give(struct fused *f, struct trainer *t, struct err *e)
{
	each_slab(f, t, true);
	trainer_set_at(t, f->step);
	return f->d->ops->wait(f->d, e);
}

static void take_batch(struct fused *f)
{
	const struct dataset *d = f->data;
	uint32_t batch = (uint32_t)f->recipe.batch;
	struct shape s = f->net->layers[0].out;

	FUSED_TASK(f, examples, batch, .clock = f->clock, .seeds = f->seeds, .n = d->n,
		   .batch = batch, .is_bagged = f->recipe.is_bagged, .labels = f->all_labels,
		   .heads = (uint32_t)f->net->n_heads, .chosen = f->chosen,
		   .labels_out = f->labels);
	FUSED_TASK(f, rows, batch * d->size, .clock = f->clock, .seeds = f->seeds,
		   .bytes = f->bytes, .floats = f->floats, .mean = f->mean,
		   .factor = f->factor, .chosen = f->chosen, .batch = batch,
		   .size = (uint32_t)d->size, .stride = (uint32_t)d->size,
		   .crop = f->recipe.augment.crop, .flips = f->recipe.augment.flips,
		   .h = s.h, .w = s.w, .c = s.c, .out = f->layers[0].y);
}

/* Losses of a head, whose targets are the columns of y from `from` on. */
static void losses(struct fused *f, size_t h, size_t from)
{
	size_t cols = net_head_size(f->net, h), layer = f->net->heads[h].layer;
	uint32_t batch = (uint32_t)f->recipe.batch;
	struct by_member targets = f->targets;

	if (targets.at) {
		targets.at += from * batch;
		FUSED_TASK(f, rows, batch * cols, .floats = f->all_targets + from,
			   .chosen = f->chosen, .batch = batch, .size = (uint32_t)cols,
			   .stride = (uint32_t)f->data->n_targets, .out = targets);
	}
	FUSED_TASK(f, losses, batch, .clock = f->clock, .kind = f->recipe.losses[h],
		   .n_members = (uint32_t)f->n_members, .heads = (uint32_t)f->net->n_heads,
		   .head = (uint32_t)h, .rows = batch, .cols = (uint32_t)cols,
		   .x = f->layers[layer].y, .dx = f->layers[layer].dy, .targets = targets,
		   .labels = f->labels, .smoothing = f->smoothing, .losses = f->losses);
}

static void one_step(void *arg)
{
	struct fused *f = arg;

	take_batch(f);
	fused_forward(f);
	for (size_t h = 0, from = 0; h < f->net->n_heads; from += net_head_size(f->net, h), h++)
		losses(f, h, from);
	fused_backward(f);
	FUSED_TASK(f, step, f->slab, .clock = f->clock, .rule = f->recipe.rule,
		   .n_members = (uint32_t)f->n_members, .coefs = f->coefs, .kinds = f->kinds,
		   .kinds_step = f->kinds_step, .w = f->w, .m = f->states[0],
		   .v = f->states[1], .g = f->g);
	f->d->ops->task(f->d, TASK_tick, &(struct do_tick){ f->clock }, 1, 1);
}

static void send_coefs(struct fused *f, size_t n)
{
	struct coefs *all = mem_alloc(n * f->n_members * sizeof *all);

	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < f->n_members; i++)
			all[k * f->n_members + i] = coefs_at(&f->recipe, &f->members[i],
							     f->step + k);
	f->d->ops->put(f->d, f->coefs, all, n * f->n_members * sizeof *all);
	free(all);
}

int fused_run(struct fused *f, size_t n, struct err *e)
{
	struct device_clock clock = { .step = f->step };

	send_coefs(f, n);
	f->d->ops->put(f->d, f->clock, &clock, sizeof clock);
	f->d->ops->repeat(f->d, one_step, f, n, f->has_run);
	f->has_run = true;
	FUSED_TASK(f, mean_losses, n, .losses = f->losses,
		   .n_members = (uint32_t)f->n_members, .heads = (uint32_t)f->net->n_heads,
		   .rows = (uint32_t)f->recipe.batch, .out = f->means);
	f->d->ops->get(f->d, f->told, f->means, n * f->n_members * sizeof *f->told);
	f->step += n;
	return f->d->ops->wait(f->d, e);
}

double fused_loss(const struct fused *f, size_t k, size_t i)
{
	return f->told[k * f->n_members + i];
}
