/* arith.c - an arithmetic instruction by its name */
#include <string.h>
#include "machine.h"

static const struct op *best(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? arith_avx2 :
	       arith_scalar;
}

const struct op *op_find(const char *name)
{
	char flat[64];
	size_t n = strlen(name);
	const struct op *op = best();

	if (n >= sizeof flat)
		return NULL;
	for (size_t i = 0; i <= n; i++)
		flat[i] = name[i] == '.' ? '_' : name[i];
	while (op->name && strcmp(op->name, flat) != 0)
		op++;
	return op->name ? op : NULL;
}
