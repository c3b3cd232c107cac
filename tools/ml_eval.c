/* ml_eval.c - gg-ml eval and predict: members and their ensemble */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "metrics.h"
#include "ml.h"

struct judge {
	struct ml *m;
	struct tensors file;
	struct dataset data;
	struct team *team;
	size_t classes, head;           /* head: column of y */
	size_t n;                       /* members, those within a file too */
	bool is_numbers;                /* the head's outputs are no classes */
	int32_t *labels;
	float *p, *mean, *votes;        /* n x classes: of a member, of all */
	json_t *members;
};

/* One column is the probability of class 1. */
static void to_probabilities(struct judge *j, size_t cols)
{
	const struct ops *o = ops_for(team_isa(j->team));

	if (cols > 1) {
		o->softmax(j->data.n, cols, j->p, j->p);
		return;
	}
	o->activate(ACT_SIGMOID, 1, j->data.n, j->p, NULL, j->p);
	for (size_t i = j->data.n; i-- > 0;) {
		float yes = j->p[i];

		j->p[2 * i] = 1.0f - yes;
		j->p[2 * i + 1] = yes;
	}
}

/* Weights say so of what MSE was the loss of. */
static bool gives_numbers(const struct judge *j, const struct tensors *t)
{
	const char *s = tensors_remark(t, "loss");

	for (size_t h = 0; s && h < j->head && strchr(s, ','); h++)
		s = strchr(s, ',') + 1;
	return s && strncmp(s, "mse", 3) == 0;
}

/* The head's column of y. */
static int take_labels(struct judge *j, size_t classes, const char *path, struct err *e)
{
	const struct dataset *d = &j->data;

	if (!d->labels || j->is_numbers)
		return 0;
	if (j->head >= d->n_targets)
		return err_set(e, ERR_BAD, "%s: y has no column %zu", j->m->data, j->head + 1);
	j->labels = mem_alloc(d->n * sizeof *j->labels);
	for (size_t i = 0; i < d->n; i++) {
		j->labels[i] = d->labels[i * d->n_targets + j->head];
		if ((size_t)j->labels[i] >= classes)
			return err_set(e, ERR_BAD, "%s: there are labels up to %d, %s knows "
				       "%zu classes", j->m->data, (int)d->n_classes - 1, path,
				       classes);
	}
	return 0;
}

static int begin(struct judge *j, size_t classes, const char *path, struct err *e)
{
	size_t n = j->data.n * classes;

	if (j->classes)
		return j->classes == classes ? 0 :
		       err_set(e, ERR_BAD, "%s: has %zu classes, the members before it %zu",
			       path, classes, j->classes);
	if (take_labels(j, classes, path, e) < 0)
		return -1;
	j->classes = classes;
	j->p = mem_alloc(n * sizeof *j->p);
	j->mean = memset(mem_alloc(n * sizeof *j->mean), 0, n * sizeof *j->mean);
	j->votes = memset(mem_alloc(n * sizeof *j->votes), 0, n * sizeof *j->votes);
	return 0;
}

static json_t *describe(const struct metrics *v)
{
	return json_pack("{s:f,s:f,s:f,s:f}", "accuracy", v->accuracy, "nll", v->nll,
			 "brier", v->brier, "ece", v->ece);
}

/* --head names it; else it is the first. */
static int find_head(struct judge *j, const struct net *net, const char *path,
		     struct err *e)
{
	const char *name = j->m->head;

	j->head = 0;
	while (name && j->head < net->n_heads && strcmp(net->heads[j->head].name, name) != 0)
		j->head++;
	if (j->head < net->n_heads)
		return 0;
	j->head = 0;
	return err_set(e, ERR_BAD, "%s: has no head %s", path, name);
}

static int check_outputs(const struct judge *j, size_t cols, const char *path,
			 struct err *e)
{
	for (size_t i = 0; i < j->data.n * cols; i++)
		if (!isfinite(j->p[i]))
			return err_set(e, ERR_BAD, "%s: what it says of example %zu is no "
				       "finite number: its weights are no good for these "
				       "examples", path, i / cols);
	return 0;
}

