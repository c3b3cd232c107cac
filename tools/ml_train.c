/* ml_train.c - gg-ml train */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ml.h"

enum { STEPS_MAX = 16 };        /* of several members, between two looks for signals */

static volatile sig_atomic_t was_told;

static void told(int sig)
{
	(void)sig;
	was_told = 1;
}

struct job {
	struct ml *m;
	struct net net;
	struct tensors file;
	struct dataset data;
	struct recipe recipe;
	struct member *members;
	size_t n;
	struct team *team;
	struct trainer *trainer;
	struct device *device;  /* NULL: the trainer does the steps itself */
	struct fused *fused;
	size_t n_last;          /* steps of the last look */
	json_t *losses;         /* by member: [[step, loss], ...] */
};

static int read_recipe(struct job *j, struct err *e)
{
	static const char *const rules[] = { "sgd", "momentum", "nesterov", "adam", "adamw" };
	static const char *const schedules[] = { "constant", "step", "cosine", "cyclic" };
	struct ml *m = j->m;
	int rule, schedule;

	if (ml_choice(m->rule, rules, RULE_COUNT, RULE_MOMENTUM, "--rule", &rule, e) < 0 ||
	    ml_choice(m->schedule, schedules, SCHEDULE_COUNT,
		      m->snapshots ? SCHEDULE_CYCLIC : SCHEDULE_CONSTANT, "--schedule",
		      &schedule, e) < 0)
		return -1;
	j->recipe = (struct recipe){
		.rule = (enum rule)rule, .schedule = (enum schedule)schedule,
		.batch = m->batch ? m->batch : 100,
		.steps = m->steps ? m->steps : 1000, .period = m->period,
		.warm_up = m->warm_up, .is_bagged = m->is_bagged,
	};
	if (ml_losses(m, m->loss, m->teacher ? LOSS_MSE : LOSS_SOFTMAX, &j->net,
		      j->recipe.losses, e) < 0 ||
	    ml_augment(m->augment, j->net.layers[0].out, &j->recipe.augment, e) < 0)
		return -1;
	for (size_t h = 0; m->teacher && h < j->net.n_heads; h++)
		if (j->recipe.losses[h] != LOSS_MSE)
			return err_set(e, ERR_REFUSED, "--loss with --teacher is mse: outputs "
				       "are to be those of the teacher");
	if (m->epochs)
		j->recipe.steps = m->epochs * ((j->data.n + j->recipe.batch - 1) /
					       j->recipe.batch);
	if (m->snapshots) {
		j->recipe.period = j->recipe.steps / m->snapshots;
		if (m->period)
			return err_set(e, ERR_REFUSED, "--snapshots and --period: the first "
				       "says the second");
		if (!j->recipe.period || m->members > 1)
			return err_set(e, ERR_REFUSED, "--snapshots wants one member and at "
				       "least as many steps");
	}
	return 0;
}

/* The largest of single precision below it: so its complement divides. */
static const double below_1 = 0x1.fffffep-1;

static int read_member(struct job *j, size_t i, struct err *e)
{
	const struct ml *m = j->m;
	struct member *v = &j->members[i];
	const struct {
		const char *list, *name;
		double fallback, most;
		float *out;
	} lists[] = {
		{ m->rate, "rate", 0.05, 1e38, &v->rate },
		{ m->momentum, "momentum", 0.9, below_1, &v->coefs.momentum },
		{ m->beta2, "beta2", 0.999, below_1, &v->coefs.beta2 },
		{ m->epsilon, "epsilon", 1e-8, 1e38, &v->coefs.epsilon },
		{ m->decay, "decay", 0, 1e38, &v->coefs.decay },
		{ m->l1, "l1", 0, 1e38, &v->coefs.l1 },
		{ m->smoothing, "smoothing", 0, 1, &v->smoothing },
		{ m->gamma, "gamma", 0.1, 1e38, &v->gamma },
	};
	double x;

	for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
		if (ml_list_fits(lists[k].list, j->n, lists[k].name, e) < 0 ||
		    ml_number(lists[k].list, i, lists[k].fallback, lists[k].name, &x, e) < 0)
			return -1;
		if (x < 0 || x > lists[k].most)
			return err_set(e, ERR_REFUSED, "--%s goes from 0 to %s%g, %g is "
				       "outside", lists[k].name,
				       lists[k].most < 1 ? "below " : "",
				       lists[k].most < 1 ? 1.0 : lists[k].most, x);
		*lists[k].out = (float)x;
	}
	if (v->gamma <= 0)
		return err_set(e, ERR_REFUSED, "--gamma wants a number above 0");
	return ml_list_fits(m->seed, j->n, "seed", e) < 0 ? -1 : ml_seed(m, i, &v->seed, e);
}

/* Which members. */
struct some {
	size_t from, n;
};

