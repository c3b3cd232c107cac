/* gemm.h - products of matrices in single precision; src/kernels/gemm.c
 *
 * The exact profile: every element of C is one chain of fused multiply-adds
 * in rising k, each rounded once, beginning with 0 or with what C holds:
 *
 *     c = adds ? C[i][j] : 0;  for p in 0..k-1: c = fma(A[i][p], B[p][j], c)
 *
 * That chain is the specification: any number of threads, any instruction set
 * and the GPU give the same bits.
 */
#ifndef GG_GEMM_H
#define GG_GEMM_H

#include "team.h"

/* C (m x n, row stride ldc) = or += op(A) op(B), all row-major.  op(A) is
 * m x k: A itself with row stride lda, or with a_is_transposed the transpose of
 * a k x m matrix; op(B), k x n, likewise.  Strides count floats.  C must not
 * overlap A or B.  k = 0 gives zeros (or leaves C when adds). */
struct gemm {
	size_t m, n, k;
	const float *a, *b;
	float *c;
	size_t lda, ldb, ldc;
	bool a_is_transposed, b_is_transposed, adds;
};

void gemm_run(const struct gemm *g, struct team *t);

/* The same for n_members products of one shape: member i's operands begin
 * a_step * i, b_step * i, c_step * i floats behind; a step of 0 shares one. */
struct gemm_batch {
	struct gemm one;
	size_t n_members, a_step, b_step, c_step;
};
void gemm_run_batch(const struct gemm_batch *g, struct team *t);

#endif
