/* select.c - the k-th largest magnitude, by the bytes of its bits from the top
 *
 * Without their sign the bits of floats are in the order of magnitudes.
 */
#include "numbers.h"
#include "prune.h"

struct largest select_largest(const float *x, const unsigned char *may, size_t n, size_t k)
{
	uint32_t prefix = 0, mask = 0;
	size_t n_above = 0;

	if (!k)
		return (struct largest){ UINT32_MAX, 0 };
	for (int shift = 24; shift >= 0; shift -= 8) {
		size_t counts[256] = { 0 };
		unsigned digit = 255;

		for (size_t i = 0; i < n; i++) {
			uint32_t u = number_bits(x[i]) & 0x7fffffffu;

			counts[u >> shift & 255] += (u & mask) == prefix && (!may || may[i]);
		}
		for (; digit > 0 && n_above + counts[digit] < k; digit--)
			n_above += counts[digit];
		prefix |= digit << shift;
		mask |= 255u << shift;
	}
	return (struct largest){ prefix, k - n_above };
}
