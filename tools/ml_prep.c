/* ml_prep.c - gg-ml prep: from files of other programs to examples
 *
 * Numbers are not changed but said how to be changed: x.mean and x.factor stand
 * beside x, so that bytes stay bytes.  Both are of the first part alone, and
 * given to all.
 */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "formats.h"
#include "ml.h"
#include "random.h"
#include "train.h"

enum { PARTS_MAX = 1024 };
static const size_t limit_bytes = (size_t)1 << 36;

/* All examples, before they are parted. */
struct raw {
	struct tensor x;                /* U8 or F32, n x ... */
	int32_t *labels;                /* one of the two, or neither */
	float *targets;
	size_t n, size;
	const char **names;
	size_t n_names;
};

static int open_input(struct ml *m, const char *path, struct bytes *out, struct err *e)
{
	if (file_read(AT_FDCWD, path, limit_bytes, &m->a, out, e) < 0)
		return -1;
	if (out->n == 0)
		return err_set(e, ERR_BAD, "%s: is empty", path);
	return gzip_open(*out, path, limit_bytes, &m->a, out, e);
}

/* Any numbers as floats. */
static int to_floats(struct ml *m, const struct tensor *t, const char *path, float **out,
		     struct err *e)
{
	*out = arena_alloc(&m->a, (t->n + 1) * sizeof **out);
	for (size_t i = 0; i < t->n; i++) {
		float v = 0;

		switch (t->type) {
		case DT_F32: v = ((const float *)t->data)[i]; break;
		case DT_F64: v = (float)((const double *)t->data)[i]; break;
		case DT_U8: v = (float)((const unsigned char *)t->data)[i]; break;
		case DT_I32: v = (float)((const int32_t *)t->data)[i]; break;
		case DT_I64: v = (float)((const int64_t *)t->data)[i]; break;
		case DT_BOOL:
		case DT_COUNT: break;
		}
		if (!isfinite(v))
			return err_set(e, ERR_BAD, "%s: element %zu is no finite number", path,
				       i);
		(*out)[i] = v;
	}
	return 0;
}

/* Whole numbers from 0 are classes, unless targets are asked for; -1 and 1 are
 * two classes, and so are 1..k when none is 0. */
static int set_labels(struct ml *m, struct raw *r, float *y, const char *path,
		      struct err *e)
{
	float least = y[0], most = y[0];

	r->targets = y;
	for (size_t i = 0; i < r->n; i++) {
		if (y[i] != floorf(y[i]) || fabsf(y[i]) > 1 << 23) {
			if (!m->wants_targets)
				return err_set(e, ERR_BAD, "%s: label %zu is %g, no class; "
					       "--targets keeps numbers", path, i + 1,
					       (double)y[i]);
			return 0;
		}
		least = y[i] < least ? y[i] : least;
		most = y[i] > most ? y[i] : most;
	}
	if (m->wants_targets)
		return 0;
	if (least < 0 && (least < -1 || most > 1))
		return err_set(e, ERR_BAD, "%s: labels from %g to %g are no classes", path,
			       (double)least, (double)most);
	r->labels = arena_alloc(&m->a, (r->n + 1) * sizeof *r->labels);
	for (size_t i = 0; i < r->n; i++)
		r->labels[i] = least < 0 ? y[i] > 0 : (int32_t)y[i] - (least >= 1);
	r->targets = NULL;
	return 0;
}

/* One array of examples, and perhaps one of labels. */
static int read_arrays(struct ml *m, int argc, char **argv, struct bytes first,
		       struct raw *r, struct err *e)
{
	struct tensor y;
	struct bytes b;
	float *v;

	if (idx_is(first) ? idx_read(first, argv[0], &m->a, &r->x, e) :
	    npy_read(first, argv[0], &m->a, &r->x, e))
		return -1;
	if (r->x.n_dims < 2 || !r->x.n)
		return err_set(e, ERR_BAD, "%s: holds no examples of several numbers", argv[0]);
	r->n = r->x.dims[0];
	if (r->x.type != DT_U8) {
		if (to_floats(m, &r->x, argv[0], &v, e) < 0)
			return -1;
		r->x.data = v;
		r->x.type = DT_F32;
	}
	if (argc < 2)
		return 0;
	if (open_input(m, argv[1], &b, e) < 0)
		return -1;
	if (idx_is(b) ? idx_read(b, argv[1], &m->a, &y, e) : npy_read(b, argv[1], &m->a, &y, e))
		return -1;
	if (y.n != r->n)
		return err_set(e, ERR_BAD, "%s: has %zu labels, %s %zu examples", argv[1], y.n,
			       argv[0], r->n);
	return to_floats(m, &y, argv[1], &v, e) < 0 ? -1 : set_labels(m, r, v, argv[1], e);
}