/* The probabilities of one member go into the sums. */
static void take(struct judge *j, const char *path)
{
	struct metrics v;

	j->n++;
	for (size_t i = 0; i < j->data.n * j->classes; i++)
		j->mean[i] += j->p[i];
	for (size_t i = 0; i < j->data.n; i++)
		j->votes[i * j->classes + metrics_best(j->p + i * j->classes, j->classes)] += 1;
	if (!j->labels)
		return;
	metrics_of(j->p, j->labels, j->data.n, j->classes, NULL, &v);
	json_array_append_new(j->members, json_pack("{s:o,s:o}", "weights", ml_text(path),
						    "metrics", describe(&v)));
}

static int judge_member(struct judge *j, const char *path, struct err *e)
{
	struct tensors t;
	struct net net;
	float *w;
	size_t cols;
	int rc;

	if (ml_load(path, &t, &net, &w, e) < 0)
		return -1;
	rc = find_head(j, &net, path, e);
	cols = net_head_size(&net, j->head);
	if (rc == 0 && j->classes && j->is_numbers != gives_numbers(j, &t))
		rc = err_set(e, ERR_BAD, "%s: %s", path, j->is_numbers ?
			     "gives classes, the members before it numbers" :
			     "gives numbers, the members before it classes");
	j->is_numbers = gives_numbers(j, &t);
	if (rc == 0)
		rc = begin(j, cols > 1 || j->is_numbers ? cols : 2, path, e);
	if (rc == 0 && shape_size(net.layers[0].out) != j->data.size)
		rc = err_set(e, ERR_BAD, "%s: reads %zu numbers, examples have %zu", path,
			     shape_size(net.layers[0].out), j->data.size);
	for (size_t set = 0; rc == 0 && set < net.n_sets; set++) {
		struct prediction q = { .net = &net, .w = w, .data = &j->data,
					.head = j->head, .n = j->data.n, .set = set + 1 };

		predict(&q, j->team, j->p);
		rc = check_outputs(j, cols, path, e);
		if (rc < 0)
			break;
		if (!j->is_numbers)
			to_probabilities(j, cols);
		take(j, net.n_sets > 1 ? arena_printf(&j->m->a, "%s#%zu", path, set) : path);
	}
	free(w);
	net_release(&net);
	tensors_close(&t);
	return rc;
}

static int judge_all(struct judge *j, int argc, char **argv, struct err *e)
{
	if (argc == 0)
		return err_set(e, ERR_REFUSED, "which weights? Name one file or more");
	if (ml_open_data(j->m, &j->file, &j->data, e) < 0)
		return -1;
	j->team = ml_team(j->m);
	j->members = json_array();
	for (int i = 0; i < argc; i++)
		if (judge_member(j, argv[i], e) < 0)
			return -1;
	for (size_t i = 0; i < j->data.n * j->classes; i++) {
		j->mean[i] /= (float)j->n;
		j->votes[i] /= (float)j->n;
	}
	return 0;
}

static void judge_end(struct judge *j)
{
	json_decref(j->members);
	free(j->labels);
	free(j->p);
	free(j->mean);
	free(j->votes);
	team_free(j->team);
	dataset_release(&j->data);
	tensors_close(&j->file);
}

static json_t *describe_bins(const struct metrics *v)
{
	json_t *rows = json_array();

	for (size_t b = 0; b < ECE_BINS; b++)
		json_array_append_new(rows, json_pack("{s:I,s:f,s:f}", "examples",
						      (json_int_t)v->bins[b].n, "confidence",
						      v->bins[b].confidence, "accuracy",
						      v->bins[b].accuracy));
	return rows;
}

static void print_bins(const struct metrics *v)
{
	printf("\n%-24s %8s %10s %8s\n", "ensemble's confidence", "examples", "confidence",
	       "accuracy");
	for (size_t b = 0; b < ECE_BINS; b++)
		if (v->bins[b].n)
			printf("from %.3f to %.3f %14llu %10.4f %8.4f\n",
			       (double)b / ECE_BINS, (double)(b + 1) / ECE_BINS,
			       (unsigned long long)v->bins[b].n, v->bins[b].confidence,
			       v->bins[b].accuracy);
}

