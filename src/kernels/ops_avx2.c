/* ops_avx2.c - the loops of ops.h with AVX2 and FMA */
#define OPS ops_avx2
#include "ops_tables.h"
#include "ops_body.h"
