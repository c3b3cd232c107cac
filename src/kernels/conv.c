/* conv.c - convolution as a product with the windows laid out as rows
 *
 * The windows of a few images at a time are copied, so that they stay in the
 * cache; the gradient of the weights goes on over these pieces in rising order,
 * so that each is one chain over all positions of the batch.
 */
#include <string.h>
#include "pass.h"

enum { COLUMNS_MAX = 1 << 18 };

static size_t window_floats(const struct layer *l)
{
	return (size_t)l->kernel_h * l->kernel_w * l->in.c;
}

static size_t positions(const struct layer *l)
{
	return (size_t)l->out.h * l->out.w;
}

/* How many images are laid out at a time. */
static size_t images(const struct layer *l, size_t rows)
{
	size_t n = COLUMNS_MAX / (positions(l) * window_floats(l)) + 1;

	return n < rows ? n : rows;
}

size_t conv_columns(const struct layer *l, size_t rows)
{
	return images(l, rows) * positions(l) * window_floats(l);
}

struct piece {
	const struct at *a;
	size_t first;           /* image of the batch */
	float *columns;
	float *dx;
};

/* A call for a few numbers costs more than they do, and compilers make calls of
 * loops that copy. */
#if defined(__clang__)
#define FEW
#else
#define FEW __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

/* One row of a window: kernel_w pixels, with zeros beyond the image's sides. */
FEW static void copy_row(const struct layer *l, const float *row, int64_t x, float *to)
{
	size_t c = l->in.c, n = l->kernel_w * c;

	if (row && x >= 0 && x + l->kernel_w <= l->in.w) {
		row += (size_t)x * c;
		for (size_t i = 0; i < n; i++)
			to[i] = row[i];
		return;
	}
	for (int64_t k = x; k < x + l->kernel_w; k++, to += c) {
		const float *from = row && k >= 0 && k < l->in.w ? row + (size_t)k * c : NULL;

		for (size_t j = 0; j < c; j++)
			to[j] = from ? from[j] : 0.0f;
	}
}

/* A window at the image's edge, or one behind which nothing may be touched. */
static void lay_exactly(const struct layer *l, const float *x, int64_t y0, int64_t x0,
			float *to)
{
	for (int64_t y = y0; y < y0 + l->kernel_h; y++) {
		bool is_in = y >= 0 && y < l->in.h;

		copy_row(l, is_in ? x + (size_t)y * l->in.w * l->in.c : NULL, x0, to);
		to += l->kernel_w * l->in.c;
	}
}

enum { COPIED = 8 };

/* A window inside, its rows in pieces of COPIED floats: what that is too much is
 * overwritten by what comes next. */
static void lay_inside(const float *from, size_t rows, size_t row, size_t step, float *to)
{
	for (; rows; rows--, from += step, to += row)
		for (size_t i = 0; i < row; i += COPIED)
			memcpy(to + i, from + i, COPIED * sizeof *to);
}

static void lay_out(void *arg, size_t i, unsigned thread)
{
	const struct piece *s = arg;
	const struct layer *l = s->a->l;
	const float *x = s->a->x + (s->first + i) * shape_size(l->in);
	size_t size = window_floats(l), row = l->kernel_w * l->in.c, step = l->in.w * l->in.c;
	float *to = s->columns + i * positions(l) * size;
	size_t last = l->kernel_h * step - step + row + COPIED;

	(void)thread;
	for (size_t at = 0; at < positions(l); at++, to += size) {
		int64_t y0 = (int64_t)(at / l->out.w) * l->stride - l->pad;
		int64_t x0 = (int64_t)(at % l->out.w) * l->stride - l->pad;
		size_t first = (size_t)y0 * step + (size_t)x0 * l->in.c;

		if (y0 < 0 || x0 < 0 || x0 + l->kernel_w > l->in.w ||
		    y0 + l->kernel_h > l->in.h || first + last > shape_size(l->in) ||
		    at + 1 == positions(l))
			lay_exactly(l, x, y0, x0, to);
		else
			lay_inside(x + first, l->kernel_h, row, step, to);
	}
}

void conv_forward(struct at *a)
{
	const struct layer *l = a->l;
	size_t step = images(l, a->r->rows), spots = positions(l);
	struct gemm g = {
		.n = l->out.c, .k = window_floats(l), .a = a->p->columns,
		.lda = window_floats(l), .b = at_param(a, a->r->w, 0), .ldb = l->out.c,
		.ldc = l->out.c,
	};

	for (size_t at = 0; at < a->r->rows; at += step) {
		struct piece s = { a, at, a->p->columns, NULL };
		size_t n = a->r->rows - at < step ? a->r->rows - at : step;

		team_for(a->r->team, n, lay_out, &s);
		g.m = n * spots;
		g.c = a->y + at * spots * l->out.c;
		gemm_run(&g, a->r->team);
	}
	each_rows(a, a->r->rows * spots, l->out.c, add_bias);
}

/* Windows overlap: a pixel's gradient is the sum over those that hold it, in
 * rising order of their positions. */
static void gather(void *arg, size_t i, unsigned thread)
{
	const struct piece *s = arg;
	const struct layer *l = s->a->l;
	float *dx = s->dx + (s->first + i) * shape_size(l->in);
	const float *from = s->columns + i * positions(l) * window_floats(l);
	size_t c = l->in.c;

	(void)thread;
	memset(dx, 0, shape_size(l->in) * sizeof *dx);
	for (int64_t at = 0; at < (int64_t)positions(l); at++)
		for (int64_t k = 0; k < (int64_t)l->kernel_h * l->kernel_w; k++, from += c) {
			int64_t y = at / l->out.w * l->stride + k / l->kernel_w - l->pad;
			int64_t x = at % l->out.w * l->stride + k % l->kernel_w - l->pad;
			float *to = dx + ((size_t)y * l->in.w + (size_t)x) * c;

			if (y < 0 || y >= l->in.h || x < 0 || x >= l->in.w)
				continue;
			for (size_t j = 0; j < c; j++)
				to[j] += from[j];
		}
}

void conv_backward(struct at *a)
{
	const struct layer *l = a->l;
	size_t step = images(l, a->r->rows), spots = positions(l), size = window_floats(l);
	float *dx = gradient_begin(a, l->from), *back = a->p->columns + a->p->n_columns;

	each_rows(a, a->r->rows, shape_size(l->out), act_back);
	a->p->ops->sum_rows(a->r->rows * spots, l->out.c, a->dy, false,
			    at_param(a, a->g, 1));
	for (size_t at = 0; at < a->r->rows; at += step) {
		struct piece s = { a, at, a->p->columns, dx };
		size_t n = a->r->rows - at < step ? a->r->rows - at : step;
		const float *dy = a->dy + at * spots * l->out.c;
		struct gemm g = {
			.m = size, .n = l->out.c, .k = n * spots, .a = s.columns,
			.lda = size, .a_is_transposed = true, .b = dy, .ldb = l->out.c,
			.c = at_param(a, a->g, 0), .ldc = l->out.c, .adds = at > 0,
		};

		team_for(a->r->team, n, lay_out, &s);
		gemm_run(&g, a->r->team);
		if (!dx)
			continue;
		g = (struct gemm){
			.m = n * spots, .n = size, .k = l->out.c, .a = dy,
			.lda = l->out.c, .b = at_param(a, a->r->w, 0), .ldb = l->out.c,
			.b_is_transposed = true, .c = back, .ldc = size,
		};
		gemm_run(&g, a->r->team);
		s.columns = back;
		team_for(a->r->team, n, gather, &s);
	}
	if (dx)
		gradient_end(a, l->from, dx);
}
