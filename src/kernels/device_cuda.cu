/* device_cuda.cu - the GPU: memory, tasks, products, steps that are repeated
 *
 * The library that gg-ml opens for --device cuda.  Everything goes in order
 * through one stream.  A step is recorded once as a graph, and then costs one call
 * however many tasks it has.
 */
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "device_cuda.h"
#include "tasks_body.h"
#include "blocks_body.h"

enum { TASK_THREADS = 256 };

static void note(struct cuda *c, cudaError_t rc, const char *what)
{
	if (rc != cudaSuccess && !c->trouble[0])
		snprintf(c->trouble, sizeof c->trouble, "%s: %s", what, cudaGetErrorString(rc));
}

int cuda_fail(struct err *e, enum err_code code, const char *format, ...)
{
	va_list args;

	e->code = code;
	va_start(args, format);
	vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	return -1;
}

static struct cuda *cuda_of(struct device *d)
{
	return reinterpret_cast<struct cuda *>(d);
}

static void cuda_close(struct device *d)
{
	struct cuda *c = cuda_of(d);

	cudaStreamSynchronize(c->stream);
	if (c->step)
		cudaGraphExecDestroy(c->step);
	blas_close(c->blas);
	cudaStreamDestroy(c->stream);
	free(c);
}

static void *cuda_alloc(struct device *d, size_t n_bytes)
{
	struct cuda *c = cuda_of(d);
	size_t n = n_bytes ? n_bytes : 1;
	void *p = NULL;

	if (cudaMalloc(&p, n) != cudaSuccess) {
		cudaGetLastError();
		return NULL;
	}
	note(c, cudaMemsetAsync(p, 0, n, c->stream), "clearing memory");
	return p;
}

static void cuda_free(struct device *d, void *p)
{
	note(cuda_of(d), cudaFree(p), "giving memory back");
}

static void cuda_put(struct device *d, void *to, const void *from, size_t n_bytes)
{
	struct cuda *c = cuda_of(d);

	note(c, cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, c->stream),
	     "copying to the device");
	note(c, cudaStreamSynchronize(c->stream), "copying to the device");
}

static void cuda_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
	struct cuda *c = cuda_of(d);

	note(c, cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToHost, c->stream),
	     "copying from the device");
	note(c, cudaStreamSynchronize(c->stream), "copying from the device");
}

#define KERNEL(name) \
	static __global__ void __launch_bounds__(TASK_THREADS) \
	each_##name(const struct do_##name how, uint32_t n) \
	{ \
		uint32_t i = blockIdx.x * TASK_THREADS + threadIdx.x; \
		if (i < n) \
			task_##name(&how, blockIdx.y, i); \
	} \
	static void all_##name(cudaStream_t s, const void *how, dim3 grid, uint32_t n) \
	{ \
		each_##name<<<grid, TASK_THREADS, 0, s>>>( \
			*static_cast<const struct do_##name *>(how), n); \
	}
EACH_TASK(KERNEL)

static void cuda_task(struct device *d, unsigned task, const void *how, size_t n_members,
		      size_t n)
{
	static void (*const all[TASK_COUNT])(cudaStream_t s, const void *how, dim3 grid,
					     uint32_t n) = {
#define ENTRY(name) all_##name,
		EACH_TASK(ENTRY)
#undef ENTRY
	};
	dim3 grid((unsigned)((n + TASK_THREADS - 1) / TASK_THREADS), (unsigned)n_members);

	if (!n || !n_members)
		return;
	all[task](cuda_of(d)->stream, how, grid, (uint32_t)n);
	note(cuda_of(d), cudaGetLastError(), "a task");
}

int blas_finish(cudaStream_t stream, const struct device_gemm *g)
{
	const struct gemm *s = &g->batch.one;
	struct by_member y = { s->c, g->batch.c_step };
	struct do_activate how = { y, y, g->bias, (uint32_t)s->n,
				   g->is_relu ? ACT_RELU : ACT_NONE };
	uint32_t n = (uint32_t)(s->m * s->n);
	dim3 grid((n + TASK_THREADS - 1) / TASK_THREADS, (unsigned)g->batch.n_members);

	all_activate(stream, &how, grid, n);
	return cudaGetLastError() == cudaSuccess ? 0 : -1;
}

/* Two blocks fit a multiprocessor: 128 registers a thread. */
#define TILE_KERNEL(name, m, n, cycles) \
	static __global__ void __launch_bounds__(BLOCK_THREADS, 2) \
	product_##name(const struct device_gemm g) \
	{ \
		block_##name(&g, blockIdx.y, blockIdx.x); \
	} \
	static void all_##name(cudaStream_t s, const struct device_gemm *g, dim3 grid) \
	{ \
		product_##name<<<grid, BLOCK_THREADS, 0, s>>>(*g); \
	}
EACH_TILE(TILE_KERNEL)

static void product(struct cuda *c, const struct device_gemm *g, int size)
{
	static void (*const all[TILE_SIZES])(cudaStream_t s, const struct device_gemm *g,
					     dim3 grid) = {
#define ENTRY(name, m, n, cycles) all_##name,
		EACH_TILE(ENTRY)
#undef ENTRY
	};
	dim3 grid((unsigned)tile_count(&g->batch, size), (unsigned)g->batch.n_members);

	if (!grid.x || !grid.y)
		return;
	all[size](c->stream, g, grid);
	note(c, cudaGetLastError(), "a product");
}

