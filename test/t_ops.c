/* t_ops.c - products, losses and rules against their definitions */
#include <math.h>
#include "gemm.h"
#include "ops.h"
#include "random.h"
#include "test.h"

static float *noise(size_t n, uint64_t step)
{
	struct source s = { .seed = 2, .stream = STREAM_DATA, .step = step };
	float *x = malloc((n + 1) * sizeof *x);

	random_normal(&s, 0, n, x);
	return x;
}

static const size_t shapes[][3] = {
	{ 1, 1, 1 }, { 1, 1, 300 }, { 3, 1, 7 }, { 14, 32, 9 }, { 15, 33, 257 }, { 100, 10, 128 },
	{ 128, 10, 100 }, { 25, 8, 600 }, { 100, 130, 19 }, { 7, 260, 5 }, { 85, 31, 513 },
	{ 17, 600, 40 }, { 90, 48, 1 }, { 5, 7, 0 }, { 16, 5, 16 }, { 169, 65, 33 },
};

/* The chain of gemm.h, element by element, in float and in double. */
static void check_product(const struct gemm *g, const float *c0, const float *got)
{
	double miss = 0, all = 0;

	for (size_t i = 0; i < g->m; i++)
		for (size_t j = 0; j < g->n; j++) {
			float c = g->adds ? c0[i * g->ldc + j] : 0.0f;
			double d = (double)c;

			for (size_t p = 0; p < g->k; p++) {
				float a = g->a_is_transposed ? g->a[p * g->lda + i] :
					  g->a[i * g->lda + p];
				float b = g->b_is_transposed ? g->b[j * g->ldb + p] :
					  g->b[p * g->ldb + j];

				c = fmaf(a, b, c);
				d += (double)a * (double)b;
			}
			CHECK(memcmp(&c, &got[i * g->ldc + j], sizeof c) == 0);
			miss += pow((double)c - d, 2);
			all += d * d;
		}
	CHECK(miss <= 1e-7 * all);
}

static void one_product(const size_t *s, unsigned way, struct team *t)
{
	bool ta = way & 1, tb = way & 2;
	size_t m = s[0], n = s[1], k = s[2], ldc = n + 3;
	float *a = noise(m * k, 1), *b = noise(k * n, 2), *c0 = noise(m * ldc, 3);
	float *c = memcpy(malloc(m * ldc * sizeof *c), c0, m * ldc * sizeof *c);
	struct gemm g = { .m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .ldc = ldc,
			  .lda = ta ? m : k, .ldb = tb ? k : n, .a_is_transposed = ta,
			  .b_is_transposed = tb, .adds = way & 4 };

	if (!g.adds)
		for (size_t i = 0; i < m; i++)
			memset(c + i * ldc, 0xff, n * sizeof *c);
	gemm_run(&g, t);
	check_product(&g, c0, c);
	for (size_t i = 0; i < m; i++)
		CHECK(memcmp(c + i * ldc + n, c0 + i * ldc + n, 3 * sizeof *c) == 0);
	free(a);
	free(b);
	free(c0);
	free(c);
}

static void products(void)
{
	for (int isa = ISA_SCALAR; isa <= (int)team_best_isa(); isa++)
		for (unsigned threads = 1; threads <= 3; threads += 2) {
			struct team *t = team_new(threads, (enum isa)isa);

			for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
				for (unsigned way = 0; way < 8; way++)
					one_product(shapes[i], way, t);
			team_free(t);
		}
}

/* A batch is each of its members by itself; a step of 0 shares an operand. */
static void batches(void)
{
	enum { M = 37, N = 21, K = 50, MEMBERS = 3 };
	struct team *t = team_new(2, team_best_isa());
	float *a = noise(M * K, 1), *b = noise(MEMBERS * K * N, 2);
	float *c = malloc(MEMBERS * M * N * sizeof *c), *one = malloc(M * N * sizeof *one);
	struct gemm_batch g = { .n_members = MEMBERS, .b_step = K * N, .c_step = M * N,
				.one = { .m = M, .n = N, .k = K, .a = a, .b = b, .c = c,
					 .lda = K, .ldb = N, .ldc = N } };

	gemm_run_batch(&g, t);
	for (size_t i = 0; i < MEMBERS; i++) {
		struct gemm alone = g.one;

		alone.b = b + i * K * N;
		alone.c = one;
		gemm_run(&alone, t);
		CHECK(memcmp(one, c + i * M * N, M * N * sizeof *one) == 0);
	}
	free(a);
	free(b);
	free(c);
	free(one);
	team_free(t);
}

/* The loss of one row in double; its slope by the definition of a derivative. */
static double cost(enum loss kind, size_t cols, const double *x, int label, const float *target)
{
	double sum = 0, most = x[0], loss = 0;

	for (size_t c = 0; c < cols; c++)
		most = fmax(most, x[c]);
	for (size_t c = 0; c < cols; c++) {
		bool is_it = cols == 1 ? label > 0 : (size_t)label == c;
		double z = is_it ? x[c] : -x[c];

		sum += exp(x[c] - most);
		if (kind == LOSS_LOGISTIC)
			loss += log1p(exp(-z));
		else if (kind == LOSS_HINGE)
			loss += fmax(0, 1 - z);
		else if (kind == LOSS_MSE)
			loss += pow(x[c] - (double)target[c], 2) / (double)cols;
		else
			loss -= (0.1 / (double)cols + (is_it ? 0.9 : 0)) * (x[c] - most);
	}
	return kind == LOSS_SOFTMAX ? loss + log(sum) : loss;
}

