/* machine.h - a processor that runs a GPU's compiled code, as PTX, and checks it
 *
 * What it is: the PTX that nvcc made of src/kernels/device_cuda.cu, the text that
 * goes into gg-ml's library, is read (ptx_words.c, ptx_read.c, ptx_operand.c) and
 * executed one instruction after the other (block.c, access.c, arith.c): a block at
 * a time, an instruction for all threads that stand at it, those that are furthest
 * behind first, barriers when all have come.  Numbers are to the bit what NVIDIA's
 * PTX ISA says.  Memory (memory.c) knows its bounds, what was ever written and who
 * touched what between two barriers, and a fault names kernel, block, thread and
 * line of PTX.  runtime.c and stream.c put it in the place of CUDA's runtime, under
 * gg-ml's own host code.
 *
 * What it is not: a GPU.  ptxas's machine code, the order in which warps really
 * run, caches, and how long anything takes are not seen here.  No instruction is
 * guessed at: one that is not known is refused with its line.
 */
#ifndef GG_MACHINE_H
#define GG_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "touch.h"

/* The first thing that went wrong. */
struct fault {
	char text[400];
};

int fault_set(struct fault *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- programs */

enum { PTX_THREADS_MAX = 1024, PTX_OPERANDS = 5, PTX_SPECIALS = 12 };

struct ins;

/* One instruction for threads lo to hi - 1 of a block. */
typedef void ptx_lanes(const struct ins *i, char *regs, unsigned lo, unsigned hi);

enum ins_kind { INS_LANES, INS_LOAD, INS_STORE, INS_BRANCH, INS_BARRIER, INS_END };
enum space { SPACE_PARAM, SPACE_GLOBAL, SPACE_SHARED, SPACE_LOCAL, SPACE_COUNT };

/* A register is an array with an element a thread; operands are offsets of such
 * arrays, those of constants and of %tid and its like too.  Of loads and stores the
 * first are the data and the last is the address. */
struct ins {
	enum ins_kind kind;
	enum space space;
	ptx_lanes *fn;
	const struct op *op;
	uint32_t at[PTX_OPERANDS];
	uint32_t line, target;
	int64_t offset;
	uint8_t width, reg_width, n_vector, address_width;
	bool is_signed, is_floats, is_guarded, guard_is_not;
	uint32_t guard;
};

struct param {
	char *name;
	uint32_t offset, size;
};

struct constant {
	uint32_t at, size;
	uint64_t value;
};

/* What warps did in all launches; cost.c says how it is counted. */
enum cost_class {
	COST_FLOAT, COST_INT, COST_WIDE, COST_DIVIDE, COST_OTHER, COST_PARAM, COST_GLOBAL,
	COST_SHARED, COST_LOCAL, COST_BRANCH, COST_CLASSES
};

struct cost {
	uint64_t launches, warps[COST_CLASSES];
	uint64_t sectors, sectors_least, turns, turns_least;
};

struct kernel {
	char *name;             /* as nvcc mangles it */
	char plain[64];         /* as it is in the source */
	struct ins *code;
	size_t n_code;
	struct param *params;
	size_t n_params;
	uint32_t params_size, shared_size, local_size, threads;
	struct constant *constants;
	size_t n_constants;
	size_t regs_size;
	char *regs;             /* made when first run */
	struct cost cost;
};

struct program {
	struct kernel *kernels;
	size_t n_kernels;
};

/* The text must end in a zero.  -1 and a fault that names the line. */
int program_read(const char *text, struct program **out, struct fault *f);
void program_free(struct program *p);
struct kernel *program_kernel(struct program *p, const char *name);

/* An arithmetic instruction: the sizes of its operands, the result first. */
struct op {
	const char *name;       /* with _ for each dot */
	ptx_lanes *fn;
	uint8_t n, sizes[PTX_OPERANDS];
};

extern const struct op arith_avx2[], arith_scalar[];        /* the last has no name */
const struct op *op_find(const char *name);

/* ---- memory */

struct piece {
	uint64_t at;
	size_t size;
	unsigned char *bytes;
	struct touched *words;
};

struct memory {
	struct piece *pieces;                   /* by address */
	size_t n_pieces, used, most;
	uint64_t base, next;
};

/* Addresses are nothing's on the host, and bytes there are poison until written.
 * 0: more than `most` bytes in all. */
int memory_init(struct memory *m, size_t most, struct fault *f);
void memory_release(struct memory *m);
uint64_t memory_take(struct memory *m, size_t n);
int memory_give(struct memory *m, uint64_t at);
/* The bytes from `at` on, or NULL when n of them are not one piece's. */
unsigned char *memory_at(struct memory *m, uint64_t at, size_t n);
void memory_wrote(struct memory *m, uint64_t at, size_t n);
struct piece *memory_piece(struct memory *m, uint64_t at);

/* ---- running */

struct launch {
	struct kernel *kernel;
	unsigned grid[3], block[3];
	size_t shared;
	const unsigned char *params;
};

struct machine {
	struct memory memory;
	uint32_t stretch;
	bool counts;                            /* costs too, which is slow */
};

/* Why it could not begin, as on a GPU, or NULL. */
const char *launch_refused(const struct launch *l);
int machine_run(struct machine *m, const struct launch *l, struct fault *f);

/* A table of what the kernels cost.  -1: it cannot be written. */
int cost_write(const struct program *p, const char *path);

#endif
