/* ml_prune.c - gg-ml prune */
#include <stdlib.h>
#include <string.h>
#include "fisher.h"
#include "ml.h"
#include "prune.h"

/* Weights as they come, and the network they are for. */
struct work {
	struct ml *m;
	struct tensors file;
	struct net net;
	float *w;
	struct pruning how;
	const char *asked;      /* --loss */
};

static int read_share(const struct ml *m, double *out, struct err *e)
{
	if (ml_number(m->share, 0, 0, "keep", out, e) < 0)
		return -1;
	return *out > 0 && *out <= 1 && !strchr(m->share, ',') ? 0 :
		err_set(e, ERR_REFUSED, "--keep wants the share that stays, above 0 and at most "
			"1, such as 0.5, not %s", m->share);
}

/* Where gone is 0 weights stay. */
static void clear(struct work *k, const unsigned char *gone)
{
	for (size_t i = 0; i < k->net.n_weights; i++)
		if (gone[i])
			k->w[i] = 0.0f;
}

static int by_weights(struct work *k, struct err *e)
{
	struct ml *m = k->m;
	size_t n = k->net.n_weights;
	unsigned char *stays = arena_alloc(&m->a, n), *gone = arena_alloc(&m->a, n), *owned;

	if (m->owned && ml_mask(m, m->owned, &k->net, &owned, e) < 0)
		return -1;
	k->how.owned = m->owned ? owned : NULL;
	if (prune_weights(&k->how, stays, e) < 0)
		return err_wrap(e, "%s", k->file.path);
	for (size_t i = 0; i < n; i++) {
		gone[i] = !stays[i];
		stays[i] = stays[i] && (!m->owned || owned[i]);
	}
	clear(k, gone);
	if (ml_save(m, m->output, &k->net, k->w, e) < 0 ||
	    (m->mask && ml_save_mask(m, m->mask, &k->net, stays, e) < 0))
		return -1;
	return m->free ? ml_save_mask(m, m->free, &k->net, gone, e) : 0;
}

/* What the loss owes to each weight, to choose by. */
static int by_fisher(struct work *k, struct err *e)
{
	struct ml *m = k->m;
	float *scores = arena_alloc(&m->a, k->net.n_weights * sizeof *scores);
	enum loss losses[NET_HEADS_MAX];
	struct tensors file;
	struct dataset data;
	struct importance of = { &k->net, k->w, &data, losses, NULL };
	int rc;

	if (ml_losses(m, k->asked ? k->asked : m->loss, LOSS_SOFTMAX, &k->net, losses, e) < 0 ||
	    ml_open_data(m, &file, &data, e) < 0)
		return -1;
	rc = ml_fits(m, &k->net, &data, losses, e);
	if (rc == 0) {
		of.team = ml_team(m);
		fisher(&of, scores);
		team_free(of.team);
		k->how.scores = scores;
	}
	dataset_release(&data);
	tensors_close(&file);
	return rc < 0 ? -1 : by_weights(k, e);
}

static void tell_whole(const struct net *n)
{
	for (size_t i = 1; i < n->n_layers; i++) {
		const struct layer *l = &n->layers[i];
		bool has_channels = l->kind == LAYER_CONV || l->kind == LAYER_FC;
		const char *why = has_channels ? prune_stays_whole(n, i) : NULL;

		if (why)
			fprintf(stderr, "gg-ml: %s stays whole: %s\n", l->name, why);
	}
}

static int by_filters(struct work *k, struct err *e)
{
	struct net net;
	float *w;
	int rc;

	if (k->m->owned || k->m->mask || k->m->free || k->m->is_whole)
		return err_set(e, ERR_REFUSED, "--by filters makes a smaller network, all of it "
			       "owned: --owned, --mask, --free and --whole are for --by weights");
	if (prune_filters(&k->how, &net, &w, e) < 0)
		return err_wrap(e, "%s", k->file.path);
	tell_whole(&k->net);
	rc = ml_save(k->m, k->m->output, &net, w, e);
	free(w);
	net_release(&net);
	return rc;
}

static int by_mask(struct work *k, struct err *e)
{
	unsigned char *gone;

	if (ml_mask(k->m, k->m->without, &k->net, &gone, e) < 0)
		return -1;
	clear(k, gone);
	return ml_save(k->m, k->m->output, &k->net, k->w, e);
}

static int check(const struct ml *m, int argc, struct err *e)
{
	bool chooses = m->mask || m->free || m->owned || m->is_whole || m->by;
	bool looks = m->by && strcmp(m->by, "fisher") == 0;

	if (argc != 1)
		return err_set(e, ERR_REFUSED, "prune wants one file of weights");
	if (ml_check_names(m, e) < 0)
		return -1;
	if (!m->share == !m->without)
		return err_set(e, ERR_REFUSED, "prune wants --keep X, the share that stays, or "
			       "--without MASK");
	if (!looks && (m->data || m->loss))
		return err_set(e, ERR_REFUSED, "--data and --loss are for --by fisher");
	return m->without && chooses ?
	       err_set(e, ERR_REFUSED, "--without says what goes: --by, --whole, --owned, "
		       "--mask and --free go with --keep") : 0;
}

static const struct {
	const char *name;
	int (*prune)(struct work *k, struct err *e);
} ways[] = {
	{ "weights", by_weights }, { "filters", by_filters }, { "fisher", by_fisher },
};

enum { N_WAYS = sizeof ways / sizeof *ways };

static int prune(struct work *k, int way, struct err *e)
{
	struct ml *m = k->m;

	m->numerics = tensors_remark(&k->file, "profile");
	k->asked = m->loss;
	m->loss = tensors_remark(&k->file, "loss");
	k->how = (struct pruning){ .net = &k->net, .w = k->w, .is_whole = m->is_whole };
	if (tensors_remark(&k->file, "kind"))
		return err_set(e, ERR_BAD, "%s: these are middles of clusters: each of their "
			       "numbers counts", k->file.path);
	if (m->without)
		return by_mask(k, e);
	if (read_share(m, &k->how.share, e) < 0)
		return -1;
	return ways[way].prune(k, e);
}

int ml_prune(struct ml *m, int argc, char **argv, struct err *e)
{
	const char *names[N_WAYS];
	struct work k = { .m = m };
	int way, rc;

	for (int i = 0; i < N_WAYS; i++)
		names[i] = ways[i].name;
	if (check(m, argc, e) < 0 || ml_choice(m->by, names, N_WAYS, 0, "--by", &way, e) < 0 ||
	    ml_load(argv[0], &k.file, &k.net, &k.w, e) < 0)
		return -1;
	rc = prune(&k, way, e);
	free(k.w);
	net_release(&k.net);
	tensors_close(&k.file);
	return rc;
}
