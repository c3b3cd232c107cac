/* fuse.c - several commands of one kind as one process
 *
 * Arguments are parted into those that the model names and all others, which stay
 * as they stand.  The outputs of the whole are called FILE-NUMBER, where FILE counts
 * the {} options, so that what belongs to whom is told by names alone.
 */
#include "fuse.h"

#include <stdlib.h>
#include <string.h>
#include "file.h"

enum kind { KIND_COUNT, KIND_LIST, KIND_FILE, KIND_STOP, KIND_NEVER };

enum { WORDS_MAX = 32 };

struct fuse_word {
	enum kind kind;
	const char *names;      /* "-o,--output" */
	const char *rest;       /* of a list: the fallback; of a never: the value */
};

struct fuse {
	struct fuse_word v[WORDS_MAX];
	size_t n;
};

/* What one command says of each word; NULL: nothing. */
struct parted {
	const char *value[WORDS_MAX];
	const char **plain;     /* all other arguments */
	size_t n_plain;
};

/* ---- the words of a model */

static int read_word(char *word, struct fuse_word *w, struct err *e)
{
	bool is_never = *word == '!';
	char *at = strchr(word, '=');

	*w = (struct fuse_word){ KIND_NEVER, word + is_never, NULL };
	if (at)
		*at++ = '\0';
	if (is_never) {
		w->rest = at;
		return *w->names ? 0 : err_set(e, ERR_BAD, "fuse !: say an option");
	}
	if (at && strcmp(at, "{n}") == 0)
		w->kind = KIND_COUNT;
	else if (at && strcmp(at, "{}") == 0)
		w->kind = KIND_FILE;
	else if (at && strcmp(at, "{stop}") == 0)
		w->kind = KIND_STOP;
	else if (at && *at == ',')
		w->kind = KIND_LIST;
	if (w->kind == KIND_NEVER || !*w->names)
		return err_set(e, ERR_BAD, "fuse %s: write --members={n}, --seed=,0, --out={} "
			       "or !--state", word);
	w->rest = w->kind == KIND_LIST && at[1] ? at + 1 : NULL;
	return 0;
}

int fuse_read(const char *words, struct arena *a, struct fuse **out, struct err *e)
{
	struct fuse *f = arena_alloc(a, sizeof *f);
	char *rest = arena_str(a, words), *word;
	size_t n_files = 0;

	*f = (struct fuse){ .n = 0 };
	if (strlen(words) > FUSE_TEXT_MAX)
		return err_set(e, ERR_BAD, "fuse: more than %d bytes", FUSE_TEXT_MAX);
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		if (f->n == WORDS_MAX)
			return err_set(e, ERR_BAD, "fuse: more than %d words", WORDS_MAX);
		if (read_word(word, &f->v[f->n], e) < 0)
			return -1;
		n_files += f->v[f->n++].kind == KIND_FILE;
	}
	if (!n_files)
		return err_set(e, ERR_BAD, "fuse: one word has to say what is written, such as "
			       "--out={}");
	*out = f;
	return 0;
}

/* ---- the arguments of a command */

/* Is this the option?  Its value stands behind a = (*value), or in the next word
 * (*value NULL).  Names without dashes take the first form alone. */
static bool is_called(const char *names, const char *arg, const char **value)
{
	while (*names) {
		size_t n = strcspn(names, ",");

		if (n && strncmp(arg, names, n) == 0 && (arg[n] == '=' ||
							 (!arg[n] && *names == '-'))) {
			*value = arg[n] ? arg + n + 1 : NULL;
			return true;
		}
		names += n + (names[n] == ',');
	}
	return false;
}

/* Which word of the model is this argument of, or f->n. */
static size_t word_of(const struct fuse *f, const char *arg, const char **value)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_called(f->v[i].names, arg, value))
			return i;
	return f->n;
}

static bool is_refused(const struct fuse_word *w, const char *value, const char *next)
{
	return w->kind == KIND_COUNT || w->kind == KIND_STOP ||
		(w->kind == KIND_NEVER &&
		 (!w->rest || strcmp(w->rest, value ? value : next ? next : "") == 0));
}

static bool part(const struct fuse *f, const struct thunk *t, struct arena *a,
		 struct parted *out)
{
	const char *value;

