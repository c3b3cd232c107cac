/* ml_device.c - --device and --profile: where members are trained, and how exactly */
#include <string.h>
#include <unistd.h>
#include "ml.h"

/* The GPU's half lies beside the program. */
static char *beside(struct ml *m, const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = 0;
	if (strrchr(self, '/'))
		*strrchr(self, '/') = 0;
	return arena_printf(&m->a, "%s/%s", self, name);
}

int ml_device(struct ml *m, struct device **out, struct err *e)
{
	static const char *const devices[] = { "cpu", "cuda", "loops" };
	static const char *const profiles[] = { "exact", "cublas", "fast" };
	int device, profile;

	*out = NULL;
	if (ml_choice(m->device, devices, 3, 0, "--device", &device, e) < 0 ||
	    ml_choice(m->profile, profiles, PROFILE_COUNT, PROFILE_EXACT, "--profile", &profile,
		      e) < 0)
		return -1;
	if (profile != PROFILE_EXACT && device != 1)
		return err_set(e, ERR_REFUSED, "--profile %s wants --device cuda", m->profile);
	if (device == 2)
		*out = device_host();
	return device == 1 ? device_cuda(beside(m, "gg-ml-cuda.so"), (enum profile)profile, out,
					 e) : 0;
}
