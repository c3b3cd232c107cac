/* ml_fit.c - do examples, network and losses go together? */
#include <string.h>
#include "ml.h"

int ml_losses(struct ml *m, const char *list, enum loss loss, const struct net *net,
	      enum loss *out, struct err *e)
{
	static const char *const names[] = { "softmax", "logistic", "hinge", "mse" };
	const char *s = list;
	int is = (int)loss;

	for (size_t h = 0; h < net->n_heads; h++) {
		if (s) {
			size_t n = strcspn(s, ",");

			if (ml_choice(arena_strn(&m->a, s, n), names, LOSS_COUNT, 0, "--loss",
				      &is, e) < 0)
				return -1;
			s = s[n] ? s + n + 1 : NULL;
		}
		out[h] = (enum loss)is;
	}
	return s ? err_set(e, ERR_REFUSED, "--loss: more losses than the network has heads") :
	       0;
}

int ml_find_model(struct ml *m, struct err *e)
{
	const char *text, *path = m->init ? ml_numbered(m, m->init, 0) : NULL;
	struct tensors t;

	if (m->model)
		return 0;
	if (!path)
		return err_set(e, ERR_REFUSED, "--model wants a network, such as "
			       "'mlp 784-128-10'; or --init weights that say theirs");
	if (tensors_open(path, &t, e) < 0)
		return -1;
	text = tensors_remark(&t, "network");
	if (!text)
		err_set(e, ERR_BAD, "%s: does not say which network it is for: give --model",
			t.path);
	else if (tensors_remark(&t, "kind"))
		err_set(e, ERR_BAD, "%s: these are middles of clusters: give --model 'kmeans "
			"...'", t.path);
	else
		m->model = arena_str(&m->a, text);
	tensors_close(&t);
	return m->model ? 0 : -1;
}

/* Does y's part for the h-th head fit its loss? */
static int check_head(const struct ml *m, const struct net *net, const struct dataset *d,
		      size_t h, enum loss loss, struct err *e)
{
	size_t out = net_head_size(net, h), classes = out > 1 ? out : 2;

	if (loss == LOSS_MSE ? !d->targets : !d->labels)
		return err_set(e, ERR_BAD, "%s: the loss of head %s wants y as %s", m->data,
			       net->heads[h].name,
			       loss == LOSS_MSE ? "targets (F32)" : "classes (I32)");
	for (size_t i = 0; d->labels && i < d->n; i++)
		if ((size_t)d->labels[i * d->n_targets + h] >= classes)
			return err_set(e, ERR_BAD, "%s: there are labels up to %d, head %s has "
				       "%zu outputs", m->data, (int)d->n_classes - 1,
				       net->heads[h].name, out);
	return 0;
}

int ml_fits(const struct ml *m, const struct net *net, const struct dataset *d,
	    const enum loss *losses, struct err *e)
{
	size_t in = shape_size(net->layers[0].out), columns = 0;

	if (d->size != in)
		return err_set(e, ERR_BAD, "%s: examples have %zu numbers, the network%s reads "
			       "%zu", m->data, d->size, m->model ? " of --model" : "", in);
	for (size_t h = 0; h < net->n_heads; h++) {
		columns += d->labels ? 1 : net_head_size(net, h);
		if (check_head(m, net, d, h, losses[h], e) < 0)
			return -1;
	}
	if (columns != d->n_targets)
		return err_set(e, ERR_BAD, "%s: y has %zu columns, the network's heads want "
			       "%zu", m->data, d->n_targets, columns);
	return 0;
}
