/* fused_parts.h - what fused.c and fused_layers.c share */
#ifndef GG_FUSED_PARTS_H
#define GG_FUSED_PARTS_H

#include "fused.h"
#include "tasks.h"

/* What a layer keeps on the device, for all members. */
struct fused_layer {
	struct by_member y, dy;
	uint32_t *places;               /* pooling */
	struct by_member mean, factor;  /* norm */
};

enum { FUSED_STATES = 2 };

struct fused {
	struct device *d;
	const struct net *net;
	const struct dataset *data;
	struct recipe recipe;
	const struct member *members;
	size_t n_members, slab, step;
	struct by_member w, g, states[FUSED_STATES];
	struct fused_layer *layers;
	struct by_member scratch, pieces, targets;
	struct by_member columns, back; /* of columns_members at a time */
	size_t columns_members;
	bool *has_gradient;
	bool has_run;

	struct device_clock *clock;
	uint64_t *seeds;
	float *smoothing, *losses;
	double *means, *told;           /* told: the host's copy */
	struct coefs *coefs;
	unsigned char *kinds;
	size_t kinds_step;              /* 0: all members share them */
	unsigned char *bytes;
	float *floats, *all_targets, *mean, *factor;
	int32_t *all_labels, *labels;
	uint32_t *chosen;

	void **memory;                  /* all of the above on the device */
	size_t n_memory, n_bytes;
	bool has_no_room;
};

#define FUSED_TASK(f, name, n, ...) \
	(f)->d->ops->task((f)->d, TASK_##name, &(const struct do_##name){ __VA_ARGS__ }, \
			  (f)->n_members, n)

bool fused_does(enum layer_kind k);
/* Forward through all layers; back from the gradients of the heads. */
void fused_forward(struct fused *f);
void fused_backward(struct fused *f);

#endif
