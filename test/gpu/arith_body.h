/* arith_body.h - what each arithmetic instruction of PTX does
 *
 * Included by arith_avx2.c and arith_scalar.c, which name the table OPS.  One row
 * an instruction: its name with _ for dots, the types of its operands and what comes
 * of them.  Every row becomes a loop over a stretch of threads.  Results of float
 * instructions that are no number are the one that the ISA names; doubles keep what
 * the processor gives them.
 */
#include <math.h>
#include "machine.h"

/* Registers have no type in PTX: the same bytes are read as one and the other. */
typedef uint8_t pr __attribute__((may_alias));
typedef uint8_t u8 __attribute__((may_alias));
typedef int8_t s8 __attribute__((may_alias));
typedef uint16_t u16 __attribute__((may_alias));
typedef int16_t s16 __attribute__((may_alias));
typedef uint32_t u32 __attribute__((may_alias));
typedef int32_t s32 __attribute__((may_alias));
typedef uint64_t u64 __attribute__((may_alias));
typedef int64_t s64 __attribute__((may_alias));
typedef float f32 __attribute__((may_alias));
typedef double f64 __attribute__((may_alias));
__extension__ typedef unsigned __int128 u128;

/* A result may be its own operand, which is no reason against vectors. */
#ifdef __clang__
#define LANES
#else
#define LANES _Pragma("GCC ivdep")
#endif

static inline uint32_t bits_of(float x)
{
	union { float f; uint32_t u; } v = { .f = x };

	return v.u;
}

static inline float float_of(uint32_t x)
{
	union { uint32_t u; float f; } v = { .u = x };

	return v.f;
}

static inline uint64_t bits_of_double(double x)
{
	union { double f; uint64_t u; } v = { .f = x };

	return v.u;
}

static inline double double_of(uint64_t x)
{
	union { uint64_t u; double f; } v = { .u = x };

	return v.f;
}

static inline float number(float x)
{
	return float_of(x == x ? bits_of(x) : 0x7fffffff);
}

static inline float least(float a, float b)
{
	if (a != a || b != b)
		return number(a != a ? b : a);
	if (a == b)
		return float_of(bits_of(a) | bits_of(b));
	return a < b ? a : b;
}

static inline float most(float a, float b)
{
	if (a != a || b != b)
		return number(a != a ? b : a);
	if (a == b)
		return float_of(bits_of(a) & bits_of(b));
	return a > b ? a : b;
}

static inline uint64_t shifted_left(uint64_t a, uint32_t by, unsigned bits)
{
	return by < bits ? a << by : 0;
}

static inline uint64_t shifted_right(uint64_t a, uint32_t by, unsigned bits)
{
	return by < bits ? a >> by : 0;
}

static inline int64_t drawn_right(int64_t a, uint32_t by, unsigned bits)
{
	return a >> (by < bits ? by : bits - 1);
}

/* Places from..from + n - 1 of a number, as far as it has them. */
static inline uint64_t places(uint32_t from, uint32_t n, unsigned bits)
{
	uint64_t end = (uint64_t)(from & 0xff) + (n & 0xff);
	uint64_t below_end = end < bits ? ((uint64_t)1 << end) - 1 : UINT64_MAX >> (64 - bits);

	return (from & 0xff) < bits ? below_end >> (from & 0xff) << (from & 0xff) : 0;
}

/* To an integer: what is beyond it becomes its end, and no number 0. */
static inline int64_t within(double x, double low, double high, int64_t first, int64_t last)
{
	if (x != x)
		return 0;
	return x <= low ? first : x >= high ? last : (int64_t)x;
}

static inline uint64_t within_u64(double x)
{
	if (x != x || x <= 0)
		return 0;
	return x >= 0x1p64 ? UINT64_MAX : (uint64_t)x;
}

/* A GPU divides by zero in silence. */
static inline uint64_t quotient(uint64_t a, uint64_t b)
{
	return b ? a / b : UINT64_MAX;
}

static inline uint64_t rest(uint64_t a, uint64_t b)
{
	return b ? a % b : a;
}

