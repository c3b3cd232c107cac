/* net.c - from the text of a network to its layers
 *
 * mlp and linear are written out as items first, so that there is one reader.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "net.h"
#include "random.h"

enum { SIDE_MAX = 1 << 16, WORDS_MAX = 12 };
static const double shape_max = 2147483648.0, weights_max = 1099511627776.0;

/* One item being read: its words, and the layer it makes. */
struct item {
	struct net *net;
	const char *words[WORDS_MAX];
	size_t n_words, at;
	const char *name;
	size_t next_from;       /* what the next layer reads */
	struct layer layer;
	struct err *e;
};

size_t shape_size(struct shape s)
{
	return (size_t)s.h * s.w * s.c;
}

static const char *word(struct item *it)
{
	return it->at < it->n_words ? it->words[it->at++] : NULL;
}

static int bad(struct item *it, const char *what)
{
	return err_set(it->e, ERR_BAD, "network: %s%s%s: %s", it->words[0],
		       it->n_words > 1 ? " " : "", it->n_words > 1 ? it->words[1] : "",
		       what);
}

static int number(struct item *it, const char *what, uint32_t *out)
{
	const char *s = word(it);
	char *end;
	unsigned long v = s ? strtoul(s, &end, 10) : 0;

	if (!s || *end || v == 0)
		return bad(it, what);
	if (v > SIDE_MAX)
		return bad(it, "has a number over 65536");
	*out = (uint32_t)v;
	return 0;
}

static int find_layer(struct item *it, size_t *out)
{
	const char *s = word(it);

	for (size_t i = 0; s && i < it->net->n_layers; i++)
		if (strcmp(it->net->layers[i].name, s) == 0) {
			*out = i;
			return 0;
		}
	return bad(it, "wants the name of a layer before it");
}

static bool read_activation(const char *s, enum activation *out)
{
	static const char *const names[ACT_COUNT] = {
		[ACT_RELU] = "relu", [ACT_TANH] = "tanh", [ACT_SIGMOID] = "sigmoid",
	};

	for (int i = 1; s && i < ACT_COUNT; i++)
		if (strcmp(s, names[i]) == 0) {
			*out = (enum activation)i;
			return true;
		}
	return false;
}

/* The words after an item's own: stride, pad, an activation. */
static int options(struct item *it, bool has_stride, bool has_pad)
{
	const char *s;

	while ((s = word(it))) {
		int rc = 0;

		if (has_stride && strcmp(s, "stride") == 0)
			rc = number(it, "stride wants a number", &it->layer.stride);
		else if (has_pad && strcmp(s, "pad") == 0)
			rc = number(it, "pad wants a number", &it->layer.pad);
		else if (!read_activation(s, &it->layer.act))
			rc = bad(it, "has a word that is not known there");
		if (rc < 0)
			return -1;
	}
	return 0;
}

static void add_param(struct item *it, const char *what, const size_t *dims,
		      size_t n_dims, float spread, float fill, bool is_kept)
{
	struct net *n = it->net;
	struct param p = { .n_dims = n_dims, .n = 1, .at = n->n_weights,
			   .spread = spread, .fill = fill, .is_kept = is_kept };

	p.name = arena_printf(&n->a, "%s.%s", it->layer.name, what);
	for (size_t i = 0; i < n_dims; i++) {
		p.dims[i] = dims[i];
		p.n *= dims[i];
	}
	n->params = mem_grow(n->params, (n->n_params + 1) * sizeof *n->params);
	n->params[n->n_params++] = p;
	n->n_weights += p.n;
	it->layer.n_params++;
}

/* He's initialisation before a ReLU, Glorot's scale of the fan-in else. */
static void add_weights(struct item *it, const size_t *dims, size_t n_dims)
{
	size_t fan_in = 1, out = dims[n_dims - 1];
	float gain = it->layer.act == ACT_RELU ? 2.0f : 1.0f;

	for (size_t i = 0; i + 1 < n_dims; i++)
		fan_in *= dims[i];
	add_param(it, "weight", dims, n_dims, sqrtf(gain / (float)fan_in), 0, false);
	add_param(it, "bias", &out, 1, 0, 0, false);
}

