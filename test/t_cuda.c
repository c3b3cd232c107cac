/* t_cuda.c - the GPU against the processor: the same bytes; and cuBLAS, near them */
#include <unistd.h>
#include "fused_contract.h"

static const char *library(void)
{
	static char path[4200];
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = 0;
	*strrchr(self, '/') = 0;
	snprintf(path, sizeof path, "%s/../gg-ml-cuda.so", self);
	return path;
}

static struct device *opened_as(enum profile p)
{
	struct device *d;
	struct err e;

	MUST(device_cuda(library(), p, &d, &e), e);
	return d;
}

static struct device *opened(void)
{
	return opened_as(PROFILE_EXACT);
}

static double nmse(const float *a, const double *b, size_t n)
{
	double error = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		all += b[i] * b[i];
	}
	return error / all;
}

enum { M = 100, N = 72, K = 300 };

static void true_product(const float *a, const float *b, const float *bias, double *c)
{
	for (size_t i = 0; i < M; i++)
		for (size_t j = 0; j < N; j++) {
			double sum = 0;

			for (size_t p = 0; p < K; p++)
				sum += (double)a[i * K + p] * (double)b[p * N + j];
			sum += (double)bias[j];
			c[i * N + j] = sum > 0 ? sum : 0;
		}
}

/* Two members, bias and ReLU at the end; poisoned before. */
static double error_of(enum profile p)
{
	struct device *d = opened_as(p);
	float *a = noise(2 * M * K, 1), *b = noise(2 * K * N, 2), *bias = noise(2 * N, 3);
	float *got = malloc(2 * M * N * 4);
	double *want = malloc(2 * M * N * sizeof *want), error;
	float *da = d->ops->alloc(d, 2 * M * K * 4), *db = d->ops->alloc(d, 2 * K * N * 4);
	float *dbias = d->ops->alloc(d, 2 * N * 4), *dc = d->ops->alloc(d, 2 * M * N * 4);
	struct device_gemm g = { .is_relu = true, .bias = { dbias, N }, .batch = {
		.n_members = 2, .a_step = M * K, .b_step = K * N, .c_step = M * N,
		.one = { .m = M, .n = N, .k = K, .a = da, .lda = K, .b = db, .ldb = N,
			 .c = dc, .ldc = N } } };
	struct err e;

	memset(got, 0xff, 2 * M * N * 4);
	d->ops->put(d, dc, got, 2 * M * N * 4);
	d->ops->put(d, da, a, 2 * M * K * 4);
	d->ops->put(d, db, b, 2 * K * N * 4);
	d->ops->put(d, dbias, bias, 2 * N * 4);
	d->ops->gemm(d, &g);
	d->ops->get(d, got, dc, 2 * M * N * 4);
	MUST(d->ops->wait(d, &e), e);
	for (size_t i = 0; i < 2; i++)
		true_product(a + i * M * K, b + i * K * N, bias + i * N, want + i * M * N);
	error = nmse(got, want, 2 * M * N);
	d->ops->free(d, da);
	d->ops->free(d, db);
	d->ops->free(d, dbias);
	d->ops->free(d, dc);
	d->ops->close(d);
	free(a);
	free(b);
	free(bias);
	free(got);
	free(want);
	return error;
}

static void near_the_truth(void)
{
	double exact = error_of(PROFILE_EXACT), cublas = error_of(PROFILE_CUBLAS);
	double fast = error_of(PROFILE_FAST);

	CHECK(exact <= 1e-7);
	CHECK(cublas <= 1e-7);
	CHECK(fast <= 1e-5);
	printf("# NMSE: exact %.1e, cublas %.1e, fast %.1e\n", exact, cublas, fast);
}

static void same_again(void)
{
	for (size_t i = 0; i < sizeof whole_nets / sizeof *whole_nets; i++) {
		struct recipe r = { .rule = RULE_ADAM, .batch = BATCH, .steps = STEPS };
		struct team *team = team_new(1, team_best_isa());
		struct member v[3] = { member_of(0), member_of(1), member_of(2) };
		struct trainer *t[2];
		double losses[MEMBERS];
		struct net net;
		struct set s;
		struct err e;

		MUST(net_read(whole_nets[i], &net, &e), e);
		s = set_of(&net, true, false);
		for (int k = 0; k < 2; k++) {
			struct device *d = opened_as(PROFILE_CUBLAS);

			CHECK(strncmp(d->profile, "cublas, CUDA ", 13) == 0);
			t[k] = trained(&net, &s, &r, v, 3, d, team, losses);
			d->ops->close(d);
		}
		for (size_t m = 0; m < 3; m++)
			CHECK(is_equal(&net, t[0], m, t[1], m));
		trainer_free(t[0]);
		trainer_free(t[1]);
		set_end(&s);
		net_release(&net);
		team_free(team);
	}
}

static const struct test cublas[] = {
	{ "cuBLAS and exact products are near the truth, TF32 nearly", near_the_truth },
	{ "the profile cublas gives the same bytes again", same_again },
	{ 0 }
};

/* The contract with cuBLAS's promises behind it, where it is there. */
int main(void)
{
	struct test all[16] = { 0 };
	struct device *d;
	struct err e;
	size_t n = 0;

	if (device_cuda(library(), PROFILE_EXACT, &d, &e) < 0) {
		printf("# %s\n", e.text);
		return e.code == ERR_MISSING ? 77 : 1;
	}
	printf("# %s\n", d->name);
	d->ops->close(d);
	while (contract[n].promise) {
		all[n] = contract[n];
		n++;
	}
	if (device_cuda(library(), PROFILE_CUBLAS, &d, &e) == 0) {
		d->ops->close(d);
		memcpy(all + n, cublas, sizeof cublas);
	} else {
		printf("# %s\n", e.text);
	}
	return test_main(all);
}
