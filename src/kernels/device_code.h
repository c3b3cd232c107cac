/* device_code.h - how one source is a GPU's kernel and a loop on a processor
 *
 * Private to src/kernels.  A task is a function of a member and a place, called
 * for each.  Where threads of a block work together, their code is written as
 * stretches between barriers: on a GPU a thread runs each once, on a processor
 * one loop runs each for all threads.  What a thread keeps from one stretch to the
 * next is declared by KEPT and found by its own number.
 */
#ifndef GG_DEVICE_CODE_H
#define GG_DEVICE_CODE_H

#ifdef __CUDACC__

#define TASK(name) \
	static __device__ __forceinline__ void task_##name(const struct do_##name *a, \
							   uint32_t member, uint32_t i)
#define BLOCK_CODE static __device__ __forceinline__
#define SHARED __shared__ __align__(16)
#define EACH_THREAD(t, n) for (unsigned t = threadIdx.x, once = 1; once; once = 0)
#define BARRIER() __syncthreads()
#define KEPT(type, name, n_threads) type name[1]
#define OWN(t) 0
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")

#else

#define TASK(name) \
	static void task_##name(const struct do_##name *a, uint32_t member, uint32_t i)
#define BLOCK_CODE static
#define SHARED
#define EACH_THREAD(t, n) for (unsigned t = 0; t < (n); t++)
#define BARRIER() ((void)0)
#define KEPT(type, name, n_threads) type name[n_threads]
#define OWN(t) (t)
#define UNROLL
#define ROLLED

#endif
#endif
