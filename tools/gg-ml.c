/* gg-ml.c - a small trainer: its commands, its options, main
 *
 * Help and the manual are printed from these tables (ml_help.c). */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ml.h"
#include "printed.h"
#include "shown.h"
#include "wrap.h"

const struct ml_command ml_commands[] = {
	{ "prep", ml_prep,
	  "output seed:prep features:prep label split shards normalise augment skip hash one-hot "
	  "targets",
	  "FILE [LABELS]",
	  "examples from IDX, npy, CSV or LIBSVM files, gzip'ed or not",
	  "Writes a safetensors file with x, n x features, and y, n classes or targets. "
	  "Bytes stay bytes; --normalise says beside them how they are to be read. With "
	  "--split and --shards --output is a name with {}, and each part a file. With "
	  "--augment each image, of --split's first part alone, is there once more, moved "
	  "and mirrored by --seed." },
	{ "train", ml_train,
	  "data model output seed rate rule loss schedule resume state checkpoint "
	  "init owned teacher teacher-layer metrics device profile epochs steps batch "
	  "members threads period warm-up snapshots every momentum beta2 epsilon decay l1 "
	  "smoothing gamma augment bag json",
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
	  "A line for each example: the class, or with --proba the mean probability of each; "
	  "of what was trained with --loss mse the mean of the numbers themselves." },
	{ "combine", ml_combine, "output faulty keep residual",
	  "average|tree|krum|topk FILE...",
	  "one set of weights or gradients out of several",
	  "average and tree are means, the one in order, the other by halves; krum takes the "
	  "file nearest to the others; topk keeps the largest entries and gives back the rest." },
	{ "prune", ml_prune,
	  "output keep:prune by whole owned:prune mask free without data loss threads",
	  "WEIGHTS",
	  "a network with fewer weights",
	  "By weights, those of least magnitude in each layer become 0; biases and norm "
	  "layers stay. By fisher it is those to which the loss of --data owes least, which "
	  "says little where that is nearly 0. --mask says what stayed, for train --owned, "
	  "and --free what went: a next task that is trained on that changes nothing of this "
	  "one, which is got back by --without that file. By filters channels go, and a "
	  "smaller network is left; those that are outputs or are added to others stay." },
	{ "show", ml_show, "json", "FILE...", "layers, shapes and sizes",
	  "Of any safetensors file: weights, states, examples." },
	{ "data", ml_data, "output seed:data kind examples features classes", "",
	  "make a set of examples from a seed",
	  "blobs are clouds, rings are shells that no plane parts, line has a target that "
	  "depends on the features by a line." },
	{ 0 }
};

