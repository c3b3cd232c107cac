/* ops_avx2.c - PTX's arithmetic, eight threads at a time */
#define OPS ops_avx2
#include "ops_body.h"
