/* gemm.c - the product of two matrices, cut into tiles
 *
 * Rows of C go in blocks, columns in panels as wide as two vectors.  k goes in
 * stretches, in rising order, each beginning with the sums that the last one
 * left in C: so the chain of an element is the one that gemm.h states, however
 * the product is cut.
 *
 * B is copied panel by panel when it is transposed or when its rows are far
 * apart and used often; A's block likewise.
 */
#include <stdlib.h>
#include <string.h>
#include "gemm.h"
#include "gemm_tile.h"

enum {
	STRETCH = 256,          /* of k: a panel of it fits the first cache */
	BLOCK_ROWS = 84,        /* at most; 6 and 14 divide it */
	SMALL = 1 << 20,        /* products that other threads are not woken for */
	FAR = 512,              /* floats between rows that share few pages */
	OFTEN = 48,             /* rows of C that pay for copying B */
	GROUP = 16,             /* panels that one turn works on */
};

static const struct tiler *const tilers[] = {
	[ISA_SCALAR] = &tiler_scalar, [ISA_AVX2] = &tiler_avx2,
	[ISA_AVX512] = &tiler_avx512,
};

struct work {
	const struct gemm_batch *batch;
	const struct tiler *tiler;
	size_t wide;                    /* columns of a panel */
	size_t block_rows;
	size_t n_panels, n_groups, n_blocks;
	bool copies_a, copies_b;
	float *panels;                  /* copies of B's, by member */
};

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A copied panel holds k rows of `wide` floats. */
static float *panel_at(const struct work *w, size_t member, size_t panel)
{
	return w->panels + (member * w->n_panels + panel) * w->batch->one.k * w->wide;
}

static void copy_panel(void *arg, size_t i, unsigned thread)
{
	const struct work *w = arg;
	const struct gemm *g = &w->batch->one;
	size_t member = i / w->n_panels, panel = i % w->n_panels;
	const float *b = g->b + member * w->batch->b_step;
	size_t at = panel * w->wide, n = min(w->wide, g->n - at);
	float *to = panel_at(w, member, panel);

	(void)thread;
	if (g->b_is_transposed) {
		w->tiler->turn(b + at * g->ldb, g->ldb, g->k, n, to, w->wide);
		return;
	}
	for (size_t p = 0; p < g->k; p++)
		memcpy(to + p * w->wide, b + p * g->ldb + at, n * sizeof *to);
}

/* Rows of a tile where `left` are to be done: as even as can be, since a tile of
 * few rows takes as long as one of many. */
static size_t tile_rows(const struct tiler *tiler, size_t left)
{
	size_t n = (left + tiler->rows - 1) / tiler->rows;

	return (left + n - 1) / n;
}

/* A's rows of a block over one stretch, as tiles want them: for each k the
 * elements of a tile's rows together. */
static void copy_a(const struct tiler *tiler, const struct tile *t, size_t rows, float *to)
{
	for (size_t at = 0, n; at < rows; at += n) {
		n = tile_rows(tiler, rows - at);
		tiler->turn(t->a + at * t->a_row, t->a_row, t->k, n, to, n);
		to += n * t->k;
	}
}

/* One panel of a block over one stretch; t->a is at its first row. */
static void run_panel(const struct work *w, struct tile t, size_t rows, size_t n,
		      bool is_a_copied)
{
	const struct tiler *tiler = w->tiler;
	unsigned vectors = n > tiler->columns ? 2 : 1;
	const float *a = t.a;
	float *c = t.c;

	t.n_last = (unsigned)n - (vectors - 1) * tiler->columns;
	for (size_t i = 0, r; i < rows; i += r) {
		struct tile one = t;

		r = tile_rows(tiler, rows - i);
		one.a = a;
		one.c = c + i * t.ldc;
		if (is_a_copied) {
			one.a_row = 1;
			one.a_k = r;
			a += r * t.k;
		} else {
			a += r * t.a_row;
		}
		tiler->run[vectors - 1][r - 1](&one);
	}
}

