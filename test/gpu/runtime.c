/* runtime.c - CUDA's runtime for gg-ml's library, over the machine of machine.h
 *
 * It is linked in the place of cudart and has what device_cuda.cu calls.  The
 * PTX is that which nvcc put into the object, or, to see that the tests notice, that
 * of the file in GG_PTX.  Work is done as late as CUDA may do it: a stream keeps
 * what it is given until somebody waits for it, and copies to the host come only
 * then.  After a fault every call fails, as after one on a GPU, and the error's
 * words are the machine's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cuda_runtime_api.h>
#include "machine.h"

enum { MEMORY_MOST = 1 << 30, PROCESSORS = 4, NAMES_MAX = 128, STREAMS_MAX = 8,
       OBJECTS_MAX = 8 };

enum deed_kind { DEED_LAUNCH, DEED_CLEAR, DEED_PUT, DEED_GET, DEED_MOVE };

/* One thing to do on a stream. */
struct deed {
	enum deed_kind kind;
	struct launch launch;
	unsigned char *bytes;   /* parameters, or what the host had to copy; owned */
	uint64_t to, from;      /* of the device */
	void *host;
	const void *host_from;  /* read when it is done: of recorded copies */
	int value;
	size_t n;
};

struct CUgraph_st {
	struct deed *deeds;
	size_t n;
};

struct CUgraphExec_st {
	struct CUgraph_st of;
};

struct CUstream_st {
	struct CUgraph_st queue;
	struct CUgraph_st *recorded;    /* not NULL: it records */
	bool is_spoilt;                 /* something that cannot be recorded came */
};

/* What came of one object. */
struct object {
	const char *text;
	struct program *program;
};

struct CUkern_st {
	const void *stub;
	struct object *object;
	char *name;
	struct kernel *kernel;
};

/* Like cudart's own, one a process. */
static struct {
	bool is_open;
	struct machine machine;
	struct object objects[OBJECTS_MAX];
	size_t n_objects;
	struct CUkern_st names[NAMES_MAX];
	size_t n_names;
	struct CUstream_st *streams[STREAMS_MAX];
	struct fault fault;
	cudaError_t last, broken;
	struct {
		dim3 grid, block;
		size_t shared;
		cudaStream_t stream;
	} call;
} all;

static cudaError_t remember(cudaError_t rc)
{
	if (rc != cudaSuccess)
		all.last = rc;
	return rc;
}

static cudaError_t broken(void)
{
	all.broken = cudaErrorLaunchFailure;
	return remember(all.broken);
}

/* ---- the program */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &n, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

static cudaError_t opened(void)
{
	if (!all.is_open && memory_init(&all.machine.memory, MEMORY_MOST, &all.fault) < 0)
		broken();
	if (!all.is_open)
		all.machine.stretch = 1;
	all.is_open = true;
	return all.broken;
}

static struct kernel *kernel_of(cudaKernel_t k)
{
	const char *path = getenv("GG_PTX");
	char *other = path ? read_file(path) : NULL;
	const char *text = path ? other : k->object->text;

	if (!k->object->program && !text)
		fault_set(&all.fault, "no PTX: %s", path ? path : "it is in no object");
	if (!k->object->program &&
	    (!text || program_read(text, &k->object->program, &all.fault) < 0))
		broken();
	free(other);
	return all.broken ? NULL : program_kernel(k->object->program, k->name);
}

/* The wrapper of crt's fatBinaryCtl.h: two numbers, then where the data are.  PTX in
 * it is plain text, since the object is made so. */
void **__cudaRegisterFatBinary(void *binary);
void **__cudaRegisterFatBinary(void *binary)
{
	static const char start[] = "\n.version ";
	struct object *o = &all.objects[all.n_objects++];
	const unsigned char *data;
	uint64_t size;

	if (all.n_objects > OBJECTS_MAX)
		abort();

	memcpy(&data, (char *)binary + 8, sizeof data);
	memcpy(&size, data + 8, sizeof size);
	o->text = memmem(data, size + 16, start, sizeof start - 1);
	while (o->text && o->text[-1] == '\n')
		o->text--;
	return (void **)o;
}

