/* pool.c - the largest or the mean of a window, or of a whole image */
#include <string.h>
#include "pass.h"

/* Call fn for each window: its output's index, and its top left pixel. */
static void windows(const struct at *a, size_t first, size_t n,
		    void (*fn)(const struct at *a, size_t out, size_t corner))
{
	const struct layer *l = a->l;

	for (size_t i = first; i < first + n; i++)
		for (size_t y = 0; y < l->out.h; y++)
			for (size_t x = 0; x < l->out.w; x++)
				fn(a, ((i * l->out.h + y) * l->out.w + x) * l->out.c,
				   i * shape_size(l->in) +
				   (y * l->stride * l->in.w + x * l->stride) * l->in.c);
}

/* The k-th pixel of a window. */
static size_t pixel(const struct layer *l, size_t corner, size_t k)
{
	return corner + (k / l->kernel_w * l->in.w + k % l->kernel_w) * l->in.c;
}

static struct windows row_of(const struct layer *l)
{
	return (struct windows){ l->out.w, l->kernel_h, l->in.c, l->stride * l->in.c,
				 (size_t)l->in.w * l->in.c };
}

static void pool_some(const struct at *a, size_t first, size_t n)
{
	const struct layer *l = a->l;
	struct windows v = row_of(l);

	for (size_t i = first * l->out.h; i < (first + n) * l->out.h; i++) {
		size_t to = i * l->out.w * l->out.c;

		a->p->ops->pool(&v, a->x + i / l->out.h * shape_size(l->in) +
				    i % l->out.h * l->stride * v.row,
				a->y + to, a->p->places[a->layer] + to);
	}
}

static void finish(struct at *a)
{
	size_t n = a->r->rows * shape_size(a->l->out);

	if (a->l->act)
		a->p->ops->activate(a->l->act, 1, n, a->y, NULL, a->y);
}

void pool_forward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->in), pool_some);
	finish(a);
}

/* Going back, x of the copy of `a` that is handed on is the gradient's place. */
static void unpool_some(const struct at *a, size_t first, size_t n)
{
	const struct layer *l = a->l;
	struct windows v = row_of(l);
	float *dx = (float *)a->x;

	memset(dx + first * shape_size(l->in), 0, n * shape_size(l->in) * sizeof *dx);
	for (size_t i = first * l->out.h; i < (first + n) * l->out.h; i++) {
		size_t from = i * l->out.w * l->out.c;

		a->p->ops->unpool(&v, a->dy + from, a->p->places[a->layer] + from,
				  dx + i / l->out.h * shape_size(l->in) +
				  i % l->out.h * l->stride * v.row);
	}
}

static void back(struct at *a, void (*fn)(const struct at *a, size_t first, size_t n))
{
	float *dx = gradient_begin(a, a->l->from);
	struct at b = *a;

	if (a->l->act)
		a->p->ops->activate_back(a->l->act,
					 a->r->rows * shape_size(a->l->out), a->y,
					 a->dy, a->dy);
	if (!dx)
		return;
	b.x = dx;
	each_rows(&b, a->r->rows, shape_size(a->l->in), fn);
	gradient_end(a, a->l->from, dx);
}

void pool_backward(struct at *a)
{
	back(a, unpool_some);
}

static void mean(const struct at *a, size_t out, size_t corner)
{
	size_t n = (size_t)a->l->kernel_h * a->l->kernel_w, c = a->l->out.c;
	float *y = a->y + out;

	memset(y, 0, c * sizeof *y);
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < c; j++)
			y[j] += a->x[pixel(a->l, corner, k) + j];
	for (size_t j = 0; j < c; j++)
		y[j] /= (float)n;
}

static void avgpool_some(const struct at *a, size_t first, size_t n)
{
	windows(a, first, n, mean);
}

void avgpool_forward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->in), avgpool_some);
	finish(a);
}

static void to_all(const struct at *a, size_t out, size_t corner)
{
	size_t n = (size_t)a->l->kernel_h * a->l->kernel_w;
	float *dx = (float *)a->x;

	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < a->l->out.c; j++)
			dx[pixel(a->l, corner, k) + j] += a->dy[out + j] / (float)n;
}

static void unavg_some(const struct at *a, size_t first, size_t n)
{
	size_t size = shape_size(a->l->in);

	memset((float *)a->x + first * size, 0, n * size * sizeof *a->x);
	windows(a, first, n, to_all);
}

void avgpool_backward(struct at *a)
{
	back(a, unavg_some);
}

static void global_some(const struct at *a, size_t first, size_t n)
{
	size_t c = a->l->out.c, spots = (size_t)a->l->in.h * a->l->in.w;

	for (size_t i = first; i < first + n; i++) {
		float *y = a->y + i * c;

		a->p->ops->sum_rows(spots, c, a->x + i * spots * c, false, y);
		for (size_t j = 0; j < c; j++)
			y[j] /= (float)spots;
	}
}

void global_forward(struct at *a)
{
	each_rows(a, a->r->rows, shape_size(a->l->in), global_some);
	finish(a);
}

static void unglobal_some(const struct at *a, size_t first, size_t n)
{
	size_t c = a->l->out.c, spots = (size_t)a->l->in.h * a->l->in.w;
	float *dx = (float *)a->x;

	for (size_t i = first * spots; i < (first + n) * spots; i++)
		for (size_t j = 0; j < c; j++)
			dx[i * c + j] = a->dy[i / spots * c + j] / (float)spots;
}

void global_backward(struct at *a)
{
	back(a, unglobal_some);
}