	*out = (struct parted){ .plain = arena_alloc(a, (t->n_args + 1) * sizeof *out->plain) };
	for (size_t i = 0; i < t->n_args; i++) {
		const char *arg = t->args[i], *next = i + 1 < t->n_args ? t->args[i + 1] : NULL;
		size_t k = i ? word_of(f, arg, &value) : f->n;

		if (strcmp(arg, "--") == 0 || (k < f->n && is_refused(&f->v[k], value, next)))
			return false;
		if (k == f->n || f->v[k].kind == KIND_NEVER) {
			out->plain[out->n_plain++] = arg;
			continue;
		}
		if (!value)
			i++;
		value = value ? value : next;
		/* Given twice, who knows which one counts. */
		if (!value || !*value || out->value[k] ||
		    (f->v[k].kind == KIND_LIST && strchr(value, ',')))
			return false;
		out->value[k] = value;
	}
	return true;
}

/* ---- what they have in common */

static const char *cwd_of(const struct thunk *t)
{
	return t->cwd ? t->cwd : ".";
}

/* The output of t that stands at the path that t is given by its k-th word. */
static const struct output *output_at(const struct thunk *t, const char *value,
				      struct arena *a)
{
	const char *top = arena_printf(a, "/%s", cwd_of(t)), *path;

	path = path_clean(a, path_clean(a, "/", top), value);
	for (size_t i = 0; *value != '/' && i < t->n_out; i++)
		if (!t->out[i].is_dir && strcmp(t->out[i].path, path + 1) == 0)
			return &t->out[i];
	return NULL;
}

static const char *ending(const char *path)
{
	const char *dot = strrchr(path_base(path), '.');

	return dot && dot != path_base(path) && !strpbrk(dot, "{}%") ? dot : "";
}

static void add(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

static void add_inputs(struct buf *b, const struct thunk *t)
{
	for (size_t i = 0; i < t->n_env; i++)
		add(b, t->env[i]);
	for (size_t i = 0; i < t->n_in; i++) {
		buf_printf(b, "in %d %s ", (int)t->in[i].ref.kind, id_hex(&t->in[i].ref.id).s);
		add(b, t->in[i].path);
	}
	buf_printf(b, "runtime %d %s ", (int)t->runtime, id_hex(&t->runtime_id).s);
	add(b, cwd_of(t));
}

/* false: an output belongs to no word, or a word to no output. */
static bool add_words(struct buf *b, const struct fuse *f, const struct thunk *t,
		      const struct parted *p, struct arena *a)
{
	size_t n_files = 0;

	for (size_t k = 0; k < f->n; k++) {
		const struct fuse_word *w = &f->v[k];
		const struct output *o;
		const char *value = p->value[k];

		if (w->kind == KIND_LIST)
			buf_char(b, value || w->rest ? 'y' : 'n');
		if (w->kind != KIND_FILE)
			continue;
		o = value ? output_at(t, value, a) : NULL;
		if (value && !o)
			return false;
		n_files += value != NULL;
		add(b, value ? ending(value) : "-");
		add(b, value ? o->name : "-");
	}
	return n_files == t->n_out;
}

bool fuse_common(const struct fuse *f, const struct thunk *t, struct id *out)
{
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct parted p;
	bool is_good = !t->uses_network && !t->std[0] && !t->std[1] && !t->std[2] &&
		part(f, t, &a, &p);

	for (size_t i = 0; is_good && i < p.n_plain; i++)
		add(&b, p.plain[i]);
	if (is_good) {
		add_inputs(&b, t);
		is_good = add_words(&b, f, t, &p, &a);
	}
	if (is_good)
		*out = id_of(buf_bytes(&b));
	buf_release(&b);
	arena_release(&a);
	return is_good;
}

/* ---- one of many */

struct making {
	const struct fuse *f;
	const struct parted *parts;
	size_t n;
	struct arena *a;
	struct thunk *out;
};

/* "-o VALUE", "--rate=VALUE", "key=VALUE". */
static void add_option(struct making *m, size_t k, const char *value)
{
	const char *names = m->f->v[k].names;
	const char *name = arena_strn(m->a, names, strcspn(names, ","));
	bool is_short = name[0] == '-' && name[1] != '-';

	if (is_short)
		m->out->args[m->out->n_args++] = name;
	m->out->args[m->out->n_args++] = is_short ? value :
		arena_printf(m->a, "%s=%s", name, value);
}

static void add_list(struct making *m, size_t k)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < m->n; i++) {
		const char *value = m->parts[i].value[k];

		buf_printf(&b, "%s%s", i ? "," : "", value ? value : m->f->v[k].rest);
	}
	add_option(m, k, arena_strn(m->a, b.p, b.n));
	buf_release(&b);
}

