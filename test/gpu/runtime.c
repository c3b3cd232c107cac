/* runtime.c - CUDA's runtime for gg-ml's library, over the machine of machine.h
 *
 * It is linked in the place of cudart and has what device_cuda.cu calls.  The
 * PTX is that which nvcc put into the object, or, to see that the tests notice, that
 * of the file in GG_PTX; GG_PTX_COSTS names a file for what cost.c counts.  Work is
 * done as late as CUDA may do it: a stream keeps what it is given until somebody
 * waits for it, and copies to the host come only then.  After a fault every call
 * fails, as after one on a GPU, and the error's words are the machine's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "runtime.h"

enum { MEMORY_MOST = 1 << 30, PROCESSORS = 4 };

struct runtime all;

cudaError_t remember(cudaError_t rc)
{
	if (rc != cudaSuccess)
		all.last = rc;
	return rc;
}

cudaError_t broken(void)
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

cudaError_t opened(void)
{
	if (!all.is_open && memory_init(&all.machine.memory, MEMORY_MOST, &all.fault) < 0)
		broken();
	if (!all.is_open)
		all.machine.stretch = 1;
	all.machine.counts = getenv("GG_PTX_COSTS") != NULL;
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
	const char *path = getenv("GG_PTX_COSTS");
	struct object *o = (struct object *)handle;

	if (o->program && path && cost_write(o->program, path) < 0)
		fprintf(stderr, "no costs are in %s\n", path);
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

/* ---- memory */

cudaError_t cudaMalloc(void **out, size_t n)
{
	*out = NULL;
	if (opened() != cudaSuccess)
		return all.broken;
	if (streams_record())
		return remember(cudaErrorStreamCaptureUnsupported);
	*out = (void *)(uintptr_t)memory_take(&all.machine.memory, n);
	return *out || !n ? cudaSuccess : remember(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *p)
{
	if (streams_record())
		return remember(cudaErrorStreamCaptureUnsupported);
	streams_drain();
	if (p && memory_give(&all.machine.memory, (uint64_t)(uintptr_t)p) < 0)
		return remember(cudaErrorInvalidValue);
	return all.broken;
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
	return stream_give(s, &d);
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
