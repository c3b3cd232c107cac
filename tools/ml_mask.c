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

int ml_save_mask(struct ml *m, const char *path, const struct net *net,
		 const unsigned char *mask, struct err *e)
{
	struct tensor *v = arena_alloc(&m->a, net->n_params * sizeof *v);
	struct remark r = { "format", "gg-ml mask 1" };

	for (size_t i = 0; i < net->n_params; i++) {
		const struct param *p = &net->params[i];

		v[i] = (struct tensor){ .name = p->name, .type = DT_U8, .n_dims = p->n_dims,
					.n = p->n, .data = mask + p->at };
		memcpy(v[i].dims, p->dims, p->n_dims * sizeof *p->dims);
	}
	return tensors_write(path, v, net->n_params, &r, 1, e);
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
