/* augment.c - images moved and mirrored, by dice that hang on their position */
#include <string.h>
#include "random.h"
#include "train.h"

/* A number below n. */
static uint32_t below(uint32_t dice, uint32_t n)
{
	return (uint32_t)((uint64_t)dice * n >> 32);
}

void augment_image(const struct augment *a, struct shape s, const struct draw *d, float *x)
{
	struct source from = { .seed = d->seed, .stream = STREAM_AUGMENT, .step = d->position };
	struct block dice = random_block(&from, 0);
	int64_t down = below(dice.v[0], 2 * a->crop + 1), right = below(dice.v[1], 2 * a->crop + 1);
	bool is_mirrored = a->flips && dice.v[2] >> 31;
	size_t row = (size_t)s.w * s.c;

	memcpy(d->room, x, s.h * row * sizeof *x);
	for (int64_t y = 0; y < s.h; y++, x += row)
		for (int64_t k = 0; k < s.w; k++) {
			int64_t fy = y + down - a->crop;
			int64_t fx = (is_mirrored ? s.w - 1 - k : k) + right - a->crop;
			const float *pixel = d->room + fy * (int64_t)row + fx * s.c;
			bool is_in = fy >= 0 && fy < s.h && fx >= 0 && fx < s.w;

			for (size_t c = 0; c < s.c; c++)
				x[(size_t)k * s.c + c] = is_in ? pixel[c] : 0.0f;
		}
}
