/* tile_body.h - one block of a product on a device, for one size of tile
 *
 * Included by blocks_body.h, which says NAME, TILE_M x TILE_N (the part of C that
 * a block owns), PER_M x PER_N (a thread's share of that) and TILE_K.
 *
 * Stretches of A and B go through shared memory, the next ones being fetched while
 * this one is used.  k rises through all of them and every element of C belongs to
 * one thread: the chain of gemm.h.  At the end of k the loop stops short, since
 * adding a product of zeros would turn -0 into 0.
 */
#define THREADS_M (TILE_M / PER_M)
#define THREADS_N (TILE_N / PER_N)
#define A_EACH (TILE_M * TILE_K / BLOCK_THREADS)
#define B_EACH (TILE_N * TILE_K / BLOCK_THREADS)
/* Neighbours that a thread owns together, so that one load brings them. */
#define SIDE_M (PER_M < 4 ? PER_M : 4)
#define SIDE_N (PER_N < 4 ? PER_N : 4)
#define JOIN_(x, y) x##_##y
#define JOIN(x, y) JOIN_(x, y)
#define STRETCH_ JOIN(stretch, NAME)

struct STRETCH_ {
	float a[TILE_K][TILE_M + 4], b[TILE_K][TILE_N + 4];
};

/* A thread's e-th row or column of the tile.  A warp's threads are 4 by 8, so that
 * together they want few different words of shared memory. */
BLOCK_CODE unsigned JOIN(row, NAME)(unsigned t, unsigned e)
{
	unsigned down = t / 32 / (THREADS_N / 8) * 4 + t % 32 / 8;

	return e / SIDE_M * (SIDE_M * THREADS_M) + down * SIDE_M + e % SIDE_M;
}

BLOCK_CODE unsigned JOIN(column, NAME)(unsigned t, unsigned e)
{
	unsigned across = t / 32 % (THREADS_N / 8) * 8 + t % 8;

	return e / SIDE_N * (SIDE_N * THREADS_N) + across * SIDE_N + e % SIDE_N;
}

/* Where thread t begins; neighbours in memory go to neighbouring threads. */
BLOCK_CODE struct from JOIN(from, NAME)(const struct place *w, unsigned t)
{
	unsigned i0 = w->a_is_transposed ? t % TILE_M : t / TILE_K;
	unsigned ak = w->a_is_transposed ? t / TILE_M : t % TILE_K;
	unsigned j0 = w->b_is_transposed ? t / TILE_K : t % TILE_N;
	unsigned bk = w->b_is_transposed ? t % TILE_K : t / TILE_N;
	struct from f;

	f.a = w->a + (size_t)(w->row + i0) * w->a_row + (size_t)ak * w->a_k;
	f.b = w->b + (size_t)(w->column + j0) * w->b_column + (size_t)bk * w->b_k;
	return f;
}

/* How far apart a thread's numbers are. */
BLOCK_CODE size_t JOIN(step_a, NAME)(const struct place *w)
{
	return (size_t)(w->a_is_transposed ? BLOCK_THREADS / TILE_M : BLOCK_THREADS / TILE_K) *
	       (w->a_is_transposed ? w->a_k : w->a_row);
}

BLOCK_CODE size_t JOIN(step_b, NAME)(const struct place *w)
{
	return (size_t)(w->b_is_transposed ? BLOCK_THREADS / TILE_K : BLOCK_THREADS / TILE_N) *
	       (w->b_is_transposed ? w->b_column : w->b_k);
}

/* What it brings at the sides and at the end of k: zeros where there is nothing. */
BLOCK_CODE void JOIN(edge, NAME)(const struct place *w, const struct from *f, uint32_t p,
				 unsigned t, float *a, float *b)
{
	unsigned i0 = w->a_is_transposed ? t % TILE_M : t / TILE_K;
	unsigned ak = w->a_is_transposed ? t / TILE_M : t % TILE_K;
	unsigned j0 = w->b_is_transposed ? t / TILE_K : t % TILE_N;
	unsigned bk = w->b_is_transposed ? t % TILE_K : t / TILE_N;
	unsigned di = w->a_is_transposed ? 0 : BLOCK_THREADS / TILE_K;
	unsigned dak = w->a_is_transposed ? BLOCK_THREADS / TILE_M : 0;
	unsigned dj = w->b_is_transposed ? BLOCK_THREADS / TILE_K : 0;
	unsigned dbk = w->b_is_transposed ? 0 : BLOCK_THREADS / TILE_N;
	size_t step_a = JOIN(step_a, NAME)(w), step_b = JOIN(step_b, NAME)(w);

	UNROLL for (unsigned e = 0; e < A_EACH; e++)
		a[e] = w->row + i0 + e * di < w->m && p + ak + e * dak < w->k ?
		       f->a[e * step_a] : 0.0f;
	UNROLL for (unsigned e = 0; e < B_EACH; e++)
		b[e] = w->column + j0 + e * dj < w->n && p + bk + e * dbk < w->k ?
		       f->b[e * step_b] : 0.0f;
}

/* What thread t brings of the stretch that begins at p; the next time it is the
 * stretch behind. */
BLOCK_CODE void JOIN(fetch, NAME)(const struct place *w, struct from *f, uint32_t p, unsigned t,
				  float *a, float *b)
{
	size_t step_a = JOIN(step_a, NAME)(w), step_b = JOIN(step_b, NAME)(w);

	if (p + TILE_K <= w->k && w->row + TILE_M <= w->m && w->column + TILE_N <= w->n) {
		UNROLL for (unsigned e = 0; e < A_EACH; e++)
			a[e] = f->a[e * step_a];
		UNROLL for (unsigned e = 0; e < B_EACH; e++)
			b[e] = f->b[e * step_b];
	} else {
		JOIN(edge, NAME)(w, f, p, t, a, b);
	}
	f->a += (size_t)TILE_K * w->a_k;
	f->b += (size_t)TILE_K * w->b_k;
}

