/* device_host.c - the processor as a device: the GPU's source as loops */
#include <stdlib.h>
#include <string.h>
#include "tasks_body.h"
#include "blocks_body.h"

enum { PROCESSORS = 4 };        /* for the choice of tiles */

static void host_close(struct device *d)
{
	free(d);
}

static void *host_alloc(struct device *d, size_t n_bytes)
{
	(void)d;
	return memset(mem_alloc(n_bytes + 1), 0, n_bytes + 1);
}

static void host_free(struct device *d, void *p)
{
	(void)d;
	free(p);
}

static void host_copy(struct device *d, void *to, const void *from, size_t n_bytes)
{
	(void)d;
	memcpy(to, from, n_bytes);
}

#define LOOP(name) \
	static void all_##name(const void *how, size_t n_members, size_t n) \
	{ \
		for (size_t m = 0; m < n_members; m++) \
			for (size_t i = 0; i < n; i++) \
				task_##name(how, (uint32_t)m, (uint32_t)i); \
	}
EACH_TASK(LOOP)

static void host_task(struct device *d, unsigned task, const void *how, size_t n_members,
		      size_t n)
{
	static void (*const all[TASK_COUNT])(const void *how, size_t n_members, size_t n) = {
#define ENTRY(name) [TASK_##name] = all_##name,
		EACH_TASK(ENTRY)
#undef ENTRY
	};

	(void)d;
	all[task](how, n_members, n);
}

static void host_gemm(struct device *d, const struct device_gemm *g)
{
	static void (*const all[TILE_SIZES])(const struct device_gemm *g, size_t member,
					     size_t tile) = {
#define ENTRY(name, m, n, cycles) [TILE_##name] = block_##name,
		EACH_TILE(ENTRY)
#undef ENTRY
	};
	int s = tile_pick(&g->batch, d);

	for (size_t m = 0; m < g->batch.n_members; m++)
		for (size_t i = 0; i < tile_count(&g->batch, s); i++)
			all[s](g, m, i);
}

static void host_sum_rows(struct device *d, const struct device_sum *s)
{
	(void)d;
	for (size_t m = 0; m < s->n_members; m++)
		for (size_t i = 0; i < (s->cols + SUM_COLUMNS - 1) / SUM_COLUMNS; i++)
			block_sum(s, m, i);
}

static void host_repeat(struct device *d, void (*fn)(void *arg), void *arg, size_t n,
			bool again)
{
	(void)d;
	(void)again;
	for (size_t i = 0; i < n; i++)
		fn(arg);
}

static int host_wait(struct device *d, struct err *e)
{
	(void)d;
	(void)e;
	return 0;
}

struct device *device_host(void)
{
	static const struct device_ops ops = {
		.close = host_close, .alloc = host_alloc, .free = host_free,
		.put = host_copy, .get = host_copy, .task = host_task, .gemm = host_gemm,
		.sum_rows = host_sum_rows, .repeat = host_repeat, .wait = host_wait,
	};
	struct device *d = mem_alloc(sizeof *d);

	*d = (struct device){ .ops = &ops, .n_processors = PROCESSORS,
			      .name = "the processor" };
	return d;
}
