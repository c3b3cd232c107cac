/* hash_training.c - for ml_compilers.sh: one line for each instruction set, with
 * hashes of weights after some steps of several networks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "random.h"
#include "train.h"

enum { N = 90, IN = 72, STEPS = 12 };

static const struct {
	const char *text;
	enum rule rule;
	enum loss loss;
} runs[] = {
	{ "mlp 72-33-5", RULE_MOMENTUM, LOSS_SOFTMAX },
	{ "mlp 72-20-9-5 tanh drop 0.2", RULE_ADAM, LOSS_SOFTMAX },
	{ "linear 72-5", RULE_NESTEROV, LOSS_HINGE },
	{ "net 6x6x2: conv 5 3x3 pad 1 relu, pool 2, fc 5", RULE_SGD, LOSS_SOFTMAX },
	{ "net 6x6x2: a=conv 4 3x3 pad 1, norm relu, conv 4 3x3 pad 1 sigmoid, add a, "
	  "avgpool 2, global, fc 5", RULE_ADAMW, LOSS_LOGISTIC },
};

static uint64_t hash(uint64_t h, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, x + i, sizeof bits);
		h = (h ^ bits) * 0x100000001b3u;
	}
	return h;
}

static uint64_t train(size_t k, const struct dataset *d, enum isa isa)
{
	struct recipe r = { .rule = runs[k].rule, .losses = { runs[k].loss },
			    .schedule = SCHEDULE_COSINE, .batch = 17, .steps = STEPS };
	struct member v = { .seed = 3, .rate = 0.03f, .coefs = {
		.momentum = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .decay = 0.01f } };
	struct team *team = team_new(2, isa);
	struct trainer *t;
	struct net n;
	struct err e;
	uint64_t h;

	if (net_read(runs[k].text, &n, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	t = trainer_new(&n, d, &r, &v, 1, team);
	while (trainer_at(t) < STEPS)
		trainer_step(t);
	h = hash(0xcbf29ce484222325u, trainer_weights(t, 0), n.n_weights);
	trainer_free(t);
	team_free(team);
	net_release(&n);
	return h;
}

int main(void)
{
	static float x[N * IN];
	static int32_t y[N];
	struct source s = { .seed = 1, .stream = STREAM_DATA };
	struct dataset d = { .floats = x, .labels = y, .n = N, .size = IN, .n_targets = 1,
			     .n_classes = 5 };

	random_normal(&s, 0, N * IN, x);
	for (int i = 0; i < N; i++)
		y[i] = i * 7 % 5;
	for (int isa = ISA_SCALAR; isa <= (int)team_best_isa(); isa++) {
		printf("isa%d", isa);
		for (size_t k = 0; k < sizeof runs / sizeof *runs; k++)
			printf(" %016llx", (unsigned long long)train(k, &d, (enum isa)isa));
		putchar('\n');
	}
	return 0;
}
