/* backends.c - the table of places where thunks run
 *
 * A new one costs its file and a row here.
 */
#include "backend.h"

const struct backend_ops *const backends[] = {
	&backend_local,
	&backend_connect,
	&backend_container,
	&backend_lambda,
	&backend_openwhisk,
	&backend_fake,
	&backend_slurm,
	&backend_sim,
	NULL,
};