static json_t *table(const uint64_t *confusion, size_t classes)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < classes; i++) {
		json_t *row = json_array();

		for (size_t k = 0; k < classes; k++)
			json_array_append_new(row, json_integer(
				(json_int_t)confusion[i * classes + k]));
		json_array_append_new(rows, row);
	}
	return rows;
}

static void print_line(const char *name, const struct metrics *v)
{
	printf("%-24s %8.4f %8.4f %8.4f %8.4f\n", name, v->accuracy, v->nll, v->brier,
	       v->ece);
}

static void print_people(struct judge *j, const struct metrics *mean,
			 const struct metrics *vote)
{
	json_t *o;
	size_t i;

	printf("%-24s %8s %8s %8s %8s\n", "", "accuracy", "nll", "brier", "ece");
	json_array_foreach(j->members, i, o) {
		json_t *v = json_object_get(o, "metrics");
		struct metrics one = {
			.accuracy = json_real_value(json_object_get(v, "accuracy")),
			.nll = json_real_value(json_object_get(v, "nll")),
			.brier = json_real_value(json_object_get(v, "brier")),
			.ece = json_real_value(json_object_get(v, "ece")),
		};

		print_line(json_string_value(json_object_get(o, "weights")), &one);
	}
	print_line("ensemble, mean", mean);
	print_line("ensemble, vote", vote);
}

int ml_eval(struct ml *m, int argc, char **argv, struct err *e)
{
	struct judge j = { .m = m };
	struct metrics mean, vote;
	int rc = judge_all(&j, argc, argv, e);

	if (rc == 0 && !j.labels)
		rc = err_set(e, ERR_BAD, "%s: %s", j.is_numbers ? argv[0] : m->data,
			     j.is_numbers ? "gives numbers, not classes: gg-ml predict "
			     "tells them" : "y is no classes");
	if (rc == 0) {
		size_t n = j.classes * j.classes * sizeof(uint64_t);
		uint64_t *confusion = memset(mem_alloc(n), 0, n);

		metrics_of(j.mean, j.labels, j.data.n, j.classes, confusion, &mean);
		metrics_of(j.votes, j.labels, j.data.n, j.classes, NULL, &vote);
		if (m->wants_json) {
			json_t *o = json_pack("{s:I,s:O,s:o,s:o,s:o,s:o}", "examples",
					      (json_int_t)j.data.n, "members", j.members,
					      "mean", describe(&mean), "vote",
					      describe(&vote), "confusion",
					      table(confusion, j.classes), "bins",
					      describe_bins(&mean));

			json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
			putchar('\n');
			json_decref(o);
		} else {
			print_people(&j, &mean, &vote);
			if (m->wants_bins)
				print_bins(&mean);
		}
		free(confusion);
	}
	judge_end(&j);
	return rc;
}

static void write_answers(const struct judge *j, struct buf *out)
{
	bool wants_all = j->m->wants_proba || j->is_numbers;

	for (size_t i = 0; i < j->data.n; i++) {
		const float *p = j->mean + i * j->classes;

		for (size_t c = 0; wants_all && c < j->classes; c++)
			buf_printf(out, "%s%.9g", c ? "," : "", (double)p[c]);
		if (!wants_all)
			buf_printf(out, "%zu", metrics_best(p, j->classes));
		buf_char(out, '\n');
	}
}

int ml_predict(struct ml *m, int argc, char **argv, struct err *e)
{
	struct judge j = { .m = m };
	struct buf out = { 0 };
	int rc = judge_all(&j, argc, argv, e);

	if (rc == 0)
		write_answers(&j, &out);
	if (rc == 0 && m->output)
		rc = file_put(m->output, buf_bytes(&out), 0, e);
	else if (rc == 0)
		fwrite(out.p, 1, out.n, stdout);
	buf_release(&out);
	judge_end(&j);
	return rc;
}
