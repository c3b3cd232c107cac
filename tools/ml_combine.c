/* ml_combine.c - gg-ml combine: one set of weights or gradients out of several */
#include <stdlib.h>
#include <string.h>
#include "combine.h"
#include "ml.h"

/* Files with the same tensors, each as one vector in the order of names. */
struct stack {
	struct tensors *files;
	float **v;
	size_t n_files, n;
};

static int check_same(const struct tensors *a, const struct tensors *b, struct err *e)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = strcmp(a->v[i].name, b->v[i].name) == 0 &&
		       a->v[i].n_dims == b->v[i].n_dims &&
		       memcmp(a->v[i].dims, b->v[i].dims,
			      a->v[i].n_dims * sizeof *a->v[i].dims) == 0;
	return same ? 0 : err_set(e, ERR_BAD, "%s: has other tensors than %s", b->path,
				  a->path);
}

static int open_one(struct stack *s, const char *path, struct err *e)
{
	struct tensors *t = &s->files[s->n_files];
	float *to;

	if (tensors_open(path, t, e) < 0)
		return -1;
	s->n_files++;
	s->n = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].type != DT_F32)
			return err_set(e, ERR_BAD, "%s: %s is not F32", path, t->v[i].name);
		s->n += t->v[i].n;
	}
	if (check_same(&s->files[0], t, e) < 0)
		return -1;
	to = s->v[s->n_files - 1] = mem_alloc((s->n + 1) * sizeof *to);
	for (size_t i = 0; i < t->n; i++) {
		memcpy(to, t->v[i].data, t->v[i].n * sizeof *to);
		to += t->v[i].n;
	}
	return 0;
}

/* x as tensors such as the first file has, with its remarks. */
static int write_like(struct ml *m, const struct stack *s, const float *x,
		      const char *path, struct err *e)
{
	const struct tensors *t = &s->files[0];
	struct tensor *v = arena_alloc(&m->a, t->n * sizeof *v);

	for (size_t i = 0; i < t->n; i++) {
		v[i] = t->v[i];
		v[i].data = x;
		x += v[i].n;
	}
	return tensors_write(path, v, t->n, t->remarks, t->n_remarks, e);
}

static int topk(struct ml *m, struct stack *s, float *out, struct err *e)
{
	float *left = s->n_files == 2 ? s->v[1] : NULL;
	int rc;

	if (s->n_files > 2 || !m->keep)
		return err_set(e, ERR_REFUSED, "topk wants --keep N and one file, and the "
			       "residual of the step before as a second");
	if (m->residual && !left) {
		left = mem_alloc((s->n + 1) * sizeof *left);
		memset(left, 0, s->n * sizeof *left);
		combine_topk(s->v[0], left, s->n, m->keep, out);
		rc = write_like(m, s, left, m->residual, e);
		free(left);
		return rc;
	}
	combine_topk(s->v[0], left, s->n, m->keep, out);
	return m->residual ? write_like(m, s, left, m->residual, e) : 0;
}

static int combine(struct ml *m, int way, struct stack *s, float *out, struct err *e)
{
	const float *const *v = (const float *const *)s->v;

	switch (way) {
	case 0:
		combine_average(v, s->n_files, s->n, out);
		return 0;
	case 1:
		combine_tree(v, s->n_files, s->n, out);
		return 0;
	case 2:
		if (s->n_files < 2 * m->faulty + 3)
			return err_set(e, ERR_REFUSED, "krum wants at least %zu files for "
				       "--faulty %zu", 2 * m->faulty + 3, m->faulty);
		memcpy(out, v[combine_krum(v, s->n_files, m->faulty, s->n)],
		       s->n * sizeof *out);
		return 0;
	}
	return topk(m, s, out, e);
}

int ml_combine(struct ml *m, int argc, char **argv, struct err *e)
{
	static const char *const ways[] = { "average", "tree", "krum", "topk" };
	struct stack s = { 0 };
	float *out = NULL;
	int way, rc = 0;

	if (argc < 2 || !m->output)
		return err_set(e, ERR_REFUSED, "combine wants average, tree, krum or topk, "
			       "files, and --output");
	if (ml_check_names(m, e) < 0 || ml_choice(argv[0], ways, 4, 0, "combine", &way, e) < 0)
		return -1;
	s.files = mem_alloc((size_t)argc * sizeof *s.files);
	s.v = mem_alloc((size_t)argc * sizeof *s.v);
	memset(s.v, 0, (size_t)argc * sizeof *s.v);
	for (int i = 1; rc == 0 && i < argc; i++)
		rc = open_one(&s, argv[i], e);
	if (rc == 0) {
		out = mem_alloc((s.n + 1) * sizeof *out);
		rc = combine(m, way, &s, out, e);
	}
	if (rc == 0)
		rc = write_like(m, &s, out, m->output, e);
	for (size_t i = 0; i < s.n_files; i++) {
		tensors_close(&s.files[i]);
		free(s.v[i]);
	}
	free(s.files);
	free(s.v);
	free(out);
	return rc;
}
