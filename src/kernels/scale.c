/* scale.c - channels multiplied by weights, one set of them for each member
 *
 * With several sets members share all other weights and differ in these (Wen,
 * Tran, Ba: BatchEnsemble, ICLR'20): row i of a batch is the (i mod sets)-th's.
 */
#include <string.h>
#include "pass.h"

/* Where the set of a row begins, among weights or their slopes. */
static float *set_of(const struct at *a, float *sets, size_t row)
{
	size_t set = a->r->set ? a->r->set - 1 : row;

	return sets + set % a->l->n_sets * a->l->out.c;
}

static void scale_some(const struct at *a, size_t first, size_t n)
{
	size_t c = a->l->out.c, spots = (size_t)a->l->in.h * a->l->in.w;

	for (size_t i = first * spots; i < (first + n) * spots; i++) {
		const float *w = set_of(a, at_param(a, a->r->w, 0), i / spots);

		for (size_t j = 0; j < c; j++)
			a->y[i * c + j] = a->x[i * c + j] * w[j];
	}
	a->p->ops->activate(a->l->act, n * spots, c, a->y + first * spots * c, NULL,
			    a->y + first * spots * c);
}

void scale_forward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->out), scale_some);
}

/* Sums go over positions in rising order. */
static void add_slopes(const struct at *a)
{
	size_t c = a->l->out.c, spots = (size_t)a->l->in.h * a->l->in.w;
	float *dw = at_param(a, a->g, 0);

	memset(dw, 0, a->l->n_sets * c * sizeof *dw);
	for (size_t i = 0; i < a->r->rows * spots; i++) {
		float *to = set_of(a, dw, i / spots);

		for (size_t j = 0; j < c; j++)
			to[j] += a->dy[i * c + j] * a->x[i * c + j];
	}
}

void scale_backward(struct at *a)
{
	size_t c = a->l->out.c, spots = (size_t)a->l->in.h * a->l->in.w;
	size_t n = a->r->rows * spots;
	float *dx = gradient_begin(a, a->l->from);

	a->p->ops->activate_back(a->l->act, n * c, a->y, a->dy, a->dy);
	add_slopes(a);
	if (!dx)
		return;
	for (size_t i = 0; i < n; i++) {
		const float *w = set_of(a, at_param(a, a->r->w, 0), i / spots);

		for (size_t j = 0; j < c; j++)
			dx[i * c + j] = a->dy[i * c + j] * w[j];
	}
	gradient_end(a, a->l->from, dx);
}
