/* f_formats.c - examples and weights from outside: refused or whole */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "formats.h"
#include "mask.h"
#include "net.h"
#include "prune.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void touch(const struct tensor *t)
{
	const unsigned char *p = t->data;
	static volatile unsigned sum;

	for (size_t i = 0; i < t->n * dtype_bytes(t->type); i++)
		sum += p[i];
}

static void try_table(struct bytes b, bool is_csv, unsigned how, struct arena *a)
{
	struct csv_opts o = { .label = how & 1 ? "last" : "first", .has_header = how & 2,
			      .hash_bits = how & 4 ? 5 : 0, .one_hot = how & 8,
			      .wants_targets = how & 16 };
	struct table t;
	struct err e;

	if (is_csv ? csv_read(b, "f", &o, a, &t, &e) : libsvm_read(b, "f", how & 1 ? 64 : 0,
								   a, &t, &e))
		return;
	assert(t.n && t.features);
	for (size_t i = 0; i < t.n * t.features; i++)
		assert(isfinite(t.x[i]));
}

/* Masks are 0 and 1 or refused. */
static void try_mask(struct bytes b)
{
	unsigned char mask[64];
	struct tensors t;
	struct net net;
	struct err e;

	if (net_read("mlp 3-2-3", &net, &e) < 0 || net.n_weights > sizeof mask)
		abort();
	if (tensors_read(b, "f", &t, &e) == 0) {
		if (mask_read(&t, &net, mask, &e) == 0)
			for (size_t i = 0; i < net.n_weights; i++)
				assert(mask[i] <= 1);
		tensors_close(&t);
	}
	net_release(&net);
}

/* A network that can be read can lose channels, and is still one. */
static void try_filters(const struct net *net)
{
	struct pruning p = { .net = net, .share = 0.5 };
	struct net small;
	float *w, *left;
	struct err e;

	if (net->n_weights > 10000)
		return;
	p.w = w = malloc((net->n_weights + 1) * sizeof *w);
	net_init(net, 1, w);
	if (prune_filters(&p, &small, &left, &e) < 0)
		abort();
	assert(small.n_layers == net->n_layers && small.n_weights <= net->n_weights);
	free(w);
	free(left);
	net_release(&small);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct arena a = { 0 };
	struct tensor t;
	struct tensors all;
	struct bytes b, inner;
	struct net net;
	struct err e;
	char text[4096];

	if (n < 2)
		return 0;
	b = (struct bytes){ (const char *)data + 1, n - 1 };
	switch (data[0] % 7) {
	case 0:
		if (idx_read(b, "f", &a, &t, &e) == 0)
			touch(&t);
		break;
	case 1:
		if (npy_read(b, "f", &a, &t, &e) == 0)
			touch(&t);
		break;
	case 2:
		try_table(b, true, data[0] / 6, &a);
		break;
	case 3:
		try_table(b, false, data[0] / 6, &a);
		break;
	case 4:
		if (gzip_open(b, "f", 1 << 20, &a, &inner, &e) == 0 &&
		    tensors_read(inner, "f", &all, &e) == 0) {
			for (size_t i = 0; i < all.n; i++)
				touch(&all.v[i]);
			tensors_close(&all);
		}
		break;
	case 5:
		if (b.n >= sizeof text)
			break;
		memcpy(text, b.p, b.n);
		text[b.n] = 0;
		if (net_read(text, &net, &e) == 0) {
			assert(net.n_layers > 1 && net.n_heads > 0);
			try_filters(&net);
			net_release(&net);
		}
		break;
	case 6:
		try_mask(b);
	}
	arena_release(&a);
	return 0;
}