/* What a state of theirs belongs to: anything else in it would continue another
 * run. */
static const char *write_plan(const struct job *j, struct some of)
{
	const struct recipe *r = &j->recipe;
	struct buf b = { 0 };
	const char *plan;

	buf_printf(&b, "%s; rule %d loss %d schedule %d batch %zu steps %zu period %zu "
		   "warm-up %zu bag %d data %016llx", j->net.text, r->rule, r->losses[0],
		   r->schedule, r->batch, r->steps, r->period, r->warm_up, r->is_bagged,
		   ml_data_digest(&j->data));
	for (size_t h = 1; h < j->net.n_heads; h++)
		buf_printf(&b, " loss %d", r->losses[h]);
	if (j->m->numerics)
		buf_printf(&b, "; %s", j->m->numerics);
	if (j->m->augment)
		buf_printf(&b, " augment %u %d", r->augment.crop, r->augment.flips);
	if (j->m->taught)
		buf_printf(&b, "; taught %016llx",
			   ml_digest(j->m->taught, j->data.n * j->data.n_targets * sizeof(float)));
	for (size_t i = of.from; i < of.from + of.n; i++) {
		const struct member *v = &j->members[i];

		buf_printf(&b, "; %llu %a %a %a %a %a %a %a %a",
			   (unsigned long long)v->seed, (double)v->rate,
			   (double)v->coefs.momentum, (double)v->coefs.beta2,
			   (double)v->coefs.epsilon, (double)v->coefs.decay,
			   (double)v->coefs.l1, (double)v->smoothing, (double)v->gamma);
		if (v->owned)
			buf_printf(&b, " owned %016llx",
				   ml_digest(v->owned, j->net.n_weights));
	}
	plan = arena_str(&j->m->a, b.p);
	buf_release(&b);
	return plan;
}

/* What --metrics has of them so far, so that it is whole in the end. */
static char *losses_of(const struct job *j, struct some of)
{
	json_t *v = json_array();
	char *text;

	for (size_t i = of.from; i < of.from + of.n; i++)
		json_array_append(v, json_array_get(j->losses, i));
	text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(v);
	return text;
}

static const char *const slab_names[] = { "w", "m", "v" };

static float *slab(struct job *j, size_t i, int which)
{
	return which == 0 ? trainer_weights(j->trainer, i) :
	       trainer_state(j->trainer, i, which - 1);
}

static int save_state_of(struct job *j, struct some of, const char *path, struct err *e)
{
	struct tensor *all = NULL;
	size_t n = 0;
	struct remark r[4] = {
		{ "plan", write_plan(j, of) }, { "format", "gg-ml state 1" },
		{ "step", arena_printf(&j->m->a, "%zu", trainer_at(j->trainer)) },
	};
	bool is_over = trainer_at(j->trainer) >= j->recipe.steps;
	size_t n_remarks = 3;
	char *losses = NULL;
	int rc;

	if (j->m->metrics && !is_over) {
		losses = losses_of(j, of);
		r[n_remarks++] = (struct remark){ "losses", losses };
	}

	for (size_t i = of.from; i < of.from + of.n; i++)
		for (int k = 0; k < 3; k++) {
			const char *prefix = arena_printf(&j->m->a, "%zu.%s.", i - of.from,
							  slab_names[k]);

			if (!slab(j, i, k))
				continue;
			all = mem_grow(all, (n + j->net.n_params) * sizeof *all);
			memcpy(all + n, ml_tensors(j->m, &j->net, slab(j, i, k), prefix),
			       j->net.n_params * sizeof *all);
			n += j->net.n_params;
		}
	rc = tensors_write(path, all, n, r, n_remarks, e);
	free(losses);
	free(all);
	return rc;
}

/* {}: one for each member, as if it had been alone. */
static int save_state(struct job *j, const char *path, struct err *e)
{
	int rc = 0;

	if (!strstr(path, "{}"))
		return save_state_of(j, (struct some){ 0, j->n }, path, e);
	for (size_t i = 0; rc == 0 && i < j->n; i++)
		rc = save_state_of(j, (struct some){ i, 1 }, ml_numbered(j->m, path, i), e);
	return rc;
}

/* What cannot be read is as if it had not been kept. */
static void load_losses(struct job *j, const char *text)
{
	json_t *v = text ? json_loads(text, 0, NULL) : NULL;

	if (json_array_size(v) != j->n) {
		json_decref(v);
		return;
	}
	json_decref(j->losses);
	j->losses = v;
}

