/* ops_scalar.c - the loops of ops.h without vectors */
#define OPS ops_scalar
#include "ops_tables.h"
#include "ops_body.h"