const struct ml_option ml_options[] = {
#define TEXT(field, key, arg, help) { key, 0, ML_TEXT, offsetof(struct ml, field), arg, help }
#define COUNT(field, key, help) { key, 0, ML_COUNT, offsetof(struct ml, field), "N", help }
#define SIZE(field, key, help) { key, 0, ML_SIZE, offsetof(struct ml, field), "N", help }
#define FLAG(field, key, help) { key, 0, ML_FLAG, offsetof(struct ml, field), NULL, help }
	TEXT(data, "data", "FILE", "examples, as gg-ml prep or data writes them"),
	TEXT(model, "model", "TEXT",
	     "'mlp 784-128-10', 'linear 4-3', 'net 28x28x1: ...', 'kmeans 4-3' (that of --init)"),
	{ "output", 'o', ML_TEXT, offsetof(struct ml, output), "FILE",
	  "what is written; {} is the number of the member or part" },
	TEXT(seed, "seed", "N,...", "of the first member, others count on (0)"),
	TEXT(seed, "seed:prep", "N", "of the order that the examples are given, and of --augment"),
	TEXT(seed, "seed:data", "N", "of all random numbers (0)"),
	TEXT(rate, "rate", "X,...", "learning rate (0.05)"),
	TEXT(rule, "rule", "NAME", "sgd, momentum, nesterov, adam, adamw (momentum)"),
	TEXT(loss, "loss", "NAME,...",
	     "of each head: softmax, logistic, hinge, mse (softmax)"),
	TEXT(schedule, "schedule", "NAME", "constant, step, cosine, cyclic (constant)"),
	TEXT(resume, "resume", "FILE", "go on from a state"),
	TEXT(state, "state", "FILE", "write the state there at the end"),
	TEXT(checkpoint, "checkpoint", "FILE",
	     "write the state there if told to end, as gg does; {} as above: one for each"),
	TEXT(init, "init", "FILE", "begin with these weights; {} as above: one for each"),
	TEXT(owned, "owned", "FILE",
	     "masks by the weights' names, as prune writes them: what is 0 there stays as it "
	     "is; {} as above"),
	TEXT(metrics, "metrics", "FILE", "losses by step, JSON; {} as above"),
	TEXT(device, "device", "NAME",
	     "cpu, cuda, or loops: cuda's source run by the processor (cpu)"),
	TEXT(profile, "profile", "NAME",
	     "exact, or on cuda cublas (these bits on such GPUs only), fast (TF32)"),
	COUNT(epochs, "epochs", "steps as whole passes over the data"),
	COUNT(steps, "steps", "how many in all (1000)"),
	COUNT(batch, "batch", "examples a step (100)"),
	COUNT(members, "members", "train so many at once (1)"),
	SIZE(threads, "threads", "0: one for each processor"),
	COUNT(period, "period", "steps of a step or cycle of the schedule"),
	SIZE(warm_up, "warm-up", "steps until the full rate"),
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
	FLAG(wants_json, "json", "results as JSON; of a training a line for each losses kept"),
	TEXT(head, "head", "NAME", "which outputs of a network with several (the first)"),
	FLAG(wants_bins, "bins", "a table of confidence and accuracy too"),
	FLAG(wants_proba, "proba", "probabilities, not classes"),
	TEXT(kind, "kind", "NAME", "blobs, rings, line (blobs)"),
	COUNT(examples, "examples", "how many (1000)"),
	COUNT(features, "features", "how many (8)"),
	COUNT(features, "features:prep", "of LIBSVM's examples, when the file names fewer"),
	COUNT(classes, "classes", "how many (3)"),
	TEXT(label, "label", "COLUMN", "of a CSV: name, number, first, last, none (last)"),
	TEXT(split, "split", "X,...", "shuffle by --seed, part so: 0.8,0.2"),
	COUNT(shards, "shards", "part into so many, in order"),
	TEXT(normalise, "normalise", "HOW", "minmax or standard, of the first part"),
	SIZE(skip, "skip", "lines of a text to leave out at first"),
	COUNT(hash_bits, "hash", "words of a CSV to 2^N features"),
	FLAG(one_hot, "one-hot", "a feature for each word of a CSV"),
	FLAG(wants_targets, "targets", "labels are numbers, not classes"),
	SIZE(faulty, "faulty", "krum: how many may lie (0)"),
	COUNT(keep, "keep", "topk: how many entries stay"),
	TEXT(share, "keep:prune", "X", "the share of each layer that stays, such as 0.5"),
	TEXT(teacher, "teacher", "FILE",
	     "weights of a network whose outputs are what is to be learned, by mse"),
	TEXT(teacher_layer, "teacher-layer", "NAME", "the outputs of this layer of it"),
	TEXT(by, "by", "NAME", "weights, filters, fisher (weights)"),
	FLAG(is_whole, "whole", "the share is of all layers at once"),
	TEXT(owned, "owned:prune", "FILE", "masks: only what is 1 there may go, or counts"),
	TEXT(mask, "mask", "FILE", "write masks there: 1 for what is owned and stayed"),
	TEXT(free, "free", "FILE", "write masks there: 1 for what went"),
	TEXT(without, "without", "FILE", "masks: instead of a choice, what is 1 there goes"),
	TEXT(residual, "residual", "FILE", "topk: write there what was left out"),
	{ "help", 'h', ML_FLAG, offsetof(struct ml, wants_help), NULL, "say this" },
	{ 0 }
};

bool ml_option_is_of(const struct ml_command *c, const struct ml_option *o)
{
	return strcmp(o->key, "help") == 0 || has_word(c->options, o->key);
}

int ml_option_name(const struct ml_option *o)
{
	return (int)strcspn(o->key, ":");
}

