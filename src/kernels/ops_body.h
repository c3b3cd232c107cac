/* ops_body.h - the loops of ops.h for one instruction set
 *
 * Included by ops_scalar.c, ops_avx2.c and ops_avx512.c, which say OPS, the name
 * of the table, and which the Makefile compiles for those instructions.  Plain
 * loops: the compiler makes vectors of them, which keeps each result's own order.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "ops_one.h"

#define ROW(ACT)                                                                         \
	for (size_t j = 0; j < cols; j++)                                                \
		y[j] = act_one(ACT, bias ? x[j] + bias[j] : x[j])

static void activate_row(enum activation act, size_t cols, const float *restrict x,
			 const float *restrict bias, float *y)
{
	switch (act) {
	case ACT_RELU:
		ROW(ACT_RELU);
		break;
	case ACT_TANH:
		ROW(ACT_TANH);
		break;
	case ACT_SIGMOID:
		ROW(ACT_SIGMOID);
		break;
	case ACT_NONE:
	case ACT_COUNT:
		ROW(ACT_NONE);
	}
}

static void activate(enum activation act, size_t rows, size_t cols, const float *x,
		     const float *bias, float *y)
{
	if (!bias) {
		cols *= rows;
		rows = 1;
	}
	for (size_t i = 0; i < rows; i++)
		activate_row(act, cols, x + i * cols, bias, y + i * cols);
}

static void activate_back(enum activation act, size_t n, const float *y, const float *dy,
			  float *dx)
{
	switch (act) {
	case ACT_RELU:
		for (size_t i = 0; i < n; i++)
			dx[i] = act_back_one(ACT_RELU, y[i], dy[i]);
		break;
	case ACT_TANH:
		for (size_t i = 0; i < n; i++)
			dx[i] = act_back_one(ACT_TANH, y[i], dy[i]);
		break;
	case ACT_SIGMOID:
		for (size_t i = 0; i < n; i++)
			dx[i] = act_back_one(ACT_SIGMOID, y[i], dy[i]);
		break;
	case ACT_NONE:
	case ACT_COUNT:
		if (dx != dy)
			memcpy(dx, dy, n * sizeof *dx);
	}
}

static void sum_rows(size_t rows, size_t cols, const float *restrict x, bool adds,
		     float *restrict out)
{
	if (!adds)
		memset(out, 0, cols * sizeof *out);
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < cols; j++)
			out[j] += x[i * cols + j];
}

static void add(size_t n, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

static void scale(size_t n, float a, float *y)
{
	for (size_t i = 0; i < n; i++)
		y[i] *= a;
}

static void softmax(size_t rows, size_t cols, const float *x, float *p)
{
	for (size_t i = 0; i < rows; i++, x += cols, p += cols) {
		float most = x[0], sum = 0.0f;

		for (size_t j = 1; j < cols; j++)
			most = x[j] > most ? x[j] : most;
		for (size_t j = 0; j < cols; j++)
			p[j] = number_exp(x[j] - most);
		for (size_t j = 0; j < cols; j++)
			sum += p[j];
		for (size_t j = 0; j < cols; j++)
			p[j] = p[j] / sum;
	}
}

static void step_sgd(const struct coefs *c, size_t n, const float *restrict g,
		     float *restrict w)
{
	const struct coefs k = *c;

	for (size_t i = 0; i < n; i++)
		sgd_one(&k, g[i], &w[i]);
}

static void step_momentum(const struct coefs *c, size_t n, const float *restrict g,
			  float *restrict w, float *restrict m)
{
	const struct coefs k = *c;

	for (size_t i = 0; i < n; i++)
		momentum_one(&k, g[i], &w[i], &m[i]);
}

static void step_nesterov(const struct coefs *c, size_t n, const float *restrict g,
			  float *restrict w, float *restrict m)
{
	const struct coefs k = *c;

	for (size_t i = 0; i < n; i++)
		nesterov_one(&k, g[i], &w[i], &m[i]);
}

static void step_adam(const struct coefs *c, bool is_decoupled, size_t n,
		      const float *restrict g, float *restrict w, float *restrict m,
		      float *restrict v)
{
	struct coefs k = *c;
	float keep = is_decoupled ? adamw_keep(&k) : 1.0f;

	for (size_t i = 0; i < n; i++)
		adam_one(&k, keep, g[i], &w[i], &m[i], &v[i]);
}

static void step_all(enum rule rule, const struct coefs *c, size_t n, const float *g,
		     float *w, float *m, float *v)
{
	switch (rule) {
	case RULE_SGD:
		step_sgd(c, n, g, w);
		break;
	case RULE_MOMENTUM:
		step_momentum(c, n, g, w, m);
		break;
	case RULE_NESTEROV:
		step_nesterov(c, n, g, w, m);
		break;
	case RULE_ADAM:
	case RULE_ADAMW:
		step_adam(c, rule == RULE_ADAMW, n, g, w, m, v);
		break;
	case RULE_COUNT:
		break;
	}
}

enum { PIECE = 256 };

/* Where weights are not owned everything is put back as it was. */
static void step_owned(enum rule rule, const struct coefs *c, size_t n, const float *g,
		       const unsigned char *owned, float *w, float *m, float *v)
{
	float was[3][PIECE];
	float *const now[3] = { w, m, v };

	for (int k = 0; k < 3; k++)
		if (now[k])
			memcpy(was[k], now[k], n * sizeof *w);
	step_all(rule, c, n, g, w, m, v);
	for (int k = 0; k < 3; k++)
		for (size_t i = 0; now[k] && i < n; i++)
			now[k][i] = owned[i] ? now[k][i] : was[k][i];
}