static void cuda_gemm(struct device *d, const struct device_gemm *g)
{
	struct cuda *c = cuda_of(d);

	if (!c->blas)
		product(c, g, tile_pick(&g->batch, d));
	else if (blas_gemm(c->blas, g) < 0 && !c->trouble[0])
		snprintf(c->trouble, sizeof c->trouble, "cuBLAS refused a product");
}

static __global__ void __launch_bounds__(BLOCK_THREADS) sum_of_rows(const struct device_sum s)
{
	block_sum(&s, blockIdx.y, blockIdx.x);
}

static void cuda_sum_rows(struct device *d, const struct device_sum *s)
{
	struct cuda *c = cuda_of(d);
	dim3 grid((unsigned)((s->cols + SUM_COLUMNS - 1) / SUM_COLUMNS),
		  (unsigned)s->n_members);

	sum_of_rows<<<grid, BLOCK_THREADS, 0, c->stream>>>(*s);
	note(c, cudaGetLastError(), "sums of columns");
}

/* The first time runs as it is, since libraries make ready what must not be made
 * while recording. */
static void cuda_repeat(struct device *d, void (*fn)(void *arg), void *arg, size_t n,
			bool again)
{
	struct cuda *c = cuda_of(d);
	cudaGraph_t graph = NULL;

	if (c->step && (!again || c->step_of != arg)) {
		cudaGraphExecDestroy(c->step);
		c->step = NULL;
	}
	c->step_of = arg;
	if (!c->step && n > 0) {
		fn(arg);
		n--;
	}
	if (!c->step && n > 0) {
		note(c, cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal),
		     "recording");
		fn(arg);
		note(c, cudaStreamEndCapture(c->stream, &graph), "recording");
		if (graph)
			note(c, cudaGraphInstantiate(&c->step, graph, 0), "recording");
		if (graph)
			cudaGraphDestroy(graph);
	}
	for (size_t i = 0; i < n && c->step; i++)
		note(c, cudaGraphLaunch(c->step, c->stream), "a recorded step");
}

static int cuda_wait(struct device *d, struct err *e)
{
	struct cuda *c = cuda_of(d);

	note(c, cudaStreamSynchronize(c->stream), "waiting");
	if (!c->trouble[0])
		return 0;
	cuda_fail(e, ERR_FAILED, "device cuda: %s", c->trouble);
	c->trouble[0] = 0;
	return -1;
}

static int describe(struct cuda *c, enum profile p, struct err *e)
{
	struct cudaDeviceProp props;
	int runtime = 0, at = 0;

	if (cudaGetDevice(&at) != cudaSuccess ||
	    cudaGetDeviceProperties(&props, at) != cudaSuccess ||
	    cudaRuntimeGetVersion(&runtime) != cudaSuccess)
		return cuda_fail(e, ERR_FAILED, "device cuda: cannot be asked what it is");
	c->d.n_processors = (unsigned)props.multiProcessorCount;
	snprintf(c->d.name, sizeof c->d.name, "%.100s, sm_%d%d, %d multiprocessors", props.name,
		 props.major, props.minor, props.multiProcessorCount);
	if (p == PROFILE_EXACT)
		return 0;
	snprintf(c->d.profile, sizeof c->d.profile, "%s, CUDA %d.%d, cuBLAS %d, sm_%d%d, %d SMs",
		 p == PROFILE_FAST ? "fast" : "cublas", runtime / 1000, runtime % 1000 / 10,
		 blas_version(c->blas), props.major, props.minor, props.multiProcessorCount);
	return 0;
}

static int cuda_open(enum profile p, struct device **out, struct err *e)
{
	static const struct device_ops ops = {
		.close = cuda_close, .alloc = cuda_alloc, .free = cuda_free,
		.put = cuda_put, .get = cuda_get, .task = cuda_task, .gemm = cuda_gemm,
		.sum_rows = cuda_sum_rows, .repeat = cuda_repeat, .wait = cuda_wait,
	};
	struct cuda *c;
	int n = 0;
	cudaError_t rc = cudaGetDeviceCount(&n);

	if (rc != cudaSuccess || n == 0)
		return cuda_fail(e, ERR_MISSING, "device cuda: no GPU: %s",
				 rc == cudaSuccess ? "none is there" : cudaGetErrorString(rc));
	c = static_cast<struct cuda *>(calloc(1, sizeof *c));
	if (!c)
		abort();
	c->d.ops = &ops;
	rc = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking);
	if (rc != cudaSuccess) {
		free(c);
		return cuda_fail(e, ERR_FAILED, "device cuda: %s", cudaGetErrorString(rc));
	}
	if ((p != PROFILE_EXACT && blas_open(c->stream, p, &c->blas, e) < 0) ||
	    describe(c, p, e) < 0) {
		cuda_close(&c->d);
		return -1;
	}
	*out = &c->d;
	return 0;
}

extern "C" {
extern const struct device_plug gg_ml_cuda;
__attribute__((visibility("default"))) const struct device_plug gg_ml_cuda = {
	DEVICE_PLUG_VERSION, cuda_open,
};
}
