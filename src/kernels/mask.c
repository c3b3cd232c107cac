/* mask.c - which weights of a network are owned, from a file
 *
 * A name that is not the network's is refused: misspelt, it would leave all weights
 * owned, and nobody would notice.
 */
#include <string.h>
#include "mask.h"

static const struct param *find(const struct net *n, const char *name)
{
	for (size_t i = 0; i < n->n_params; i++)
		if (strcmp(n->params[i].name, name) == 0)
			return &n->params[i];
	return NULL;
}

static int take(const struct tensors *t, const struct tensor *v, const struct net *n,
		unsigned char *out, struct err *e)
{
	const struct param *p = find(n, v->name);
	const unsigned char *from = v->data;

	if (!p)
		return err_set(e, ERR_BAD, "%s: the network has no weights called %s", t->path,
			       v->name);
	if (v->type != DT_U8 && v->type != DT_BOOL)
		return err_set(e, ERR_BAD, "%s: %s is no mask: U8 or BOOL is wanted", t->path,
			       v->name);
	if (v->n_dims != p->n_dims || memcmp(v->dims, p->dims, p->n_dims * sizeof *p->dims))
		return err_set(e, ERR_BAD, "%s: %s has another shape than the network's",
			       t->path, v->name);
	for (size_t i = 0; i < v->n; i++)
		if (from[i] > 1)
			return err_set(e, ERR_BAD, "%s: %s: number %zu is %d, not 0 or 1",
				       t->path, v->name, i, from[i]);
	memcpy(out + p->at, from, p->n);
	return 0;
}

int mask_read(const struct tensors *t, const struct net *n, unsigned char *out, struct err *e)
{
	memset(out, 1, n->n_weights);
	if (!t->n)
		return err_set(e, ERR_BAD, "%s: it holds no masks", t->path);
	for (size_t i = 0; i < t->n; i++)
		if (take(t, &t->v[i], n, out, e) < 0)
			return -1;
	return 0;
}
