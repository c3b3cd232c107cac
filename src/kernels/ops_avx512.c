/* ops_avx512.c - the loops of ops.h with AVX-512 */
#define OPS ops_avx512
#include "ops_tables.h"
#include "ops_body.h"
