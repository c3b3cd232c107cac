/* ops_tables.h - the tables that ops_body.h makes */
#ifndef GG_OPS_TABLES_H
#define GG_OPS_TABLES_H

#include "ops.h"

extern const struct ops ops_scalar, ops_avx2, ops_avx512;

#endif
