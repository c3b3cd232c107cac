/* gg-ml.c - a small trainer: its commands, its options, main
 *
 * Help and the manual are printed from these tables (ml_help.c). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "ml.h"
#include "printed.h"
#include "wrap.h"

const struct ml_command ml_commands[] = {
	{ "prep", ml_prep,
	  "output seed features label split shards normalise skip hash one-hot targets",
	  "FILE [LABELS]",
	  "examples from IDX, npy, CSV or LIBSVM files, gzip'ed or not",
	  "Writes a safetensors file with x, n x features, and y, n classes or targets. "
	  "Bytes stay bytes; --normalise says beside them how they are to be read. With "
	  "--split and --shards --output is a name with {}, and each part a file." },
	{ "train", ml_train,
	  "data model output seed rate rule loss schedule resume state checkpoint "
	  "init metrics device profile epochs steps batch members threads period "
	  "warm-up snapshots every momentum beta2 epsilon decay l1 smoothing "
	  "gamma augment bag json",
	  "",
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
	{ "eval", ml_eval, "data threads json head bins", "WEIGHTS...",
	  "how good members and their ensemble are",
	  "Accuracy, negative log-likelihood, Brier's score and the expected calibration "
	  "error of each member, of their mean and of their vote." },
	{ "predict", ml_predict, "data output threads json head proba", "WEIGHTS...",
	  "what an ensemble says of examples",
	  "A line for each example: the class, or with --proba the mean probability of each." },
	{ "combine", ml_combine, "output faulty keep residual",
	  "average|tree|krum|topk FILE...",
	  "one set of weights or gradients out of several",
	  "average and tree are means, the one in order, the other by halves; krum takes the "
	  "file nearest to the others; topk keeps the largest entries and gives back the rest." },
	{ "show", ml_show, "json", "FILE...", "layers, shapes and sizes",
	  "Of any safetensors file: weights, states, examples." },
	{ "data", ml_data, "output seed kind examples features classes", "",
	  "make a set of examples from a seed",
	  "blobs are clouds, rings are shells that no plane parts, line has a target that "
	  "depends on the features by a line." },
	{ 0 }
};

const struct ml_option ml_options[] = {
#define TEXT(field, name, arg, help) { name, ML_TEXT, offsetof(struct ml, field), arg, help }
#define COUNT(field, name, help) { name, ML_COUNT, offsetof(struct ml, field), "N", help }
#define FLAG(field, name, help) { name, ML_FLAG, offsetof(struct ml, field), NULL, help }
	TEXT(data, "data", "FILE", "examples, as gg-ml prep or data writes them"),
	TEXT(model, "model", "TEXT",
	     "'mlp 784-128-10', 'linear 4-3', 'net 28x28x1: ...', 'kmeans 4-3'"),
	TEXT(output, "output", "FILE", "what is written; {} is the member's number"),
	TEXT(seed, "seed", "N,...", "of the first member, others count on (0)"),
	TEXT(rate, "rate", "X,...", "learning rate (0.05)"),
	TEXT(rule, "rule", "NAME", "sgd, momentum, nesterov, adam, adamw (momentum)"),
	TEXT(loss, "loss", "NAME,...",
	     "of each head: softmax, logistic, hinge, mse (softmax)"),
	TEXT(schedule, "schedule", "NAME", "constant, step, cosine, cyclic (constant)"),
	TEXT(resume, "resume", "FILE", "go on from a state"),
	TEXT(state, "state", "FILE", "write the state there at the end"),
	TEXT(checkpoint, "checkpoint", "FILE",
	     "write the state there if told to end, as gg does; {} as above: one for each"),
	TEXT(init, "init", "FILE", "begin with these weights"),
	TEXT(metrics, "metrics", "FILE", "losses by step, JSON; {} as above"),
	TEXT(device, "device", "NAME",
	     "cpu, cuda, or loops: cuda's source run by the processor (cpu)"),
	TEXT(profile, "profile", "NAME",
	     "exact, or on cuda cublas (these bits on such GPUs only), fast (TF32)"),
	COUNT(epochs, "epochs", "steps as whole passes over the data"),
	COUNT(steps, "steps", "how many in all (1000)"),
	COUNT(batch, "batch", "examples a step (100)"),
	COUNT(members, "members", "train so many at once (1)"),
	COUNT(threads, "threads", "0: one for each processor"),
	COUNT(period, "period", "steps of a step or cycle of the schedule"),
	COUNT(warm_up, "warm-up", "steps until the full rate"),
	COUNT(snapshots, "snapshots", "members out of the cycles of one run"),
	COUNT(every, "every", "steps between losses kept as metrics (100)"),
	TEXT(momentum, "momentum", "X,...", "momentum, Adam's beta 1 (0.9)"),
	TEXT(beta2, "beta2", "X,...", "Adam's beta 2 (0.999)"),
	TEXT(epsilon, "epsilon", "X,...", "Adam's epsilon (1e-8)"),
	TEXT(decay, "decay", "X,...", "weight decay, L2 (0)"),
	TEXT(l1, "l1", "X,...", "L1 (0)"),
	TEXT(smoothing, "smoothing", "X,...", "of labels (0)"),
	TEXT(gamma, "gamma", "X,...", "factor of a step of the schedule (0.1)"),
	TEXT(augment, "augment", "HOW", "images: 'crop 2', 'flip' or 'crop 2 flip'"),
	FLAG(is_bagged, "bag", "each member has examples drawn with return"),
	FLAG(wants_json, "json", "results as JSON"),
	TEXT(head, "head", "NAME", "which outputs of a network with several (the first)"),
	FLAG(wants_bins, "bins", "a table of confidence and accuracy too"),
	FLAG(wants_proba, "proba", "probabilities, not classes"),
	TEXT(kind, "kind", "NAME", "blobs, rings, line (blobs)"),
	COUNT(examples, "examples", "how many (1000)"),
	COUNT(features, "features", "how many (8)"),
	COUNT(classes, "classes", "how many (3)"),
	TEXT(label, "label", "COLUMN", "of a CSV: name, number, first, last, none (last)"),
	TEXT(split, "split", "X,...", "shuffle by --seed, part so: 0.8,0.2"),
	COUNT(shards, "shards", "part into so many, in order"),
	TEXT(normalise, "normalise", "HOW", "minmax or standard, of the first part"),
	COUNT(skip, "skip", "lines of a text to leave out at first"),
	COUNT(hash_bits, "hash", "words of a CSV to 2^N features"),
	FLAG(one_hot, "one-hot", "a feature for each word of a CSV"),
	FLAG(wants_targets, "targets", "labels are numbers, not classes"),
	COUNT(faulty, "faulty", "krum: how many may lie (0)"),
	COUNT(keep, "keep", "topk: how many entries stay"),
	TEXT(residual, "residual", "FILE", "topk: write there what was left out"),
	FLAG(wants_help, "help", "say this"),
	{ 0 }
};

static int set(struct ml *m, const struct ml_option *o, const char *value, struct err *e)
{
	void *at = (char *)m + o->at;
	char *end;

	if (o->type == ML_FLAG) {
		*(bool *)at = true;
		return 0;
	}
	if (o->type == ML_TEXT) {
		*(const char **)at = value;
		return 0;
	}
	*(size_t *)at = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || *(size_t *)at > 1u << 30)
		return err_set(e, ERR_BAD, "--%s wants a number, not %s", o->name, value);
	return 0;
}

static const struct ml_option *find(const struct ml_command *c, const char *name, size_t n)
{
	for (const struct ml_option *o = ml_options; o->name; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0 &&
		    (has_word(c->options, o->name) || strcmp(o->name, "help") == 0))
			return o;
	return NULL;
}

/* Long options and -o; the others stay, in order.  How many, or -1. */
static int parse(struct ml *m, const struct ml_command *c, int argc, char **argv,
		 struct err *e)
{
	int left = 0;

	for (int i = 0; i < argc; i++) {
		const char *s = strcmp(argv[i], "-o") == 0 ? "--output" : argv[i], *value;
		const struct ml_option *o;
		size_t n;

		if (strncmp(s, "--", 2) != 0 || !s[2]) {
			argv[left++] = argv[i];
			continue;
		}
		s += 2;
		n = strcspn(s, "=");
		o = find(c, s, n);
		if (!o)
			return err_set(e, ERR_BAD, "gg-ml %s has no option --%.*s", c->name,
				       (int)n, s);
		value = s[n] ? s + n + 1 : NULL;
		if (!value && o->type != ML_FLAG && i + 1 < argc)
			value = argv[++i];
		if (!value && o->type != ML_FLAG)
			return err_set(e, ERR_BAD, "--%s wants %s", o->name, o->arg);
		if (set(m, o, value, e) < 0)
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
	if (rc == 0)
		rc = printed_end(&e);
	if (rc < 0)
		fprintf(stderr, "gg-ml: %s\n", e.text);
	arena_release(&m.a);
	return rc < 0 ? (e.code == ERR_REFUSED ? EXIT_USAGE : EXIT_FAILED) : rc;
}