static int load_state(struct job *j, struct err *e)
{
	struct tensors t;
	const char *plan, *step;
	int rc = 0;

	if (tensors_open(j->m->resume, &t, e) < 0)
		return -1;
	plan = tensors_remark(&t, "plan");
	step = tensors_remark(&t, "step");
	if (!plan || !step || strcmp(plan, write_plan(j, (struct some){ 0, j->n })) != 0)
		rc = err_set(e, ERR_BAD, "%s: is the state of another training: give the "
			     "data and options it was begun with", j->m->resume);
	for (size_t i = 0; rc == 0 && i < j->n; i++)
		for (int k = 0; rc == 0 && k < 3; k++)
			if (slab(j, i, k))
				rc = ml_fill(&t, &j->net,
					     arena_printf(&j->m->a, "%zu.%s.", i,
							  slab_names[k]),
					     slab(j, i, k), e);
	if (rc == 0)
		trainer_set_at(j->trainer, strtoull(step, NULL, 10));
	if (rc == 0 && j->m->metrics)
		load_losses(j, tensors_remark(&t, "losses"));
	tensors_close(&t);
	return rc;
}

/* Other weights than the seed's to begin with. */
static int load_init(struct job *j, struct err *e)
{
	struct tensors t;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < j->n; i++) {
		if (tensors_open(ml_numbered(j->m, j->m->init, i), &t, e) < 0)
			return -1;
		rc = ml_fill(&t, &j->net, "", trainer_weights(j->trainer, i), e);
		tensors_close(&t);
	}
	return rc;
}

static double loss_of(const struct job *j, size_t k, size_t i)
{
	return j->fused ? fused_loss(j->fused, k, i) : trainer_loss(j->trainer, i);
}

/* Weights and states to where they are saved from. */
static int bring(struct job *j, struct err *e)
{
	return j->fused ? fused_give(j->fused, j->trainer, e) : 0;
}

static size_t every(const struct job *j)
{
	return j->m->every ? j->m->every : 100;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* As many steps as nobody wants to look between; a signal waits for them. */
static int advance(struct job *j, struct err *e)
{
	size_t at = trainer_at(j->trainer), n = j->n > 1 ? STEPS_MAX : 1;

	n = j->fused ? FUSED_STEPS_MAX : n;
	n = least(n, j->recipe.steps - at);
	n = least(n, every(j) - at % every(j));
	if (j->m->snapshots)
		n = least(n, j->recipe.period - at % j->recipe.period);
	if (j->fused) {
		if (fused_run(j->fused, n, e) < 0)
			return -1;
		trainer_set_at(j->trainer, at + n);
	} else {
		trainer_run(j->trainer, n);
	}
	j->n_last = n;
	for (size_t k = j->fused ? 0 : n - 1; k < n; k++)
		for (size_t i = 0; i < j->n; i++)
			if (!(loss_of(j, k, i) - loss_of(j, k, i) == 0))
				return err_set(e, ERR_FAILED, "member %zu: the loss is no "
					       "finite number at step %zu: a smaller --rate "
					       "may help", i, at + k + 1);
	return 0;
}

/* A line for each look, as it comes. */
static void print_losses(const struct job *j, size_t step, size_t last)
{
	printf("{\"step\":%zu,\"steps\":%zu,\"loss\":[", step, j->recipe.steps);
	for (size_t i = 0; i < j->n; i++)
		printf("%s%.9g", i ? "," : "", loss_of(j, last, i));
	puts("]}");
	fflush(stdout);
}

static void note_losses(struct job *j)
{
	size_t step = trainer_at(j->trainer), last = j->n_last - 1;

	if (step % every(j) && step != j->recipe.steps)
		return;
	for (size_t i = 0; j->m->metrics && i < j->n; i++)
		json_array_append_new(json_array_get(j->losses, i),
				      json_pack("{s:I,s:f}", "step", (json_int_t)step, "loss",
						loss_of(j, last, i)));
	if (j->m->wants_json)
		print_losses(j, step, last);
	else if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rstep %zu of %zu, loss %.4f %s", step, j->recipe.steps,
			loss_of(j, last, 0), step == j->recipe.steps ? "\n" : "");
}

/* A snapshot ensemble's members are what stands at the ends of the cycles. */
static int save_snapshot(struct job *j, struct err *e)
{
	size_t step = trainer_at(j->trainer), period = j->recipe.period;

	if (!j->m->snapshots || step % period || step / period > j->m->snapshots)
		return 0;
	if (bring(j, e) < 0)
		return -1;
	return ml_save(j->m, ml_numbered(j->m, j->m->output, step / period - 1), &j->net,
		       trainer_weights(j->trainer, 0), e);
}

static int save_all(struct job *j, struct err *e)
{
	if (bring(j, e) < 0)
		return -1;
	for (size_t i = 0; !j->m->snapshots && i < j->n; i++)
		if (ml_save(j->m, ml_numbered(j->m, j->m->output, i), &j->net,
			    trainer_weights(j->trainer, i), e) < 0)
			return -1;
	for (size_t i = 0; j->m->metrics && i < j->n; i++)
		if (ml_write_json(ml_numbered(j->m, j->m->metrics, i),
				  json_incref(json_array_get(j->losses, i)), e) < 0)
			return -1;
	return j->m->state ? save_state(j, j->m->state, e) : 0;
}

