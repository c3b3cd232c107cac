/* ml_teacher.c - --teacher: what another network says, in the place of y
 *
 * A row's outputs are the same bits in whatever batch it stands, so they are asked for
 * once, before the first step.
 */
#include <stdlib.h>
#include <string.h>
#include "ml.h"

struct teacher {
	struct ml *m;
	struct tensors file;
	struct net net;
	float *w;
	size_t layer;           /* 0: its heads */
};

static int find_layer(struct teacher *t, struct err *e)
{
	const char *name = t->m->teacher_layer;

	for (size_t i = 1; name && i < t->net.n_layers; i++)
		if (strcmp(t->net.layers[i].name, name) == 0)
			t->layer = i;
	return !name || t->layer ? 0 :
	       err_set(e, ERR_REFUSED, "--teacher-layer: %s has no layer %s; gg-ml show tells "
		       "their names", t->file.path, name);
}

/* How many numbers the teacher has for the student's h-th head. */
static size_t outputs(const struct teacher *t, size_t h)
{
	return t->layer ? shape_size(t->net.layers[t->layer].out) : net_head_size(&t->net, h);
}

static int check(const struct teacher *t, const struct net *student, const struct dataset *d,
		 struct err *e)
{
	size_t in = shape_size(t->net.layers[0].out), heads = t->layer ? 1 : t->net.n_heads;

	if (t->net.n_sets > 1)
		return err_set(e, ERR_BAD, "%s: a batch ensemble says several things, a teacher "
			       "one: give one member of another kind", t->file.path);
	if (in != d->size)
		return err_set(e, ERR_BAD, "%s: the teacher reads %zu numbers, the examples of "
			       "%s have %zu", t->file.path, in, t->m->data, d->size);
	if (heads != student->n_heads)
		return err_set(e, ERR_BAD, "%s: the teacher has %zu heads, --model %zu",
			       t->file.path, heads, student->n_heads);
	for (size_t h = 0; h < heads; h++)
		if (outputs(t, h) != net_head_size(student, h))
			return err_set(e, ERR_BAD, "%s: the teacher has %zu outputs where head "
				       "%s of --model has %zu", t->file.path, outputs(t, h),
				       student->heads[h].name, net_head_size(student, h));
	return 0;
}

/* All heads side by side, a row for each example. */
static void ask(const struct teacher *t, const struct dataset *d, size_t heads, size_t cols,
		struct team *team, float *targets)
{
	for (size_t h = 0, from = 0; h < heads; from += outputs(t, h), h++) {
		size_t n = outputs(t, h);
		struct prediction p = { .net = &t->net, .w = t->w, .data = d, .head = h,
					.layer = t->layer, .n = d->n };
		float *said = mem_alloc(d->n * n * sizeof *said);

		predict(&p, team, said);
		for (size_t i = 0; i < d->n; i++)
			memcpy(targets + i * cols + from, said + i * n, n * sizeof *said);
		free(said);
	}
}

static int teach(struct teacher *t, const struct net *student, struct dataset *d,
		 struct team *team, struct err *e)
{
	size_t cols = 0, n_bytes;
	void *room;

	if (find_layer(t, e) < 0 || check(t, student, d, e) < 0)
		return -1;
	for (size_t h = 0; h < student->n_heads; h++)
		cols += outputs(t, h);
	n_bytes = d->n * cols * sizeof(float);
	room = n_bytes < SIZE_MAX / 4 ? malloc(2 * n_bytes) : NULL;
	if (!room)
		return err_set(e, ERR_BAD, "%s: what it says of all examples takes %zu MB of "
			       "memory, more than there is", t->file.path, n_bytes >> 20);
	free(room);
	t->m->taught = arena_alloc(&t->m->a, n_bytes);
	ask(t, d, student->n_heads, cols, team, t->m->taught);
	d->labels = NULL;
	d->targets = t->m->taught;
	d->n_targets = cols;
	t->m->loss = t->layer ? "mse" : NULL;
	if (!t->layer && tensors_remark(&t->file, "loss"))
		t->m->loss = arena_str(&t->m->a, tensors_remark(&t->file, "loss"));
	return 0;
}

int ml_teach(struct ml *m, const struct net *student, struct dataset *d, struct team *team,
	     struct err *e)
{
	struct teacher t = { .m = m };
	int rc;

	if (!m->teacher)
		return !m->teacher_layer ? 0 :
		       err_set(e, ERR_REFUSED, "--teacher-layer wants --teacher WEIGHTS");
	if (m->augment)
		return err_set(e, ERR_REFUSED, "--augment: a teacher is asked once for each "
			       "example as it is");
	if (ml_load(m->teacher, &t.file, &t.net, &t.w, e) < 0)
		return -1;
	rc = teach(&t, student, d, team, e);
	free(t.w);
	net_release(&t.net);
	tensors_close(&t.file);
	return rc;
}