static int window(struct item *it)
{
	struct layer *l = &it->layer;
	uint32_t h = l->in.h + 2 * l->pad, w = l->in.w + 2 * l->pad;

	if (h < l->kernel_h || w < l->kernel_w)
		return bad(it, "is larger than what it slides over");
	l->out.h = (h - l->kernel_h) / l->stride + 1;
	l->out.w = (w - l->kernel_w) / l->stride + 1;
	return 0;
}

static int read_conv(struct item *it)
{
	struct layer *l = &it->layer;
	char *end;
	const char *size;

	l->stride = 1;
	if (number(it, "wants a number of channels", &l->out.c) < 0)
		return -1;
	size = word(it);
	l->kernel_h = size ? (uint32_t)strtoul(size, &end, 10) : 0;
	l->kernel_w = size && *end == 'x' ? (uint32_t)strtoul(end + 1, &end, 10) : 0;
	if (!size || *end || !l->kernel_h || !l->kernel_w || l->kernel_h > SIDE_MAX ||
	    l->kernel_w > SIDE_MAX)
		return bad(it, "wants a size such as 3x3");
	if (options(it, true, true) < 0 || window(it) < 0)
		return -1;
	add_weights(it, (size_t[]){ l->kernel_h, l->kernel_w, l->in.c, l->out.c }, 4);
	return 0;
}

static int read_fc(struct item *it)
{
	struct layer *l = &it->layer;

	l->out = (struct shape){ 1, 1, 0 };
	if (number(it, "wants a number of outputs", &l->out.c) < 0 ||
	    options(it, false, false) < 0)
		return -1;
	add_weights(it, (size_t[]){ shape_size(l->in), l->out.c }, 2);
	return 0;
}

static int read_norm(struct item *it)
{
	size_t c = it->layer.in.c;

	if (c > NET_NORM_CHANNELS_MAX)
		return bad(it, "normalises 4096 channels at most");
	if (options(it, false, false) < 0)
		return -1;
	add_param(it, "weight", &c, 1, 0, 1, false);
	add_param(it, "bias", &c, 1, 0, 0, false);
	add_param(it, "mean", &c, 1, 0, 0, true);
	add_param(it, "var", &c, 1, 0, 1, true);
	return 0;
}

static int read_scale(struct item *it)
{
	struct layer *l = &it->layer;
	struct net *n = it->net;
	const char *s = it->at < it->n_words ? it->words[it->at] : "";

	l->n_sets = 1;
	if (strcmp(s, "of") == 0) {
		it->at++;
		if (number(it, "of wants a number of members", &l->n_sets) < 0)
			return -1;
	}
	if (options(it, false, false) < 0)
		return -1;
	if (l->n_sets > 1 && n->n_sets > 1 && l->n_sets != n->n_sets)
		return bad(it, "is for another number of members than the one before it");
	n->n_sets = l->n_sets > 1 ? l->n_sets : n->n_sets;
	add_param(it, "weight", (size_t[]){ l->n_sets, l->out.c }, 2, 0, 1, false);
	n->params[n->n_params - 1].has_signs = l->n_sets > 1;
	return 0;
}

static int read_pool(struct item *it)
{
	struct layer *l = &it->layer;

	if (number(it, "wants the side of its window", &l->kernel_h) < 0)
		return -1;
	if (l->kernel_h > NET_POOL_SIDE_MAX)
		return bad(it, "has a side of 255 at most");
	l->kernel_w = l->stride = l->kernel_h;
	return options(it, true, false) < 0 ? -1 : window(it);
}

static int read_global(struct item *it)
{
	it->layer.out = (struct shape){ 1, 1, it->layer.in.c };
	return options(it, false, false);
}

static int read_flatten(struct item *it)
{
	it->layer.out = (struct shape){ 1, 1, (uint32_t)shape_size(it->layer.in) };
	return options(it, false, false);
}

static int read_drop(struct item *it)
{
	const char *s = word(it);
	char *end;

	it->layer.rate = s ? strtof(s, &end) : -1;
	if (!s || *end || !(it->layer.rate >= 0 && it->layer.rate < 1))
		return bad(it, "wants a rate from 0 to below 1");
	return options(it, false, false);
}

