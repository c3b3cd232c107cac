/* device_blas.cu - products by cuBLAS: the profiles that are not exact
 *
 * Row-major C = op(A) op(B) is column-major C' = op(B)' op(A)'.  Products that
 * bias and ReLU follow go to cuBLASLt, which does that at their end; the algorithm
 * of a shape is chosen once, and none that parts k over blocks.  All others are
 * strided batches of cuBLAS with one workspace.
 */
#include <cublasLt.h>
#include <cublas_v2.h>
#include <dlfcn.h>
#include <cstdlib>
#include <cstring>
#include "device_cuda.h"

enum { WORKSPACE_BYTES = 32 << 20, PLANS_MAX = 256 };

/* The functions of both libraries that are used. */
#define EACH_FUNCTION(X) \
	X(cublasCreate_v2) X(cublasDestroy_v2) X(cublasSetStream_v2) X(cublasSetMathMode) \
	X(cublasSetWorkspace_v2) X(cublasSetAtomicsMode) X(cublasGetVersion_v2) \
	X(cublasSgemmStridedBatched)
#define EACH_LT_FUNCTION(X) \
	X(cublasLtCreate) X(cublasLtDestroy) X(cublasLtMatmul) X(cublasLtMatmulDescCreate) \
	X(cublasLtMatmulDescSetAttribute) X(cublasLtMatrixLayoutCreate) \
	X(cublasLtMatrixLayoutSetAttribute) X(cublasLtMatmulPreferenceCreate) \
	X(cublasLtMatmulPreferenceSetAttribute) X(cublasLtMatmulPreferenceDestroy) \
	X(cublasLtMatmulAlgoGetHeuristic) X(cublasLtMatmulDescDestroy) \
	X(cublasLtMatrixLayoutDestroy)

/* A product of cuBLASLt, ready but for its arrays. */
struct plan {
	struct device_gemm g;           /* the shape: its pointers are not looked at */
	bool is_there;                  /* false: cuBLASLt knows no way */
	cublasLtMatmulDesc_t how;
	cublasLtMatrixLayout_t a, b, c;
	cublasLtMatmulAlgo_t algorithm;
};

struct blas {
	cudaStream_t stream;
	cublasHandle_t handle;
	cublasLtHandle_t lt;
	cublasComputeType_t compute;
	void *workspace;
	int version;
	struct plan plans[PLANS_MAX];
	size_t n_plans;
#define MEMBER(name) decltype(&::name) name;
	EACH_FUNCTION(MEMBER)
	EACH_LT_FUNCTION(MEMBER)
#undef MEMBER
};

