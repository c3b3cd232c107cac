/* ml_common.c - lists of numbers, and slabs of weights as files */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "ml.h"

int ml_number(const char *list, size_t i, double fallback, const char *option,
	      double *out, struct err *e)
{
	const char *s = list;
	char *end;

	*out = fallback;
	for (size_t k = 0; s && k < i && strchr(s, ','); k++)
		s = strchr(s, ',') + 1;
	if (!s)
		return 0;
	*out = strtod(s, &end);
	if (end == s || (*end && *end != ',') || !(*out - *out == 0))
		return err_set(e, ERR_REFUSED, "--%s wants a number or several with commas, "
			       "not %s", option, list);
	return 0;
}

int ml_list_fits(const char *list, size_t n, const char *option, struct err *e)
{
	size_t values = 1;

	for (const char *s = list; s && (s = strchr(s, ',')); s++)
		values++;
	return values <= n ? 0 :
	       err_set(e, ERR_REFUSED, "--%s has %zu values, --members is %zu", option, values,
		       n);
}

int ml_seed(const struct ml *m, size_t i, uint64_t *out, struct err *e)
{
	const char *s = m->seed ? m->seed : "0";
	bool is_list = strchr(s, ',');
	char *end;

	for (size_t k = 0; k < i && strchr(s, ','); k++)
		s = strchr(s, ',') + 1;
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || errno || (*end && *end != ','))
		return err_set(e, ERR_REFUSED, "--seed wants a whole number of 64 bits, or "
			       "several with commas, not %s", m->seed);
	*out += is_list ? 0 : i;
	return 0;
}

int ml_check_names(const struct ml *m, struct err *e)
{
	const struct {
		const char *option, *name;
		bool is_by_member;
	} all[] = {
		{ "output", m->output, m->members > 1 || m->snapshots },
		{ "metrics", m->metrics, m->members > 1 },
		{ "mask", m->mask, false },
		{ "free", m->free, false },
		{ "residual", m->residual, false },
		{ "state", m->state, false },
		{ "checkpoint", m->checkpoint, false },
	};
	enum { N = sizeof all / sizeof *all, N_APART = N - 2 };

	if (!m->output)
		return err_set(e, ERR_REFUSED, "--output wants a name for the weights");
	for (size_t i = 0; i < N; i++)
		if (all[i].name && all[i].is_by_member && !strstr(all[i].name, "{}"))
			return err_set(e, ERR_REFUSED, "--%s wants {} where the member's "
				       "number goes, such as '%s-{}'", all[i].option,
				       all[i].name);
	/* State and checkpoint may be one: the same is written there. */
	for (size_t i = 0; i < N_APART; i++)
		for (size_t k = i + 1; k < N; k++)
			if (all[i].name && all[k].name &&
			    strcmp(all[i].name, all[k].name) == 0)
				return err_set(e, ERR_REFUSED, "--%s and --%s: %s cannot be "
					       "both", all[i].option, all[k].option,
					       all[i].name);
	return 0;
}

char *ml_numbered(struct ml *m, const char *name, size_t i)
{
	const char *at = strstr(name, "{}");

	if (!at)
		return arena_str(&m->a, name);
	return arena_printf(&m->a, "%.*s%zu%s", (int)(at - name), name, i, at + 2);
}

int ml_augment(const char *how, struct shape s, struct augment *out, struct err *e)
{
	unsigned crop = 0;
	char flip[5] = "";
	bool is_good = !how || strcmp(how, "flip") == 0 ||
		       (sscanf(how, "crop %3u", &crop) == 1 &&
			strspn(how + 5, "0123456789") == strlen(how + 5)) ||
		       (sscanf(how, "crop %3u %4s", &crop, flip) == 2 &&
			strcmp(flip, "flip") == 0);

	if (!is_good)
		return err_set(e, ERR_REFUSED, "--augment wants 'crop N', 'flip' or 'crop N "
			       "flip', not '%s'", how);
	out->crop = crop;
	out->flips = how && strstr(how, "flip");
	if (how && (s.h == 1 || crop >= s.h || crop >= s.w))
		return err_set(e, ERR_REFUSED, "--augment wants images larger than that: a "
			       "network such as 'net 28x28x1: ...', or arrays of n x 28 x 28");
	return 0;
}

static int refuse_choice(const char *s, const char *const *names, int n,
			 const char *option, struct err *e)
{
	struct buf all = { 0 };

	for (int i = 0; i < n; i++)
		buf_printf(&all, "%s%s", !i ? "" : i + 1 < n ? ", " : " or ", names[i]);
	err_set(e, ERR_REFUSED, "%s is %s, not \"%s\"", option, all.p, s);
	buf_release(&all);
	return -1;
}

int ml_choice(const char *s, const char *const *names, int n, int def,
	      const char *option, int *out, struct err *e)
{
	*out = def;
	for (int i = 0; s && i < n; i++)
		if (strcmp(s, names[i]) == 0) {
			*out = i;
			return 0;
		}
	return s ? refuse_choice(s, names, n, option, e) : 0;
}

json_t *ml_text(const char *s)
{
	json_t *v = json_string(s);
	struct buf b = { 0 };

	if (v)
		return v;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x80)
			buf_char(&b, (char)(0xc0 | c >> 6));
		buf_char(&b, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
	}
	v = json_string(b.p);
	buf_release(&b);
	return v;
}