/* No input stands there: a folder of that name would be somebody's own. */
static const char folder[] = ".gg-fused";

static const char *folder_of(const struct thunk *t, struct arena *a)
{
	return strcmp(cwd_of(t), ".") == 0 ? folder :
		arena_printf(a, "%s/%s", cwd_of(t), folder);
}

static void add_files(struct making *m, size_t k)
{
	const char *end = ending(m->parts[0].value[k]), *in = folder_of(m->out, m->a);

	for (size_t i = 0; i < m->n; i++)
		m->out->out[m->out->n_out++] = (struct output){
			.name = arena_printf(m->a, "%zu-%zu", k, i),
			.path = arena_printf(m->a, "%s/%zu-%zu%s", in, k, i, end) };
	add_option(m, k, arena_printf(m->a, "%s/%zu-{}%s", folder, k, end));
}

static void add_word(struct making *m, size_t k)
{
	const struct fuse_word *w = &m->f->v[k];

	if (w->kind == KIND_COUNT)
		add_option(m, k, arena_printf(m->a, "%zu", m->n));
	else if (w->kind == KIND_LIST && (m->parts[0].value[k] || w->rest))
		add_list(m, k);
	else if (w->kind == KIND_FILE && m->parts[0].value[k])
		add_files(m, k);
	else if (w->kind == KIND_STOP)
		add_option(m, k, arena_printf(m->a, "%s/%zu-{}", folder, k));
}

static size_t stop_word(const struct fuse *f)
{
	size_t k = 0;

	while (k < f->n && f->v[k].kind != KIND_STOP)
		k++;
	return k;
}

bool fuse_can_stop(const struct fuse *f)
{
	return stop_word(f) < f->n;
}

/* It is there, since outputs are in it. */
const char *fuse_checkpoints(const struct fuse *f, const struct thunk *whole, struct arena *a)
{
	return fuse_can_stop(f) ? arena_printf(a, "%s/", folder_of(whole, a)) : NULL;
}

const char *fuse_checkpoint_name(const struct fuse *f, size_t i, struct arena *a)
{
	return arena_printf(a, "%zu-%zu", stop_word(f), i);
}

int fuse_make(const struct fuse *f, const struct thunk *const *v, size_t n, struct arena *a,
	      struct thunk *out, struct err *e)
{
	struct parted *parts = arena_alloc(a, n * sizeof *parts);
	struct making m = { f, parts, n, a, out };

	*out = *v[0];
	for (size_t i = 0; i < n; i++)
		if (!part(f, v[i], a, &parts[i]))
			return err_set(e, ERR_BAD, "it cannot go with others");
	out->args = arena_alloc(a, (parts[0].n_plain + 2 * f->n + 1) * sizeof *out->args);
	memcpy(out->args, parts[0].plain, parts[0].n_plain * sizeof *out->args);
	out->n_args = parts[0].n_plain;
	out->out = arena_alloc(a, n * f->n * sizeof *out->out);
	out->n_out = 0;
	for (size_t k = 0; k < f->n; k++)
		add_word(&m, k);
	thunk_sort(out);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct result_out *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int fuse_part(const struct fuse *f, const struct thunk *t, size_t i,
	      const struct result *whole, struct arena *a, struct result *out,
	      struct err *e)
{
	struct parted p;

	*out = (struct result){ arena_alloc(a, (t->n_out + 1) * sizeof *out->v), 0 };
	if (!part(f, t, a, &p))
		return err_set(e, ERR_BAD, "it cannot go with others");
	for (size_t k = 0; k < f->n; k++) {
		const char *name = arena_printf(a, "%zu-%zu", k, i);
		const struct output *o = f->v[k].kind == KIND_FILE && p.value[k] ?
			output_at(t, p.value[k], a) : NULL;
		const struct ref *ref = o ? result_output(whole, name) : NULL;

		if (o && (!ref || ref->kind == REF_THUNK))
			return err_set(e, ERR_BAD, "there is no %s of number %zu", o->name, i);
		if (o)
			out->v[out->n++] = (struct result_out){ arena_str(a, o->name), *ref };
	}
	qsort(out->v, out->n, sizeof *out->v, by_name);
	return 0;
}