static int take(struct ml *m, const struct ml_option *o, const char *value, struct err *e)
{
	void *at = (char *)m + o->at;
	char *end;

	switch (o->type) {
	case ML_FLAG:
		*(bool *)at = true;
		return 0;
	case ML_TEXT:
		*(const char **)at = value;
		return 0;
	case ML_COUNT:
	case ML_SIZE:
		break;
	}
	*(size_t *)at = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || *(size_t *)at > 1u << 30)
		return err_set(e, ERR_BAD, "--%.*s wants a number, not %s", ml_option_name(o),
			       o->key, value);
	return *(size_t *)at || o->type == ML_SIZE ? 0 :
		err_set(e, ERR_BAD, "--%.*s wants a number from 1 on", ml_option_name(o),
			o->key);
}

enum {
	ROWS = sizeof ml_options / sizeof *ml_options - 1,
	BY_NAME = 256,          /* and the row's index */
};

/* What getopt_long is to know of them, from m's arena. */
static const struct option *describe(struct ml *m, const struct ml_command *c)
{
	struct option *all = arena_alloc(&m->a, (ROWS + 1) * sizeof *all), *to = all;

	memset(all, 0, (ROWS + 1) * sizeof *all);
	for (int i = 0; i < ROWS; i++) {
		const struct ml_option *o = &ml_options[i];

		if (!ml_option_is_of(c, o))
			continue;
		*to++ = (struct option){
			arena_strn(&m->a, o->key, (size_t)ml_option_name(o)),
			o->arg ? required_argument : no_argument, NULL, BY_NAME + i
		};
	}
	return all;
}

static const struct ml_option *by_letter(const struct ml_command *c, int letter)
{
	for (const struct ml_option *o = ml_options; o->key; o++)
		if (o->letter == letter && ml_option_is_of(c, o))
			return o;
	return NULL;
}

/* What is no option is left behind them in argv, in order: where it begins, or -1. */
static int parse(struct ml *m, const struct ml_command *c, int argc, char **argv,
		 struct err *e)
{
	const struct option *longs = describe(m, c);
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":o:h", longs, NULL)) != -1) {
		const struct ml_option *o = got >= BY_NAME ? &ml_options[got - BY_NAME] :
						by_letter(c, got);

		if (got == ':')
			return err_set(e, ERR_BAD, "%s needs a value; see gg-ml %s --help",
				       argv[optind - 1], c->name);
		if (!o)
			return err_set(e, ERR_BAD, "gg-ml %s has no option %s; see gg-ml %s "
				       "--help", c->name, argv[optind - 1], c->name);
		if (take(m, o, optarg, e) < 0)
			return -1;
	}
	return optind;
}

/* What an allocation that has no memory ends in; other reasons have been told. */
static void aborted(int sig)
{
	static const char text[] = "gg-ml: there is not enough memory for that\n";

	(void)sig;
	if (errno == ENOMEM && write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	const struct ml_command *c = NULL;
	struct ml m = { 0 };
	struct err e = { 0 };
	int n, rc;

	signal(SIGABRT, aborted);
	if (argc > 1 && strcmp(argv[1], "_man") == 0)
		return ml_man();
	for (size_t i = 0; argc > 1 && ml_commands[i].name; i++)
		if (strcmp(argv[1], ml_commands[i].name) == 0)
			c = &ml_commands[i];
	if (!c) {
		bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 ||
					  strcmp(argv[1], "help") == 0);

		if (argc > 1 && !asked)
			fprintf(stderr, "gg-ml: there is no command \"%s\"; see gg-ml --help\n",
				argv[1]);
		else
			ml_usage(asked ? stdout : stderr);
		return asked ? EXIT_FINE : EXIT_USAGE;
	}
	n = parse(&m, c, argc - 1, argv + 1, &e);
	if (n < 0) {
		e.code = ERR_REFUSED;
		rc = -1;
	} else if (m.wants_help) {
		ml_help(c);
		rc = 0;
	} else {
		rc = c->run(&m, argc - 1 - n, argv + 1 + n, &e);
	}
	if (rc == 0)
		rc = printed_end(&e);
	if (rc < 0)
		fprintf(stderr, "gg-ml: %s\n", shown(&m.a, e.text));
	arena_release(&m.a);
	return rc < 0 ? (e.code == ERR_REFUSED ? EXIT_USAGE : EXIT_FAILED) : rc;
}