/* Told to end: what --resume goes on from. */
static int leave(struct job *j, struct err *e)
{
	const char *path = j->m->checkpoint ? j->m->checkpoint : j->m->state;

	if (path && (bring(j, e) < 0 || save_state(j, path, e) < 0))
		return -1;
	fprintf(stderr, "gg-ml: told to end at step %zu%s%s\n", trainer_at(j->trainer),
		path ? "; go on with --resume " : "; --state FILE would have kept it",
		path ? path : "");
	return EXIT_STOPPED;
}

static int train(struct job *j, struct err *e)
{
	while (trainer_at(j->trainer) < j->recipe.steps) {
		if (was_told)
			return leave(j, e);
		if (advance(j, e) < 0)
			return -1;
		note_losses(j);
		if (save_snapshot(j, e) < 0)
			return -1;
	}
	return save_all(j, e);
}

/* Weights, gradients and states, and a batch on its way for each thread: asked for
 * at once, so that too little memory is told of and not died of. */
static int check_room(const struct job *j, struct err *e)
{
	const struct net *n = &j->net;
	double threads = j->n > 1 ? team_size(j->team) : 1, numbers = 0, bytes;
	void *room;

	for (size_t i = 0; i < n->n_layers; i++)
		numbers += (double)shape_size(n->layers[i].out);
	bytes = (double)n->n_weights * (3 * (double)j->n + threads) * sizeof(float);
	bytes += 2 * (double)j->n * sizeof *j->members;
	bytes += 2 * numbers * (double)j->recipe.batch * threads * sizeof(float);
	room = bytes < 1e18 ? malloc((size_t)bytes) : NULL;
	if (!room)
		return err_set(e, ERR_BAD, "training this wants %.0f MB of memory, more than "
			       "there is", bytes / 1e6);
	free(room);
	return 0;
}

static int prepare(struct job *j, struct err *e)
{
	struct ml *m = j->m;

	if (ml_find_model(m, e) < 0 || ml_check_names(m, e) < 0)
		return -1;
	if (m->steps && m->epochs)
		return err_set(e, ERR_REFUSED, "--steps and --epochs: one of them");
	j->n = m->members ? m->members : 1;
	if (net_read(m->model, &j->net, e) < 0 ||
	    ml_open_data(m, &j->file, &j->data, e) < 0 || read_recipe(j, e) < 0)
		return -1;
	j->team = ml_team(m);
	if (ml_teach(m, &j->net, &j->data, j->team, e) < 0 ||
	    ml_fits(m, &j->net, &j->data, j->recipe.losses, e) < 0 || check_room(j, e) < 0)
		return -1;
	j->members = arena_alloc(&m->a, j->n * sizeof *j->members);
	memset(j->members, 0, j->n * sizeof *j->members);
	j->losses = json_array();
	for (size_t i = 0; i < j->n; i++) {
		if (read_member(j, i, e) < 0)
			return -1;
		json_array_append_new(j->losses, json_array());
	}
	if (ml_masks(m, &j->net, j->members, j->n, e) < 0 || ml_device(m, &j->device, e) < 0)
		return -1;
	if (j->device && j->device->profile[0])
		m->numerics = arena_printf(&m->a, "%s, %zu members", j->device->profile, j->n);
	j->trainer = trainer_new(&j->net, &j->data, &j->recipe, j->members, j->n, j->team);
	if (m->init && load_init(j, e) < 0)
		return -1;
	if (m->resume && load_state(j, e) < 0)
		return -1;
	if (!j->device)
		return 0;
	if (fused_new(j->device, &j->net, &j->data, &j->recipe, j->members, j->n, &j->fused,
		      e) < 0)
		return -1;
	fused_take(j->fused, j->trainer);
	return 0;
}

int ml_train(struct ml *m, int argc, char **argv, struct err *e)
{
	struct sigaction sa = { .sa_handler = told, .sa_flags = SA_RESTART };
	struct job j = { .m = m };
	int rc;

	if (argc > 0)
		return err_set(e, ERR_REFUSED, "train takes no argument %s", argv[0]);
	if (m->model && ml_is_kmeans(m->model))
		return ml_kmeans(m, e);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rc = prepare(&j, e);
	if (rc == 0)
		rc = train(&j, e);
	fused_free(j.fused);
	if (j.device)
		j.device->ops->close(j.device);
	trainer_free(j.trainer);
	team_free(j.team);
	json_decref(j.losses);
	dataset_release(&j.data);
	tensors_close(&j.file);
	net_release(&j.net);
	return rc;
}
