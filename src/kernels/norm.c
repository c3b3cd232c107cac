/* norm.c - batch normalisation (Ioffe, Szegedy: Batch Normalization, ICML'15)
 *
 * Sums over all positions of a batch go in pieces of a fixed number of rows,
 * whose sums are then added in order: the shape depends on the length alone.
 */
#include <math.h>
#include <string.h>
#include "pass.h"

enum { PIECE_ROWS = 256 };

static const float epsilon = 1e-5f, pace = 0.1f;

static size_t n_rows(const struct at *a)
{
	return a->r->rows * a->l->in.h * a->l->in.w;
}

/* out[j] = the sum over rows of x, or of x times other if that is not NULL. */
static void sum(const struct at *a, const float *x, const float *other, float *out)
{
	size_t c = a->l->out.c, rows = n_rows(a);
	float piece[NET_NORM_CHANNELS_MAX];

	memset(out, 0, c * sizeof *out);
	for (size_t at = 0; at < rows; at += PIECE_ROWS) {
		size_t end = at + PIECE_ROWS < rows ? at + PIECE_ROWS : rows;

		memset(piece, 0, c * sizeof *piece);
		for (size_t i = at; i < end; i++)
			for (size_t j = 0; j < c; j++)
				piece[j] += other ? x[i * c + j] * other[i * c + j] :
					    x[i * c + j];
		for (size_t j = 0; j < c; j++)
			out[j] += piece[j];
	}
}

static void scale(const struct at *a, const float *mean, const float *factor)
{
	const float *w = at_param(a, a->r->w, 0), *b = at_param(a, a->r->w, 1);
	size_t c = a->l->out.c;

	for (size_t i = 0; i < n_rows(a); i++)
		for (size_t j = 0; j < c; j++)
			a->y[i * c + j] = (a->x[i * c + j] - mean[j]) * factor[j] * w[j] +
					  b[j];
}

/* May the batch change the j-th number of what is kept? */
static bool is_owned(const struct at *a, size_t param, size_t j)
{
	const unsigned char *owned = a->r->owned;

	return !owned || owned[a->p->net->params[a->l->first_param + param].at + j];
}

/* What evaluation uses: a mean of the batches' means that forgets slowly. */
static void keep(const struct at *a, const float *mean, const float *var)
{
	float *kept_mean = at_param(a, a->r->w, 2), *kept_var = at_param(a, a->r->w, 3);
	float n = (float)n_rows(a), more = n > 1 ? n / (n - 1) : 1;

	for (size_t j = 0; j < a->l->out.c; j++) {
		if (is_owned(a, 2, j))
			kept_mean[j] += pace * (mean[j] - kept_mean[j]);
		if (is_owned(a, 3, j))
			kept_var[j] += pace * (var[j] * more - kept_var[j]);
	}
}

void norm_forward(struct at *a)
{
	size_t c = a->l->out.c;
	float *mean = a->p->stats[a->layer], *factor = mean + c;
	const float *from_var = at_param(a, a->r->w, 3);
	float var[NET_NORM_CHANNELS_MAX];

	if (a->r->trains) {
		sum(a, a->x, NULL, mean);
		for (size_t j = 0; j < c; j++)
			mean[j] /= (float)n_rows(a);
		for (size_t i = 0; i < n_rows(a); i++)
			for (size_t j = 0; j < c; j++)
				a->y[i * c + j] = a->x[i * c + j] - mean[j];
		sum(a, a->y, a->y, var);
		for (size_t j = 0; j < c; j++)
			var[j] /= (float)n_rows(a);
		keep(a, mean, var);
		from_var = var;
	} else {
		memcpy(mean, at_param(a, a->r->w, 2), c * sizeof *mean);
	}
	for (size_t j = 0; j < c; j++)
		factor[j] = 1.0f / sqrtf(from_var[j] + epsilon);
	scale(a, mean, factor);
	a->p->ops->activate(a->l->act, n_rows(a), c, a->y, NULL, a->y);
}

/* With h = (x - mean) factor: dx = factor w (dy - mean(dy) - h mean(dy h)), or, by
 * statistics that are kept, factor w dy. */
void norm_backward(struct at *a)
{
	size_t c = a->l->out.c, rows = n_rows(a);
	const float *mean = a->p->stats[a->layer], *factor = mean + c;
	const float *w = at_param(a, a->r->w, 0);
	float *dw = at_param(a, a->g, 0), *db = at_param(a, a->g, 1);
	float *dx = gradient_begin(a, a->l->from);
	float even[NET_NORM_CHANNELS_MAX], mean_slope[NET_NORM_CHANNELS_MAX];

	a->p->ops->activate_back(a->l->act, rows * c, a->y, a->dy, a->dy);
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < c; j++)
			a->y[i * c + j] = (a->x[i * c + j] - mean[j]) * factor[j];
	sum(a, a->dy, NULL, db);
	sum(a, a->dy, a->y, dw);
	if (!dx)
		return;
	for (size_t j = 0; j < c; j++) {
		even[j] = a->r->trains ? db[j] / (float)rows : 0.0f;
		mean_slope[j] = a->r->trains ? dw[j] / (float)rows : 0.0f;
	}
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < c; j++)
			dx[i * c + j] = factor[j] * w[j] *
					(a->dy[i * c + j] - even[j] -
					 a->y[i * c + j] * mean_slope[j]);
	gradient_end(a, a->l->from, dx);
}
