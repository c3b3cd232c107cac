/* mask.h - which weights of a network are owned; src/kernels/mask.c
 *
 * A slab of bytes, 1 where a weight is owned and 0 where it is to stay as it is.  In
 * a file: tensors of 0 and 1, U8 or BOOL, by the names and shapes of the weights.
 */
#ifndef GG_MASK_H
#define GG_MASK_H

#include "net.h"
#include "tensors.h"

/* Fill out, n->n_weights bytes.  What the file does not name is owned whole.
 * ERR_BAD names the file and the tensor: one that the network has not, or of another
 * shape or type, a number that is neither 0 nor 1, no tensor at all. */
int mask_read(const struct tensors *t, const struct net *n, unsigned char *out,
	      struct err *e);

#endif
