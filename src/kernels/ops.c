/* ops.c - which loops to run, and losses, which are few enough to be plain */
#include "ops.h"
#include "numbers.h"
#include "ops_tables.h"

const struct ops *ops_for(enum isa isa)
{
	static const struct ops *const all[ISA_COUNT] = {
		[ISA_SCALAR] = &ops_scalar, [ISA_AVX2] = &ops_avx2,
		[ISA_AVX512] = &ops_avx512,
	};

	return all[isa];
}

/* -sum q_j ln p_j with q = (1 - s) on the label and s / n everywhere. */
static float softmax_row(const struct loss_job *j, int32_t label, const float *x, float *dx)
{
	float most = x[0], sum = 0.0f, even = j->smoothing / (float)j->cols;
	float loss, mean = 0.0f, share = 1.0f / (float)j->rows_in_batch;

	for (size_t c = 1; c < j->cols; c++)
		most = x[c] > most ? x[c] : most;
	for (size_t c = 0; c < j->cols; c++) {
		sum += number_exp(x[c] - most);
		mean = fmaf(even, x[c] - most, mean);
	}
	loss = number_log(sum) - fmaf(1.0f - j->smoothing, x[label] - most, mean);
	for (size_t c = 0; dx && c < j->cols; c++) {
		float q = (size_t)label == c ? even + (1.0f - j->smoothing) : even;

		dx[c] = (number_exp(x[c] - most) / sum - q) * share;
	}
	return loss;
}

/* ln(1 + e^-z) and max(0, 1 - z), z = x times the sign of the label. */
static float margin_row(const struct loss_job *j, int32_t label, const float *x, float *dx)
{
	float loss = 0.0f, share = 1.0f / (float)j->rows_in_batch;

	for (size_t c = 0; c < j->cols; c++) {
		bool is_it = j->cols == 1 ? label > 0 : (size_t)label == c;
		float sign = is_it ? 1.0f : -1.0f, z = x[c] * sign;
		float slope;

		if (j->kind == LOSS_HINGE) {
			loss += z < 1.0f ? 1.0f - z : 0.0f;
			slope = z < 1.0f ? -1.0f : 0.0f;
		} else {
			loss += number_log(1.0f + number_exp(-fabsf(z))) +
				(z < 0.0f ? -z : 0.0f);
			slope = -number_sigmoid(-z);
		}
		if (dx)
			dx[c] = slope * sign * share;
	}
	return loss;
}

static float mse_row(const struct loss_job *j, const float *target, const float *x, float *dx)
{
	float loss = 0.0f, share = 2.0f / (float)j->cols / (float)j->rows_in_batch;

	for (size_t c = 0; c < j->cols; c++) {
		float d = x[c] - target[c];

		loss = fmaf(d, d, loss);
		if (dx)
			dx[c] = d * share;
	}
	return loss / (float)j->cols;
}

void loss_run(const struct loss_job *j)
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

double tree_sum(const float *x, size_t n)
{
	double sum = 0;

	if (n > 8)
		return tree_sum(x, n / 2) + tree_sum(x + n / 2, n - n / 2);
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i];
	return sum;
}
