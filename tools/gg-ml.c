/* gg-ml.c - a small trainer: its commands, its options, main
 *
 * Help and the manual are printed from these tables (ml_help.c). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "ml.h"

const struct ml_command ml_commands[] = {
	{ "prep", ml_prep, "osFAIGHJOUV", "FILE [LABELS]",
	  "examples from IDX, npy, CSV or LIBSVM files, gzip'ed or not",
	  "Writes a safetensors file with x, n x features, and y, n classes or targets. "
	  "Bytes stay bytes; --normalise says beside them how they are to be read. With "
	  "--split and --shards --output is a name with {}, and each part a file." },
	{ "train", ml_train, "dmosrRiMkLSD$eBpwnNtTxXyYzZlaqgbjP", "",
	  "train a network, or several at once",
	  "The same data, options and seed give the same bytes on every machine, for any "
	  "number of threads, alone or among --members, in one go or ended by a signal (then "
	  "it exits with 75) and continued with --resume. A network of layers is written "
	  "'net 28x28x1: conv 16 5x5 pad 2 relu, pool 2, fc 10': conv OUT KxK [stride S] "
	  "[pad P], fc OUT, norm, scale [of N], pool K, avgpool K, global, flatten, drop "
	  "RATE, relu, tanh, sigmoid, add LAYER, from LAYER, head NAME; NAME=conv gives a "
	  "layer a name. Several heads want a column of y and may have a loss each: "
	  "--loss softmax,logistic. "
	  "'mlp 784-128-10 fast 4' is a batch ensemble: four members that share all weights "
	  "but the scales before and after each product." },
	{ "eval", ml_eval, "dtjuv", "WEIGHTS...", "how good members and their ensemble are",
	  "Accuracy, negative log-likelihood, Brier's score and the expected calibration "
	  "error of each member, of their mean and of their vote." },
	{ "predict", ml_predict, "dotjcv", "WEIGHTS...", "what an ensemble says of examples",
	  "A line for each example: the class, or with --proba the mean probability of each." },
	{ "combine", ml_combine, "ofWQ", "average|tree|krum|topk FILE...",
	  "one set of weights or gradients out of several",
	  "average and tree are means, the one in order, the other by halves; krum takes the "
	  "file nearest to the others; topk keeps the largest entries and gives back the rest." },
	{ "show", ml_show, "j", "FILE...", "layers, shapes and sizes",
	  "Of any safetensors file: weights, states, examples." },
	{ "data", ml_data, "oKsEFC", "", "make a set of examples from a seed",
	  "blobs are clouds, rings are shells that no plane parts, line has a target that "
	  "depends on the features by a line." },
	{ 0 }
};

const struct ml_option ml_options[] = {
#define TEXT(letter, field, name, arg, help) \
	{ letter, ML_TEXT, offsetof(struct ml, field), name, arg, help }
#define COUNT(letter, field, name, help) \
	{ letter, ML_COUNT, offsetof(struct ml, field), name, "N", help }
#define FLAG(letter, field, name, help) \
	{ letter, ML_FLAG, offsetof(struct ml, field), name, NULL, help }
	TEXT('d', data, "data", "FILE", "examples, as gg-ml prep or data writes them"),
	TEXT('m', model, "model", "TEXT",
	     "'mlp 784-128-10', 'linear 4-3', 'net 28x28x1: ...', 'kmeans 4-3'"),
	TEXT('o', output, "output", "FILE", "what is written; {} is the member's number"),
	TEXT('s', seed, "seed", "N,...", "of the first member, others count on (0)"),
	TEXT('r', rate, "rate", "X,...", "learning rate (0.05)"),
	TEXT('k', rule, "rule", "NAME", "sgd, momentum, nesterov, adam, adamw (momentum)"),
	TEXT('L', loss, "loss", "NAME,...",
	     "of each head: softmax, logistic, hinge, mse (softmax)"),
	TEXT('S', schedule, "schedule", "NAME", "constant, step, cosine, cyclic (constant)"),
	TEXT('R', resume, "resume", "FILE", "go on from a state"),
	TEXT('P', state, "state", "FILE", "write the state there at the end"),
	TEXT('l', checkpoint, "checkpoint", "FILE",
	     "write the state there if told to end, as gg does"),
	TEXT('i', init, "init", "FILE", "begin with these weights"),
	TEXT('M', metrics, "metrics", "FILE", "losses by step, JSON; {} as above"),
	TEXT('D', device, "device", "NAME",
	     "cpu, cuda, or loops: cuda's source run by the processor (cpu)"),
	TEXT('$', profile, "profile", "NAME",
	     "exact, or on cuda cublas (these bits on such GPUs only), fast (TF32)"),
	COUNT('e', epochs, "epochs", "steps as whole passes over the data"),
	COUNT('n', steps, "steps", "how many in all (1000)"),
	COUNT('B', batch, "batch", "examples a step (100)"),
	COUNT('N', members, "members", "train so many at once (1)"),
	COUNT('t', threads, "threads", "0: one for each processor"),
	COUNT('p', period, "period", "steps of a step or cycle of the schedule"),
	COUNT('w', warm_up, "warm-up", "steps until the full rate"),
	COUNT('T', snapshots, "snapshots", "members out of the cycles of one run"),
	COUNT('q', every, "every", "steps between losses kept as metrics (100)"),
	TEXT('x', momentum, "momentum", "X,...", "momentum, Adam's beta 1 (0.9)"),
	TEXT('X', beta2, "beta2", "X,...", "Adam's beta 2 (0.999)"),
	TEXT('y', epsilon, "epsilon", "X,...", "Adam's epsilon (1e-8)"),
	TEXT('Y', decay, "decay", "X,...", "weight decay, L2 (0)"),
	TEXT('z', l1, "l1", "X,...", "L1 (0)"),
	TEXT('Z', smoothing, "smoothing", "X,...", "of labels (0)"),
	TEXT('g', gamma, "gamma", "X,...", "factor of a step of the schedule (0.1)"),
	TEXT('a', augment, "augment", "HOW", "images: 'crop 2', 'flip' or 'crop 2 flip'"),
	FLAG('b', is_bagged, "bag", "each member has examples drawn with return"),
	FLAG('j', wants_json, "json", "results as JSON"),
	TEXT('v', head, "head", "NAME", "which outputs of a network with several (the first)"),
	FLAG('u', wants_bins, "bins", "a table of confidence and accuracy too"),
	FLAG('c', wants_proba, "proba", "probabilities, not classes"),
	TEXT('K', kind, "kind", "NAME", "blobs, rings, line (blobs)"),
	COUNT('E', examples, "examples", "how many (1000)"),
	COUNT('F', features, "features", "how many (8)"),
	COUNT('C', classes, "classes", "how many (3)"),
	TEXT('A', label, "label", "COLUMN", "of a CSV: name, number, first, last, none (last)"),
	TEXT('I', split, "split", "X,...", "shuffle by --seed, part so: 0.8,0.2"),
	COUNT('G', shards, "shards", "part into so many, in order"),
	TEXT('H', normalise, "normalise", "HOW", "minmax or standard, of the first part"),
	COUNT('J', skip, "skip", "lines of a text to leave out at first"),
	COUNT('O', hash_bits, "hash", "words of a CSV to 2^N features"),
	FLAG('U', one_hot, "one-hot", "a feature for each word of a CSV"),
	FLAG('V', wants_targets, "targets", "labels are numbers, not classes"),
	COUNT('f', faulty, "faulty", "krum: how many may lie (0)"),
	COUNT('W', keep, "keep", "topk: how many entries stay"),
	TEXT('Q', residual, "residual", "FILE", "topk: write there what was left out"),
	FLAG('h', wants_help, "help", "say this"),
	{ 0 }
};

static int set(struct ml *m, size_t i, const char *value, struct err *e)
{
	void *at = (char *)m + ml_options[i].at;
	char *end;

	if (ml_options[i].type == ML_FLAG) {
		*(bool *)at = true;
		return 0;
	}
	if (ml_options[i].type == ML_TEXT) {
		*(const char **)at = value;
		return 0;
	}
	*(size_t *)at = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || *(size_t *)at > 1u << 30)
		return err_set(e, ERR_BAD, "--%s wants a number, not %s", ml_options[i].name,
			       value);
	return 0;
}

static int find(const struct ml_command *c, const char *name, size_t n, struct err *e)
{
	for (size_t i = 0; ml_options[i].letter; i++)
		if (strlen(ml_options[i].name) == n && memcmp(ml_options[i].name, name, n) == 0 &&
		    (strchr(c->options, ml_options[i].letter) || ml_options[i].letter == 'h'))
			return (int)i;
	return err_set(e, ERR_BAD, "gg-ml %s has no option --%.*s", c->name, (int)n, name);
}

/* Long options and -o; the others stay, in order.  How many, or -1. */
static int parse(struct ml *m, const struct ml_command *c, int argc, char **argv,
		 struct err *e)
{
	int left = 0;