void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaRegisterFatBinaryEnd(void **handle)
{
	(void)handle;
}

void __cudaUnregisterFatBinary(void **handle);
void __cudaUnregisterFatBinary(void **handle)
{
	(void)handle;
}

void __cudaRegisterFunction(void **handle, const char *stub, char *device_function,
			    const char *name, int limit, uint3 *tid, uint3 *bid, dim3 *block,
			    dim3 *grid, int *warp);
void __cudaRegisterFunction(void **handle, const char *stub, char *device_function,
			    const char *name, int limit, uint3 *tid, uint3 *bid, dim3 *block,
			    dim3 *grid, int *warp)
{
	(void)device_function, (void)limit, (void)tid, (void)bid, (void)block, (void)grid;
	(void)warp;
	if (all.n_names == NAMES_MAX)
		abort();
	all.names[all.n_names++] = (struct CUkern_st){ stub, (struct object *)handle,
							 strdup(name), NULL };
}

/* ---- streams */

static void deed_end(struct deed *d)
{
	free(d->bytes);
}

static void graph_clear(struct CUgraph_st *g)
{
	for (size_t i = 0; i < g->n; i++)
		deed_end(&g->deeds[i]);
	free(g->deeds);
	*g = (struct CUgraph_st){ 0 };
}

static void graph_add(struct CUgraph_st *g, const struct deed *d)
{
	g->deeds = realloc(g->deeds, (g->n + 1) * sizeof *d);
	if (!g->deeds)
		abort();
	g->deeds[g->n++] = *d;
}

static void graph_copy(struct CUgraph_st *to, const struct CUgraph_st *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct deed d = from->deeds[i];

		if (d.bytes) {
			d.bytes = malloc(d.n + 1);
			if (!d.bytes)
				abort();
			memcpy(d.bytes, from->deeds[i].bytes, d.n);
		}
		graph_add(to, &d);
	}
}

static int run_launch(const struct deed *d)
{
	struct launch l = d->launch;

	l.params = d->bytes;
	return machine_run(&all.machine, &l, &all.fault);
}

static int out_of_bounds(const char *what)
{
	return fault_set(&all.fault, "%s is out of bounds of the device's memory", what);
}

static int run_deed(const struct deed *d)
{
	struct memory *m = &all.machine.memory;
	unsigned char *to = d->kind == DEED_GET ? d->host :
			    d->kind == DEED_LAUNCH ? NULL : memory_at(m, d->to, d->n);
	const void *from = d->kind == DEED_PUT ? d->bytes ? d->bytes : d->host_from :
			   d->kind == DEED_GET || d->kind == DEED_MOVE ?
			   memory_at(m, d->from, d->n) : NULL;

	if (d->kind == DEED_LAUNCH)
		return run_launch(d);
	if (d->n == 0)
		return 0;
	if (!to || (!from && d->kind != DEED_CLEAR))
		return out_of_bounds(d->kind == DEED_CLEAR ? "what is cleared" : "a copy");
	if (d->kind == DEED_CLEAR)
		memset(to, d->value, d->n);
	else
		memmove(to, from, d->n);
	if (d->kind != DEED_GET)
		memory_wrote(m, d->to, d->n);
	return 0;
}

static cudaError_t drain(cudaStream_t s)
{
	for (size_t i = 0; i < s->queue.n && !all.broken; i++)
		if (run_deed(&s->queue.deeds[i]) < 0)
			broken();
	graph_clear(&s->queue);
	return all.broken;
}

static cudaError_t drain_all(void)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (all.streams[i])
			drain(all.streams[i]);
	return all.broken;
}