static void step(enum rule rule, const struct coefs *c, size_t n, const float *g,
		 const unsigned char *owned, float *w, float *m, float *v)
{
	if (!owned) {
		step_all(rule, c, n, g, w, m, v);
		return;
	}
	for (size_t at = 0; at < n; at += PIECE)
		step_owned(rule, c, n - at < PIECE ? n - at : PIECE, g + at, owned + at,
			   w + at, m ? m + at : NULL, v ? v + at : NULL);
}

enum { LANES = 8 };

/* n channels of one window, n at most LANES. */
static inline void pool_window(const struct windows *v, size_t n, const float *x, float *y,
			       uint32_t *place)
{
	float best[LANES];
	uint32_t at[LANES], k = 0;

	for (size_t j = 0; j < n; j++) {
		best[j] = x[j];
		at[j] = 0;
	}
	for (size_t row = 0; row < v->side; row++, x += v->row)
		for (size_t i = 0; i < v->side; i++, k++) {
			const float *p = x + i * v->c;

			for (size_t j = 0; j < n; j++) {
				bool is_more = p[j] > best[j];

				at[j] = is_more ? k : at[j];
				best[j] = is_more ? p[j] : best[j];
			}
		}
	memcpy(y, best, n * sizeof *y);
	memcpy(place, at, n * sizeof *place);
}

static void pool(const struct windows *v, const float *x, float *y, uint32_t *place)
{
	for (size_t i = 0; i < v->n; i++, x += v->step, y += v->c, place += v->c) {
		size_t j = 0;

		for (; j + LANES <= v->c; j += LANES)
			pool_window(v, LANES, x + j, y + j, place + j);
		if (j < v->c)
			pool_window(v, v->c - j, x + j, y + j, place + j);
	}
}

static inline void unpool_window(const struct windows *v, size_t n, const float *dy,
				 const uint32_t *place, float *dx)
{
	float slope[LANES];
	uint32_t at[LANES], k = 0;

	memcpy(slope, dy, n * sizeof *dy);
	memcpy(at, place, n * sizeof *place);
	for (size_t row = 0; row < v->side; row++, dx += v->row)
		for (size_t i = 0; i < v->side; i++, k++) {
			float *p = dx + i * v->c;

			for (size_t j = 0; j < n; j++)
				p[j] += at[j] == k ? slope[j] : 0.0f;
		}
}

static void unpool(const struct windows *v, const float *dy, const uint32_t *place, float *dx)
{
	for (size_t i = 0; i < v->n; i++, dx += v->step, dy += v->c, place += v->c) {
		size_t j = 0;

		for (; j + LANES <= v->c; j += LANES)
			unpool_window(v, LANES, dy + j, place + j, dx + j);
		if (j < v->c)
			unpool_window(v, v->c - j, dy + j, place + j, dx + j);
	}
}

static void normalise_bytes(size_t rows, size_t cols, const unsigned char *restrict x,
			    const float *restrict mean, const float *restrict factor,
			    float *restrict y)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < cols; j++)
			y[i * cols + j] = ((float)x[i * cols + j] - mean[j]) * factor[j];
}

static void loss(const struct loss_job *j)
{
	for (size_t i = 0; i < j->rows; i++) {
		const float *x = j->x + i * j->cols;
		float *dx = j->dx ? j->dx + i * j->cols : NULL;

		if (j->kind == LOSS_MSE)
			j->losses[i] = mse_row(j, j->targets + i * j->cols, x, dx);
		else if (j->kind == LOSS_SOFTMAX)
			j->losses[i] = softmax_row(j, j->labels[i], x, dx);
		else
			j->losses[i] = margin_row(j, j->labels[i], x, dx);
	}
}

const struct ops OPS = {
	.activate = activate,
	.activate_back = activate_back,
	.sum_rows = sum_rows,
	.add = add,
	.scale = scale,
	.softmax = softmax,
	.step = step,
	.pool = pool,
	.unpool = unpool,
	.normalise_bytes = normalise_bytes,
	.loss = loss,
};
