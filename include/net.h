/* net.h - a network: layers, where their weights lie, forward and backward
 *
 * src/kernels/net.c (from text to layers), pass.c (forward and backward), conv.c,
 * pool.c, norm.c, scale.c (one kind of layer each).
 *
 * Examples are rows; an image is height x width x channels, channels last.  All
 * weights of a member lie in one slab, tensor after tensor in the order of the
 * layers.  Text of a network, items separated by commas:
 *
 *     mlp 784-128-10 [relu|tanh|sigmoid] [drop RATE] [fast N]
 *     linear 784-10
 *     net 28x28x1: conv 16 5x5 pad 2 relu, pool 2, fc 10
 *
 *     [NAME=]conv OUT KxK [stride S] [pad P] [ACT]
 *     [NAME=]fc OUT [ACT]
 *     [NAME=]norm [ACT]               batch normalisation
 *     [NAME=]scale [of N] [ACT]       channels times weights; of N: a batch ensemble,
 *                                     whose N members have a set of them each
 *     pool K [stride S], avgpool K [stride S], global, flatten, drop RATE
 *     relu, tanh, sigmoid
 *     [NAME=]add FROM [ACT]           the sum with the output of layer FROM
 *     from FROM                       the next layer reads FROM's output
 *     head NAME                       what stands before is an output called so
 *
 * Layers without a name are called by their kind and a number: conv1, fc2.
 */
#ifndef GG_NET_H
#define GG_NET_H

#include "ops.h"

enum layer_kind {
	LAYER_DATA, LAYER_CONV, LAYER_FC, LAYER_NORM, LAYER_POOL, LAYER_AVGPOOL,
	LAYER_GLOBAL, LAYER_FLATTEN, LAYER_DROP, LAYER_ACT, LAYER_ADD, LAYER_SCALE,
	LAYER_KIND_COUNT
};

enum { NET_NORM_CHANNELS_MAX = 4096, NET_POOL_SIDE_MAX = 255,
       NET_HEADS_MAX = 16 };

struct shape {
	uint32_t h, w, c;       /* a vector: 1 x 1 x c */
};
size_t shape_size(struct shape s);

/* A tensor of the slab.  Kept ones are no weights but statistics that training
 * leaves (of batch normalisation). */
struct param {
	const char *name;       /* "conv1.weight" */
	size_t dims[4], n_dims;
	size_t at, n;           /* floats */
	float spread;           /* standard deviation at the start; 0: `fill` */
	float fill;
	bool is_kept;
	bool has_signs;         /* it begins as 1 and -1, by chance */
};

struct layer {
	enum layer_kind kind;
	const char *name;
	size_t from, also;      /* layers it reads; also: LAYER_ADD's other */
	struct shape in, out;
	enum activation act;
	uint32_t kernel_h, kernel_w, stride, pad;
	float rate;             /* LAYER_DROP */
	uint32_t n_sets;        /* LAYER_SCALE */
	size_t first_param, n_params;
};

struct head {
	const char *name;
	size_t layer;
};

struct net {
	struct arena a;
	struct layer *layers;   /* [0] is the data */
	struct param *params;
	struct head *heads;
	size_t n_layers, n_params, n_heads;
	uint32_t n_sets;        /* members that share this network; 1: itself */
	size_t n_weights;       /* floats of the slab, kept ones included */
	const char *text;       /* tidied */
};

/* *out is the caller's until net_release().  ERR_BAD says which item is wrong
 * and what would be right. */
int net_read(const char *text, struct net *out, struct err *e);
void net_release(struct net *n);
/* Outputs of the h-th head. */
size_t net_head_size(const struct net *n, size_t h);
/* The weights at the start, a function of the seed. */
void net_init(const struct net *n, uint64_t seed, float *w);

/* Room for one batch of at most rows_max examples: the outputs of all layers,
 * and with `trains` their gradients. */
struct pass;
struct pass *pass_new(const struct net *n, size_t rows_max, bool trains);
void pass_free(struct pass *p);

/* How one batch goes through. */
struct run_of {
	const struct net *net;
	struct team *team;
	float *w;               /* the slab; kept statistics change in training */
	size_t rows;
	const float *x;         /* rows x data, borrowed until the backward pass */
	bool trains;
	const unsigned char *owned;     /* of kept statistics, which change where it is
					 * 1; NULL: everywhere (mask.h) */
	uint64_t seed, step;    /* of dropout */
	size_t set;             /* all rows are the (set - 1)-th member's of a batch
				 * ensemble; 0: row i is i mod sets's */
};
/* Fill the outputs of all layers. */
void pass_forward(struct pass *p, const struct run_of *r);
/* The output of a layer, and room for the loss's gradient of it (rows x size).
 * Gradients of heads are the caller's to fill before pass_backward. */
float *pass_output(struct pass *p, size_t layer);
float *pass_gradient(struct pass *p, size_t layer);
/* g, a slab, gets the gradient of every weight; kept ones get 0.  Of what was no
 * training: drop and norm layers are as they are when they predict. */
void pass_backward(struct pass *p, const struct run_of *r, float *g);

#endif
