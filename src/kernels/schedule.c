/* schedule.c - the learning rate of a step, in doubles with our own cosine */
#include "train.h"

/* cos(pi x) for 0 <= x <= 1, by the series of the half nearer to 0. */
static double cos_pi(double x)
{
	static const double pi = 3.14159265358979323846;
	double y = x > 0.5 ? 1 - x : x, q = pi * y * (pi * y), term = 1, sum = 1;

	for (int k = 1; k < 14; k++) {
		term = term * -q / (double)(2 * k - 1) / (double)(2 * k);
		sum = sum + term;
	}
	return x > 0.5 ? -sum : sum;
}

static double power(double x, size_t n)
{
	double p = 1;

	for (; n; n >>= 1, x = x * x)
		if (n & 1)
			p = p * x;
	return p;
}

static double shape(const struct recipe *r, const struct member *m, size_t step)
{
	size_t period = r->period ? r->period : r->steps;

	switch (r->schedule) {
	case SCHEDULE_STEP:
		return power(m->gamma > 0 ? (double)m->gamma : 0.1, step / period);
	case SCHEDULE_COSINE:
		return (1 + cos_pi((double)step / (double)r->steps)) / 2;
	case SCHEDULE_CYCLIC:
		return (1 + cos_pi((double)(step % period) / (double)period)) / 2;
	case SCHEDULE_CONSTANT:
	case SCHEDULE_COUNT:
		break;
	}
	return 1;
}

/* From the recipe and the member's own. */
static float rate_at(const struct recipe *r, const struct member *m, size_t step)
{
	double rate = (double)m->rate * shape(r, m, step);

	if (step < r->warm_up)
		rate = rate * ((double)(step + 1) / (double)(r->warm_up + 1));
	return (float)rate;
}

struct coefs coefs_at(const struct recipe *r, const struct member *m, size_t step)
{
	struct coefs c = m->coefs;

	c.rate = rate_at(r, m, step);
	c.bias1 = (float)(1 / (1 - power((double)c.momentum, step + 1)));
	c.bias2 = (float)(1 / (1 - power((double)c.beta2, step + 1)));
	return c;
}
