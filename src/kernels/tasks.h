/* tasks.h - what a device does for the trainer, one struct a task
 *
 * Private to src/kernels and the tests.  Arrays lie on the device, are dense and
 * belong to a member each; what a task does at a place is in tasks_body.h.
 */
#ifndef GG_TASKS_H
#define GG_TASKS_H

#include "device.h"

#define EACH_TASK(X) \
	X(examples) X(rows) X(activate) X(activate_back) X(add) X(drop) X(losses) \
	X(mean_losses) X(step) X(tick) X(windows) X(unwindow) X(pool) X(unpool) \
	X(avgpool) X(unavgpool) X(global) X(unglobal) X(norm_pieces) X(norm_mean) \
	X(norm_centre) X(norm_factor) X(norm_scale) X(norm_total) X(norm_hat) X(norm_back) \
	X(scale) X(scale_slopes) X(unscale)

enum task {
#define NUMBERED(name) TASK_##name,
	EACH_TASK(NUMBERED)
#undef NUMBERED
	TASK_COUNT
};

enum { NORM_PIECE_ROWS = 256 };         /* as norm.c's */

/* Where training is; lies on the device, so that a step can be repeated there. */
struct device_clock {
	uint64_t step;
	uint64_t turn;          /* since the host last looked */
};

/* Which examples each member has in this step; their labels.  Places: batch. */
struct do_examples {
	const struct device_clock *clock;
	const uint64_t *seeds;
	uint64_t n;
	uint32_t batch;
	bool is_bagged;
	const int32_t *labels;          /* n x heads; NULL: none */
	uint32_t heads;
	uint32_t *chosen;               /* members x batch */
	int32_t *labels_out;            /* members x heads x batch */
};

/* The chosen rows as numbers; of images, moved and mirrored as augment.c does.
 * Places: batch x size. */
struct do_rows {
	const struct device_clock *clock;
	const uint64_t *seeds;
	const unsigned char *bytes;     /* one of the two */
	const float *floats;
	const float *mean, *factor;     /* NULL: floats as they are */
	const uint32_t *chosen;
	uint32_t batch, size;
	uint32_t stride;                /* from row to row of the data */
	uint32_t crop, h, w, c;
	bool flips;
	struct by_member out;
};

/* y = act(x + bias[i % cols]) */
struct do_activate {
	struct by_member x, y, bias;
	uint32_t cols;
	enum activation act;
};

struct do_activate_back {
	struct by_member y, dy;         /* dy is changed */
	enum activation act;
};

/* y = act(x + z) */
struct do_add {
	struct by_member x, z, y;
	enum activation act;
};

/* Places: a quarter of n, rounded up. */
struct do_drop {
	const struct device_clock *clock;
	const uint64_t *seeds;
	struct by_member x, y;
	uint32_t n, layer;
	float rate;
};

/* Of one head.  Losses lie by turn, member, head and row.  Places: rows. */
struct do_losses {
	const struct device_clock *clock;
	enum loss kind;
	uint32_t n_members, heads, head, rows, cols;
	struct by_member x, dx, targets;
	const int32_t *labels;
	const float *smoothing;
	float *losses;
};

/* Their mean by turn and member, summed as tree_sum does, heads added up.
 * Places: turns. */
struct do_mean_losses {
	const float *losses;
	uint32_t n_members, heads, rows;
	double *out;
};

/* What changes a weight: nothing, as it is not owned; the forward pass alone; a step,
 * without or with decay. */
enum { WEIGHT_FROZEN, WEIGHT_KEPT, WEIGHT_PLAIN, WEIGHT_DECAYS };

/* Coefficients lie by turn and member; kinds_step is 0 where members share them.
 * Places: floats of a slab. */
struct do_step {
	const struct device_clock *clock;
	enum rule rule;
	uint32_t n_members;
	const struct coefs *coefs;
	const unsigned char *kinds;     /* of each weight */
	size_t kinds_step;
	struct by_member w, m, v, g;
};

struct do_tick {
	struct device_clock *clock;
};

struct sides {
	uint32_t in_h, in_w, in_c, out_h, out_w, out_c;
	uint32_t kernel_h, kernel_w, stride, pad;
};

/* The windows of images as rows.  Places: rows x windows x a window's floats. */
struct do_windows {
	struct sides s;
	struct by_member x, columns;
};

/* A pixel's gradient from those of the windows that hold it.  Places: rows x
 * pixels. */
struct do_unwindow {
	struct sides s;
	struct by_member columns, dx;
};

/* place: which pixel of the window is the largest.  Places: outputs. */
struct do_pool {
	struct sides s;
	struct by_member x, y;
	uint32_t *place;
	size_t place_step;
	enum activation act;
};

/* Places: inputs, here and in the next. */
struct do_unpool {
	struct sides s;
	struct by_member dy, dx;
	const uint32_t *place;
	size_t place_step;
};

struct do_avgpool {
	struct sides s;
	struct by_member x, y;
	enum activation act;
};

struct do_unavgpool {
	struct sides s;
	struct by_member dy, dx;
};

/* Places: rows x channels. */
struct do_global {
	uint32_t spots, cols;
	struct by_member x, y;
	enum activation act;
};

/* Places: inputs. */
struct do_unglobal {
	uint32_t spots, cols;
	struct by_member dy, dx;
};

/* Sums of columns of x, or of x times other, over NORM_PIECE_ROWS rows each.
 * Places: pieces x cols. */
struct do_norm_pieces {
	uint32_t rows, cols;
	struct by_member x, other, pieces;
};

/* mean[j] of the sums of pieces.  Places: cols, as wherever nothing is said. */
struct do_norm_mean {
	uint32_t rows, cols;
	struct by_member pieces, mean;
};

/* y = x - mean.  Places: rows x cols. */
struct do_norm_centre {
	uint32_t cols;
	struct by_member x, mean, y;
};

/* 1 / deviation, from the squares' pieces; what is kept for evaluation, of these
 * kinds. */
struct do_norm_factor {
	uint32_t rows, cols;
	struct by_member pieces, mean, factor, kept_mean, kept_var;
	const unsigned char *mean_kinds, *var_kinds;
	size_t kinds_step;
};

/* y = act((x - mean) factor w + b).  Places: rows x cols. */
struct do_norm_scale {
	uint32_t cols;
	struct by_member x, mean, factor, w, b, y;
	enum activation act;
};

struct do_norm_total {
	uint32_t rows, cols;
	struct by_member pieces, out;
};

/* y = (x - mean) factor.  Places: rows x cols, as in the next. */
struct do_norm_hat {
	uint32_t cols;
	struct by_member x, mean, factor, y;
};

struct do_norm_back {
	uint32_t rows, cols;
	struct by_member dy, hat, factor, w, dw, db, dx;
};

/* y = act(x w), by channel, a set of w for each row in turn.  Places: outputs. */
struct do_scale {
	uint32_t spots, cols, sets;
	struct by_member x, w, y;
	enum activation act;
};

/* dw, the sum of dy x over the rows of a set.  Places: sets x cols. */
struct do_scale_slopes {
	uint32_t rows, spots, cols, sets;
	struct by_member x, dy, dw;
};

/* dx = dy w.  Places: inputs. */
struct do_unscale {
	uint32_t spots, cols, sets;
	struct by_member dy, w, dx;
};

#endif