/* One turn: some rows of C of one member by one group of panels. */
static void run_block(void *arg, size_t turn, unsigned thread)
{
	const struct work *w = arg;
	const struct gemm *g = &w->batch->one;
	size_t per_member = w->n_blocks * w->n_groups;
	size_t member = turn / per_member, rest = turn % per_member;
	size_t row = rest / w->n_groups * w->block_rows, group = rest % w->n_groups;
	size_t rows = min(w->block_rows, g->m - row), n;
	size_t end = min((group + 1) * GROUP, w->n_panels);
	const float *a = g->a + member * w->batch->a_step +
			 row * (g->a_is_transposed ? 1 : g->lda);
	const float *b = g->b + member * w->batch->b_step;
	float *c = g->c + member * w->batch->c_step + row * g->ldc;
	float block[BLOCK_ROWS * STRETCH];

	(void)thread;
	for (size_t p = 0; p < g->k; p += STRETCH) {
		struct tile t = {
			.k = min(STRETCH, g->k - p),
			.a_row = g->a_is_transposed ? 1 : g->lda,
			.a_k = g->a_is_transposed ? g->lda : 1,
			.ldc = g->ldc, .begins = p == 0 && !g->adds,
		};

		t.a = a + p * t.a_k;
		if (w->copies_a) {
			copy_a(w->tiler, &t, rows, block);
			t.a = block;
		}
		for (size_t panel = group * GROUP; panel < end; panel++) {
			size_t at = panel * w->wide;

			n = min(w->wide, g->n - at);
			t.b = w->copies_b ? panel_at(w, member, panel) + p * w->wide :
			      b + p * g->ldb + at;
			t.ldb = w->copies_b ? w->wide : g->ldb;
			t.c = c + at;
			run_panel(w, t, rows, n, w->copies_a);
		}
	}
}

static void clear(const struct gemm_batch *g)
{
	for (size_t i = 0; i < g->n_members; i++)
		for (size_t r = 0; r < g->one.m && !g->one.adds; r++)
			memset(g->one.c + i * g->c_step + r * g->one.ldc, 0,
			       g->one.n * sizeof *g->one.c);
}

/* Fewer than go into the cache where all threads would not have turns else. */
static size_t rows_of_block(const struct work *w, const struct team *team)
{
	size_t turns = 2 * (size_t)team_size(team), tile = w->tiler->rows;
	size_t cuts = turns / (w->n_groups * w->batch->n_members) + 1;
	size_t rows = (w->batch->one.m + cuts - 1) / cuts;

	return min(BLOCK_ROWS, (rows + tile - 1) / tile * tile);
}

static void each(const struct work *w, struct team *team, size_t n,
		 void (*fn)(void *arg, size_t i, unsigned thread))
{
	const struct gemm *g = &w->batch->one;

	if (g->m * g->n * g->k * w->batch->n_members > SMALL) {
		team_for(team, n, fn, (void *)w);
		return;
	}
	for (size_t i = 0; i < n; i++)
		fn((void *)w, i, 0);
}

void gemm_run_batch(const struct gemm_batch *batch, struct team *team)
{
	const struct gemm *g = &batch->one;
	struct work w = { .batch = batch, .tiler = tilers[team_isa(team)] };

	if (g->k == 0 || g->m == 0 || g->n == 0) {
		clear(batch);
		return;
	}
	w.wide = 2 * (size_t)w.tiler->columns;
	w.n_panels = (g->n + w.wide - 1) / w.wide;
	w.n_groups = (w.n_panels + GROUP - 1) / GROUP;
	w.block_rows = rows_of_block(&w, team);
	w.n_blocks = (g->m + w.block_rows - 1) / w.block_rows;
	w.copies_b = g->b_is_transposed || (g->ldb >= FAR && g->m >= OFTEN);
	w.copies_a = !g->a_is_transposed && g->n >= 256;
	if (w.copies_b) {
		w.panels = mem_alloc(batch->n_members * w.n_panels * g->k * w.wide *
				     sizeof *w.panels);
		each(&w, team, batch->n_members * w.n_panels, copy_panel);
	}
	each(&w, team, batch->n_members * w.n_blocks * w.n_groups, run_block);
	free(w.panels);
}

/* Few columns leave lanes of vectors empty: then C's transpose is made, where
 * the rows that A is stored as lie in the lanes.  The chains are the same. */
static void run_slim(const struct gemm *g, struct team *t)
{
	const struct tiler *tiler = tilers[team_isa(t)];
	float *turned = mem_alloc(g->m * g->n * sizeof *turned);
	struct gemm_batch other = { .n_members = 1, .one = {
		.m = g->n, .n = g->m, .k = g->k, .a = g->b, .lda = g->ldb, .b = g->a,
		.ldb = g->lda, .a_is_transposed = true, .adds = g->adds, .c = turned,
		.ldc = g->m,
	} };

	if (g->adds)
		tiler->turn(g->c, g->ldc, g->n, g->m, turned, g->m);
	gemm_run_batch(&other, t);
	tiler->turn(turned, g->m, g->m, g->n, g->c, g->ldc);
	free(turned);
}

void gemm_run(const struct gemm *g, struct team *t)
{
	struct gemm_batch one = { .one = *g, .n_members = 1 };

	if (g->a_is_transposed && !g->b_is_transposed && g->k && g->n < g->m &&
	    g->n < tilers[team_isa(t)]->columns)
		run_slim(g, t);
	else
		gemm_run_batch(&one, t);
}
