/* device_cuda.h - what the files of the CUDA library share; private to them */
#ifndef GG_DEVICE_CUDA_H
#define GG_DEVICE_CUDA_H

#include <cuda_runtime.h>
#include "device.h"

struct blas;

struct cuda {
	struct device d;        /* first: a device is one of these */
	cudaStream_t stream;
	cudaGraphExec_t step;   /* what repeat records, and whose */
	void *step_of;
	struct blas *blas;      /* NULL: exact */
	char trouble[200];      /* the first since the last wait */
};

int cuda_fail(struct err *e, enum err_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* device_blas.cu: products by cuBLAS, in one stream with one workspace.  It is
 * opened like CUDA itself, so that exact does without.  ERR_MISSING. */
int blas_open(cudaStream_t stream, enum profile p, struct blas **out, struct err *e);
void blas_close(struct blas *b);
int blas_version(const struct blas *b);
/* -1 when cuBLAS says no. */
int blas_gemm(struct blas *b, const struct device_gemm *g);
/* y = act(y + bias), where the product could not do it itself. */
int blas_finish(cudaStream_t stream, const struct device_gemm *g);

#endif
