/* ml_mask.c - masks of weights as files */
#include <string.h>
#include "mask.h"
#include "ml.h"

int ml_mask(struct ml *m, const char *path, const struct net *net, unsigned char **out,
	    struct err *e)
{
	struct tensors t;
	int rc;

	if (tensors_open(path, &t, e) < 0)
		return -1;
	*out = arena_alloc(&m->a, net->n_weights);
	rc = mask_read(&t, net, *out, e);
	tensors_close(&t);
	return rc;
}

int ml_masks(struct ml *m, const struct net *net, struct member *v, size_t n, struct err *e)
{
	for (size_t i = 0; m->owned && i < n; i++) {
		unsigned char *mask;

		if (i > 0 && !strstr(m->owned, "{}")) {
			v[i].owned = v[0].owned;
			continue;
		}
		if (ml_mask(m, ml_numbered(m, m->owned, i), net, &mask, e) < 0)
			return -1;
		v[i].owned = mask;
	}
	return 0;
}
