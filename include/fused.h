/* fused.h - members of one network trained together on a device
 *
 * src/kernels/fused.c (memory, steps), fused_layers.c (forward and backward).
 *
 * What train.h's trainer does for each member, done for all at once; exact devices
 * end with the same bytes.  Weights and state begin and end in a trainer, which is
 * saved, loaded and given weights as ever.
 */
#ifndef GG_FUSED_H
#define GG_FUSED_H

#include "device.h"
#include "train.h"

enum { FUSED_STEPS_MAX = 64 };          /* between two looks of the host */

struct fused;

/* The data goes to the device, and room for every member's batch is taken there.
 * All are borrowed; *out is the caller's until fused_free().  ERR_REFUSED when the
 * device has too little memory or a layer is too large for it. */
int fused_new(struct device *d, const struct net *net, const struct dataset *data,
	      const struct recipe *r, const struct member *v, size_t n, struct fused **out,
	      struct err *e);
void fused_free(struct fused *f);
/* Take weights, state and step from t. */
void fused_take(struct fused *f, struct trainer *t);
/* n steps of every member, at most FUSED_STEPS_MAX.  ERR_FAILED. */
int fused_run(struct fused *f, size_t n, struct err *e);
/* The mean loss of member i in the k-th step of the last run. */
double fused_loss(const struct fused *f, size_t k, size_t i);
/* Bring weights, state and step back to t. */
int fused_give(struct fused *f, struct trainer *t, struct err *e);

#endif