/* They stay as empty ones, so that what is said of a line behind them has its
 * number. */
static struct bytes skip_lines(struct ml *m, struct bytes b, size_t n)
{
	struct bytes rest = b;
	size_t skipped = 0;
	char *all;

	for (; skipped < n && rest.n; skipped++) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t line = end ? (size_t)(end - rest.p) + 1 : rest.n;

		rest = (struct bytes){ rest.p + line, rest.n - line };
	}
	if (!skipped)
		return b;
	all = arena_alloc(&m->a, skipped + rest.n + 1);
	memset(all, '\n', skipped);
	memcpy(all + skipped, rest.p, rest.n);
	return (struct bytes){ all, skipped + rest.n };
}

static int read_table(struct ml *m, int argc, char **argv, struct bytes b, struct raw *r,
		      struct err *e)
{
	struct csv_opts o = { .label = m->label ? m->label : "last",
			      .hash_bits = (unsigned)m->hash_bits, .one_hot = m->one_hot,
			      .wants_targets = m->wants_targets };
	struct table t;

	if (argc > 1)
		return err_set(e, ERR_REFUSED, "%s: %s is a table, its labels are a column "
			       "of it: --label says which", argv[1], argv[0]);
	b = skip_lines(m, b, m->skip);
	if (m->hash_bits && m->one_hot)
		return err_set(e, ERR_REFUSED, "--hash and --one-hot: one of them");
	if (strcmp(o.label, "none") == 0)
		o.label = NULL;
	if (libsvm_is(b) ? libsvm_read(b, argv[0], m->features, &m->a, &t, e) :
	    csv_read(b, argv[0], &o, &m->a, &t, e))
		return -1;
	r->n = t.n;
	r->names = t.names;
	r->n_names = t.n_names;
	r->x = (struct tensor){ .type = DT_F32, .dims = { t.n, t.features }, .n_dims = 2,
				.n = t.n * t.features, .data = t.x };
	return t.y ? set_labels(m, r, t.y, argv[0], e) : 0;
}

static float value(const struct raw *r, size_t i)
{
	return r->x.type == DT_U8 ? (float)((const unsigned char *)r->x.data)[i] :
	       ((const float *)r->x.data)[i];
}

/* x.mean and x.factor from n examples in the given order. */
static int scale(struct ml *m, const struct raw *r, const size_t *order, size_t n,
		 struct tensor out[2], struct err *e)
{
	static const char *const ways[] = { "none", "minmax", "standard" };
	float *mean = arena_alloc(&m->a, r->size * sizeof *mean);
	float *factor = arena_alloc(&m->a, r->size * sizeof *factor);
	int way;

	if (ml_choice(m->normalise, ways, 3, 0, "--normalise", &way, e) < 0)
		return -1;
	for (size_t k = 0; way && k < r->size; k++) {
		double low = INFINITY, high = -INFINITY, sum = 0, squares = 0;

		for (size_t i = 0; i < n; i++) {
			double v = (double)value(r, order[i] * r->size + k);

			low = v < low ? v : low;
			high = v > high ? v : high;
			sum += v;
		}
		for (size_t i = 0; i < n; i++) {
			double d = (double)value(r, order[i] * r->size + k) - sum / (double)n;

			squares += d * d;
		}
		squares = sqrt(squares / (double)n);
		mean[k] = (float)(way == 1 ? low : sum / (double)n);
		factor[k] = (float)(way == 1 ? (high > low ? 1 / (high - low) : 0) :
				    squares > 0 ? 1 / squares : 0);
	}
	out[0] = (struct tensor){ .name = "x.mean", .type = DT_F32, .dims = { r->size },
				  .n_dims = 1, .n = r->size, .data = mean };
	out[1] = out[0];
	out[1].name = "x.factor";
	out[1].data = factor;
	return way ? 2 : 0;
}

