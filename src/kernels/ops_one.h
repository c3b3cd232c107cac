/* ops_one.h - what ops.h does to one number, or to one row of losses
 *
 * Private to src/kernels: one source for all instruction sets and for GPUs.
 */
#ifndef GG_OPS_ONE_H
#define GG_OPS_ONE_H

#include "numbers.h"
#include "ops.h"

NUMBER float act_one(enum activation act, float x)
{
	switch (act) {
	case ACT_RELU:
		return x <= 0.0f ? 0.0f : x;            /* keeps NaN */
	case ACT_TANH:
		return number_tanh(x);
	case ACT_SIGMOID:
		return number_sigmoid(x);
	case ACT_NONE:
	case ACT_COUNT:
		break;
	}
	return x;
}

/* The derivative of act at its output y, times dy. */
NUMBER float act_back_one(enum activation act, float y, float dy)
{
	switch (act) {
	case ACT_RELU:
		return y > 0.0f ? dy : 0.0f;
	case ACT_TANH:
		return dy * number_fma(-y, y, 1.0f);
	case ACT_SIGMOID:
		return dy * (y * (1.0f - y));
	case ACT_NONE:
	case ACT_COUNT:
		break;
	}
	return dy;
}

/* The gradient with L2 and L1 in it. */
NUMBER float full_gradient(const struct coefs *c, float g, float w)
{
	float sign = (w > 0.0f ? 1.0f : 0.0f) - (w < 0.0f ? 1.0f : 0.0f);

	return number_fma(c->l1, sign, number_fma(c->decay, w, g));
}

NUMBER void sgd_one(const struct coefs *k, float g, float *w)
{
	*w = number_fma(-k->rate, full_gradient(k, g, *w), *w);
}

/* m = momentum m + g; w -= rate m, or, looking ahead, rate (g + momentum m). */
NUMBER void momentum_one(const struct coefs *k, float g, float *w, float *m)
{
	*m = number_fma(k->momentum, *m, full_gradient(k, g, *w));
	*w = number_fma(-k->rate, *m, *w);
}

NUMBER void nesterov_one(const struct coefs *k, float g, float *w, float *m)
{
	float d = full_gradient(k, g, *w);

	*m = number_fma(k->momentum, *m, d);
	*w = number_fma(-k->rate, number_fma(k->momentum, *m, d), *w);
}

/* Kingma and Ba's Adam; AdamW's decay (Loshchilov, Hutter) acts on w alone: then
 * keep is what it leaves of w, and k->decay is 0. */
NUMBER void adam_one(const struct coefs *k, float keep, float g, float *w, float *m, float *v)
{
	float d = full_gradient(k, g, *w);

	*m = number_fma(k->momentum, *m - d, d);
	*v = number_fma(k->beta2, number_fma(-d, d, *v), d * d);
	*w = number_fma(-k->rate, (*m * k->bias1) / (sqrtf(*v * k->bias2) + k->epsilon),
			*w * keep);
}

NUMBER float adamw_keep(struct coefs *k)
{
	float keep = number_fma(-k->rate, k->decay, 1.0f);

	k->decay = 0.0f;
	return keep;
}

/* -sum q_j ln p_j with q = (1 - s) on the label and s / n everywhere. */
NUMBER float softmax_row(const struct loss_job *j, int32_t label, const float *x, float *dx)
{
	float most = x[0], sum = 0.0f, even = j->smoothing / (float)j->cols;
	float cost, mean = 0.0f, share = 1.0f / (float)j->rows_in_batch;

	for (size_t c = 1; c < j->cols; c++)
		most = x[c] > most ? x[c] : most;
	for (size_t c = 0; c < j->cols; c++) {
		sum += number_exp(x[c] - most);
		mean = number_fma(even, x[c] - most, mean);
	}
	cost = number_log(sum) - number_fma(1.0f - j->smoothing, x[label] - most, mean);
	for (size_t c = 0; dx && c < j->cols; c++) {
		float q = (size_t)label == c ? even + (1.0f - j->smoothing) : even;

		dx[c] = (number_exp(x[c] - most) / sum - q) * share;
	}
	return cost;
}

/* ln(1 + e^-z) and max(0, 1 - z), z = x times the sign of the label. */
NUMBER float margin_row(const struct loss_job *j, int32_t label, const float *x, float *dx)
{
	float cost = 0.0f, share = 1.0f / (float)j->rows_in_batch;

	for (size_t c = 0; c < j->cols; c++) {
		bool is_it = j->cols == 1 ? label > 0 : (size_t)label == c;
		float sign = is_it ? 1.0f : -1.0f, z = x[c] * sign;
		float slope;

		if (j->kind == LOSS_HINGE) {
			cost += z < 1.0f ? 1.0f - z : 0.0f;
			slope = z < 1.0f ? -1.0f : 0.0f;
		} else {
			cost += number_log(1.0f + number_exp(-fabsf(z))) +
				(z < 0.0f ? -z : 0.0f);
			slope = -number_sigmoid(-z);
		}
		if (dx)
			dx[c] = slope * sign * share;
	}
	return cost;
}

NUMBER float mse_row(const struct loss_job *j, const float *target, const float *x, float *dx)
{
	float cost = 0.0f, share = 2.0f / (float)j->cols / (float)j->rows_in_batch;

	for (size_t c = 0; c < j->cols; c++) {
		float d = x[c] - target[c];

		cost = number_fma(d, d, cost);
		if (dx)
			dx[c] = d * share;
	}
	return cost / (float)j->cols;
}

#endif