static int read_act(struct item *it)
{
	read_activation(it->words[0], &it->layer.act);
	return it->n_words > 1 ? bad(it, "takes no words") : 0;
}

static int read_add(struct item *it)
{
	struct shape a = it->layer.in, b;

	if (find_layer(it, &it->layer.also) < 0)
		return -1;
	b = it->net->layers[it->layer.also].out;
	if (a.h != b.h || a.w != b.w || a.c != b.c)
		return bad(it, "the two outputs have different shapes");
	return options(it, false, false);
}

static int read_from(struct item *it)
{
	return find_layer(it, &it->next_from);
}

static int add_head(struct net *n, const char *name, size_t layer)
{
	n->heads = mem_grow(n->heads, (n->n_heads + 1) * sizeof *n->heads);
	n->heads[n->n_heads++] = (struct head){ arena_str(&n->a, name), layer };
	return 0;
}

static int read_head(struct item *it)
{
	const char *name = word(it);
	const struct net *n = it->net;

	if (!name || n->n_layers < 2)
		return bad(it, "wants a name, after the layer it names");
	if (n->n_heads == NET_HEADS_MAX)
		return bad(it, "is one too many: 16 are the most");
	for (size_t i = 0; i < n->n_heads; i++)
		if (strcmp(n->heads[i].name, name) == 0 || n->heads[i].layer == n->n_layers - 1)
			return bad(it, "has the name or the layer of another head");
	return add_head(it->net, name, it->net->n_layers - 1);
}

static const struct item_kind {
	const char *word;
	int (*read)(struct item *it);
	enum layer_kind kind;   /* LAYER_DATA: it makes no layer */
} item_kinds[] = {
	{ "conv", read_conv, LAYER_CONV },      { "fc", read_fc, LAYER_FC },
	{ "norm", read_norm, LAYER_NORM },      { "pool", read_pool, LAYER_POOL },
	{ "avgpool", read_pool, LAYER_AVGPOOL }, { "global", read_global, LAYER_GLOBAL },
	{ "flatten", read_flatten, LAYER_FLATTEN }, { "drop", read_drop, LAYER_DROP },
	{ "relu", read_act, LAYER_ACT },        { "tanh", read_act, LAYER_ACT },
	{ "sigmoid", read_act, LAYER_ACT },     { "add", read_add, LAYER_ADD },
	{ "scale", read_scale, LAYER_SCALE },
	{ "from", read_from, LAYER_DATA },      { "head", read_head, LAYER_DATA },
};

static void add_layer(struct item *it)
{
	struct net *n = it->net;

	n->layers = mem_grow(n->layers, (n->n_layers + 1) * sizeof *n->layers);
	n->layers[n->n_layers++] = it->layer;
	it->next_from = n->n_layers - 1;
}

static size_t count_kind(const struct net *n, const char *what)
{
	size_t count = 1, len = strlen(what);

	for (size_t i = 0; i < n->n_layers; i++)
		count += strncmp(n->layers[i].name, what, len) == 0 &&
			 n->layers[i].name[len] >= '0' && n->layers[i].name[len] <= '9';
	return count;
}

/* Sizes that no machine has would overflow in what follows. */
static int check_size(struct item *it)
{
	struct net *n = it->net;
	struct shape s = it->layer.out;
	double weights = 0;

	if ((double)s.h * (double)s.w * (double)s.c > shape_max)
		return bad(it, "its output has more than 2^31 numbers");
	for (size_t i = 0; i < n->n_params; i++) {
		double size = 1;

		for (size_t k = 0; k < n->params[i].n_dims; k++)
			size *= (double)n->params[i].dims[k];
		weights += size;
	}
	return weights > weights_max ? bad(it, "gives the network more than 2^40 weights") : 0;
}

