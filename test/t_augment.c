/* t_augment.c - images are moved and mirrored, and only that */
#include "test.h"
#include "train.h"

enum { H = 5, W = 4, C = 2, N = H * W * C };

/* What x becomes when moved and mirrored so. */
static void moved(const float *x, int down, int right, bool is_mirrored, float *out)
{
	for (int y = 0; y < H; y++)
		for (int k = 0; k < W; k++)
			for (int c = 0; c < C; c++) {
				int fy = y + down, fx = (is_mirrored ? W - 1 - k : k) + right;
				bool is_in = fy >= 0 && fy < H && fx >= 0 && fx < W;

				out[(y * W + k) * C + c] = is_in ? x[(fy * W + fx) * C + c] : 0;
			}
}

/* Which of all ways this position takes: there must be one. */
static int way_of(const struct augment *a, uint64_t seed, uint64_t position)
{
	float x[N], got[N], room[N], want[N];
	struct draw d = { seed, position, room };
	int crop = (int)a->crop, way = 0;

	for (int i = 0; i < N; i++)
		got[i] = x[i] = (float)(i + 1);
	augment_image(a, (struct shape){ H, W, C }, &d, got);
	for (int down = -crop; down <= crop; down++)
		for (int right = -crop; right <= crop; right++)
			for (int m = 0; m <= a->flips; m++, way++) {
				moved(x, down, right, m, want);
				if (memcmp(want, got, sizeof got) == 0)
					return way;
			}
	return -1;
}

static void every_way(void)
{
	static const struct augment all[] = { { 1, true }, { 2, false }, { 0, true } };
	static const int n_ways[] = { 18, 25, 2 };

	for (int i = 0; i < 3; i++) {
		int seen[32] = { 0 };

		for (uint64_t position = 0; position < 2000; position++) {
			int way = way_of(&all[i], 7, position);

			CHECK(way >= 0);
			CHECK(way == way_of(&all[i], 7, position));
			seen[way < 0 ? 0 : way]++;
		}
		for (int way = 0; way < n_ways[i]; way++)
			CHECK(seen[way] > 2000 / n_ways[i] / 2 && seen[way] < 2000 / n_ways[i] * 2);
	}
}

static const struct test tests[] = {
	{ "every way comes, about as often as the others", every_way },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
