/* numbers.h - functions of one float, the same bits everywhere
 *
 * Only + - * / and fused multiply-add, in the order written here: so a scalar
 * machine, any vector unit and a GPU agree to the last bit.  Without branches,
 * so that loops over them become vector code.  Within 2 units in the last place
 * of the true value, over all arguments whose result is a normal number.
 */
#ifndef GG_NUMBERS_H
#define GG_NUMBERS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* The same source is compiled for processors and for GPUs, where the fused
 * multiply-add is asked for by its name. */
#ifdef __CUDACC__
#define NUMBER static __device__ __forceinline__
#define number_fma(x, y, z) __fmaf_rn(x, y, z)
#else
#define NUMBER static inline
#define number_fma(x, y, z) fmaf(x, y, z)
#endif

NUMBER uint32_t number_bits(float x)
{
	uint32_t u;

	memcpy(&u, &x, sizeof u);
	return u;
}

NUMBER float number_of_bits(uint32_t u)
{
	float x;

	memcpy(&x, &u, sizeof x);
	return x;
}

/* 2^n for -126 <= n <= 127. */
NUMBER float number_power_of_2(int32_t n)
{
	return number_of_bits((uint32_t)(n + 127) << 23);
}

/* e^x; 0 below -104, infinite above 89, NaN for NaN.  x = n ln 2 + r with
 * |r| <= ln 2 / 2, e^r by its series. */
NUMBER float number_exp(float x)
{
	float y = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
	float t = number_fma(y, 1.44269504f, 12582912.0f), n = t - 12582912.0f;
	float r = number_fma(n, -0.693145752f, y), p = 1.0f / 5040;
	int32_t i = (int32_t)(number_bits(t) - 0x4b400000u), half = i >> 1;

	r = number_fma(n, -1.42860677e-6f, r);
	p = number_fma(p, r, 1.0f / 720);
	p = number_fma(p, r, 1.0f / 120);
	p = number_fma(p, r, 1.0f / 24);
	p = number_fma(p, r, 1.0f / 6);
	p = number_fma(p, r, 0.5f);
	p = number_fma(p, r, 1.0f);
	p = number_fma(p, r, 1.0f);
	p = p * number_power_of_2(half) * number_power_of_2(i - half);
	return x != x ? x : p;
}

/* ln x for normal x > 0; -infinite for 0 and below the normal numbers, NaN for
 * negative x.  x = 2^n m with m around 1, ln m = 2 artanh((m - 1) / (m + 1)). */
NUMBER float number_log(float x)
{
	uint32_t u = number_bits(x), up = u - 0x3f3504f3u;
	int32_t n = (int32_t)up >> 23;
	float m = number_of_bits(u - ((uint32_t)n << 23));
	float s = (m - 1.0f) / (m + 1.0f), q = s * s, p = 2.0f / 11, y;

	p = number_fma(p, q, 2.0f / 9);
	p = number_fma(p, q, 2.0f / 7);
	p = number_fma(p, q, 2.0f / 5);
	p = number_fma(p, q, 2.0f / 3);
	y = number_fma((float)n, 1.42860677e-6f, s * q * p);
	y = number_fma((float)n, 0.693145752f, number_fma(2.0f, s, y));
	y = x < 1.17549435e-38f ? -INFINITY : y;
	y = x < 0.0f ? NAN : y;
	return x != x || x == INFINITY ? x : y;
}

/* 1 / (1 + e^-x) */
NUMBER float number_sigmoid(float x)
{
	float e = number_exp(-fabsf(x)), d = 1.0f + e;

	return x != x ? x : (x < 0.0f ? e : 1.0f) / d;
}

/* By its series near 0, where (1 - e) / (1 + e) would cancel. */
NUMBER float number_tanh(float x)
{
	float a = fabsf(x), q = x * x, e = number_exp(-2.0f * a);
	float p = 21844.0f / 6081075, far = (1.0f - e) / (1.0f + e);

	p = number_fma(p, q, -1382.0f / 155925);
	p = number_fma(p, q, 62.0f / 2835);
	p = number_fma(p, q, -17.0f / 315);
	p = number_fma(p, q, 2.0f / 15);
	p = number_fma(p, q, -1.0f / 3);
	p = number_fma(p * q, x, x);
	return a < 0.3f ? p : copysignf(far, x);
}

#endif