BLOCK_CODE void JOIN(keep, NAME)(const struct place *w, struct STRETCH_ *s, unsigned t,
				 const float *a, const float *b)
{
	UNROLL for (unsigned e = 0; e < A_EACH; e++) {
		unsigned at = e * BLOCK_THREADS + t;

		if (w->a_is_transposed)
			s->a[at / TILE_M][at % TILE_M] = a[e];
		else
			s->a[at % TILE_K][at / TILE_K] = a[e];
	}
	UNROLL for (unsigned e = 0; e < B_EACH; e++) {
		unsigned at = e * BLOCK_THREADS + t;

		if (w->b_is_transposed)
			s->b[at % TILE_K][at / TILE_K] = b[e];
		else
			s->b[at / TILE_N][at % TILE_N] = b[e];
	}
}

BLOCK_CODE void JOIN(multiply, NAME)(const struct STRETCH_ *s, unsigned k, unsigned t,
				     float c[PER_M][PER_N])
{
	float a[PER_M], b[PER_N];

	UNROLL for (unsigned e = 0; e < PER_M; e++)
		a[e] = s->a[k][JOIN(row, NAME)(t, e)];
	UNROLL for (unsigned e = 0; e < PER_N; e++)
		b[e] = s->b[k][JOIN(column, NAME)(t, e)];
	UNROLL for (unsigned i = 0; i < PER_M; i++)
		UNROLL for (unsigned j = 0; j < PER_N; j++)
			c[i][j] = number_fma(a[i], b[j], c[i][j]);
}

BLOCK_CODE void JOIN(begin, NAME)(const struct place *w, unsigned t, float c[PER_M][PER_N])
{
	UNROLL for (unsigned e = 0; e < PER_M; e++)
		UNROLL for (unsigned f = 0; f < PER_N; f++) {
			uint32_t i = w->row + JOIN(row, NAME)(t, e);
			uint32_t j = w->column + JOIN(column, NAME)(t, f);

			c[e][f] = w->adds && i < w->m && j < w->n ? w->c[(size_t)i * w->ldc + j] :
				  0.0f;
		}
}

BLOCK_CODE void JOIN(end, NAME)(const struct place *w, unsigned t, float c[PER_M][PER_N])
{
	UNROLL for (unsigned e = 0; e < PER_M; e++)
		UNROLL for (unsigned f = 0; f < PER_N; f++) {
			uint32_t i = w->row + JOIN(row, NAME)(t, e);
			uint32_t j = w->column + JOIN(column, NAME)(t, f);
			float x = c[e][f];

			if (i >= w->m || j >= w->n)
				continue;
			if (w->bias)
				x = x + w->bias[j];
			w->c[(size_t)i * w->ldc + j] = w->is_relu ? act_one(ACT_RELU, x) : x;
		}
}

BLOCK_CODE void JOIN(block, NAME)(const struct device_gemm *g, size_t member, size_t tile)
{
	SHARED struct STRETCH_ both[2];
	KEPT(float, c, BLOCK_THREADS)[PER_M][PER_N];
	KEPT(float, a, BLOCK_THREADS)[A_EACH];
	KEPT(float, b, BLOCK_THREADS)[B_EACH];
	KEPT(struct from, from, BLOCK_THREADS);
	struct place w = place_of(g, member, tile, TILE_M, TILE_N);
	unsigned now = 0;

	EACH_THREAD(t, BLOCK_THREADS) {
		JOIN(begin, NAME)(&w, t, c[OWN(t)]);
		from[OWN(t)] = JOIN(from, NAME)(&w, t);
		JOIN(fetch, NAME)(&w, &from[OWN(t)], 0, t, a[OWN(t)], b[OWN(t)]);
		JOIN(keep, NAME)(&w, &both[0], t, a[OWN(t)], b[OWN(t)]);
	}
	BARRIER();
	ROLLED for (uint32_t p = 0; p < w.k; p += TILE_K, now ^= 1) {
		EACH_THREAD(t, BLOCK_THREADS) {
			if (p + TILE_K < w.k)
				JOIN(fetch, NAME)(&w, &from[OWN(t)], p + TILE_K, t,
						  a[OWN(t)], b[OWN(t)]);
			if (p + TILE_K <= w.k)
				UNROLL for (unsigned k = 0; k < TILE_K; k++)
					JOIN(multiply, NAME)(&both[now], k, t, c[OWN(t)]);
			else
				ROLLED for (unsigned k = 0; k < w.k - p; k++)
					JOIN(multiply, NAME)(&both[now], k, t, c[OWN(t)]);
			JOIN(keep, NAME)(&w, &both[now ^ 1], t, a[OWN(t)], b[OWN(t)]);
		}
		BARRIER();
	}
	EACH_THREAD(t, BLOCK_THREADS)
		JOIN(end, NAME)(&w, t, c[OWN(t)]);
}

#undef THREADS_M
#undef THREADS_N
#undef A_EACH
#undef B_EACH
#undef SIDE_M
#undef SIDE_N
#undef JOIN_
#undef JOIN
#undef STRETCH_
#undef NAME
#undef TILE_M
#undef TILE_N
#undef PER_M
#undef PER_N
#undef TILE_K