static void check_loss(enum loss kind, size_t cols, enum isa isa)
{
	enum { ROWS = 11 };
	float *x = noise(ROWS * cols, 4), *target = noise(ROWS * cols, 5);
	float *dx = malloc(ROWS * cols * sizeof *dx), losses[ROWS];
	int32_t labels[ROWS];
	struct loss_job j = { .kind = kind, .rows = ROWS, .cols = cols, .rows_in_batch = 22,
			      .x = x, .labels = labels, .targets = target, .dx = dx,
			      .losses = losses, .smoothing = 0.1f };

	for (int i = 0; i < ROWS; i++)
		labels[i] = i % (int)(cols > 1 ? cols : 2);
	memset(dx, 0xff, ROWS * cols * sizeof *dx);
	loss_run(&j, isa);
	for (size_t i = 0; i < ROWS; i++) {
		double row[64], want, step = 1e-6;

		for (size_t c = 0; c < cols; c++)
			row[c] = (double)x[i * cols + c];
		want = cost(kind, cols, row, labels[i], target + i * cols);
		CHECK(fabs((double)losses[i] - want) <= 3e-6 * (1 + fabs(want)));
		for (size_t c = 0; c < cols; c++) {
			double was = row[c], up, down;

			row[c] = was + step;
			up = cost(kind, cols, row, labels[i], target + i * cols);
			row[c] = was - step;
			down = cost(kind, cols, row, labels[i], target + i * cols);
			row[c] = was;
			CHECK(fabs((double)dx[i * cols + c] - (up - down) / step / 2 / 22) < 1e-6);
		}
	}
	free(x);
	free(target);
	free(dx);
}

static void losses(void)
{
	static const size_t cols[] = { 1, 2, 10, 33 };

	for (int isa = ISA_SCALAR; isa <= (int)team_best_isa(); isa++)
		for (int kind = 0; kind < LOSS_COUNT; kind++)
			for (size_t i = 0; i < 4; i++)
				if (kind != LOSS_SOFTMAX || cols[i] > 1)
					check_loss((enum loss)kind, cols[i], (enum isa)isa);
}

/* One weight, some steps on, in double. */
static void step_truth(enum rule rule, const struct coefs *c, double g, double s[3])
{
	double momentum = (double)c->momentum, beta2 = (double)c->beta2, w = s[0];
	double decay = (double)c->decay, rate = (double)c->rate;

	g += (rule == RULE_ADAMW ? 0 : decay * w) + (double)c->l1 * ((w > 0) - (w < 0));
	if (rule == RULE_ADAM || rule == RULE_ADAMW) {
		s[1] = momentum * s[1] + (1 - momentum) * g;
		s[2] = beta2 * s[2] + (1 - beta2) * g * g;
		s[0] = w - (rule == RULE_ADAMW ? rate * decay * w : 0) -
		       rate * s[1] * (double)c->bias1 /
		       (sqrt(s[2] * (double)c->bias2) + (double)c->epsilon);
		return;
	}
	s[1] = momentum * s[1] + g;
	s[0] = w - rate * (rule == RULE_SGD ? g : rule == RULE_NESTEROV ?
			   g + momentum * s[1] : s[1]);
}

static void rules(void)
{
	enum { N = 37, STEPS = 4 };
	const struct coefs c = { .rate = 0.1f, .momentum = 0.9f, .beta2 = 0.99f, .decay = 0.03f,
				 .epsilon = 1e-3f, .l1 = 0.01f, .bias1 = 2.5f, .bias2 = 7 };

	for (int isa = ISA_SCALAR; isa <= (int)team_best_isa(); isa++)
		for (int rule = 0; rule < RULE_COUNT; rule++) {
			float *w = noise(N, 6), m[N] = { 0 }, v[N] = { 0 };
			unsigned char owned[N];
			double s[N][3] = { { 0 } };

			for (int i = 0; i < N; i++) {
				s[i][0] = (double)w[i];
				owned[i] = i % 3 != 0;
			}
			for (uint64_t k = 0; k < STEPS; k++) {
				float *g = noise(N, 7 + k);

				ops_for((enum isa)isa)->step((enum rule)rule, &c, N, g, owned, w,
							     m, v);
				for (int i = 0; i < N; i++)
					if (i % 3)
						step_truth((enum rule)rule, &c, (double)g[i],
							   s[i]);
				free(g);
			}
			for (int i = 0; i < N; i++)
				CHECK(fabs((double)w[i] - s[i][0]) < 1e-5);
			free(w);
		}
}

static const struct test tests[] = {
	{ "products are the chains that are promised, and near the truth", products },
	{ "a batch of products is each by itself", batches },
	{ "losses and their slopes are as defined", losses },
	{ "rules step as defined, and leave what is not owned", rules },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
