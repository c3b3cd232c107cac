/* data.c - examples from a file, and what a network makes of them */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "train.h"

static int read_inputs(const struct tensors *t, struct dataset *d, struct err *e)
{
	const struct tensor *x = tensors_find(t, "x");

	if (!x || (x->type != DT_F32 && x->type != DT_U8) || x->n_dims < 2)
		return err_set(e, ERR_BAD, "%s: it holds no tensor x of examples (F32 or U8, "
			       "n x features); gg-ml prep makes such files", t->path);
	d->n = x->dims[0];
	if (!x->n)
		return err_set(e, ERR_BAD, "%s: x has no examples", t->path);
	d->size = x->n / d->n;
	if (x->type == DT_U8)
		d->bytes = x->data;
	else
		d->floats = x->data;
	for (size_t i = 0; d->floats && i < x->n; i++)
		if (!isfinite(d->floats[i]))
			return err_set(e, ERR_BAD, "%s: x: example %zu, feature %zu is no "
				       "finite number", t->path, i / d->size, i % d->size);
	return 0;
}

static int read_outputs(const struct tensors *t, struct dataset *d, struct err *e)
{
	const struct tensor *y = tensors_find(t, "y");

	if (!y)
		return 0;
	if ((y->type != DT_I32 && y->type != DT_F32) || y->n_dims < 1 || !y->n ||
	    y->dims[0] != d->n)
		return err_set(e, ERR_BAD, "%s: y is not %zu labels (I32) or "
			       "targets (F32)", t->path, d->n);
	d->n_targets = y->n / d->n;
	if (y->type == DT_F32) {
		d->targets = y->data;
		for (size_t i = 0; i < y->n; i++)
			if (!isfinite(d->targets[i]))
				return err_set(e, ERR_BAD, "%s: y: target %zu is no finite "
					       "number", t->path, i);
		return 0;
	}
	d->labels = y->data;
	for (size_t i = 0; i < y->n; i++) {
		if (d->labels[i] < 0 || d->labels[i] >= 1 << 24)
			return err_set(e, ERR_BAD, "%s: y: label %zu is %d: classes count "
				       "from 0", t->path, i, (int)d->labels[i]);
		if (d->labels[i] >= d->n_classes)
			d->n_classes = d->labels[i] + 1;
	}
	return 0;
}

/* One number for all features will do. */
static int read_scale(const struct tensors *t, const char *name, size_t size, float fill,
		      float **out, struct err *e)
{
	const struct tensor *v = tensors_find(t, name);

	*out = mem_alloc(size * sizeof **out);
	for (size_t i = 0; i < size; i++)
		(*out)[i] = fill;
	if (!v)
		return 0;
	if (v->type != DT_F32 || (v->n != size && v->n != 1))
		return err_set(e, ERR_BAD, "%s: %s wants %zu F32 numbers, or one", t->path,
			       name, size);
	for (size_t i = 0; i < size; i++)
		(*out)[i] = ((const float *)v->data)[v->n == 1 ? 0 : i];
	return 0;
}

int dataset_of(const struct tensors *t, struct dataset *out, struct err *e)
{
	*out = (struct dataset){ 0 };
	if (read_inputs(t, out, e) < 0 || read_outputs(t, out, e) < 0)
		return -1;
	if (!out->bytes && !tensors_find(t, "x.mean") && !tensors_find(t, "x.factor"))
		return 0;
	if (read_scale(t, "x.mean", out->size, 0.0f, &out->mean, e) < 0 ||
	    read_scale(t, "x.factor", out->size, out->bytes ? 1.0f / 255 : 1.0f,
		       &out->factor, e) < 0) {
		dataset_release(out);
		return -1;
	}
	return 0;
}

void dataset_release(struct dataset *d)
{
	free(d->mean);
	free(d->factor);
	*d = (struct dataset){ 0 };
}

void dataset_row(const struct dataset *d, const struct ops *o, size_t i, float *x)
{
	const float *from = d->floats ? d->floats + i * d->size : NULL;

	if (d->bytes) {
		o->normalise_bytes(1, d->size, d->bytes + i * d->size, d->mean, d->factor, x);
		return;
	}
	memcpy(x, from, d->size * sizeof *x);
	for (size_t k = 0; d->mean && k < d->size; k++)
		x[k] = (x[k] - d->mean[k]) * d->factor[k];
}

enum { PREDICT_ROWS = 256 };

void predict(const struct prediction *q, struct team *team, float *out)
{
	const struct dataset *d = q->data;
	size_t layer = q->layer ? q->layer : q->net->heads[q->head].layer;
	size_t size = shape_size(q->net->layers[layer].out);
	struct pass *p = pass_new(q->net, PREDICT_ROWS, false);
	float *x = mem_alloc(PREDICT_ROWS * d->size * sizeof *x);
	const struct ops *o = ops_for(team_isa(team));

	for (size_t at = 0; at < q->n; at += PREDICT_ROWS) {
		struct run_of r = {
			.net = q->net, .team = team, .w = (float *)q->w, .x = x,
			.set = q->set,
			.rows = q->n - at < PREDICT_ROWS ? q->n - at : PREDICT_ROWS,
		};

		for (size_t i = 0; i < r.rows; i++)
			dataset_row(d, o, q->first + at + i, x + i * d->size);
		pass_forward(p, &r);
		memcpy(out + at * size, pass_output(p, layer), r.rows * size * sizeof *out);
	}
	free(x);
	pass_free(p);
}
