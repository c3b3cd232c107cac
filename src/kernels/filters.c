/* filters.c - channels go, and a smaller network is left
 *
 * Each layer has a list of the channels of its output that stay.  Products choose
 * theirs, other layers pass on what they read: flattened, position i is of channel
 * i modulo their number, as channels lie last.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "prune.h"

static const char blanks[] = " \t\n";

static bool is_product(const struct layer *l)
{
	return l->kind == LAYER_CONV || l->kind == LAYER_FC;
}

const char *prune_stays_whole(const struct net *n, size_t layer)
{
	bool is_read = false;

	for (size_t h = 0; h < n->n_heads; h++)
		if (n->heads[h].layer == layer)
			return "its channels are outputs of the network";
	for (size_t i = layer + 1; i < n->n_layers; i++) {
		const struct layer *l = &n->layers[i];
		const char *why = NULL;

		is_read = is_read || l->from == layer;
		if (l->kind == LAYER_ADD && (l->from == layer || l->also == layer))
			return "its channels are added to those of another layer";
		if (l->from == layer && !is_product(l))
			why = prune_stays_whole(n, i);
		if (why)
			return why;
	}
	return is_read ? NULL : "no layer reads it";
}

struct channel {
	double norm;
	size_t at;
};

/* The largest first; of equal ones the lowest. */
static int compare(const void *x, const void *y)
{
	const struct channel *a = x, *b = y;

	return a->norm != b->norm ? (a->norm > b->norm ? -1 : 1) :
	       (a->at > b->at) - (a->at < b->at);
}

/* Each channel's sum of magnitudes, rows rising.  ERR_BAD. */
static int norms(const struct pruning *p, size_t layer, struct channel *v, struct err *e)
{
	const struct param *w = &p->net->params[p->net->layers[layer].first_param];
	size_t cols = p->net->layers[layer].out.c;

	for (size_t c = 0; c < cols; c++)
		v[c] = (struct channel){ 0, c };
	for (size_t i = 0; i < w->n; i++) {
		if (isnan(p->w[w->at + i]))
			return err_set(e, ERR_BAD, "%s: number %zu is NaN: nothing is larger "
				       "or smaller than that", w->name, i);
		v[i % cols].norm += (double)fabsf(p->w[w->at + i]);
	}
	return 0;
}

static int choose(const struct pruning *p, size_t layer, bool *stays, struct err *e)
{
	size_t n = p->net->layers[layer].out.c;
	double share = prune_stays_whole(p->net, layer) ? 1 : p->share;
	size_t keep = (size_t)ceil(share * (double)n * (1 - 0x1p-51));
	struct channel *v = mem_alloc(n * sizeof *v);
	int rc = norms(p, layer, v, e);

	if (rc == 0)
		qsort(v, n, sizeof *v, compare);
	for (size_t i = 0; rc == 0 && i < n; i++)
		stays[v[i].at] = i < keep;
	free(v);
	return rc;
}

/* stays: by layer, from a.  ERR_BAD. */
static int choose_all(const struct pruning *p, struct arena *a, bool **stays, struct err *e)
{
	for (size_t i = 0; i < p->net->n_layers; i++) {
		const struct layer *l = &p->net->layers[i];

		stays[i] = arena_alloc(a, l->out.c * sizeof **stays);
		if (is_product(l) && choose(p, i, stays[i], e) < 0)
			return -1;
		for (size_t c = 0; !is_product(l) && c < l->out.c; c++)
			stays[i][c] = i == 0 || stays[l->from][c % l->in.c];
	}
	return 0;
}

static size_t count_of(const struct net *n, bool *const *stays, size_t layer)
{
	size_t count = 0;

	for (size_t c = 0; c < n->layers[layer].out.c; c++)
		count += stays[layer][c];
	return count;
}

