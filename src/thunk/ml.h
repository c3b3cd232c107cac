/* ml.h - the built-in model of gg-ml; ml.c */
#ifndef GG_ML_MODEL_H
#define GG_ML_MODEL_H

#include "builtin.h"

/* As struct builtin's bind. */
enum match ml_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why);

#endif
