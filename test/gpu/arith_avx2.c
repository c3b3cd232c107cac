/* arith_avx2.c - PTX's arithmetic, eight threads at a time */
#define OPS arith_avx2
#include "arith_body.h"
