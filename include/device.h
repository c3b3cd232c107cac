/* device.h - what the trainer of fused members asks of a GPU; src/kernels/device.c
 *
 * A device has memory of its own and does tasks in the order they are given,
 * each over all members at once.  Two make the table: CUDA's, a library that is
 * opened when it is asked for, and the processor itself, which runs the very
 * source of the GPU's kernels as loops: the way to test them without a GPU.
 *
 * Tasks cannot fail by themselves; what goes wrong on a device is told by the next
 * wait.
 */
#ifndef GG_DEVICE_H
#define GG_DEVICE_H

#include "gemm.h"
#include "ops.h"

/* The promises of shared numerics: the processor's own bits; the same bits for
 * one toolkit, architecture and number of multiprocessors; near enough. */
enum profile { PROFILE_EXACT, PROFILE_CUBLAS, PROFILE_FAST, PROFILE_COUNT };

/* An array of each member: member i's begins step * i floats behind `at`. */
struct by_member {
	float *at;
	size_t step;
};

/* A product a member; then, unless bias.at is NULL, plus a row; then ReLU. */
struct device_gemm {
	struct gemm_batch batch;
	struct by_member bias;
	bool is_relu;
};

/* out[j] = the sum of a column of x (rows x cols), rows rising. */
struct device_sum {
	size_t n_members, rows, cols;
	struct by_member x, out;
};

struct device {
	const struct device_ops *ops;
	/* What the bits depend on besides the job: "" for exact. */
	char profile[160];
	char name[160];         /* for people */
	unsigned n_processors;  /* multiprocessors */
	unsigned tile;          /* of products: 0: as suits; else, for tests and
				 * measurements, a size of tiles.h + 1 */
};

struct device_ops {
	void (*close)(struct device *d);
	/* Zeroed memory of the device, NULL when there is too little. */
	void *(*alloc)(struct device *d, size_t n_bytes);
	void (*free)(struct device *d, void *p);
	/* To the device, and from it when all tasks are done. */
	void (*put)(struct device *d, void *to, const void *from, size_t n_bytes);
	void (*get)(struct device *d, void *to, const void *from, size_t n_bytes);
	/* Do a task of tasks.h for each of n places of each member. */
	void (*task)(struct device *d, unsigned task, const void *how, size_t n_members,
		     size_t n);
	void (*gemm)(struct device *d, const struct device_gemm *g);
	void (*sum_rows)(struct device *d, const struct device_sum *s);
	/* Do n times what fn asks for; fn asks for the same each time, and may be
	 * called once and its tasks repeated.  again: as at the last call. */
	void (*repeat)(struct device *d, void (*fn)(void *arg), void *arg, size_t n,
		       bool again);
	/* Until all is done.  ERR_FAILED says what went wrong since the last wait. */
	int (*wait)(struct device *d, struct err *e);
};

/* The processor as a device, for tests: exact, one thread. */
struct device *device_host(void);

/* The GPU, through the library at path; *out is the caller's until its close.
 * ERR_MISSING when there is no such library, no driver or no GPU, or no cuBLAS
 * for a profile that wants it. */
int device_cuda(const char *path, enum profile p, struct device **out, struct err *e);

/* What the library offers under the name gg_ml_cuda. */
enum { DEVICE_PLUG_VERSION = 2 };
struct device_plug {
	unsigned version;
	int (*open)(enum profile p, struct device **out, struct err *e);
};

#endif