/* "mlp 784-128-10 tanh": the sizes behind the first are the fc layers'. */
static void write_sizes(const struct net *n, bool *const *stays, struct buf *out)
{
	const char *s = n->text + strcspn(n->text, blanks);
	char *end;

	strtoul(s, &end, 10);
	buf_add(out, n->text, (size_t)(end - n->text));
	for (size_t i = 1; i < n->n_layers; i++)
		if (n->layers[i].kind == LAYER_FC)
			buf_printf(out, "-%zu", count_of(n, stays, i));
	buf_str(out, end + strcspn(end, " \t"));
}

/* Where the kind of an item stands: behind its name, if it has one. */
static const char *kind_of(const char *item)
{
	const char *s = item + strspn(item, blanks);
	const char *eq = memchr(s, '=', strcspn(s, " \t\n,"));

	return eq ? eq + 1 + strspn(eq + 1, blanks) : s;
}

static bool is_word(const char *s, const char *word)
{
	size_t n = strlen(word);

	return strncmp(s, word, n) == 0 && (!s[n] || strchr(" \t\n,", s[n]));
}

/* An item as it is, but for the number of channels; *layer is the one it makes. */
static void write_item(const struct net *n, bool *const *stays, const char *item,
		       size_t *layer, struct buf *out)
{
	const char *kind = kind_of(item), *end = item + strcspn(item, ","), *number;

	if (!is_word(kind, "from") && !is_word(kind, "head"))
		++*layer;
	if (!is_word(kind, "conv") && !is_word(kind, "fc")) {
		buf_add(out, item, (size_t)(end - item));
		return;
	}
	number = kind + strcspn(kind, blanks);
	number += strspn(number, blanks);
	buf_add(out, item, (size_t)(number - item));
	buf_printf(out, "%zu", count_of(n, stays, *layer));
	number += strcspn(number, " \t\n,");
	buf_add(out, number, (size_t)(end - number));
}

static char *write_text(const struct net *n, bool *const *stays, struct arena *a)
{
	const char *s = is_word(n->text, "net") ? strchr(n->text, ':') : NULL;
	struct buf out = { 0 };
	size_t layer = 0;
	char *text;

	if (!s) {
		write_sizes(n, stays, &out);
	} else {
		buf_add(&out, n->text, (size_t)(++s - n->text));
		for (; *s; s += *s == ',') {
			if (*s != ',')
				write_item(n, stays, s, &layer, &out);
			s += strcspn(s, ",");
			if (*s == ',')
				buf_char(&out, ',');
		}
	}
	text = arena_str(a, out.p);
	buf_release(&out);
	return text;
}

/* Rows of a product's weights are of the channels it reads, columns of its own. */
static void gather(const struct pruning *p, bool *const *stays, const struct net *to, float *out)
{
	for (size_t i = 1; i < p->net->n_layers; i++) {
		const struct layer *l = &p->net->layers[i];

		for (size_t k = l->first_param; k < l->first_param + l->n_params; k++) {
			const struct param *from = &p->net->params[k], *into = &to->params[k];
			bool reads = is_product(l) && from->n_dims > 1;
			size_t cols = l->out.c, n = 0;

			for (size_t at = 0; at < from->n; at++)
				if (stays[i][at % cols] &&
				    (!reads || stays[l->from][at / cols % l->in.c]))
					out[into->at + n++] = p->w[from->at + at];
			assert(n == into->n);
		}
	}
}

int prune_filters(const struct pruning *p, struct net *out, float **w, struct err *e)
{
	struct arena a = { 0 };
	bool **stays = arena_alloc(&a, p->net->n_layers * sizeof *stays);
	int rc = choose_all(p, &a, stays, e);

	if (rc == 0)
		rc = net_read(write_text(p->net, stays, &a), out, e);
	if (rc == 0) {
		*w = mem_alloc((out->n_weights + 1) * sizeof **w);
		gather(p, stays, out, *w);
	}
	arena_release(&a);
	return rc;
}
