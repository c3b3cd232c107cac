/* ml.h - what the commands of gg-ml share
 *
 * gg-ml.c holds the tables of commands and options and main, ml_NAME.c is one
 * command each, ml_common.c what several need.
 */
#ifndef GG_ML_H
#define GG_ML_H

#include <jansson.h>
#include <stdio.h>
#include "fused.h"
#include "train.h"

enum {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,        /* bad data, no room, no file */
	EXIT_USAGE = 2,
	EXIT_STOPPED = 75,      /* asked to end; the state is written */
};

/* Options of all commands.  Lists ("0.1,0.05") give each member its own, the
 * last one to all that are left. */
struct ml {
	const char *data, *model, *output, *state, *checkpoint, *resume, *init, *metrics,
		   *owned, *share, *by, *mask, *free, *without, *teacher,
		   *teacher_layer;
	const char *rule, *loss, *schedule, *device, *profile, *kind;
	const char *seed, *rate, *momentum, *beta2, *epsilon, *decay, *l1, *smoothing;
	const char *gamma, *label, *split, *normalise, *residual, *head, *augment;
	size_t steps, epochs, batch, period, warm_up, members, threads, snapshots;
	size_t examples, features, classes, every, shards, skip, hash_bits;
	size_t keep, faulty;
	bool is_bagged, is_whole, one_hot;
	bool wants_json, wants_help, wants_proba, wants_targets, wants_bins;
	float *taught;                  /* what the teacher says of the examples, in a */
	const char *numerics;           /* what weights say of a profile; NULL: exact */
	struct arena a;
};

struct ml_command {
	const char *name;
	int (*run)(struct ml *m, int argc, char **argv, struct err *e);
	const char *options;            /* their names, in one text */
	const char *args, *help, *more;
};

/* The tables of gg-ml.c; the last row is empty. */
struct ml_option {
	const char *key;                /* its name, or name:command where it differs */
	char letter;                    /* 0: none */
	enum {
		ML_TEXT,
		ML_COUNT,               /* from 1 on; 0 when not given */
		ML_SIZE,
		ML_FLAG,
	} type;
	size_t at;                      /* in struct ml */
	const char *arg, *help;
};
extern const struct ml_command ml_commands[];
extern const struct ml_option ml_options[];
bool ml_option_is_of(const struct ml_command *c, const struct ml_option *o);
/* How much of its key is its name. */
int ml_option_name(const struct ml_option *o);

void ml_usage(FILE *f);
void ml_help(const struct ml_command *c);
/* The page gg-ml(1) on standard output; an exit status. */
int ml_man(void);

int ml_prep(struct ml *m, int argc, char **argv, struct err *e);
int ml_train(struct ml *m, int argc, char **argv, struct err *e);
int ml_eval(struct ml *m, int argc, char **argv, struct err *e);
int ml_predict(struct ml *m, int argc, char **argv, struct err *e);
int ml_combine(struct ml *m, int argc, char **argv, struct err *e);
int ml_show(struct ml *m, int argc, char **argv, struct err *e);
int ml_prune(struct ml *m, int argc, char **argv, struct err *e);
int ml_data(struct ml *m, int argc, char **argv, struct err *e);

/* The device that --device and --profile name, the caller's to close; NULL: the
 * processor by itself.  ERR_MISSING, ERR_REFUSED. */
int ml_device(struct ml *m, struct device **out, struct err *e);

/* What train does where the model is 'kmeans ...'. */
bool ml_is_kmeans(const char *model);
int ml_kmeans(struct ml *m, struct err *e);

/* The i-th of a list of numbers; fallback if there is no list.  ERR_REFUSED names
 * the option. */
int ml_number(const char *list, size_t i, double fallback, const char *option,
	      double *out, struct err *e);
/* ERR_REFUSED if the list has values that none of n members would be given. */
int ml_list_fits(const char *list, size_t n, const char *option, struct err *e);
/* The i-th member's seed: its own of a list, or else so many after the first, 64 bits
 * as they are written.  ERR_REFUSED. */
int ml_seed(const struct ml *m, size_t i, uint64_t *out, struct err *e);
/* Is there a file for the weights of each member, and another for all else that is
 * written?  ERR_REFUSED. */
int ml_check_names(const struct ml *m, struct err *e);
/* name with {} replaced by i. */
char *ml_numbered(struct ml *m, const char *name, size_t i);
/* What --augment says of images of this shape; how NULL: nothing.  ERR_REFUSED. */
int ml_augment(const char *how, struct shape s, struct augment *out, struct err *e);
/* Which of n names is s, or def if s is NULL.  ERR_REFUSED tells them all. */
int ml_choice(const char *s, const char *const *names, int n, int def,
	      const char *option, int *out, struct err *e);
/* A file of weights: the network it was made for, and the slab, both from it. */
int ml_load(const char *path, struct tensors *t, struct net *net, float **w, struct err *e);
/* The slab as tensors of a file. */
int ml_save(struct ml *m, const char *path, const struct net *net, const float *w,
	    struct err *e);
/* The tensors of a slab, from m's arena, each with this in front of its name. */
struct tensor *ml_tensors(struct ml *m, const struct net *net, const float *w,
			  const char *prefix);
/* Copy tensors of the file into the slab. */
int ml_fill(const struct tensors *t, const struct net *net, const char *prefix, float *w,
	    struct err *e);
/* A file as a mask (mask.h) of the network's weights, in m's arena; and the members'
 * masks, as --owned says, with {} replaced by each one's number. */
int ml_mask(struct ml *m, const char *path, const struct net *net, unsigned char **out,
	    struct err *e);
int ml_save_mask(struct ml *m, const char *path, const struct net *net,
		 const unsigned char *mask, struct err *e);
int ml_masks(struct ml *m, const struct net *net, struct member *v, size_t n, struct err *e);
/* A loss for each head by a list, its last one for all that are left; without a list,
 * this one.  ERR_REFUSED. */
int ml_losses(struct ml *m, const char *list, enum loss loss, const struct net *net,
	      enum loss *out, struct err *e);
/* Without --model it is what the weights of --init are for.  ERR_REFUSED if there are
 * none, ERR_BAD. */
int ml_find_model(struct ml *m, struct err *e);
/* Do the examples fit the network and the losses of its heads?  ERR_BAD. */
int ml_fits(const struct ml *m, const struct net *net, const struct dataset *d,
	    const enum loss *losses, struct err *e);
/* With --teacher d's y becomes what that says of its examples, and m's loss what its
 * weights say of theirs.  ERR_BAD, ERR_REFUSED. */
int ml_teach(struct ml *m, const struct net *student, struct dataset *d, struct team *team,
	     struct err *e);
/* s for JSON; what is no UTF-8 is taken for Latin-1, so that nothing is left out. */
json_t *ml_text(const char *s);
/* v as a file that appears whole; v is released.  ERR_IO. */
int ml_write_json(const char *path, json_t *v, struct err *e);
int ml_open_data(struct ml *m, struct tensors *t, struct dataset *d, struct err *e);
/* Bytes in short, to tell one file from another where nobody lies: Fowler, Noll and
 * Vo's sum.  SHA-256 would bring a library that takes milliseconds to load. */
unsigned long long ml_digest(const void *p, size_t n);
/* The same of examples: of all that they are to be, and of some of them, as all would
 * take longer than a step. */
unsigned long long ml_data_digest(const struct dataset *d);
struct team *ml_team(const struct ml *m);

#endif
