/* pass.h - one batch on its way through the layers; private to src/kernels */
#ifndef GG_PASS_H
#define GG_PASS_H

#include "gemm.h"
#include "net.h"

struct pass {
	const struct net *net;
	const struct ops *ops;
	size_t rows_max;
	bool trains;
	float **y, **dy;        /* by layer; y[0] is not ours */
	uint32_t **places;      /* by pooling layer: where the maximum stood */
	float **stats;          /* by norm layer: mean and 1 / deviation */
	bool *has_gradient;     /* dy holds something already */
	float *scratch;         /* a gradient to be added to another */
	float *columns;         /* windows of a convolution, and their gradient */
	size_t n_columns, n_scratch;
};

/* A layer on its way forward or back. */
struct at {
	struct pass *p;
	const struct run_of *r;
	const struct layer *l;
	size_t layer;
	const float *x;         /* its input */
	float *y, *dy;
	float *g;               /* the gradient's slab, going back */
};

/* The first weight or gradient of a layer's i-th tensor in a slab. */
float *at_param(const struct at *a, float *slab, size_t i);
/* Where the gradient of layer `from` is to be written, NULL if nobody needs it;
 * and the end of writing. */
float *gradient_begin(struct at *a, size_t from);
void gradient_end(struct at *a, size_t from, float *written);

/* Call fn over pieces of n rows at a time, on all threads. */
void each_rows(const struct at *a, size_t n_rows, size_t row_floats,
	       void (*fn)(const struct at *a, size_t first, size_t n));

/* For each_rows(): the bias and the activation of n rows of y, a row being what
 * the bias has; and dy times the activation's slope, of n examples. */
void add_bias(const struct at *a, size_t first, size_t n);
void act_back(const struct at *a, size_t first, size_t n);

void conv_forward(struct at *a);
void conv_backward(struct at *a);
size_t conv_columns(const struct layer *l, size_t rows);
void pool_forward(struct at *a);
void pool_backward(struct at *a);
void avgpool_forward(struct at *a);
void avgpool_backward(struct at *a);
void global_forward(struct at *a);
void global_backward(struct at *a);
void scale_forward(struct at *a);
void scale_backward(struct at *a);
void norm_forward(struct at *a);
void norm_backward(struct at *a);

#endif