static void *library(const char *name, int major)
{
	char versioned[64];
	void *p;

	snprintf(versioned, sizeof versioned, "%s.%d", name, major);
	p = dlopen(versioned, RTLD_NOW | RTLD_LOCAL);
	return p ? p : dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

template <typename F> static bool find(void *from, const char *name, F *out)
{
	*out = reinterpret_cast<F>(dlsym(from, name));
	return *out != NULL;
}

static bool find_all(struct blas *b, void *blas, void *lt)
{
	bool all = blas && lt;

#define FIND(name) all = all && find(blas, #name, &b->name);
#define FIND_LT(name) all = all && find(lt, #name, &b->name);
	EACH_FUNCTION(FIND)
	EACH_LT_FUNCTION(FIND_LT)
#undef FIND
#undef FIND_LT
	return all;
}

static bool prepare(struct blas *b, enum profile p)
{
	bool is_fast = p == PROFILE_FAST;

	b->compute = is_fast ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC;
	return cudaMalloc(&b->workspace, WORKSPACE_BYTES) == cudaSuccess &&
	       b->cublasCreate_v2(&b->handle) == CUBLAS_STATUS_SUCCESS &&
	       b->cublasLtCreate(&b->lt) == CUBLAS_STATUS_SUCCESS &&
	       b->cublasSetStream_v2(b->handle, b->stream) == CUBLAS_STATUS_SUCCESS &&
	       b->cublasSetWorkspace_v2(b->handle, b->workspace, WORKSPACE_BYTES) ==
	       CUBLAS_STATUS_SUCCESS &&
	       b->cublasSetAtomicsMode(b->handle, CUBLAS_ATOMICS_NOT_ALLOWED) ==
	       CUBLAS_STATUS_SUCCESS &&
	       b->cublasSetMathMode(b->handle, is_fast ? CUBLAS_TF32_TENSOR_OP_MATH :
				    CUBLAS_PEDANTIC_MATH) == CUBLAS_STATUS_SUCCESS &&
	       b->cublasGetVersion_v2(b->handle, &b->version) == CUBLAS_STATUS_SUCCESS;
}

int blas_open(cudaStream_t stream, enum profile p, struct blas **out, struct err *e)
{
	struct blas *b = static_cast<struct blas *>(calloc(1, sizeof *b));

	if (!b)
		abort();
	b->stream = stream;
	if (!find_all(b, library("libcublas.so", CUBLAS_VER_MAJOR),
		      library("libcublasLt.so", CUBLAS_VER_MAJOR))) {
		free(b);
		return cuda_fail(e, ERR_MISSING, "this profile wants cuBLAS %d, which is not "
				 "there", CUBLAS_VER_MAJOR);
	}
	if (!prepare(b, p)) {
		blas_close(b);
		return cuda_fail(e, ERR_FAILED, "cuBLAS does not start");
	}
	*out = b;
	return 0;
}

void blas_close(struct blas *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n_plans; i++) {
		struct plan *p = &b->plans[i];

		if (p->how)
			b->cublasLtMatmulDescDestroy(p->how);
		for (cublasLtMatrixLayout_t l : { p->a, p->b, p->c })
			if (l)
				b->cublasLtMatrixLayoutDestroy(l);
	}
	if (b->handle)
		b->cublasDestroy_v2(b->handle);
	if (b->lt)
		b->cublasLtDestroy(b->lt);
	cudaFree(b->workspace);
	free(b);
}

int blas_version(const struct blas *b)
{
	return b->version;
}

static bool is_same(const struct device_gemm *x, const struct device_gemm *y)
{
	const struct gemm *a = &x->batch.one, *b = &y->batch.one;

	return a->m == b->m && a->n == b->n && a->k == b->k && a->lda == b->lda &&
	       a->ldb == b->ldb && a->ldc == b->ldc && x->is_relu == y->is_relu &&
	       a->a_is_transposed == b->a_is_transposed &&
	       a->b_is_transposed == b->b_is_transposed &&
	       x->batch.n_members == y->batch.n_members &&
	       x->batch.a_step == y->batch.a_step && x->batch.b_step == y->batch.b_step &&
	       x->batch.c_step == y->batch.c_step && x->bias.step == y->bias.step;
}

static bool layout(struct blas *b, cublasLtMatrixLayout_t *out, size_t rows, size_t cols,
		   size_t ld, size_t n_members, size_t step)
{
	int32_t n = (int32_t)n_members;
	int64_t far = (int64_t)step;

	return b->cublasLtMatrixLayoutCreate(out, CUDA_R_32F, rows, cols, (int64_t)ld) ==
	       CUBLAS_STATUS_SUCCESS &&
	       b->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
						   &n, sizeof n) == CUBLAS_STATUS_SUCCESS &&
	       b->cublasLtMatrixLayoutSetAttribute(
		       *out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &far, sizeof far) ==
	       CUBLAS_STATUS_SUCCESS;
}

template <typename T>
static bool say(struct blas *b, struct plan *p, cublasLtMatmulDescAttributes_t what, T value)
{
	return b->cublasLtMatmulDescSetAttribute(p->how, what, &value, sizeof value) ==
	       CUBLAS_STATUS_SUCCESS;
}

