/* t_combine.c - vectors combined in a fixed order */
#include <math.h>
#include "combine.h"
#include "random.h"
#include "test.h"

enum { N = 1000, VECTORS = 9 };

static float *vectors[VECTORS], *out, *other;

static void fill(void)
{
	for (int k = 0; k < VECTORS; k++) {
		struct source s = { .seed = 4, .stream = STREAM_DATA, .step = (uint64_t)k };

		vectors[k] = vectors[k] ? vectors[k] : malloc(N * sizeof(float));
		random_normal(&s, 0, N, vectors[k]);
	}
	out = out ? out : malloc(N * sizeof(float));
	other = other ? other : malloc(N * sizeof(float));
}

static void means(void)
{
	fill();
	for (size_t n = 1; n <= VECTORS; n++) {
		combine_average((const float *const *)vectors, n, N, out);
		combine_tree((const float *const *)vectors, n, N, other);
		for (int i = 0; i < N; i++) {
			double sum = 0;

			for (size_t k = 0; k < n; k++)
				sum += (double)vectors[k][i];
			CHECK(fabs((double)out[i] - sum / (double)n) < 1e-6);
			CHECK(fabs((double)other[i] - sum / (double)n) < 1e-6);
		}
	}
}

/* Two workers who sum four each give what one gives who sums eight. */
static void parts(void)
{
	float *halves[2] = { malloc(N * sizeof(float)), malloc(N * sizeof(float)) };

	fill();
	combine_tree((const float *const *)vectors, 8, N, out);
	for (int h = 0; h < 2; h++) {
		combine_tree((const float *const *)vectors + 4 * h, 4, N, halves[h]);
		for (int i = 0; i < N; i++)
			halves[h][i] *= 4;
	}
	combine_tree((const float *const *)halves, 2, N, other);
	for (int i = 0; i < N; i++)
		other[i] = other[i] * 2 / 8;
	CHECK(memcmp(out, other, N * sizeof *out) == 0);
	free(halves[0]);
	free(halves[1]);
}

static void krum(void)
{
	fill();
	for (int k = 0; k < VECTORS; k++)
		for (int i = 0; i < N; i++)
			vectors[k][i] = vectors[k][i] * 0.01f + 1.0f;
	for (int i = 0; i < N; i++) {
		vectors[0][i] = 100;
		vectors[5][i] = -7;
		vectors[8][i] = (float)i;
	}
	for (size_t faulty = 0; faulty <= 3; faulty++) {
		size_t k = combine_krum((const float *const *)vectors, VECTORS, faulty, N);

		if (faulty == 3)
			CHECK(k != 0 && k != 5 && k != 8);
		CHECK(k < VECTORS);
	}
}

/* Four that lie on a line and one liar, who comes first: one in the middle is
 * nearest to the others. */
static void krum_of_no_numbers(void)
{
	const float lies[] = { NAN, INFINITY, -INFINITY, 3e38f };

	for (size_t l = 0; l < sizeof lies / sizeof *lies; l++)
		for (size_t liar = 0; liar < 5; liar++) {
			size_t honest = 0, k;

			for (size_t v = 0; v < 5; v++) {
				float x = v == liar ? lies[l] : 1 + 0.01f * (float)honest++;

				for (int i = 0; i < N; i++)
					vectors[v][i] = x;
			}
			k = combine_krum((const float *const *)vectors, 5, 1, N);
			CHECK(k != liar && vectors[k][0] > 1.005f && vectors[k][0] < 1.025f);
		}
}

static void largest(void)
{
	static const size_t counts[] = { 0, 1, 7, 500, 999, 1000, 2000 };
	float residual[N];

	fill();
	vectors[0][3] = vectors[0][900] = -5;
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		size_t kept = 0;
		float least = INFINITY, most = 0;

		memset(residual, 0, sizeof residual);
		combine_topk(vectors[0], residual, N, counts[c], out);
		for (int i = 0; i < N; i++) {
			CHECK(out[i] + residual[i] == vectors[0][i]);
			kept += out[i] != 0;
			if (out[i] != 0)
				least = fminf(least, fabsf(out[i]));
			else
				most = fmaxf(most, fabsf(residual[i]));
		}
		CHECK(kept == (counts[c] < N ? counts[c] : N));
		CHECK(kept == 0 || least >= most);
	}
	combine_topk(vectors[0], NULL, N, 1, out);
	CHECK(out[3] != 0 && out[900] == 0);
}

static const struct test tests[] = {
	{ "an average and a tree give the mean", means },
	{ "parts that are summed elsewhere give the bits of the whole", parts },
	{ "krum takes none of those that lie", krum },
	{ "one that holds no numbers does not sway krum", krum_of_no_numbers },
	{ "the largest stay, the rest is kept for the next step", largest },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
