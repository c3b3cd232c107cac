/* ml_kmeans.c - gg-ml train --model 'kmeans 784-10'
 *
 * The middles are written as they are, and beside them as the linear network
 * whose largest output is the nearest of them: |x - m|^2 = |x|^2 - (2 m x - |m|^2).
 * So predict and show need to know nothing of them.  2 c x - |c|^2, c the mean of
 * the middles, is taken from all outputs: far from 0 they would differ by less than
 * floats can tell.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "kmeans.h"
#include "ml.h"

enum { ROUNDS = 300 };

struct clusters {
	struct ml *m;
	struct tensors file;
	struct dataset data;
	struct kmeans job;
	size_t members;
	float *middles;
};

bool ml_is_kmeans(const char *model)
{
	return strncmp(model, "kmeans", 6) == 0 && (!model[6] || model[6] == ' ');
}

static int read_model(struct clusters *c, struct err *e)
{
	const char *s = c->m->model + 6 + strspn(c->m->model + 6, " ");
	char *end;
	size_t features = strtoull(s, &end, 10), n;

	if (*s < '0' || *s > '9' || *end != '-' || end[1] < '0' || end[1] > '9')
		return err_set(e, ERR_BAD, "network: kmeans wants features and clusters "
			       "such as 784-10");
	n = strtoull(end + 1, &end, 10);
	if (*end || !n || features != c->data.size)
		return err_set(e, ERR_BAD, "%s: examples have %zu numbers, kmeans of --model "
			       "reads %zu",
			       c->m->data, c->data.size, features);
	if (n > c->data.n)
		return err_set(e, ERR_BAD, "%s: %zu clusters of %zu examples", c->m->data, n,
			       c->data.n);
	c->job.n_middles = n;
	return 0;
}

static int check(const struct ml *m, struct err *e)
{
	if (ml_check_names(m, e) < 0)
		return -1;
	if (m->state || m->checkpoint || m->resume || m->snapshots)
		return err_set(e, ERR_REFUSED, "kmeans has no state and no snapshots: --init "
			       "goes on from middles");
	if (m->owned || m->teacher)
		return err_set(e, ERR_REFUSED, "kmeans has no weights to own and no teacher");
	if (m->device && strcmp(m->device, "cpu") != 0)
		return err_set(e, ERR_REFUSED, "--device %s: kmeans runs on cpu", m->device);
	return 0;
}

static int load(struct clusters *c, size_t member, struct err *e)
{
	const char *path = ml_numbered(c->m, c->m->init, member);
	struct tensors t;
	const struct tensor *v;
	int rc = 0;

	if (tensors_open(path, &t, e) < 0)
		return -1;
	v = tensors_want(&t, "middles", DT_F32, 2, e);
	if (!v)
		rc = -1;
	else if (v->dims[0] != c->job.n_middles || v->dims[1] != c->data.size)
		rc = err_set(e, ERR_BAD, "%s: middles has another shape than the model's",
			     path);
	else
		memcpy(c->middles, v->data, v->n * sizeof *c->middles);
	tensors_close(&t);
	return rc;
}

/* weights are size x middles. */
static void set_network(const struct clusters *c, float *weights, float *bias)
{
	size_t k = c->job.n_middles, size = c->data.size;
	double *norms = memset(mem_alloc(k * sizeof *norms), 0, k * sizeof *norms);

	for (size_t j = 0; j < size; j++) {
		double centre = 0;

		for (size_t i = 0; i < k; i++)
			centre += (double)c->middles[i * size + j];
		centre /= (double)k;
		for (size_t i = 0; i < k; i++) {
			double x = (double)c->middles[i * size + j];

			norms[i] += (x - centre) * (x + centre);
			weights[j * k + i] = (float)(2 * (x - centre));
		}
	}
	for (size_t i = 0; i < k; i++)
		bias[i] = (float)-norms[i];
	free(norms);
}

static int save(struct clusters *c, size_t member, struct err *e)
{
	size_t k = c->job.n_middles, size = c->data.size;
	float *weights = mem_alloc(k * size * sizeof *weights);
	float *bias = mem_alloc(k * sizeof *bias);
	struct tensor v[] = {
		{ .name = "middles", .type = DT_F32, .dims = { k, size }, .n_dims = 2,
		  .n = k * size, .data = c->middles },
		{ .name = "fc1.weight", .type = DT_F32, .dims = { size, k }, .n_dims = 2,
		  .n = k * size, .data = weights },
		{ .name = "fc1.bias", .type = DT_F32, .dims = { k }, .n_dims = 1, .n = k,
		  .data = bias },
	};
	struct remark r[] = {
		{ "network", arena_printf(&c->m->a, "linear %zu-%zu", size, k) },
		{ "format", "gg-ml 1" }, { "kind", "kmeans" },
	};
	int rc;

	set_network(c, weights, bias);
	rc = tensors_write(ml_numbered(c->m, c->m->output, member), v, 3, r, 3, e);
	free(weights);
	free(bias);
	return rc;
}

static int tell(struct clusters *c, size_t member, const struct kmeans_end *end,
		struct err *e)
{
	json_t *o = json_pack("{s:f,s:I,s:b}", "cost", end->cost, "rounds",
			      (json_int_t)end->rounds, "settled", end->is_settled);

	return ml_write_json(ml_numbered(c->m, c->m->metrics, member), o, e);
}

static int run(struct clusters *c, struct err *e)
{
	size_t members = c->m->members ? c->m->members : 1;

	c->job.data = &c->data;
	c->job.rounds_max = c->m->steps ? c->m->steps : ROUNDS;
	c->job.continues = c->m->init;
	c->job.team = ml_team(c->m);
	c->middles = mem_alloc(c->job.n_middles * c->data.size * sizeof *c->middles);
	for (size_t i = 0; i < members; i++) {
		struct kmeans_end end;

		if (ml_seed(c->m, i, &c->job.seed, e) < 0 || (c->m->init && load(c, i, e) < 0))
			return -1;
		end = kmeans_run(&c->job, c->middles);
		if (save(c, i, e) < 0 || (c->m->metrics && tell(c, i, &end, e) < 0))
			return -1;
	}
	return 0;
}

int ml_kmeans(struct ml *m, struct err *e)
{
	struct clusters c = { .m = m };
	int rc = check(m, e) < 0 || ml_open_data(m, &c.file, &c.data, e) < 0 ||
		 read_model(&c, e) < 0 || run(&c, e) < 0 ? -1 : 0;

	free(c.middles);
	team_free(c.job.team);
	dataset_release(&c.data);
	tensors_close(&c.file);
	return rc;
}
