/* train.h - members of an ensemble, step by step
 *
 * src/kernels/train.c (steps), schedule.c (the rate of a step), data.c (examples),
 * augment.c (images changed a little).
 *
 * A step of a member is a function of its weights, its state, its seed and the
 * step's number.  So members trained together, alone, stopped and continued or
 * on any number of threads end with the same bytes.  With several members each
 * thread trains a whole member; with one they share its loops.
 */
#ifndef GG_TRAIN_H
#define GG_TRAIN_H

#include "net.h"
#include "tensors.h"

/* Examples: tensors "x" (U8 or F32, n x ...) and "y" (I32 classes, a column for
 * each head, or F32 targets n x k, heads side by side; or none); "x.mean" and
 * "x.factor" (F32, one a feature), if there, say y = (x - mean) factor.  Borrowed
 * from the file. */
struct dataset {
	const unsigned char *bytes;     /* one of the two */
	const float *floats;
	const int32_t *labels;          /* one of the two, or neither */
	const float *targets;
	float *mean, *factor;           /* ours; NULL with floats as they are */
	size_t n, size, n_targets;      /* n_targets: columns of y */
	int32_t n_classes;              /* the largest label + 1 */
};

/* ERR_BAD names the file, the tensor and what is wrong with it: no examples, a
 * label below 0, a number that is none. */
int dataset_of(const struct tensors *t, struct dataset *out, struct err *e);
void dataset_release(struct dataset *d);
/* Example i as the network wants it. */
void dataset_row(const struct dataset *d, const struct ops *o, size_t i, float *x);

/* Images moved by up to `crop` pixels, with zeros where nothing was, and mirrored
 * one time in two.  Which way is a function of seed and position alone. */
struct augment {
	uint32_t crop;
	bool flips;
};
struct draw {
	uint64_t seed, position;
	float *room;            /* for one image */
};
void augment_image(const struct augment *a, struct shape s, const struct draw *d, float *x);

enum schedule {
	SCHEDULE_CONSTANT,
	SCHEDULE_STEP,          /* times gamma every `period` steps */
	SCHEDULE_COSINE,        /* to 0 at the end */
	SCHEDULE_CYCLIC,        /* cosine, begun anew every `period` steps (snapshot
				 * ensembles: Huang et al., ICLR'17) */
	SCHEDULE_COUNT
};

/* What members that are trained together share. */
struct recipe {
	enum rule rule;
	enum loss losses[NET_HEADS_MAX];
	enum schedule schedule;
	size_t batch, steps, period, warm_up;
	bool is_bagged;         /* each member has n examples drawn with return */
	struct augment augment;
};

/* What they need not share.  Zero means: default. */
struct member {
	uint64_t seed;
	float rate, gamma, smoothing;
	struct coefs coefs;     /* momentum, beta2, epsilon; decay and l1, which
				 * spare biases and factors of norm layers */
	const unsigned char *owned;     /* a mask (mask.h): what is 0 there keeps its
				 * weight and its state; NULL: all is owned */
};

struct trainer;

/* Members begin at their seed's weights and step 0.  net, data and members are
 * borrowed. */
struct trainer *trainer_new(const struct net *net, const struct dataset *data,
			    const struct recipe *r, const struct member *v, size_t n,
			    struct team *team);
void trainer_free(struct trainer *t);
/* n steps of every member: the fewer calls, the fewer waits of threads for each
 * other. */
void trainer_run(struct trainer *t, size_t n);
void trainer_step(struct trainer *t);
size_t trainer_at(const struct trainer *t);
/* Member i's slabs: weights, and the rule's state (NULL where it has none). */
float *trainer_weights(struct trainer *t, size_t i);
float *trainer_state(struct trainer *t, size_t i, int which);
void trainer_set_at(struct trainer *t, size_t step);
/* The mean loss of member i over its last batch. */
double trainer_loss(const struct trainer *t, size_t i);

/* All that a step of a member multiplies by. */
struct coefs coefs_at(const struct recipe *r, const struct member *m, size_t step);

/* Outputs of one head for examples first .. first + n - 1: n x its size. */
struct prediction {
	const struct net *net;
	const float *w;
	const struct dataset *data;
	size_t head, first, n;
	size_t layer;           /* of this layer instead of the head; 0: the head */
	size_t set;             /* as struct run_of's */
};
void predict(const struct prediction *p, struct team *team, float *out);

#endif