static inline int64_t signed_quotient(int64_t a, int64_t b)
{
	return b == 0 ? -1 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static inline int64_t signed_rest(int64_t a, int64_t b)
{
	return b == 0 ? a : b == -1 ? 0 : a % b;
}

/* X(name, operands, result, types of the others, what it is); a fifth is of 32 bits */
#define SUMS(X, T, U) \
	X(add_##T, 3, T, T, T, u8, (T)((U)a + (U)b)) \
	X(sub_##T, 3, T, T, T, u8, (T)((U)a - (U)b)) \
	X(mul_lo_##T, 3, T, T, T, u8, (T)((U)a * (U)b)) \
	X(mad_lo_##T, 4, T, T, T, T, (T)((U)a * (U)b + (U)c)) \
	X(min_##T, 3, T, T, T, u8, a < b ? a : b) \
	X(max_##T, 3, T, T, T, u8, a > b ? a : b)
#define COMPARED(X, T) \
	X(setp_eq_##T, 3, pr, T, T, u8, a == b) X(setp_ne_##T, 3, pr, T, T, u8, a != b) \
	X(setp_lt_##T, 3, pr, T, T, u8, a < b) X(setp_le_##T, 3, pr, T, T, u8, a <= b) \
	X(setp_gt_##T, 3, pr, T, T, u8, a > b) X(setp_ge_##T, 3, pr, T, T, u8, a >= b)
/* Unordered ones are true where there is no number. */
#define COMPARED_FLOATS(X, T) \
	X(setp_eq_##T, 3, pr, T, T, u8, a == b) \
	X(setp_ne_##T, 3, pr, T, T, u8, a < b || a > b) \
	X(setp_lt_##T, 3, pr, T, T, u8, a < b) X(setp_le_##T, 3, pr, T, T, u8, a <= b) \
	X(setp_gt_##T, 3, pr, T, T, u8, a > b) X(setp_ge_##T, 3, pr, T, T, u8, a >= b) \
	X(setp_equ_##T, 3, pr, T, T, u8, !(a < b || a > b)) \
	X(setp_neu_##T, 3, pr, T, T, u8, a != b) \
	X(setp_ltu_##T, 3, pr, T, T, u8, !(a >= b)) X(setp_leu_##T, 3, pr, T, T, u8, !(a > b)) \
	X(setp_gtu_##T, 3, pr, T, T, u8, !(a <= b)) X(setp_geu_##T, 3, pr, T, T, u8, !(a < b)) \
	X(setp_num_##T, 3, pr, T, T, u8, (a == a) & (b == b)) \
	X(setp_nan_##T, 3, pr, T, T, u8, (a != a) | (b != b))
#define CHOSEN(X, B, T) \
	X(mov_##B, 2, T, T, u8, u8, a) X(selp_##B, 4, T, T, T, pr, c ? a : b)
#define BITS(X, B, T) \
	X(and_##B, 3, T, T, T, u8, a & b) X(or_##B, 3, T, T, T, u8, a | b) \
	X(xor_##B, 3, T, T, T, u8, a ^ b) X(not_##B, 2, T, T, u8, u8, (T)~a) \
	X(setp_eq_##B, 3, pr, T, T, u8, a == b) X(setp_ne_##B, 3, pr, T, T, u8, a != b) \
	X(shl_##B, 3, T, T, u32, u8, (T)shifted_left(a, b, 8 * sizeof(T))) \
	X(shr_##B, 3, T, T, u32, u8, (T)shifted_right(a, b, 8 * sizeof(T)))
#define SHIFTED(X, S, U) \
	X(shr_s##S, 3, s##S, s##S, u32, u8, (s##S)drawn_right(a, b, S)) \
	X(shr_u##S, 3, u##S, u##S, u32, u8, (u##S)shifted_right(a, b, S)) \
	X(neg_s##S, 2, s##S, s##S, u8, u8, (s##S)(0 - (U)a)) \
	X(abs_s##S, 2, s##S, s##S, u8, u8, (s##S)(a < 0 ? 0 - (U)a : (U)a)) \
	X(div_u##S, 3, u##S, u##S, u##S, u8, (u##S)quotient(a, b)) \
	X(rem_u##S, 3, u##S, u##S, u##S, u8, (u##S)rest(a, b)) \
	X(div_s##S, 3, s##S, s##S, s##S, u8, (s##S)signed_quotient(a, b)) \
	X(rem_s##S, 3, s##S, s##S, s##S, u8, (s##S)signed_rest(a, b))
#define WIDE(X, T, W) \
	X(mul_wide_##T, 3, W, T, T, u8, (W)a * (W)b) \
	X(mad_wide_##T, 4, W, T, T, W, (W)((u64)((W)a * (W)b) + (u64)c)) \
	X(mul_hi_##T, 3, T, T, T, u8, (T)(((W)a * (W)b) >> (8 * sizeof(T))))
#define MADE_FLOAT(X, T) \
	X(cvt_rn_f32_##T, 2, f32, T, u8, u8, (f32)a) X(cvt_rn_f64_##T, 2, f64, T, u8, u8, (f64)a)
/* The register of a narrow source may be wider than what is read of it. */
#define MADE_WHOLE(X, how, fn, F) \
	X(cvt_##how##_u32_##F, 2, u32, F, u8, u8, (u32)within(fn(a), 0, 0x1p32, 0, UINT32_MAX)) \
	X(cvt_##how##_s32_##F, 2, s32, F, u8, u8, \
	  (s32)within(fn(a), -0x1p31, 0x1p31, INT32_MIN, INT32_MAX)) \
	X(cvt_##how##_u64_##F, 2, u64, F, u8, u8, within_u64(fn(a))) \
	X(cvt_##how##_s64_##F, 2, s64, F, u8, u8, \
	  within(fn(a), -0x1p63, 0x1p63, INT64_MIN, INT64_MAX))
#define WIDTHS(X, D) \
	X(cvt_##D##_u16, 2, D, u16, u8, u8, (D)a) X(cvt_##D##_s16, 2, D, s16, u8, u8, (D)a) \
	X(cvt_##D##_u32, 2, D, u32, u8, u8, (D)a) X(cvt_##D##_s32, 2, D, s32, u8, u8, (D)a) \
	X(cvt_##D##_u64, 2, D, u64, u8, u8, (D)a) X(cvt_##D##_s64, 2, D, s64, u8, u8, (D)a)

#define EACH_OP(X) \
	SUMS(X, u16, u32) SUMS(X, s16, u32) SUMS(X, u32, u32) SUMS(X, s32, u32) \
	SUMS(X, u64, u64) SUMS(X, s64, u64) \
	COMPARED(X, u16) COMPARED(X, s16) COMPARED(X, u32) COMPARED(X, s32) \
	COMPARED(X, u64) COMPARED(X, s64) COMPARED_FLOATS(X, f32) COMPARED_FLOATS(X, f64) \
	CHOSEN(X, b16, u16) CHOSEN(X, u16, u16) CHOSEN(X, s16, u16) \
	CHOSEN(X, b32, u32) CHOSEN(X, u32, u32) CHOSEN(X, s32, u32) CHOSEN(X, f32, u32) \
	CHOSEN(X, b64, u64) CHOSEN(X, u64, u64) CHOSEN(X, s64, u64) CHOSEN(X, f64, u64) \
	BITS(X, b16, u16) BITS(X, b32, u32) BITS(X, b64, u64) \
	X(mov_pred, 2, pr, pr, u8, u8, a) X(not_pred, 2, pr, pr, u8, u8, !a) \
	X(and_pred, 3, pr, pr, pr, u8, a & b) X(or_pred, 3, pr, pr, pr, u8, a | b) \
	X(xor_pred, 3, pr, pr, pr, u8, a ^ b) \
	SHIFTED(X, 16, u32) SHIFTED(X, 32, u32) SHIFTED(X, 64, u64) \
	WIDE(X, u16, u32) WIDE(X, s16, s32) WIDE(X, u32, u64) WIDE(X, s32, s64) \
	X(bfe_u32, 4, u32, u32, u32, u32, (u32)((a & places(b, c, 32)) >> (b & 31))) \
	X(bfi_b32, 5, u32, u32, u32, u32, \
	  (u32)((b & ~places(c, d, 32)) | (((u64)a << (c & 31)) & places(c, d, 32)))) \
	X(mul_hi_u64, 3, u64, u64, u64, u8, (u64)((u128)a * b >> 64)) \
	X(cvta_to_global_u64, 2, u64, u64, u8, u8, a) \
	X(add_rn_f32, 3, f32, f32, f32, u8, number(a + b)) \
	X(sub_rn_f32, 3, f32, f32, f32, u8, number(a - b)) \
	X(mul_rn_f32, 3, f32, f32, f32, u8, number(a * b)) \
	X(div_rn_f32, 3, f32, f32, f32, u8, number(a / b)) \
	X(fma_rn_f32, 4, f32, f32, f32, f32, number(__builtin_fmaf(a, b, c))) \
	X(rcp_rn_f32, 2, f32, f32, u8, u8, number(1.0f / a)) \
	X(sqrt_rn_f32, 2, f32, f32, u8, u8, number(__builtin_sqrtf(a))) \
	X(min_f32, 3, f32, f32, f32, u8, least(a, b)) \
	X(max_f32, 3, f32, f32, f32, u8, most(a, b)) \
	X(neg_f32, 2, u32, u32, u8, u8, a ^ 0x80000000) \
	X(abs_f32, 2, u32, u32, u8, u8, a & 0x7fffffff) \
	X(copysign_f32, 3, u32, u32, u32, u8, (a & 0x80000000) | (b & 0x7fffffff)) \
	X(add_rn_f64, 3, f64, f64, f64, u8, a + b) X(sub_rn_f64, 3, f64, f64, f64, u8, a - b) \
	X(mul_rn_f64, 3, f64, f64, f64, u8, a * b) X(div_rn_f64, 3, f64, f64, f64, u8, a / b) \
	X(fma_rn_f64, 4, f64, f64, f64, f64, __builtin_fma(a, b, c)) \
	X(rcp_rn_f64, 2, f64, f64, u8, u8, 1.0 / a) \
	X(sqrt_rn_f64, 2, f64, f64, u8, u8, __builtin_sqrt(a)) \
	X(neg_f64, 2, f64, f64, u8, u8, double_of(bits_of_double(a) ^ 1ULL << 63)) \
	X(abs_f64, 2, f64, f64, u8, u8, double_of(bits_of_double(a) & ~(1ULL << 63))) \
	X(cvt_f64_f32, 2, f64, f32, u8, u8, (f64)a) \
	X(cvt_rn_f32_f64, 2, f32, f64, u8, u8, number((f32)a)) \
	X(cvt_rni_f32_f32, 2, f32, f32, u8, u8, number(__builtin_rintf(a))) \
	X(cvt_rmi_f32_f32, 2, f32, f32, u8, u8, number(__builtin_floorf(a))) \
	X(cvt_rpi_f32_f32, 2, f32, f32, u8, u8, number(__builtin_ceilf(a))) \
	X(cvt_rzi_f32_f32, 2, f32, f32, u8, u8, number(__builtin_truncf(a))) \
	MADE_FLOAT(X, u16) MADE_FLOAT(X, s16) MADE_FLOAT(X, u32) MADE_FLOAT(X, s32) \
	MADE_FLOAT(X, u64) MADE_FLOAT(X, s64) \
	MADE_WHOLE(X, rzi, trunc, f32) MADE_WHOLE(X, rzi, trunc, f64) \
	MADE_WHOLE(X, rni, rint, f32) MADE_WHOLE(X, rni, rint, f64) \
	MADE_WHOLE(X, rmi, floor, f32) MADE_WHOLE(X, rpi, ceil, f32) \
	WIDTHS(X, u16) WIDTHS(X, s16) WIDTHS(X, u32) WIDTHS(X, s32) WIDTHS(X, u64) WIDTHS(X, s64)

#define LOOP(name, n, D, A, B, C, what) \
	static void do_##name(const struct ins *i, char *regs, unsigned lo, unsigned hi) \
	{ \
		D *to = (D *)(regs + i->at[0]); \
		const A *pa = (const A *)(regs + i->at[1]); \
		const B *pb = (const B *)(regs + i->at[2]); \
		const C *pc = (const C *)(regs + i->at[3]); \
		const u32 *pd = (const u32 *)(regs + i->at[4]); \
		(void)pb; \
		(void)pc; \
		(void)pd; \
		LANES for (unsigned t = lo; t < hi; t++) { \
			const A a = pa[t]; \
			const B b = n > 2 ? pb[t] : 0; \
			const C c = n > 3 ? pc[t] : 0; \
			const u32 d = n > 4 ? pd[t] : 0; \
			(void)b; \
			(void)c; \
			(void)d; \
			to[t] = what; \
		} \
	}
EACH_OP(LOOP)

const struct op OPS[] = {
#define ROW(name, n, D, A, B, C, what) \
	{ #name, do_##name, n, { sizeof(D), sizeof(A), sizeof(B), sizeof(C), 4 } },
	EACH_OP(ROW)
	{ 0 }
};