	for (int i = 0; i < argc; i++) {
		char *s = argv[i], *value;
		size_t n;
		int o;

		if (strcmp(s, "-o") == 0)
			s = "--output";
		if (strncmp(s, "--", 2) != 0 || !s[2]) {
			argv[left++] = s;
			continue;
		}
		s += 2;
		n = strcspn(s, "=");
		o = find(c, s, n, e);
		if (o < 0)
			return -1;
		value = s[n] ? s + n + 1 : NULL;
		if (!value && ml_options[o].type != ML_FLAG && i + 1 < argc)
			value = argv[++i];
		if (!value && ml_options[o].type != ML_FLAG)
			return err_set(e, ERR_BAD, "--%s wants %s", ml_options[o].name,
				       ml_options[o].arg);
		if (set(m, (size_t)o, value, e) < 0)
			return -1;
	}
	return left;
}

int main(int argc, char **argv)
{
	const struct ml_command *c = NULL;
	struct ml m = { 0 };
	struct err e = { 0 };
	int n, rc;

	if (argc > 1 && strcmp(argv[1], "_man") == 0)
		return ml_man();
	for (size_t i = 0; argc > 1 && ml_commands[i].name; i++)
		if (strcmp(argv[1], ml_commands[i].name) == 0)
			c = &ml_commands[i];
	if (!c) {
		bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 ||
					  strcmp(argv[1], "help") == 0);

		if (argc > 1 && !asked)
			fprintf(stderr, "gg-ml: there is no command %s\n", argv[1]);
		ml_usage(asked ? stdout : stderr);
		return asked ? EXIT_FINE : EXIT_USAGE;
	}
	n = parse(&m, c, argc - 2, argv + 2, &e);
	if (n < 0) {
		fprintf(stderr, "gg-ml: %s\n", e.text);
		return EXIT_USAGE;
	}
	if (m.wants_help) {
		ml_help(c);
		return EXIT_FINE;
	}
	rc = c->run(&m, n, argv + 2, &e);
	if (rc < 0)
		fprintf(stderr, "gg-ml: %s\n", e.text);
	arena_release(&m.a);
	if (fflush(stdout) != 0 && rc == 0)
		rc = -1;
	return rc < 0 ? (e.code == ERR_REFUSED ? EXIT_USAGE : EXIT_FAILED) : rc;
}
