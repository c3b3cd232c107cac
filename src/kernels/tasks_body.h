/* tasks_body.h - what each task of tasks.h does at one place
 *
 * Included by device_host.c and device_cuda.cu.  Every result is owned by one
 * place and sums run in the order of the processor's own layers (pass.c, pool.c,
 * norm.c, train.c), so that all give the same bits.
 */
#include "device_code.h"
#include "ops_one.h"
#include "random_one.h"
#include "tasks.h"

NUMBER float *of(const struct by_member *a, uint32_t member)
{
	return a->at + member * a->step;
}

/* ---- examples and weights */

TASK(examples)
{
	uint64_t position = a->clock->step * a->batch + i, at;
	struct source s;
	struct order o;

	s.seed = a->seeds[member];
	s.stream = STREAM_ORDER;
	s.step = position / a->n;
	o = order_one(&s, a->n);
	at = order_place(&o, position % a->n);
	if (a->is_bagged) {
		s.stream = STREAM_BAG;
		s.step = 0;
		at = (uint64_t)block_one(&s, (uint32_t)at).v[0] * a->n >> 32;
	}
	a->chosen[(size_t)member * a->batch + i] = (uint32_t)at;
	for (uint32_t h = 0; a->labels && h < a->heads; h++)
		a->labels_out[((size_t)member * a->heads + h) * a->batch + i] =
			a->labels[at * a->heads + h];
}

/* A number below n. */
NUMBER uint32_t dice_below(uint32_t dice, uint32_t n)
{
	return (uint32_t)((uint64_t)dice * n >> 32);
}

/* Which number of an image comes to place k; beyond its size: none. */
NUMBER uint32_t augmented(const struct do_rows *a, uint32_t member, uint32_t row, uint32_t k)
{
	uint32_t y = k / a->c / a->w, x = k / a->c % a->w;
	struct source s;
	struct block dice;

	s.seed = a->seeds[member];
	s.stream = STREAM_AUGMENT;
	s.step = a->clock->step * a->batch + row;
	dice = block_one(&s, 0);
	if (a->flips && dice.v[2] >> 31)
		x = a->w - 1 - x;
	/* Below 0 is far above the sides. */
	y += dice_below(dice.v[0], 2 * a->crop + 1) - a->crop;
	x += dice_below(dice.v[1], 2 * a->crop + 1) - a->crop;
	return y < a->h && x < a->w ? (y * a->w + x) * a->c + k % a->c : a->size;
}

TASK(rows)
{
	uint32_t row = i / a->size, k = i % a->size;
	float *out = of(&a->out, member) + i, x;
	size_t from;

	if (a->crop || a->flips)
		k = augmented(a, member, row, k);
	if (k == a->size) {
		*out = 0.0f;
		return;
	}
	from = (size_t)a->chosen[(size_t)member * a->batch + row] * a->stride + k;
	x = a->bytes ? (float)a->bytes[from] : a->floats[from];
	*out = a->mean ? (x - a->mean[k]) * a->factor[k] : x;
}

TASK(losses)
{
	size_t row = ((size_t)member * a->heads + a->head) * a->rows + i;
	const float *x = of(&a->x, member) + (size_t)i * a->cols;
	float *dx = of(&a->dx, member) + (size_t)i * a->cols;
	struct loss_job j;
	float cost;

	j.kind = a->kind;
	j.cols = a->cols;
	j.rows_in_batch = a->rows;
	j.smoothing = a->smoothing[member];
	if (a->kind == LOSS_MSE)
		cost = mse_row(&j, of(&a->targets, member) + (size_t)i * a->cols, x, dx);
	else if (a->kind == LOSS_SOFTMAX)
		cost = softmax_row(&j, a->labels[row], x, dx);
	else
		cost = margin_row(&j, a->labels[row], x, dx);
	a->losses[a->clock->turn * a->n_members * a->heads * a->rows + row] = cost;
}

/* tree_sum without calls of itself: the path from the root to a leaf, on which
 * each place knows the sum of its left half once that is done. */
NUMBER double tree_sum_one(const float *x, size_t n)
{
	size_t wide[64];
	double left[64], sum;
	bool is_right[64];
	int d = 0;

	wide[0] = n;
	for (;;) {
		for (; wide[d] > 8; d++) {
			wide[d + 1] = wide[d] / 2;
			is_right[d + 1] = false;
		}
		sum = 0;
		for (size_t k = 0; k < wide[d]; k++)
			sum += (double)*x++;
		for (; d > 0 && is_right[d]; d--)
			sum = left[d] + sum;
		if (d == 0)
			return sum;
		left[d] = sum;
		wide[d] = wide[d - 1] - wide[d];
		is_right[d] = true;
	}
}

