/* ops_scalar.c - PTX's arithmetic for any processor */
#define OPS ops_scalar
#include "ops_body.h"