int ml_write_json(const char *path, json_t *v, struct err *e)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(9));
	int rc = text ? file_put(path, bytes_str(text), 0, e) :
		 err_set(e, ERR_FAILED, "%s: what is to be told has no form in JSON", path);

	json_decref(v);
	free(text);
	return rc;
}

unsigned long long ml_digest(const void *p, size_t n)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ ((const unsigned char *)p)[i]) * 0x100000001b3u;
	return sum;
}

unsigned long long ml_data_digest(const struct dataset *d)
{
	size_t row = d->size * (d->bytes ? sizeof *d->bytes : sizeof *d->floats);
	size_t stride = d->n / 64 + 1, all = d->n * d->n_targets;
	const char *x = d->bytes ? (const char *)d->bytes : (const char *)d->floats;
	unsigned long long sum = d->n;

	for (size_t i = 0; i < d->n; i += stride)
		sum = sum * 31 + ml_digest(x + i * row, row);
	if (d->labels)
		sum = sum * 31 + ml_digest(d->labels, all * sizeof *d->labels);
	if (d->targets)
		sum = sum * 31 + ml_digest(d->targets, all * sizeof *d->targets);
	if (d->mean)
		sum = sum * 31 + ml_digest(d->mean, d->size * sizeof *d->mean);
	if (d->factor)
		sum = sum * 31 + ml_digest(d->factor, d->size * sizeof *d->factor);
	return sum;
}

struct team *ml_team(const struct ml *m)
{
	return team_new((unsigned)m->threads, team_best_isa());
}

struct tensor *ml_tensors(struct ml *m, const struct net *net, const float *w,
			  const char *prefix)
{
	struct tensor *v = arena_alloc(&m->a, net->n_params * sizeof *v);

	for (size_t i = 0; i < net->n_params; i++) {
		const struct param *p = &net->params[i];

		v[i] = (struct tensor){ .type = DT_F32, .n_dims = p->n_dims, .n = p->n,
					.data = w + p->at };
		v[i].name = arena_printf(&m->a, "%s%s", prefix, p->name);
		memcpy(v[i].dims, p->dims, p->n_dims * sizeof *p->dims);
	}
	return v;
}

int ml_save(struct ml *m, const char *path, const struct net *net, const float *w,
	    struct err *e)
{
	struct remark r[4] = { { "network", net->text }, { "format", "gg-ml 1" } };
	size_t n = 2;

	if (m->numerics)
		r[n++] = (struct remark){ "profile", m->numerics };
	/* Outputs that are numbers must not be read as classes. */
	if (m->loss && strstr(m->loss, "mse"))
		r[n++] = (struct remark){ "loss", m->loss };
	return tensors_write(path, ml_tensors(m, net, w, ""), net->n_params, r, n, e);
}

static int check_finite(const struct tensors *t, const struct tensor *v, struct err *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!isfinite(((const float *)v->data)[i]))
			return err_set(e, ERR_BAD, "%s: %s: number %zu is not finite", t->path,
				       v->name, i);
	return 0;
}

int ml_fill(const struct tensors *t, const struct net *net, const char *prefix, float *w,
	    struct err *e)
{
	struct arena a = { 0 };

	for (size_t i = 0; i < net->n_params; i++) {
		const struct param *p = &net->params[i];
		const struct tensor *v = tensors_want(t, arena_printf(&a, "%s%s", prefix,
								      p->name),
						      DT_F32, p->n_dims, e);
		bool fits = v && memcmp(v->dims, p->dims, p->n_dims * sizeof *p->dims) == 0;

		if (v && !fits)
			err_set(e, ERR_BAD, "%s: %s has another shape than the network's",
				t->path, p->name);
		if (!fits || check_finite(t, v, e) < 0) {
			arena_release(&a);
			return -1;
		}
		memcpy(w + p->at, v->data, p->n * sizeof *w);
	}
	arena_release(&a);
	return 0;
}

static int load_weights(const struct tensors *t, const struct net *net, float **w,
			struct err *e)
{
	if (net->n_weights > t->map_bytes / sizeof **w)
		return err_set(e, ERR_BAD, "%s: is shorter than the %zu weights of its network",
			       t->path, net->n_weights);
	*w = mem_alloc(net->n_weights * sizeof **w);
	return ml_fill(t, net, "", *w, e);
}

int ml_load(const char *path, struct tensors *t, struct net *net, float **w, struct err *e)
{
	const char *text;
	int rc = -1;

	*w = NULL;
	*net = (struct net){ 0 };
	if (tensors_open(path, t, e) < 0)
		return -1;
	text = tensors_remark(t, "network");
	if (!text)
		err_set(e, ERR_BAD, "%s: does not say which network it is for (metadata "
			"\"network\")", path);
	else if (net_read(text, net, e) < 0)
		err_wrap(e, "%s", path);
	else
		rc = load_weights(t, net, w, e);
	if (rc == 0)
		return 0;
	free(*w);
	*w = NULL;
	net_release(net);
	tensors_close(t);
	return -1;
}

int ml_open_data(struct ml *m, struct tensors *t, struct dataset *d, struct err *e)
{
	if (!m->data)
		return err_set(e, ERR_REFUSED, "--data wants a file of examples");
	if (tensors_open(m->data, t, e) < 0)
		return -1;
	if (dataset_of(t, d, e) == 0)
		return 0;
	tensors_close(t);
	return -1;
}
