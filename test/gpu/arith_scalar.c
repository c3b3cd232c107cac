/* arith_scalar.c - PTX's arithmetic for any processor */
#define OPS arith_scalar
#include "arith_body.h"
