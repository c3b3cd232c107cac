/* stream.c - what is to be done, in order: streams, copies, recorded graphs */
#include <stdlib.h>
#include <string.h>
#include "runtime.h"

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

cudaError_t streams_drain(void)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (all.streams[i])
			drain(all.streams[i]);
	return all.broken;
}

/* Now or in the graph; what the deed owns goes with it. */
cudaError_t stream_give(cudaStream_t s, struct deed *d)
{
	if (all.broken || !s) {
		deed_end(d);
		return remember(all.broken ? all.broken : cudaErrorInvalidResourceHandle);
	}
	graph_add(s->recorded ? s->recorded : &s->queue, d);
	return cudaSuccess;
}

/* What cannot be recorded spoils a recording. */
bool streams_record(void)
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
	return s ? drain(s) : streams_drain();
}

/* ---- copies */

cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s)
{
	struct deed d = { .kind = DEED_CLEAR, .to = (uint64_t)(uintptr_t)p, .value = value,
			  .n = n };

	return stream_give(s, &d);
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
	return stream_give(s, &d);
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
