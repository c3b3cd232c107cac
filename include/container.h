/* container.h - what gg does of the engine container besides running steps
 *
 * src/backends/container_pack.c, container_gc.c.
 */
#ifndef GG_CONTAINER_H
#define GG_CONTAINER_H

#include "backend.h"

/* The body of a process that writes an image archive: STORE FILE NAME gzip|zstd
 * WORKER LIBRARY CLOSURE..., where LIBRARY is one that the worker opens by
 * itself, or "".  What went wrong goes to fd 3.  Returns the exit status. */
int container_pack_main(int argc, char **argv);

/* Remove what killed processes have left at the container engines that this
 * store was used with, and images that gg made of closures and nobody has used for
 * grace_s.  Serves the loop.  An engine that does not answer is passed over. */
struct container_gc {
	int64_t grace_s;
	bool is_dry;                    /* images are only counted */
	size_t n_containers, n_images;  /* that went */
};
void container_gc(const struct backend_opts *o, struct container_gc *g);

#endif