static const char *names_as_json(struct ml *m, const struct raw *r)
{
	json_t *v = json_array();
	char *text;
	const char *copy;

	for (size_t i = 0; i < r->n_names; i++)
		json_array_append_new(v, ml_text(r->names[i]));
	text = json_dumps(v, JSON_COMPACT);
	copy = arena_str(&m->a, text ? text : "[]");
	free(text);
	json_decref(v);
	return copy;
}

/* Examples order[0..n-1] as one file. */
static int write_part(struct ml *m, const struct raw *r, const size_t *order, size_t n,
		      const struct tensor *scales, int n_scales, const char *path,
		      struct err *e)
{
	size_t row = r->size * dtype_bytes(r->x.type);
	char *x = mem_alloc(n * row + 1);
	float *y = mem_alloc((n + 1) * sizeof *y);
	struct tensor v[4] = { r->x, { .name = "y", .dims = { n }, .n_dims = 1, .n = n,
				       .data = y, .type = r->labels ? DT_I32 : DT_F32 } };
	struct remark classes = { "classes", names_as_json(m, r) };
	int rc, k = r->labels || r->targets ? 2 : 1;

	v[0].name = "x";
	v[0].dims[0] = n;
	v[0].n = n * r->size;
	v[0].data = x;
	for (size_t i = 0; i < n; i++) {
		memcpy(x + i * row, (const char *)r->x.data + order[i] * row, row);
		if (r->labels)
			memcpy(&y[i], &r->labels[order[i]], sizeof *y);
		else if (r->targets)
			y[i] = r->targets[order[i]];
	}
	for (int i = 0; i < n_scales; i++)
		v[k++] = scales[i];
	rc = tensors_write(path, v, (size_t)k, &classes, r->n_names > 0, e);
	free(x);
	free(y);
	return rc;
}

