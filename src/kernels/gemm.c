/* gemm.c - a product cut into tiles
 *
 * Rows of C go in blocks, columns in panels as wide as two vectors.  k goes in
 * stretches, in rising order, each beginning with the sums that the last one
 * left in C: so the chain of an element is the one that gemm.h states, however
 * the product is cut.
 *
 * B is copied panel by panel when it is transposed or when its rows are far
 * apart and used often; A's block likewise.  Columns that fill no vector are
 * copied with zeros behind them, and their part of C is worked on in a copy.
 */
#include <stdlib.h>
#include <string.h>
#include "gemm.h"
#include "gemm_tile.h"

enum {
	STRETCH = 256,          /* of k: a panel of it fits the first cache */
	BLOCK_ROWS = 84,        /* 6 and 14 divide it */
	WIDE_MAX = 32,          /* columns of a panel at most */
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
	size_t n_panels, n_groups, n_blocks;
	bool copies_a, copies_b;        /* all of it; the last panel always if
					 * it is not full */
	float *panels;                  /* copies, by member */
	size_t n_copied;                /* panels copied of each member */
};

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A copied panel holds k rows of `wide` floats. */
static float *panel_at(const struct work *w, size_t member, size_t panel)
{
	size_t first = w->n_panels - w->n_copied;

	return w->panels + (member * w->n_copied + panel - first) *
			   w->batch->one.k * w->wide;
}

static bool is_copied(const struct work *w, size_t panel)
{
	return panel >= w->n_panels - w->n_copied;
}

static void copy_panel(void *arg, size_t i, unsigned thread)
{
	const struct work *w = arg;
	const struct gemm *g = &w->batch->one;
	size_t member = i / w->n_copied;
	size_t panel = w->n_panels - w->n_copied + i % w->n_copied;
	const float *b = g->b + member * w->batch->b_step;
	size_t at = panel * w->wide, n = min(w->wide, g->n - at);
	float *to = panel_at(w, member, panel);

	(void)thread;
	for (size_t p = 0; p < g->k; p++, to += w->wide) {
		if (!g->b_is_transposed)
			memcpy(to, b + p * g->ldb + at, n * sizeof *to);
		memset(to + n, 0, (w->wide - n) * sizeof *to);
	}
	if (!g->b_is_transposed)
		return;
	to = panel_at(w, member, panel);
	for (size_t j = 0; j < n; j++)
		for (size_t p = 0; p < g->k; p++)
			to[p * w->wide + j] = b[(at + j) * g->ldb + p];
}

/* A's rows of a block over one stretch, as tiles want them: for each k the
 * elements of a tile's rows together. */
static void copy_a(const struct tile *t, size_t rows, unsigned tile_rows, float *to)
{
	for (size_t at = 0; at < rows; at += tile_rows) {
		size_t n = min(tile_rows, rows - at);

		for (size_t i = 0; i < n; i++)
			for (size_t p = 0; p < t->k; p++)
				to[p * n + i] = t->a[(at + i) * t->a_row + p * t->a_k];
		to += n * t->k;
	}
}

/* A tile whose columns end before its vectors do. */
static void run_narrow(const struct tiler *tiler, struct tile *t, size_t rows, size_t n,
		       unsigned vectors)
{
	float copy[TILE_ROWS_MAX * WIDE_MAX];
	float *c = t->c;
	size_t ldc = t->ldc, wide = (size_t)vectors * tiler->columns;

	for (size_t i = 0; i < rows && !t->begins; i++)
		for (size_t j = 0; j < wide; j++)
			copy[i * wide + j] = j < n ? c[i * ldc + j] : 0.0f;
	t->c = copy;
	t->ldc = wide;
	tiler->run[vectors - 1][rows - 1](t);
	for (size_t i = 0; i < rows; i++)
		memcpy(c + i * ldc, copy + i * wide, n * sizeof *c);
}

/* One panel of a block over one stretch; t->a is at its first row. */
static void run_panel(const struct work *w, struct tile t, size_t rows, size_t n,
		      bool is_a_copied)
{
	const struct tiler *tiler = w->tiler;
	unsigned vectors = n > tiler->columns ? 2 : 1;
	size_t full = (size_t)vectors * tiler->columns;
	const float *a = t.a;
	float *c = t.c;

	for (size_t i = 0; i < rows; i += tiler->rows) {
		size_t r = min(tiler->rows, rows - i);
		struct tile one = t;

		one.a = a;
		one.c = c + i * t.ldc;
		if (is_a_copied) {
			one.a_row = 1;
			one.a_k = r;
			a += r * t.k;
		} else {
			a += r * t.a_row;
		}
		if (n == full)
			tiler->run[vectors - 1][r - 1](&one);
		else
			run_narrow(tiler, &one, r, n, vectors);
	}
}

/* One turn: some rows of C of one member by one group of panels. */
static void run_block(void *arg, size_t turn, unsigned thread)
{
	const struct work *w = arg;
	const struct gemm *g = &w->batch->one;
	size_t per_member = w->n_blocks * w->n_groups;
	size_t member = turn / per_member, rest = turn % per_member;
	size_t row = rest / w->n_groups * BLOCK_ROWS, group = rest % w->n_groups;
	size_t rows = min(BLOCK_ROWS, g->m - row), n;
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
			copy_a(&t, rows, w->tiler->rows, block);
			t.a = block;
		}
		for (size_t panel = group * GROUP; panel < end; panel++) {
			size_t at = panel * w->wide;

			n = min(w->wide, g->n - at);
			t.b = is_copied(w, panel) ?
			      panel_at(w, member, panel) + p * w->wide :
			      b + p * g->ldb + at;
			t.ldb = is_copied(w, panel) ? w->wide : g->ldb;
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

void gemm_run_batch(const struct gemm_batch *batch, struct team *team)
{
	const struct gemm *g = &batch->one;
	struct work w = { .batch = batch, .tiler = tilers[team_isa(team)] };
	bool is_last_full;

	if (g->k == 0 || g->m == 0 || g->n == 0) {
		clear(batch);
		return;
	}
	w.wide = 2 * (size_t)w.tiler->columns;
	w.n_panels = (g->n + w.wide - 1) / w.wide;
	w.n_groups = (w.n_panels + GROUP - 1) / GROUP;
	w.n_blocks = (g->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
	is_last_full = g->n % w.tiler->columns == 0;
	w.copies_b = g->b_is_transposed || (g->ldb >= FAR && g->m >= OFTEN);
	w.copies_a = !g->a_is_transposed && g->n >= 256;
	w.n_copied = w.copies_b ? w.n_panels : !is_last_full;
	if (w.n_copied) {
		w.panels = mem_alloc(batch->n_members * w.n_copied * g->k * w.wide *
				     sizeof *w.panels);
		team_for(team, batch->n_members * w.n_copied, copy_panel, &w);
	}
	team_for(team, batch->n_members * w.n_blocks * w.n_groups, run_block, &w);
	free(w.panels);
}

void gemm_run(const struct gemm *g, struct team *t)
{
	struct gemm_batch one = { .one = *g, .n_members = 1 };

	gemm_run_batch(&one, t);
}
