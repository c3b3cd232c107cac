/* ops.c - the loops of ops.h, by what the processor can do */
#include "ops.h"
#include "ops_tables.h"

const struct ops *ops_for(enum isa isa)
{
	static const struct ops *const all[ISA_COUNT] = {
		[ISA_SCALAR] = &ops_scalar, [ISA_AVX2] = &ops_avx2,
		[ISA_AVX512] = &ops_avx512,
	};

	return all[isa];
}

void loss_run(const struct loss_job *j, enum isa isa)
{
	ops_for(isa)->loss(j);
}

double tree_sum(const float *x, size_t n)
{
	double sum = 0;

	if (n > 8)
		return tree_sum(x, n / 2) + tree_sum(x + n / 2, n - n / 2);
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i];
	return sum;
}