/* Where each part ends, from "0.8,0.2" or a number of shards. */
static int part_ends(struct ml *m, size_t n, size_t *ends, size_t *n_parts, struct err *e)
{
	double sum = 0, v;

	*n_parts = m->shards ? m->shards : 1;
	if (m->split && m->shards)
		return err_set(e, ERR_REFUSED, "--split and --shards: one of them");
	for (const char *s = m->split; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		*n_parts += s != m->split;
	if (*n_parts > PARTS_MAX || *n_parts > n)
		return err_set(e, ERR_REFUSED, "%zu parts of %zu examples are too many",
			       *n_parts, n);
	for (size_t i = 0; i < *n_parts; i++) {
		ends[i] = n * (i + 1) / *n_parts;
		if (!m->split)
			continue;
		if (ml_number(m->split, i, 0, "split", &v, e) < 0)
			return -1;
		sum += v;
		if (v <= 0 || sum > 1 + 1e-9)
			return err_set(e, ERR_REFUSED, "--split wants parts of 1, such as "
				       "0.8,0.2");
		ends[i] = (size_t)(sum * (double)n + 0.5);
		if (ends[i] == (i ? ends[i - 1] : 0))
			return err_set(e, ERR_REFUSED, "--split %s: part %zu of %zu examples "
				       "is empty", m->split, i, n);
	}
	if (*n_parts > 1 && !strstr(m->output, "{}"))
		return err_set(e, ERR_REFUSED, "--output wants {} where the part's number "
			       "goes");
	return 0;
}

static struct shape shape_of(const struct tensor *x)
{
	const size_t *d = x->dims;

	if (x->n_dims != 3 && x->n_dims != 4)
		return (struct shape){ 1, 1, 1 };
	return (struct shape){ (uint32_t)d[1], (uint32_t)d[2],
			       x->n_dims == 4 ? (uint32_t)d[3] : 1 };
}

/* Room behind the examples for more of them. */
static void make_room(struct ml *m, struct raw *r, size_t more)
{
	size_t row = r->size * dtype_bytes(r->x.type);
	char *x = arena_alloc(&m->a, (r->n + more) * row);
	int32_t *labels = arena_alloc(&m->a, (r->n + more) * sizeof *labels);
	float *targets = arena_alloc(&m->a, (r->n + more) * sizeof *targets);

	r->x.data = memcpy(x, r->x.data, r->n * row);
	if (r->labels)
		r->labels = memcpy(labels, r->labels, r->n * sizeof *labels);
	if (r->targets)
		r->targets = memcpy(targets, r->targets, r->n * sizeof *targets);
}

/* The image `from` as one more, behind the others. */
static void add_moved(struct raw *r, const struct augment *how, const struct draw *d,
		      float *image)
{
	size_t from = (size_t)d->position, at = r->n * r->size;

	for (size_t k = 0; k < r->size; k++)
		image[k] = value(r, from * r->size + k);
	augment_image(how, shape_of(&r->x), d, image);
	for (size_t k = 0; k < r->size; k++)
		if (r->x.type == DT_U8)
			((unsigned char *)r->x.data)[at + k] = (unsigned char)image[k];
		else
			((float *)r->x.data)[at + k] = image[k];
	if (r->labels)
		r->labels[r->n] = r->labels[from];
	if (r->targets)
		r->targets[r->n] = r->targets[from];
	r->n++;
}

/* Each of the first n in order once more, moved and mirrored, right behind itself. */
static int augment(struct ml *m, struct raw *r, size_t **order, size_t n, uint64_t seed,
		   struct err *e)
{
	size_t *all = arena_alloc(&m->a, (r->n + n) * sizeof *all), n_before = r->n;
	float *image = arena_alloc(&m->a, 2 * r->size * sizeof *image);
	struct augment how;

	if (ml_augment(m->augment, shape_of(&r->x), &how, e) < 0)
		return -1;
	make_room(m, r, n);
	for (size_t i = 0; i < n; i++) {
		struct draw d = { seed, (*order)[i], image + r->size };

		all[2 * i] = (*order)[i];
		all[2 * i + 1] = r->n;
		add_moved(r, &how, &d, image);
	}
	memcpy(all + 2 * n, *order + n, (n_before - n) * sizeof *all);
	*order = all;
	return 0;
}

static int write_parts(struct ml *m, struct raw *r, struct err *e)
{
	size_t *order = arena_alloc(&m->a, (r->n + 1) * sizeof *order);
	size_t ends[PARTS_MAX], n_parts, n_first, from = 0;
	struct source s = { .stream = STREAM_SPLIT };
	struct tensor scales[2];
	struct order keyed;
	int n_scales;

	if (part_ends(m, r->n, ends, &n_parts, e) < 0 ||
	    ml_seed(m, 0, &s.seed, e) < 0)
		return -1;
	keyed = order_of(&s, r->n);
	for (size_t i = 0; i < r->n; i++)
		order[i] = m->split || m->seed ? order_at(&keyed, i) : i;
	n_first = m->split ? ends[0] : r->n;
	n_scales = scale(m, r, order, n_first, scales, e);
	if (n_scales < 0)
		return -1;
	if (m->augment && augment(m, r, &order, n_first, s.seed, e) < 0)
		return -1;
	for (size_t i = 0; m->augment && i < n_parts; i++)
		ends[i] += ends[i] < n_first ? ends[i] : n_first;
	for (size_t i = 0; i < n_parts; i++) {
		if (write_part(m, r, order + from, ends[i] - from, scales, n_scales,
			       ml_numbered(m, m->output, i), e) < 0)
			return -1;
		from = ends[i];
	}
	return 0;
}

/* What a person at a terminal looks at first: was it read as it was meant? */
static void tell(const struct raw *r)
{
	int32_t classes = 0;

	if (!isatty(STDERR_FILENO))
		return;
	for (size_t i = 0; r->labels && i < r->n; i++)
		classes = r->labels[i] >= classes ? r->labels[i] + 1 : classes;
	fprintf(stderr, "%zu examples of %zu numbers", r->n, r->size);
	if (classes)
		fprintf(stderr, ", %d classes\n", (int)classes);
	else
		fputs(r->targets ? ", each with a target\n" : ", without labels\n", stderr);
}

int ml_prep(struct ml *m, int argc, char **argv, struct err *e)
{
	struct raw r = { 0 };
	struct bytes first;

	if (argc < 1 || argc > 2 || !m->output)
		return err_set(e, ERR_REFUSED, "prep wants a file, or one of examples and one "
			       "of labels, and --output");
	if (open_input(m, argv[0], &first, e) < 0)
		return -1;
	if (idx_is(first) || npy_is(first) ? read_arrays(m, argc, argv, first, &r, e) :
	    read_table(m, argc, argv, first, &r, e))
		return -1;
	r.size = r.x.n / r.n;
	if (write_parts(m, &r, e) < 0)
		return -1;
	tell(&r);
	return 0;
}
