/* ops.h - what a layer does to its numbers; src/kernels/ops.c
 *
 * Arrays are dense, of floats.  "rows x cols" is row-major.  Every result is
 * owned by one place in one loop and sums run in rising order, so that all
 * instruction sets and any cut into pieces give the same bits.  In and out may be
 * the same array unless said otherwise, never overlap in part.
 */
#ifndef GG_OPS_H
#define GG_OPS_H

#include "team.h"

enum activation { ACT_NONE, ACT_RELU, ACT_TANH, ACT_SIGMOID, ACT_COUNT };

/* What a training step of one member multiplies by. */
struct coefs {
	float rate;             /* learning rate of this step */
	float momentum;         /* also Adam's beta 1 */
	float beta2, epsilon;   /* Adam's */
	float decay;            /* L2, added to the gradient; AdamW: decoupled */
	float l1;
	float bias1, bias2;     /* Adam's corrections, 1 / (1 - beta^t) */
};

enum rule { RULE_SGD, RULE_MOMENTUM, RULE_NESTEROV, RULE_ADAM, RULE_ADAMW, RULE_COUNT };

enum loss { LOSS_SOFTMAX, LOSS_LOGISTIC, LOSS_HINGE, LOSS_MSE, LOSS_COUNT };

/* The loss of each row of outputs x (rows x cols) and its gradient dx (may be
 * NULL, never x), divided by `rows_in_batch`.  Labels: a class for softmax; 0 or
 * 1 for logistic and hinge with one column, a class (one against the rest) with
 * more; targets instead for MSE.  smoothing is softmax's. */
struct loss_job {
	enum loss kind;
	size_t rows, cols, rows_in_batch;
	const float *x;
	const int32_t *labels;
	const float *targets;
	float smoothing;
	float *dx, *losses;     /* losses: one a row */
};
/* n windows of side x side pixels of c channels; floats from one to the next, and
 * from a row of pixels to that below. */
struct windows {
	size_t n, side, c, step, row;
};

struct ops {
	/* y[i][j] = act(x[i][j] + bias[j]); bias NULL: none. */
	void (*activate)(enum activation act, size_t rows, size_t cols, const float *x,
			 const float *bias, float *y);
	/* dx = dy times the derivative of act, by its output y. */
	void (*activate_back)(enum activation act, size_t n, const float *y,
			      const float *dy, float *dx);
	/* out[j] = sum over i of x[i][j], i rising; adds: plus what out holds. */
	void (*sum_rows)(size_t rows, size_t cols, const float *x, bool adds, float *out);
	/* y += x */
	void (*add)(size_t n, const float *x, float *y);
	/* y *= a */
	void (*scale)(size_t n, float a, float *y);
	/* p = softmax of each row of x. */
	void (*softmax)(size_t rows, size_t cols, const float *x, float *p);
	/* w and its state (m, v: as the rule needs them) one step on; g is the
	 * gradient.  owned, if not NULL: where it is 0 nothing changes. */
	void (*step)(enum rule rule, const struct coefs *c, size_t n, const float *g,
		     const unsigned char *owned, float *w, float *m, float *v);
	/* The largest of each window of a row of them, and which it is; and back:
	 * dx, zeros at first, gets dy there. */
	void (*pool)(const struct windows *v, const float *x, float *y, uint32_t *place);
	void (*unpool)(const struct windows *v, const float *dy, const uint32_t *place,
		       float *dx);
	/* y[i] = (x[i] - mean[i % cols]) * factor[i % cols], of bytes. */
	void (*normalise_bytes)(size_t rows, size_t cols, const unsigned char *x,
				const float *mean, const float *factor, float *y);
	void (*loss)(const struct loss_job *j);
};

/* The loops for these instructions, which the processor has to have. */
const struct ops *ops_for(enum isa isa);

void loss_run(const struct loss_job *j, enum isa isa);

/* The sum of n floats as a tree whose shape depends on n alone: halves are
 * summed by themselves, down to eight that are added in order. */
double tree_sum(const float *x, size_t n);

#endif