static int read_item(struct item *it)
{
	const struct item_kind *k = NULL;
	struct net *n = it->net;

	for (size_t i = 0; i < sizeof item_kinds / sizeof *item_kinds; i++)
		if (strcmp(item_kinds[i].word, it->words[0]) == 0)
			k = &item_kinds[i];
	if (!k)
		return bad(it, "is no layer; conv, fc, norm, scale, pool, avgpool, "
			   "global, flatten, drop, relu, tanh, sigmoid, add, from and head are");
	it->at = 1;
	it->layer = (struct layer){
		.kind = k->kind, .from = it->next_from,
		.in = n->layers[it->next_from].out, .first_param = n->n_params,
	};
	it->layer.out = it->layer.in;
	it->layer.name = it->name ? it->name :
			 arena_printf(&n->a, "%s%zu", k->word, count_kind(n, k->word));
	for (size_t i = 0; k->kind != LAYER_DATA && i < n->n_layers; i++)
		if (strcmp(n->layers[i].name, it->layer.name) == 0)
			return bad(it, "has the name of another layer");
	if (k->read(it) < 0 || check_size(it) < 0)
		return -1;
	if (it->at < it->n_words)
		return bad(it, "has words too many");
	if (k->kind != LAYER_DATA)
		add_layer(it);
	return 0;
}

static int split_item(struct item *it, char *text)
{
	char *save = NULL, *w = strtok_r(text, " \t\n", &save), *eq;

	it->n_words = 0;
	it->name = NULL;
	eq = w ? strchr(w, '=') : NULL;
	if (eq) {
		*eq = 0;
		it->name = w;
		w = eq[1] ? eq + 1 : strtok_r(NULL, " \t\n", &save);
	}
	for (; w; w = strtok_r(NULL, " \t\n", &save)) {
		if (it->n_words == WORDS_MAX)
			return bad(it, "has words too many");
		it->words[it->n_words++] = w;
	}
	return it->n_words ? 0 : err_set(it->e, ERR_BAD, "network: an empty item");
}

static int read_items(struct net *n, const char *text, struct err *e)
{
	struct item it = { .net = n, .e = e };
	char *copy = arena_str(&n->a, text), *save = NULL;

	for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save))
		if (split_item(&it, s) < 0 || read_item(&it) < 0)
			return -1;
	if (n->n_layers < 2)
		return err_set(e, ERR_BAD, "network: it has no layers");
	return n->n_heads ? 0 : add_head(n, "out", n->n_layers - 1);
}

static void add_data(struct net *n, struct shape s)
{
	n->layers = mem_alloc(sizeof *n->layers);
	n->layers[n->n_layers++] = (struct layer){ .kind = LAYER_DATA, .name = "data",
						   .in = s, .out = s };
}

/* Of a batch ensemble each product has weights of its own before and after it. */
static void write_fc(struct buf *items, const char *fast, unsigned long n, const char *act)
{
	const char *comma = items->n ? ", " : "";

	if (fast)
		buf_printf(items, "%sscale of %s, fc %lu, scale of %s %s", comma, fast, n, fast,
			   act);
	else
		buf_printf(items, "%sfc %lu %s", comma, n, act);
}

/* "784-128-10 tanh drop 0.2" as items; name: what it is called. */
static int write_mlp(struct net *n, const char *name, const char *rest, struct buf *items,
		     struct err *e)
{
	char *copy = arena_str(&n->a, rest), *save = NULL, *end;
	char *sizes = strtok_r(copy, " \t", &save), *s;
	enum activation unused;
	const char *act = "relu", *drop = NULL, *fast = NULL;

	while ((s = strtok_r(NULL, " \t", &save))) {
		const char **value = strcmp(s, "drop") == 0 ? &drop :
				     strcmp(s, "fast") == 0 ? &fast : NULL;

		if (read_activation(s, &unused))
			act = s;
		else if (!value)
			return err_set(e, ERR_BAD, "network: %s: %s is not known there", name,
				       s);
		else if (!(*value = strtok_r(NULL, " \t", &save)))
			return err_set(e, ERR_BAD, "network: %s: %s wants a number", name, s);
	}
	for (size_t i = 0; sizes && *sizes; i++) {
		unsigned long v = strtoul(sizes, &end, 10);

		if (v == 0 || v > 1 << 24 || (*end && *end != '-'))
			break;
		if (*end == '-' && (!end[1] || (i > 0 && strcmp(name, "linear") == 0)))
			break;
		sizes = end + (*end == '-');
		if (i == 0) {
			add_data(n, (struct shape){ 1, 1, (uint32_t)v });
			continue;
		}
		write_fc(items, fast, v, *end ? act : "");
		if (*end && drop)
			buf_printf(items, ", drop %s", drop);
	}
	if (!sizes || *sizes || !items->n)
		return err_set(e, ERR_BAD, "network: %s wants sizes such as %s", name,
			       strcmp(name, "linear") == 0 ? "784-10" : "784-128-10");
	return 0;
}

