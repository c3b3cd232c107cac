/* device.c - the library that knows the GPU, opened when it is asked for */
#include <dlfcn.h>
#include "device.h"

int device_cuda(const char *path, enum profile p, struct device **out, struct err *e)
{
	/* It stays: CUDA has threads and exit functions of its own. */
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct device_plug *plug;

	if (!library)
		return err_set(e, ERR_MISSING, "device cuda: this gg-ml came without it: %s",
			       dlerror());
	plug = dlsym(library, "gg_ml_cuda");
	if (plug && plug->version == DEVICE_PLUG_VERSION)
		return plug->open(p, out, e);
	dlclose(library);
	return err_set(e, ERR_MISSING, "device cuda: %s belongs to another gg-ml", path);
}
