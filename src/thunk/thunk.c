/* thunk.c - one step as text
 *
 * The reader takes the lines in their one order and leaves all that is not
 * spelling to thunk_check; the writer asks thunk_check first.
 */
#include <stdlib.h>
#include <string.h>
#include "text.h"

bool output_is_printed(const struct output *o)
{
	return strcmp(o->path, PRINTED_OUT) == 0 || strcmp(o->path, PRINTED_ERR) == 0;
}

static const char *const std_names[] = { "stdin", "stdout", "stderr" };
static const char *const runtime_names[] = {
	[RUNTIME_HOST]    = "host",
	[RUNTIME_CLOSURE] = "closure",
	[RUNTIME_IMAGE]   = "image",
};

static int by_env_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	return bytes_compare((struct bytes){ x, strcspn(x, "=") },
			     (struct bytes){ y, strcspn(y, "=") });
}

static int by_input_path(const void *a, const void *b)
{
	const struct input *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int by_output_name(const void *a, const void *b)
{
	const struct output *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void thunk_sort(struct thunk *t)
{
	if (t->n_env > 1)
		qsort(t->env, t->n_env, sizeof(*t->env), by_env_name);
	if (t->n_in > 1)
		qsort(t->in, t->n_in, sizeof(*t->in), by_input_path);
	if (t->n_out > 1)
		qsort(t->out, t->n_out, sizeof(*t->out), by_output_name);
}

bool thunk_is_reduced(const struct thunk *t)
{
	for (size_t i = 0; i < t->n_in; i++)
		if (t->in[i].ref.kind == REF_THUNK)
			return false;
	return true;
}

const struct output *thunk_output(const struct thunk *t, const char *name)
{
	const struct output key = { .name = name };

	return t->n_out ? bsearch(&key, t->out, t->n_out, sizeof(key),
				  by_output_name) : NULL;
}

const struct input *thunk_input(const struct thunk *t, const char *path)
{
	const struct input key = { .path = path };

	return t->n_in ? bsearch(&key, t->in, t->n_in, sizeof(key),
				 by_input_path) : NULL;
}

static void put_line(struct buf *out, const char *keyword, const char *field)
{
	buf_str(out, keyword);
	text_put(out, field, '\n');
}


int thunk_encode(const struct thunk *t, struct buf *out, struct err *e)
{
	if (thunk_check(t, 1, e) < 0)
		return -1;
	buf_str(out, "gg-thunk 1\n");
	for (size_t i = 0; i < t->n_args; i++)
		put_line(out, "arg ", t->args[i]);
	put_line(out, "cwd ", t->cwd ? t->cwd : ".");
	for (size_t i = 0; i < t->n_env; i++)
		put_line(out, "env ", t->env[i]);
	for (size_t i = 0; i < t->n_in; i++) {
		buf_str(out, "in ");
		text_put_ref(out, &t->in[i].ref);
		text_put(out, t->in[i].path, '\n');
	}
	for (size_t i = 0; i < t->n_out; i++) {
		buf_str(out, t->out[i].is_dir ? "outdir " : "out ");
		text_put(out, t->out[i].name, ' ');
		text_put(out, t->out[i].path, '\n');
	}
	for (int fd = 0; fd < 3; fd++) {
		if (!t->std[fd])
			continue;
		text_put(out, std_names[fd], ' ');
		text_put(out, t->std[fd], '\n');
	}
	if (t->uses_network)
		buf_str(out, "network yes\n");
	buf_str(out, "runtime ");
	text_put(out, runtime_names[t->runtime], ' ');
	if (t->runtime == RUNTIME_IMAGE)
		buf_str(out, "sha256:");
	text_put_id(out, &t->runtime_id, '\n');
	return 0;
}

static int read_words(struct text *t, const char *keyword, struct arena *a,
		      const char ***out, size_t *n)
{
	const char **v = arena_alloc(a, (text_count(t, keyword) + 1) * sizeof(*v));

	*out = v;
	for (*n = 0; text_at(t, keyword); ++*n)
		if (text_begin(t, keyword) < 0 || !(v[*n] = text_last(t)))
			return -1;
	return 0;
}

static int read_ins(struct text *t, struct arena *a, struct thunk *out)
{
	size_t room = text_count(t, "in ");

	out->in = room ? arena_alloc(a, room * sizeof(*out->in)) : NULL;
	for (; text_at(t, "in"); out->n_in++) {
		struct input *in = &out->in[out->n_in];

		if (text_begin(t, "in") < 0 || text_ref(t, &in->ref) < 0 ||
		    !(in->path = text_last(t)))
			return -1;
	}
	return 0;
}

static int read_outs(struct text *t, struct arena *a, struct thunk *out)
{
	size_t room = text_count(t, "out");

	out->out = room ? arena_alloc(a, room * sizeof(*out->out)) : NULL;
	for (;; out->n_out++) {
		struct output *o;
		bool is_dir = text_at(t, "outdir");

		if (!is_dir && !text_at(t, "out"))
			return 0;
		o = &out->out[out->n_out];
		o->is_dir = is_dir;
		if (text_begin(t, is_dir ? "outdir" : "out") < 0 ||
		    !(o->name = text_field(t)) || !(o->path = text_last(t)))
			return -1;
	}
}

static int read_std(struct text *t, struct thunk *out)
{
	for (int fd = 0; fd < 3; fd++)
		if (text_at(t, std_names[fd]) &&
		    (text_begin(t, std_names[fd]) < 0 ||
		     !(out->std[fd] = text_last(t))))
			return -1;
	return 0;
}

static int read_network(struct text *t, struct thunk *out)
{
	const char *yes;

	if (!text_at(t, "network"))
		return 0;
	if (text_begin(t, "network") < 0 || !(yes = text_last(t)))
		return -1;
	if (strcmp(yes, "yes") != 0)
		return text_bad(t, "network can only be \"yes\"");
	out->uses_network = true;
	return 0;
}

static int read_runtime(struct text *t, struct thunk *out)
{
	int kind;

	if (text_begin(t, "runtime") < 0)
		return -1;
	kind = text_choice(t, runtime_names,
			   sizeof(runtime_names) / sizeof(*runtime_names));
	if (kind < 0)
		return -1;
	out->runtime = (enum runtime_kind)kind;
	if (kind == RUNTIME_IMAGE) {
		if (strncmp(t->p, "sha256:", 7) != 0)
			return text_bad(t, "an image is written sha256:ID");
		t->p += 7;
	}
	return text_id(t, &out->runtime_id, '\n');
}

int thunk_decode_at(struct bytes text, unsigned first_line, struct arena *a,
		    struct thunk *out, struct err *e)
{
	struct text t;

	*out = (struct thunk){ 0 };
	if (text_open(&t, text, "gg-thunk", first_line, a, e) < 0 ||
	    read_words(&t, "arg", a, &out->args, &out->n_args) < 0)
		return -1;
	if (out->n_args == 0)
		return text_begin(&t, "arg");
	if (text_begin(&t, "cwd") < 0 || !(out->cwd = text_last(&t)) ||
	    read_words(&t, "env", a, &out->env, &out->n_env) < 0 ||
	    read_ins(&t, a, out) < 0 || read_outs(&t, a, out) < 0 ||
	    read_std(&t, out) < 0 || read_network(&t, out) < 0 ||
	    read_runtime(&t, out) < 0 || text_close(&t) < 0)
		return -1;
	return thunk_check(out, first_line, e);
}

int thunk_decode(struct bytes text, struct arena *a, struct thunk *out,
		 struct err *e)
{
	return thunk_decode_at(text, 1, a, out, e);
}