TASK(mean_losses)
{
	size_t at = (size_t)i * a->n_members + member;
	double sum = 0;

	for (uint32_t h = 0; h < a->heads; h++)
		sum += tree_sum_one(a->losses + (at * a->heads + h) * a->rows, a->rows) /
		       (double)a->rows;
	a->out[at] = sum;
}

TASK(step)
{
	struct coefs c = a->coefs[a->clock->turn * a->n_members + member];
	float *w = of(&a->w, member) + i, g = of(&a->g, member)[i];
	float *m = a->m.at ? of(&a->m, member) + i : NULL;
	float *v = a->v.at ? of(&a->v, member) + i : NULL;
	unsigned char kind = a->kinds[member * a->kinds_step + i];

	if (kind < WEIGHT_PLAIN)
		return;
	if (kind == WEIGHT_PLAIN)
		c.decay = c.l1 = 0.0f;
	switch (a->rule) {
	case RULE_SGD:
		sgd_one(&c, g, w);
		break;
	case RULE_MOMENTUM:
		momentum_one(&c, g, w, m);
		break;
	case RULE_NESTEROV:
		nesterov_one(&c, g, w, m);
		break;
	case RULE_ADAM:
		adam_one(&c, 1.0f, g, w, m, v);
		break;
	case RULE_ADAMW: {
		float keep = adamw_keep(&c);

		adam_one(&c, keep, g, w, m, v);
		break;
	}
	case RULE_COUNT:
		break;
	}
}

TASK(tick)
{
	if (member + i)
		return;
	a->clock->step++;
	a->clock->turn++;
}

/* ---- layers of few lines */

TASK(activate)
{
	float x = of(&a->x, member)[i];

	if (a->bias.at)
		x = x + of(&a->bias, member)[i % a->cols];
	of(&a->y, member)[i] = act_one(a->act, x);
}

TASK(activate_back)
{
	float *dy = of(&a->dy, member) + i;

	*dy = act_back_one(a->act, of(&a->y, member)[i], *dy);
}

TASK(add)
{
	of(&a->y, member)[i] = act_one(a->act, of(&a->x, member)[i] + of(&a->z, member)[i]);
}

TASK(drop)
{
	float keep = 1.0f - a->rate, factor = 1.0f / keep;
	const float *x = of(&a->x, member);
	float *y = of(&a->y, member);
	struct source s;
	struct block b;

	s.seed = a->seeds[member];
	s.stream = STREAM_DROPOUT;
	s.step = a->clock->step << 8 | a->layer;
	b = block_one(&s, i);
	for (uint32_t k = 0; k < 4 && 4 * i + k < a->n; k++)
		y[4 * i + k] = uniform_one(b.v[k]) < keep ? x[4 * i + k] * factor : 0.0f;
}

/* ---- convolution */

TASK(windows)
{
	uint32_t c = a->s.in_c, row = a->s.kernel_w * c, size = a->s.kernel_h * row;
	uint32_t at = i / size, k = i % size, spots = a->s.out_h * a->s.out_w;
	uint32_t image = at / spots, spot = at % spots;
	/* Below 0 is far above the sides. */
	uint32_t y = spot / a->s.out_w * a->s.stride + k / row - a->s.pad;
	uint32_t x = spot % a->s.out_w * a->s.stride + k % row / c - a->s.pad;
	size_t from = (((size_t)image * a->s.in_h + y) * a->s.in_w + x) * c + k % c;

	of(&a->columns, member)[i] = y < a->s.in_h && x < a->s.in_w ?
				     of(&a->x, member)[from] : 0.0f;
}

/* The first window that reaches a pixel, along one side. */
NUMBER uint32_t first_window(uint32_t pixel, uint32_t kernel, uint32_t stride)
{
	return pixel < kernel ? 0 : (pixel - kernel) / stride + 1;
}

NUMBER uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