/* Now or in the graph; what the deed owns goes with it. */
static cudaError_t give(cudaStream_t s, struct deed *d)
{
	if (all.broken || !s) {
		deed_end(d);
		return remember(all.broken ? all.broken : cudaErrorInvalidResourceHandle);
	}
	graph_add(s->recorded ? s->recorded : &s->queue, d);
	return cudaSuccess;
}

/* What cannot be recorded spoils a recording. */
static bool records(void)
{
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (all.streams[i] && all.streams[i]->recorded)
			is_any = all.streams[i]->is_spoilt = true;
	return is_any;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
	(void)flags;
	if (opened() != cudaSuccess)
		return all.broken;
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (!all.streams[i]) {
			*out = all.streams[i] = calloc(1, sizeof **out);
			return *out ? cudaSuccess : remember(cudaErrorMemoryAllocation);
		}
	return remember(cudaErrorMemoryAllocation);
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (s && all.streams[i] == s) {
			drain(s);
			all.streams[i] = NULL;
			free(s);
			return all.broken;
		}
	return remember(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
	if (s && s->recorded) {
		s->is_spoilt = true;
		return remember(cudaErrorStreamCaptureUnsupported);
	}
	return s ? drain(s) : drain_all();
}

/* ---- memory */

cudaError_t cudaMalloc(void **out, size_t n)
{
	*out = NULL;
	if (opened() != cudaSuccess)
		return all.broken;
	if (records())
		return remember(cudaErrorStreamCaptureUnsupported);
	*out = (void *)(uintptr_t)memory_take(&all.machine.memory, n);
	return *out || !n ? cudaSuccess : remember(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *p)
{
	if (records())
		return remember(cudaErrorStreamCaptureUnsupported);
	drain_all();
	if (p && memory_give(&all.machine.memory, (uint64_t)(uintptr_t)p) < 0)
		return remember(cudaErrorInvalidValue);
	return all.broken;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s)
{
	struct deed d = { .kind = DEED_CLEAR, .to = (uint64_t)(uintptr_t)p, .value = value,
			  .n = n };

	return give(s, &d);
}

/* What is copied from the host is taken at once, as CUDA does with memory that is
 * not pinned; a graph takes it each time. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind kind,
			    cudaStream_t s)
{
	struct deed d = { .kind = kind == cudaMemcpyHostToDevice ? DEED_PUT :
				  kind == cudaMemcpyDeviceToHost ? DEED_GET : DEED_MOVE,
			  .to = (uint64_t)(uintptr_t)to, .from = (uint64_t)(uintptr_t)from,
			  .host = to, .host_from = from, .n = n };

	if (kind == cudaMemcpyHostToHost || kind == cudaMemcpyDefault)
		return remember(cudaErrorInvalidMemcpyDirection);
	if (d.kind == DEED_PUT && s && !s->recorded) {
		d.bytes = malloc(n + 1);
		if (!d.bytes)
			abort();
		memcpy(d.bytes, from, n);
	}
	return give(s, &d);
}

/* ---- launches */

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared,
				     struct CUstream_st *stream);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared,
				     struct CUstream_st *stream)
{
	all.call.grid = grid;
	all.call.block = block;
	all.call.shared = shared;
	all.call.stream = stream;
	return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream);
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream)
{
	*grid = all.call.grid;
	*block = all.call.block;
	*shared = all.call.shared;
	*(cudaStream_t *)stream = all.call.stream;
	return cudaSuccess;
}

