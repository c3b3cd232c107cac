/* runtime.h - what runtime.c and stream.c share; private to them */
#ifndef GG_GPU_RUNTIME_H
#define GG_GPU_RUNTIME_H

#include <cuda_runtime_api.h>
#include "machine.h"

enum { NAMES_MAX = 128, STREAMS_MAX = 8, OBJECTS_MAX = 8 };

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
struct runtime {
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
};

extern struct runtime all;

/* An error is kept for cudaGetLastError; a fault for all that comes after. */
cudaError_t remember(cudaError_t rc);
cudaError_t broken(void);
cudaError_t opened(void);

/* The deed is the stream's or its recording's, with what it owns. */
cudaError_t stream_give(cudaStream_t s, struct deed *d);
/* All streams are waited for. */
cudaError_t streams_drain(void);
/* Whether one records, which what cannot be recorded spoils. */
bool streams_record(void);

#endif
