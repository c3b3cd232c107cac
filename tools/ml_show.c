/* ml_show.c - gg-ml show and data */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ml.h"
#include "random.h"
#include "shown.h"

static json_t *dims(const struct tensor *t)
{
	json_t *v = json_array();

	for (size_t i = 0; i < t->n_dims; i++)
		json_array_append_new(v, json_integer((json_int_t)t->dims[i]));
	return v;
}

static bool is_zero(const struct tensor *t, size_t i)
{
	switch (t->type) {
	case DT_F32: return ((const float *)t->data)[i] == 0;
	case DT_F64: return ((const double *)t->data)[i] == 0;
	case DT_I32: return ((const int32_t *)t->data)[i] == 0;
	case DT_I64: return ((const int64_t *)t->data)[i] == 0;
	case DT_U8:
	case DT_BOOL: return ((const unsigned char *)t->data)[i] == 0;
	case DT_COUNT: break;
	}
	return false;
}

static double share_of_zeros(const struct tensor *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += is_zero(t, i);
	return t->n ? (double)n / (double)t->n : 0;
}

static void show_people(const struct tensors *t)
{
	struct arena a = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < t->n_remarks; i++)
		printf("%s: %s\n", shown(&a, t->remarks[i].name),
		       shown(&a, t->remarks[i].value));
	for (size_t i = 0; i < t->n; i++) {
		const struct tensor *v = &t->v[i];
		char text[160] = "";

		for (size_t k = 0; k < v->n_dims; k++)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu",
				 k ? " x " : "", v->dims[k]);
		printf("%-24s %-20s %10zu bytes %5.1f%% zeros\n", shown(&a, v->name), text,
		       v->n * dtype_bytes(v->type), 100 * share_of_zeros(v));
		n += v->n;
	}
	arena_release(&a);
	printf("%zu numbers in %zu tensors\n", n, t->n);
}

static void show_json(const struct tensors *t)
{
	json_t *o = json_object(), *all = json_array(), *words = json_object();

	for (size_t i = 0; i < t->n_remarks; i++)
		json_object_set_new(words, t->remarks[i].name,
				    json_string(t->remarks[i].value));
	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(all, json_pack("{s:s,s:o,s:I,s:f}", "name", t->v[i].name,
						     "shape", dims(&t->v[i]), "bytes",
						     (json_int_t)(t->v[i].n *
								  dtype_bytes(t->v[i].type)),
						     "zeros", share_of_zeros(&t->v[i])));
	json_object_set_new(o, "metadata", words);
	json_object_set_new(o, "tensors", all);
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(o);
}

int ml_show(struct ml *m, int argc, char **argv, struct err *e)
{
	if (argc == 0)
		return err_set(e, ERR_REFUSED, "show which file?");
	for (int i = 0; i < argc; i++) {
		struct tensors t;

		if (tensors_open(argv[i], &t, e) < 0)
			return -1;
		if (m->wants_json)
			show_json(&t);
		else
			show_people(&t);
		tensors_close(&t);
	}
	return 0;
}

/* ---- synthetic examples: a function of seed and size */

struct made {
	size_t n, features, classes;
	float *x;
	int32_t *y;
	float *targets;
	uint64_t seed;
};

static struct source source_of(const struct made *d, uint64_t step)
{
	return (struct source){ .seed = d->seed, .stream = STREAM_DATA, .step = step };
}

/* Normal clouds around a random middle each. */
static void make_blobs(struct made *d)
{
	float *middles = mem_alloc(d->classes * d->features * sizeof *middles);
	struct source a = source_of(d, 1), b = source_of(d, 2);

	random_normal(&a, 0, d->classes * d->features, middles);
	random_normal(&b, 0, d->n * d->features, d->x);
	for (size_t i = 0; i < d->n; i++) {
		d->y[i] = (int32_t)(i % d->classes);
		for (size_t k = 0; k < d->features; k++)
			d->x[i * d->features + k] +=
				2.0f * middles[(size_t)d->y[i] * d->features + k];
	}
	free(middles);
}

/* Shells around 0: no plane parts them. */
static void make_rings(struct made *d)
{
	struct source b = source_of(d, 2);

	random_normal(&b, 0, d->n * d->features, d->x);
	for (size_t i = 0; i < d->n; i++) {
		float *x = d->x + i * d->features, norm = 0.0f;

		d->y[i] = (int32_t)(i % d->classes);
		for (size_t k = 0; k < d->features; k++)
			norm = fmaf(x[k], x[k], norm);
		norm = (float)(d->y[i] + 1) / sqrtf(norm + 1e-12f);
		for (size_t k = 0; k < d->features; k++)
			x[k] *= norm;
	}
}

/* Targets that depend on the features by a line, with some noise. */
static void make_line(struct made *d)
{
	struct source a = source_of(d, 1), b = source_of(d, 2), c = source_of(d, 3);
	float *w = mem_alloc(d->features * sizeof *w);

	random_normal(&a, 0, d->features, w);
	random_normal(&b, 0, d->n * d->features, d->x);
	random_normal(&c, 0, d->n, d->targets);
	for (size_t i = 0; i < d->n; i++) {
		float y = 0.1f * d->targets[i];

		for (size_t k = 0; k < d->features; k++)
			y = fmaf(w[k], d->x[i * d->features + k], y);
		d->targets[i] = y;
	}
	free(w);
}

static int write_made(struct ml *m, const struct made *d, bool has_targets, struct err *e)
{
	struct tensor v[] = {
		{ .name = "x", .type = DT_F32, .dims = { d->n, d->features }, .n_dims = 2,
		  .data = d->x, .n = d->n * d->features },
		{ .name = "y", .type = DT_I32, .dims = { d->n }, .n_dims = 1, .data = d->y,
		  .n = d->n },
	};

	if (has_targets)
		v[1] = (struct tensor){ .name = "y", .type = DT_F32, .dims = { d->n, 1 },
					.n_dims = 2, .data = d->targets, .n = d->n };
	return tensors_write(m->output, v, 2, NULL, 0, e);
}

int ml_data(struct ml *m, int argc, char **argv, struct err *e)
{
	static const char *const kinds[] = { "blobs", "rings", "line" };
	static void (*const make[])(struct made *d) = { make_blobs, make_rings, make_line };
	struct made d = {
		.n = m->examples ? m->examples : 1000, .features = m->features ? m->features : 8,
		.classes = m->classes ? m->classes : 3,
	};
	int kind, rc;

	if (argc > 0)
		return err_set(e, ERR_REFUSED, "data takes no argument %s", argv[0]);
	if (!m->output)
		return err_set(e, ERR_REFUSED, "--output says where the examples go");
	if (ml_choice(m->kind, kinds, 3, 0, "--kind", &kind, e) < 0 ||
	    ml_seed(m, 0, &d.seed, e) < 0)
		return -1;
	d.x = mem_alloc(d.n * d.features * sizeof *d.x);
	d.y = mem_alloc(d.n * sizeof *d.y);
	d.targets = mem_alloc(d.n * sizeof *d.targets);
	make[kind](&d);
	rc = write_made(m, &d, kind == 2, e);
	free(d.x);
	free(d.y);
	free(d.targets);
	return rc;
}