static unsigned char *params_of(const struct kernel *k, void **args)
{
	unsigned char *bytes = calloc(1, k->params_size + 1);

	if (!bytes)
		abort();
	for (size_t i = 0; i < k->n_params; i++)
		memcpy(bytes + k->params[i].offset, args[i], k->params[i].size);
	return bytes;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
			       size_t shared, cudaStream_t s);
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
			       size_t shared, cudaStream_t s)
{
	struct deed d = { .kind = DEED_LAUNCH };
	const char *no;

	if (opened() != cudaSuccess)
		return remember(all.broken);
	if (!kernel->kernel)
		kernel->kernel = kernel_of(kernel);
	if (!kernel->kernel)
		return remember(all.broken ? all.broken : cudaErrorInvalidDeviceFunction);
	d.launch = (struct launch){ kernel->kernel, { grid.x, grid.y, grid.z },
				    { block.x, block.y, block.z }, shared, NULL };
	no = launch_refused(&d.launch);
	if (no) {
		fault_set(&all.fault, "%s: %s", kernel->kernel->plain, no);
		return remember(cudaErrorInvalidConfiguration);
	}
	d.n = kernel->kernel->params_size;
	d.bytes = params_of(kernel->kernel, args);
	return give(s, &d);
}

cudaError_t __cudaGetKernel(cudaKernel_t *out, const void *stub);
cudaError_t __cudaGetKernel(cudaKernel_t *out, const void *stub)
{
	for (size_t i = 0; i < all.n_names; i++)
		if (all.names[i].stub == stub) {
			*out = &all.names[i];
			return cudaSuccess;
		}
	return remember(cudaErrorInvalidDeviceFunction);
}

/* As toolkits before 13 call it. */
cudaError_t cudaLaunchKernel(const void *stub, dim3 grid, dim3 block, void **args,
			     size_t shared, cudaStream_t s)
{
	cudaKernel_t kernel;
	cudaError_t rc = __cudaGetKernel(&kernel, stub);

	return rc ? rc : __cudaLaunchKernel(kernel, grid, block, args, shared, s);
}

/* ---- graphs */

cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode)
{
	(void)mode;
	if (!s || s->recorded)
		return remember(cudaErrorIllegalState);
	s->recorded = calloc(1, sizeof *s->recorded);
	s->is_spoilt = false;
	return s->recorded ? cudaSuccess : remember(cudaErrorMemoryAllocation);
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *out)
{
	*out = NULL;
	if (!s || !s->recorded)
		return remember(cudaErrorIllegalState);
	if (!s->is_spoilt)
		*out = s->recorded;
	else
		cudaGraphDestroy(s->recorded);
	s->recorded = NULL;
	return s->is_spoilt ? remember(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
	graph_clear(g);
	free(g);
	return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t g, unsigned long long flags)
{
	(void)flags;
	*out = calloc(1, sizeof **out);
	if (!*out)
		return remember(cudaErrorMemoryAllocation);
	graph_copy(&(*out)->of, g);
	return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g)
{
	graph_clear(&g->of);
	free(g);
	return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t s)
{
	if (all.broken || !s)
		return remember(all.broken ? all.broken : cudaErrorInvalidResourceHandle);
	graph_copy(s->recorded ? s->recorded : &s->queue, &g->of);
	return cudaSuccess;
}

/* ---- what it is */

cudaError_t cudaGetDeviceCount(int *out)
{
	*out = 1;
	return opened();
}

cudaError_t cudaGetDevice(int *out)
{
	*out = 0;
	return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int device)
{
	if (device)
		return remember(cudaErrorInvalidDevice);
	*out = (struct cudaDeviceProp){ .name = "PTX by instructions, no GPU", .major = 9,
					.multiProcessorCount = PROCESSORS };
	return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *out)
{
	*out = CUDART_VERSION;
	return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t rc = all.last;

	all.last = cudaSuccess;
	return all.broken ? all.broken : rc;
}

const char *cudaGetErrorString(cudaError_t rc)
{
	switch (rc) {
	case cudaErrorLaunchFailure:
	case cudaErrorInvalidConfiguration:
		return all.fault.text;
	case cudaErrorMemoryAllocation:
		return "out of memory";
	case cudaErrorStreamCaptureInvalidated:
	case cudaErrorStreamCaptureUnsupported:
		return "cannot be recorded";
	default:
		return "wrong use of CUDA's runtime";
	}
}