/* No algorithm that adds parts of k in an order of its own. */
static bool choose(struct blas *b, struct plan *p)
{
	cublasLtMatmulPreference_t wish = NULL;
	cublasLtMatmulHeuristicResult_t found;
	uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE;
	size_t room = WORKSPACE_BYTES;
	int n = 0;
	bool ok = b->cublasLtMatmulPreferenceCreate(&wish) == CUBLAS_STATUS_SUCCESS &&
		  b->cublasLtMatmulPreferenceSetAttribute(
			  wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room,
			  sizeof room) == CUBLAS_STATUS_SUCCESS &&
		  b->cublasLtMatmulPreferenceSetAttribute(
			  wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions,
			  sizeof reductions) == CUBLAS_STATUS_SUCCESS &&
		  b->cublasLtMatmulAlgoGetHeuristic(b->lt, p->how, p->b, p->a, p->c, p->c,
						    wish, 1, &found, &n) ==
		  CUBLAS_STATUS_SUCCESS && n == 1;

	if (wish)
		b->cublasLtMatmulPreferenceDestroy(wish);
	if (ok)
		p->algorithm = found.algo;
	return ok;
}

static bool make(struct blas *b, struct plan *p, const struct device_gemm *d)
{
	const struct gemm *g = &d->batch.one;
	size_t n = d->batch.n_members;
	cublasLtEpilogue_t end = d->is_relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
	cublasOperation_t first = g->b_is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasOperation_t second = g->a_is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;

	p->g = *d;
	return b->cublasLtMatmulDescCreate(&p->how, b->compute, CUDA_R_32F) ==
	       CUBLAS_STATUS_SUCCESS &&
	       say(b, p, CUBLASLT_MATMUL_DESC_TRANSA, first) &&
	       say(b, p, CUBLASLT_MATMUL_DESC_TRANSB, second) &&
	       say(b, p, CUBLASLT_MATMUL_DESC_EPILOGUE, end) &&
	       say(b, p, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, (int64_t)d->bias.step) &&
	       say(b, p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, (const void *)d->bias.at) &&
	       layout(b, &p->a, g->a_is_transposed ? g->m : g->k,
		      g->a_is_transposed ? g->k : g->m, g->lda, n, d->batch.a_step) &&
	       layout(b, &p->b, g->b_is_transposed ? g->k : g->n,
		      g->b_is_transposed ? g->n : g->k, g->ldb, n, d->batch.b_step) &&
	       layout(b, &p->c, g->n, g->m, g->ldc, n, d->batch.c_step) && choose(b, p);
}

static struct plan *plan_of(struct blas *b, const struct device_gemm *g)
{
	struct plan *p;

	for (size_t i = 0; i < b->n_plans; i++)
		if (is_same(&b->plans[i].g, g))
			return &b->plans[i];
	if (b->n_plans == PLANS_MAX)
		return NULL;
	p = &b->plans[b->n_plans++];
	p->is_there = make(b, p, g);
	return p;
}

/* False: to be done by a plain product and a task. */
static bool fused(struct blas *b, const struct device_gemm *g)
{
	const float one = 1.0f, zero = 0.0f;
	const struct gemm *s = &g->batch.one;
	struct plan *p;

	if (!g->bias.at || s->adds)
		return false;
	p = plan_of(b, g);
	return p && p->is_there &&
	       say(b, p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, (const void *)g->bias.at) &&
	       b->cublasLtMatmul(b->lt, p->how, &one, s->b, p->b, s->a, p->a, &zero, s->c,
				 p->c, s->c, p->c, &p->algorithm, b->workspace,
				 WORKSPACE_BYTES, b->stream) == CUBLAS_STATUS_SUCCESS;
}

int blas_gemm(struct blas *b, const struct device_gemm *g)
{
	const struct gemm *s = &g->batch.one;
	const float one = 1.0f, begins = s->adds ? 1.0f : 0.0f;

	if (fused(b, g))
		return 0;
	if (b->cublasSgemmStridedBatched(
		    b->handle, s->b_is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
		    s->a_is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, (int)s->n, (int)s->m,
		    (int)s->k, &one, s->b, (int)s->ldb, (long long)g->batch.b_step, s->a,
		    (int)s->lda, (long long)g->batch.a_step, &begins, s->c, (int)s->ldc,
		    (long long)g->batch.c_step, (int)g->batch.n_members) !=
	    CUBLAS_STATUS_SUCCESS)
		return -1;
	return g->bias.at || g->is_relu ? blas_finish(b->stream, g) : 0;
}