static int read_data(struct net *n, const char *text, const char **rest, struct err *e)
{
	uint32_t v[3] = { 0 };
	char *end;
	int k = 0;

	for (; k < 3; k++) {
		unsigned long side = strtoul(text, &end, 10);

		if (side == 0 || side > 1 << 24)
			break;
		v[k] = (uint32_t)side;
		text = end + 1;
		if (*end != 'x')
			break;
	}
	if (!v[0] || *end != ':' || (k != 0 && k != 2))
		return err_set(e, ERR_BAD, "network: net wants a shape such as 28x28x1: or "
			       "784: before its layers");
	if ((double)v[0] * (double)(v[1] ? v[1] : 1) * (double)(v[2] ? v[2] : 1) > shape_max)
		return err_set(e, ERR_BAD, "network: an example has more than 2^31 numbers");
	add_data(n, v[1] ? (struct shape){ v[0], v[1], v[2] } : (struct shape){ 1, 1, v[0] });
	*rest = end + 1;
	return 0;
}

/* Weights carry the text as a remark, which is UTF-8. */
static bool is_plain(const char *text)
{
	struct bytes b = bytes_str(text);
	size_t n;

	for (; b.n; b.p += n, b.n -= n) {
		n = *b.p == '\t' || *b.p == '\n' ? 1 : bytes_printable(b);
		if (!n)
			return false;
	}
	return true;
}

int net_read(const char *text, struct net *out, struct err *e)
{
	size_t n = strcspn(text, " \t");
	const char *rest = text + n + strspn(text + n, " \t");
	struct buf items = { 0 };
	int rc;

	*out = (struct net){ .n_sets = 1 };
	out->text = arena_str(&out->a, text);
	if (!is_plain(text)) {
		rc = err_set(e, ERR_BAD, "network: it is no plain text");
	} else if ((n == 3 && memcmp(text, "mlp", 3) == 0) ||
	    (n == 6 && memcmp(text, "linear", 6) == 0)) {
		rc = write_mlp(out, n == 3 ? "mlp" : "linear", rest, &items, e);
		rest = items.p;
	} else if (n == 3 && memcmp(text, "net", 3) == 0) {
		rc = read_data(out, rest, &rest, e);
	} else {
		rc = err_set(e, ERR_BAD, "network: begins with mlp, linear or net, not "
			     "\"%.*s\"", (int)n, text);
	}
	if (rc == 0)
		rc = read_items(out, rest, e);
	buf_release(&items);
	if (rc < 0)
		net_release(out);
	return rc;
}

size_t net_head_size(const struct net *n, size_t h)
{
	return shape_size(n->layers[n->heads[h].layer].out);
}

void net_release(struct net *n)
{
	free(n->layers);
	free(n->params);
	free(n->heads);
	arena_release(&n->a);
	*n = (struct net){ 0 };
}

static void sign(const struct source *s, size_t n, float *w)
{
	for (size_t k = 0; k < n; k++)
		if (random_block(s, (uint32_t)(k / 4)).v[k % 4] >> 31)
			w[k] = -w[k];
}

void net_init(const struct net *n, uint64_t seed, float *w)
{
	for (size_t i = 0; i < n->n_params; i++) {
		const struct param *p = &n->params[i];
		struct source s = { .seed = seed, .stream = STREAM_INIT, .step = i };

		for (size_t k = 0; k < p->n; k++)
			w[p->at + k] = p->fill;
		if (p->has_signs)
			sign(&s, p->n, w + p->at);
		if (p->spread <= 0)
			continue;
		random_normal(&s, 0, p->n, w + p->at);
		for (size_t k = 0; k < p->n; k++)
			w[p->at + k] *= p->spread;
	}
}