TASK(unwindow)
{
	uint32_t c = i % a->s.in_c, pixel = i / a->s.in_c;
	uint32_t x = pixel % a->s.in_w + a->s.pad, rest = pixel / a->s.in_w;
	uint32_t y = rest % a->s.in_h + a->s.pad, image = rest / a->s.in_h;
	uint32_t end_y = least(y / a->s.stride + 1, a->s.out_h);
	uint32_t end_x = least(x / a->s.stride + 1, a->s.out_w);
	uint32_t size = a->s.kernel_h * a->s.kernel_w * a->s.in_c;
	const float *columns = of(&a->columns, member) +
			       (size_t)image * a->s.out_h * a->s.out_w * size;
	float sum = 0.0f;

	for (uint32_t wy = first_window(y, a->s.kernel_h, a->s.stride); wy < end_y; wy++)
		for (uint32_t wx = first_window(x, a->s.kernel_w, a->s.stride); wx < end_x;
		     wx++) {
			uint32_t k = (y - wy * a->s.stride) * a->s.kernel_w + x -
				     wx * a->s.stride;

			sum += columns[((size_t)wy * a->s.out_w + wx) * size +
				       k * a->s.in_c + c];
		}
	of(&a->dx, member)[i] = sum;
}

/* ---- pooling */

/* The top left number of an output's window. */
NUMBER size_t corner_of(const struct sides *s, uint32_t i)
{
	uint32_t c = i % s->out_c, rest = i / s->out_c;
	uint32_t x = rest % s->out_w, y = rest / s->out_w % s->out_h;
	uint32_t image = rest / s->out_w / s->out_h;

	return (((size_t)image * s->in_h + y * s->stride) * s->in_w + x * s->stride) *
	       s->in_c + c;
}

NUMBER size_t pixel_of(const struct sides *s, size_t corner, uint32_t k)
{
	return corner + (size_t)(k / s->kernel_w * s->in_w + k % s->kernel_w) * s->in_c;
}

TASK(pool)
{
	size_t corner = corner_of(&a->s, i);
	const float *x = of(&a->x, member);
	float most = x[corner];
	uint32_t place = 0;

	for (uint32_t k = 1; k < a->s.kernel_h * a->s.kernel_w; k++) {
		float here = x[pixel_of(&a->s, corner, k)];

		place = here > most ? k : place;
		most = here > most ? here : most;
	}
	a->place[member * a->place_step + i] = place;
	of(&a->y, member)[i] = act_one(a->act, most);
}

/* The sum over the windows that hold an input, in rising order: of those whose
 * largest it is, or, with no places, of all, a share each. */
NUMBER float unpooled(const struct sides *s, const float *dy, const uint32_t *place,
		      uint32_t i)
{
	uint32_t c = i % s->in_c, pixel = i / s->in_c, n = s->kernel_h * s->kernel_w;
	uint32_t x = pixel % s->in_w, y = pixel / s->in_w % s->in_h;
	uint32_t image = pixel / s->in_w / s->in_h;
	uint32_t end_y = least(y / s->stride + 1, s->out_h);
	uint32_t end_x = least(x / s->stride + 1, s->out_w);
	float sum = 0.0f;

	for (uint32_t wy = first_window(y, s->kernel_h, s->stride); wy < end_y; wy++)
		for (uint32_t wx = first_window(x, s->kernel_w, s->stride); wx < end_x; wx++) {
			size_t at = (((size_t)image * s->out_h + wy) * s->out_w + wx) *
				    s->out_c + c;
			uint32_t k = (y - wy * s->stride) * s->kernel_w + x - wx * s->stride;

			if (!place)
				sum += dy[at] / (float)n;
			else if (place[at] == k)
				sum += dy[at];
		}
	return sum;
}

TASK(unpool)
{
	of(&a->dx, member)[i] = unpooled(&a->s, of(&a->dy, member),
					 a->place + member * a->place_step, i);
}

TASK(avgpool)
{
	size_t corner = corner_of(&a->s, i);
	uint32_t n = a->s.kernel_h * a->s.kernel_w;
	float sum = 0.0f;

	for (uint32_t k = 0; k < n; k++)
		sum += of(&a->x, member)[pixel_of(&a->s, corner, k)];
	of(&a->y, member)[i] = act_one(a->act, sum / (float)n);
}

TASK(unavgpool)
{
	of(&a->dx, member)[i] = unpooled(&a->s, of(&a->dy, member), NULL, i);
}

TASK(global)
{
	const float *x = of(&a->x, member) + (size_t)(i / a->cols) * a->spots * a->cols +
			 i % a->cols;
	float sum = 0.0f;

	for (uint32_t k = 0; k < a->spots; k++)
		sum += x[(size_t)k * a->cols];
	of(&a->y, member)[i] = act_one(a->act, sum / (float)a->spots);
}

