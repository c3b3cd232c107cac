/* kmeans.c - middles of clusters (Lloyd's algorithm)
 *
 * The first middles are examples, each drawn with a chance that grows as its
 * squared distance to those before it (Arthur, Vassilvitskii: k-means++, SODA'07).
 * Sums go over examples in their order, in double: so neither threads nor
 * instructions change them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kmeans.h"
#include "random.h"

enum { PIECE = 256 };           /* examples of a turn */

struct search {
	const struct kmeans *k;
	const float *middles;
	size_t n_middles;
	uint32_t *nearest;
	float *distances;
	float *rows;            /* by thread: an example as the network sees it */
};

static float distance(const float *x, const float *y, size_t n)
{
	float lanes[16] = { 0 }, sum = 0.0f;

	for (size_t i = 0; i + 16 <= n; i += 16)
		for (size_t j = 0; j < 16; j++) {
			float d = x[i + j] - y[i + j];

			lanes[j] += d * d;
		}
	for (size_t i = n / 16 * 16; i < n; i++)
		lanes[i % 16] += (x[i] - y[i]) * (x[i] - y[i]);
	for (size_t j = 0; j < 16; j++)
		sum += lanes[j];
	return sum;
}

/* The lowest middle wins a tie. */
static void search_piece(void *arg, size_t piece, unsigned thread)
{
	const struct search *s = arg;
	const struct dataset *d = s->k->data;
	float *x = s->rows + thread * d->size;
	size_t end = (piece + 1) * PIECE < d->n ? (piece + 1) * PIECE : d->n;

	for (size_t i = piece * PIECE; i < end; i++) {
		dataset_row(d, ops_for(team_isa(s->k->team)), i, x);
		for (size_t c = 0; c < s->n_middles; c++) {
			float far = distance(x, s->middles + c * d->size, d->size);

			if (c > 0 && !(far < s->distances[i]))
				continue;
			s->distances[i] = far;
			s->nearest[i] = (uint32_t)c;
		}
	}
}

static void search(struct search *s)
{
	team_for(s->k->team, (s->k->data->n + PIECE - 1) / PIECE, search_piece, s);
}

static double sum_of(const float *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)v[i];
	return sum;
}

/* The example at which the sum of the weights passes share of the whole. */
static size_t draw(const float *weights, size_t n, double share)
{
	double want = share * sum_of(weights, n), sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += (double)weights[i];
		if (sum > want)
			return i;
	}
	return n - 1;
}

static void begin(struct search *s, float *middles, float *best)
{
	const struct dataset *d = s->k->data;
	struct source from = { .seed = s->k->seed, .stream = STREAM_INIT };
	float dice;

	for (size_t i = 0; i < d->n; i++)
		best[i] = 1.0f;
	for (size_t c = 0; c < s->k->n_middles; c++) {
		float *middle = middles + c * d->size;

		random_uniform(&from, c, 1, &dice);
		dataset_row(d, ops_for(team_isa(s->k->team)), draw(best, d->n, (double)dice),
			    middle);
		s->middles = middle;
		s->n_middles = 1;
		search(s);
		for (size_t i = 0; i < d->n; i++)
			if (c == 0 || s->distances[i] < best[i])
				best[i] = s->distances[i];
	}
}

/* A middle without examples stays where it is. */
static void move(const struct search *s, double *sums, size_t *counts, float *middles)
{
	const struct dataset *d = s->k->data;
	size_t n = s->k->n_middles;

	memset(sums, 0, n * d->size * sizeof *sums);
	memset(counts, 0, n * sizeof *counts);
	for (size_t i = 0; i < d->n; i++) {
		double *sum = sums + s->nearest[i] * d->size;

		dataset_row(d, ops_for(team_isa(s->k->team)), i, s->rows);
		counts[s->nearest[i]]++;
		for (size_t j = 0; j < d->size; j++)
			sum[j] += (double)s->rows[j];
	}
	for (size_t c = 0; c < n; c++)
		for (size_t j = 0; counts[c] && j < d->size; j++)
			middles[c * d->size + j] =
				(float)(sums[c * d->size + j] / (double)counts[c]);
}

struct kmeans_end kmeans_run(const struct kmeans *k, float *middles)
{
	const struct dataset *d = k->data;
	struct search s = { .k = k, .middles = middles, .n_middles = k->n_middles };
	struct kmeans_end end = { 0 };
	uint32_t *before = mem_alloc(d->n * sizeof *before);
	float *best = mem_alloc(d->n * sizeof *best);
	double *sums = mem_alloc(k->n_middles * d->size * sizeof *sums);
	size_t *counts = mem_alloc(k->n_middles * sizeof *counts);

	s.nearest = mem_alloc(d->n * sizeof *s.nearest);
	s.distances = mem_alloc(d->n * sizeof *s.distances);
	s.rows = mem_alloc(team_size(k->team) * d->size * sizeof *s.rows);
	if (!k->continues)
		begin(&s, middles, best);
	s.middles = middles;
	s.n_middles = k->n_middles;
	memset(before, 0xff, d->n * sizeof *before);
	for (;;) {
		search(&s);
		end.cost = sum_of(s.distances, d->n) / (double)d->n;
		end.is_settled = memcmp(before, s.nearest, d->n * sizeof *before) == 0;
		if (end.is_settled || end.rounds == k->rounds_max)
			break;
		memcpy(before, s.nearest, d->n * sizeof *before);
		move(&s, sums, counts, middles);
		end.rounds++;
	}
	free(before);
	free(best);
	free(sums);
	free(counts);
	free(s.nearest);
	free(s.distances);
	free(s.rows);
	return end;
}