TASK(unglobal)
{
	uint32_t row = i / a->cols / a->spots;

	of(&a->dx, member)[i] = of(&a->dy, member)[row * a->cols + i % a->cols] /
				(float)a->spots;
}

/* ---- batch normalisation */

TASK(norm_pieces)
{
	uint32_t j = i % a->cols, first = i / a->cols * NORM_PIECE_ROWS;
	uint32_t end = least(first + NORM_PIECE_ROWS, a->rows);
	const float *x = of(&a->x, member), *z = a->other.at ? of(&a->other, member) : NULL;
	float sum = 0.0f;

	for (uint32_t row = first; row < end; row++) {
		size_t at = (size_t)row * a->cols + j;

		sum += z ? x[at] * z[at] : x[at];
	}
	of(&a->pieces, member)[i] = sum;
}

NUMBER float total(const struct by_member *pieces, uint32_t member, uint32_t rows,
		   uint32_t cols, uint32_t j)
{
	uint32_t n = (rows + NORM_PIECE_ROWS - 1) / NORM_PIECE_ROWS;
	float sum = 0.0f;

	for (uint32_t k = 0; k < n; k++)
		sum += of(pieces, member)[(size_t)k * cols + j];
	return sum;
}

TASK(norm_mean)
{
	of(&a->mean, member)[i] = total(&a->pieces, member, a->rows, a->cols, i) /
				  (float)a->rows;
}

TASK(norm_centre)
{
	of(&a->y, member)[i] = of(&a->x, member)[i] - of(&a->mean, member)[i % a->cols];
}

TASK(norm_factor)
{
	const float epsilon = 1e-5f, pace = 0.1f;
	float n = (float)a->rows, more = n > 1 ? n / (n - 1) : 1;
	float mean = of(&a->mean, member)[i];
	float var = total(&a->pieces, member, a->rows, a->cols, i) / n;
	float *kept_mean = of(&a->kept_mean, member) + i;
	float *kept_var = of(&a->kept_var, member) + i;

	if (a->mean_kinds[member * a->kinds_step + i] != WEIGHT_FROZEN)
		*kept_mean += pace * (mean - *kept_mean);
	if (a->var_kinds[member * a->kinds_step + i] != WEIGHT_FROZEN)
		*kept_var += pace * (var * more - *kept_var);
	of(&a->factor, member)[i] = 1.0f / sqrtf(var + epsilon);
}

TASK(norm_scale)
{
	uint32_t j = i % a->cols;
	float x = of(&a->x, member)[i] - of(&a->mean, member)[j];

	x = x * of(&a->factor, member)[j] * of(&a->w, member)[j] + of(&a->b, member)[j];
	of(&a->y, member)[i] = act_one(a->act, x);
}

TASK(norm_total)
{
	of(&a->out, member)[i] = total(&a->pieces, member, a->rows, a->cols, i);
}

TASK(norm_hat)
{
	uint32_t j = i % a->cols;

	of(&a->y, member)[i] = (of(&a->x, member)[i] - of(&a->mean, member)[j]) *
			       of(&a->factor, member)[j];
}

TASK(norm_back)
{
	uint32_t j = i % a->cols;
	float even = of(&a->db, member)[j] / (float)a->rows;
	float slope = of(&a->hat, member)[i] * (of(&a->dw, member)[j] / (float)a->rows);

	of(&a->dx, member)[i] = of(&a->factor, member)[j] * of(&a->w, member)[j] *
				(of(&a->dy, member)[i] - even - slope);
}

/* ---- scales */

TASK(scale)
{
	uint32_t set = i / a->cols / a->spots % a->sets;
	float w = of(&a->w, member)[set * a->cols + i % a->cols];

	of(&a->y, member)[i] = act_one(a->act, of(&a->x, member)[i] * w);
}

TASK(scale_slopes)
{
	uint32_t set = i / a->cols, j = i % a->cols;
	const float *x = of(&a->x, member), *dy = of(&a->dy, member);
	float sum = 0.0f;

	for (uint32_t row = set; row < a->rows; row += a->sets)
		for (uint32_t k = 0; k < a->spots; k++) {
			size_t at = ((size_t)row * a->spots + k) * a->cols + j;

			sum += dy[at] * x[at];
		}
	of(&a->dw, member)[i] = sum;
}

TASK(unscale)
{
	uint32_t set = i / a->cols / a->spots % a->sets;

	of(&a->dx, member)[i] = of(&a->dy, member)[i] *
				of(&a->w, member)[set * a->cols + i % a->cols];
}
