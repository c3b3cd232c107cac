/* ml.c - what the commands of gg-ml read and write
 *
 * Its options are gathered first, the last of each counting, since how many
 * files a command writes depends on several of them.
 */
#include <stdlib.h>
#include <string.h>
#include "draft.h"
#include "ml.h"

/* What an option is kept as; PASS and SWITCH name no file. */
enum act {
	PASS, SWITCH, HELP, OUTPUT, DATA, INIT, OWNED, TEACHER, WITHOUT, MASK, FREE, RESUME,
	STATE, METRICS, RESIDUAL, MEMBERS, MODEL, SNAPSHOTS, SHARDS, SPLIT, THREADS, DEVICE,
	PROFILE, N_ACTS
};

enum { FILES_MAX = 4096 };

static const struct opt options[] = {
	{ "-o", OPT_SEP, OUTPUT, 0, NULL },
	{ "--output", OPT_EQ, OUTPUT, 0, NULL },
	{ "--data", OPT_EQ, DATA, 0, NULL },
	{ "--init", OPT_EQ, INIT, 0, NULL },
	{ "--owned", OPT_EQ, OWNED, 0, NULL },
	{ "--teacher", OPT_EQ, TEACHER, 0, NULL },
	{ "--without", OPT_EQ, WITHOUT, 0, NULL },
	{ "--mask", OPT_EQ, MASK, 0, NULL },
	{ "--free", OPT_EQ, FREE, 0, NULL },
	{ "--resume", OPT_EQ, RESUME, 0, NULL },
	{ "--state", OPT_EQ, STATE, 0, NULL },
	{ "--metrics", OPT_EQ, METRICS, 0, NULL },
	{ "--residual", OPT_EQ, RESIDUAL, 0, NULL },
	{ "--members", OPT_EQ, MEMBERS, 0, NULL },
	{ "--snapshots", OPT_EQ, SNAPSHOTS, 0, NULL },
	{ "--shards", OPT_EQ, SHARDS, 0, NULL },
	{ "--split", OPT_EQ, SPLIT, 0, NULL },
	{ "--threads", OPT_EQ, THREADS, 0, NULL },
	{ "--device", OPT_EQ, DEVICE, 0, NULL },
	{ "--help", OPT_FLAG, HELP, 0, NULL },
	{ "--bag", OPT_FLAG, SWITCH, 0, NULL },
	{ "--bins", OPT_FLAG, SWITCH, 0, NULL },
	{ "--json", OPT_FLAG, SWITCH, 0, NULL },
	{ "--one-hot", OPT_FLAG, SWITCH, 0, NULL },
	{ "--proba", OPT_FLAG, SWITCH, 0, NULL },
	{ "--targets", OPT_FLAG, SWITCH, 0, NULL },
	{ "--whole", OPT_FLAG, SWITCH, 0, NULL },
	{ "--augment", OPT_EQ, PASS, 0, NULL },
	{ "--batch", OPT_EQ, PASS, 0, NULL },
	{ "--beta2", OPT_EQ, PASS, 0, NULL },
	{ "--by", OPT_EQ, PASS, 0, NULL },
	{ "--checkpoint", OPT_EQ, PASS, 0, NULL },
	{ "--classes", OPT_EQ, PASS, 0, NULL },
	{ "--decay", OPT_EQ, PASS, 0, NULL },
	{ "--epochs", OPT_EQ, PASS, 0, NULL },
	{ "--epsilon", OPT_EQ, PASS, 0, NULL },
	{ "--every", OPT_EQ, PASS, 0, NULL },
	{ "--examples", OPT_EQ, PASS, 0, NULL },
	{ "--faulty", OPT_EQ, PASS, 0, NULL },
	{ "--features", OPT_EQ, PASS, 0, NULL },
	{ "--gamma", OPT_EQ, PASS, 0, NULL },
	{ "--hash", OPT_EQ, PASS, 0, NULL },
	{ "--head", OPT_EQ, PASS, 0, NULL },
	{ "--keep", OPT_EQ, PASS, 0, NULL },
	{ "--kind", OPT_EQ, PASS, 0, NULL },
	{ "--l1", OPT_EQ, PASS, 0, NULL },
	{ "--label", OPT_EQ, PASS, 0, NULL },
	{ "--loss", OPT_EQ, PASS, 0, NULL },
	{ "--model", OPT_EQ, MODEL, 0, NULL },
	{ "--momentum", OPT_EQ, PASS, 0, NULL },
	{ "--normalise", OPT_EQ, PASS, 0, NULL },
	{ "--period", OPT_EQ, PASS, 0, NULL },
	{ "--profile", OPT_EQ, PROFILE, 0, NULL },
	{ "--rate", OPT_EQ, PASS, 0, NULL },
	{ "--rule", OPT_EQ, PASS, 0, NULL },
	{ "--schedule", OPT_EQ, PASS, 0, NULL },
	{ "--seed", OPT_EQ, PASS, 0, NULL },
	{ "--skip", OPT_EQ, PASS, 0, NULL },
	{ "--smoothing", OPT_EQ, PASS, 0, NULL },
	{ "--steps", OPT_EQ, PASS, 0, NULL },
	{ "--teacher-layer", OPT_EQ, PASS, 0, NULL },
	{ "--warm-up", OPT_EQ, PASS, 0, NULL },
	{ 0 },
};

struct call {
	struct draft d;
	const char *v[N_ACTS];  /* values, by act */
	struct strs named, aside;       /* arguments that change the bytes; others */
	struct strs files;      /* what is no option, without the command's name */
};

/* A count as gg-ml reads it; none: 0. */
static size_t count(struct call *l, enum act act)
{
	const char *s = l->v[act];
	char *end;
	unsigned long n = s ? strtoul(s, &end, 10) : 0;

	if (s && (*s < '0' || *s > '9' || *end || n > FILES_MAX))
		draft_refuse(&l->d, "%s is no number of files or threads", s);
	return n;
}

static void read_files(struct call *l, size_t from)
{
	if (l->files.n <= from)
		draft_refuse(&l->d, "it names too few files");
	for (size_t i = from; i < l->files.n; i++)
		draft_read(&l->d, l->files.v[i], 0);
}

static void read_option(struct call *l, enum act act)
{
	if (l->v[act])
		draft_read(&l->d, l->v[act], 0);
}

/* n of them, their numbers in the place of {}; without {}, one. */
static void read_numbered(struct call *l, enum act act, size_t n)
{
	const char *name = l->v[act], *at = name ? strstr(name, "{}") : NULL;

	if (!at)
		read_option(l, act);
	for (size_t i = 0; at && i < n && !l->d.reason; i++)
		draft_read(&l->d, arena_printf(l->d.a, "%.*s%zu%s", (int)(at - name), name, i,
					       at + 2), 0);
}

static void write_option(struct call *l, enum act act, const char *kind)
{
	if (l->v[act])
		draft_write(&l->d, kind, l->v[act], 0);
}

/* n files whose numbers stand in the place of {}. */
static void write_numbered(struct call *l, enum act act, const char *kind, size_t n)
{
	const char *name = l->v[act], *at = name ? strstr(name, "{}") : NULL;

	if (name && !at)
		draft_write(&l->d, kind, name, 0);
	for (size_t i = 0; at && i < n && !l->d.reason; i++)
		draft_write(&l->d, arena_printf(l->d.a, "%s%zu", kind, i),
			    arena_printf(l->d.a, "%.*s%zu%s", (int)(at - name), name, i,
					 at + 2), 0);
}

static void want(struct call *l, enum act act, const char *option)
{
	if (!l->v[act])
		draft_refuse(&l->d, "it has no %s", option);
}

static void prep(struct call *l)
{
	size_t n = count(l, SHARDS);

	for (const char *s = l->v[SPLIT]; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		n++;
	want(l, OUTPUT, "--output");
	read_files(l, 0);
	write_numbered(l, OUTPUT, "examples", n ? n : 1);
}

static void train(struct call *l)
{
	size_t members = count(l, MEMBERS), snapshots = count(l, SNAPSHOTS);

	if (l->files.n)
		draft_refuse(&l->d, "%s is no option", l->files.v[0]);
	want(l, DATA, "--data");
	want(l, OUTPUT, "--output");
	members = members ? members : 1;
	read_option(l, DATA);
	read_numbered(l, INIT, members);
	read_numbered(l, OWNED, members);
	read_option(l, TEACHER);
	read_option(l, RESUME);
	write_numbered(l, OUTPUT, "weights", snapshots ? snapshots : members);
	write_numbered(l, METRICS, "metrics", members);
	write_option(l, STATE, "state");
}

/* Snapshots are written on the way: they would have to be kept as well, and k-means
 * has no state. */
static const struct resume *how_it_goes_on(struct call *l)
{
	struct arena *a = l->d.a;
	struct resume *r = arena_alloc(a, sizeof *r);
	const char **w = arena_alloc(a, 4 * sizeof *w);
	const char *model = l->v[MODEL] ? l->v[MODEL] : "";

	if (l->v[SNAPSHOTS] || strncmp(model + strspn(model, " "), "kmeans", 6) == 0)
		return NULL;
	*r = (struct resume){ .path = arena_printf(a, "%s.gg-state", l->v[OUTPUT]),
			      .state = w, .n_state = 2, .words = w + 2, .n_words = 2 };
	w[0] = "--checkpoint";
	w[2] = "--resume";
	w[1] = w[3] = r->path;
	return r;
}

static void eval(struct call *l)
{
	want(l, DATA, "--data");
	read_option(l, DATA);
	read_files(l, 0);
}

static void predict(struct call *l)
{
	eval(l);
	write_option(l, OUTPUT, "classes");
}

static void combine(struct call *l)
{
	want(l, OUTPUT, "--output");
	read_files(l, 1);
	write_option(l, OUTPUT, "weights");
	write_option(l, RESIDUAL, "residual");
}

static void prune(struct call *l)
{
	want(l, OUTPUT, "--output");
	read_files(l, 0);
	read_option(l, OWNED);
	read_option(l, WITHOUT);
	read_option(l, DATA);
	write_option(l, OUTPUT, "weights");
	write_option(l, MASK, "mask");
	write_option(l, FREE, "free");
}

static void show(struct call *l)
{
	read_files(l, 0);
}

static void data(struct call *l)
{
	if (l->files.n)
		draft_refuse(&l->d, "%s is no option", l->files.v[0]);
	want(l, OUTPUT, "--output");
	write_option(l, OUTPUT, "examples");
}

static const struct {
	const char *name;
	void (*bind)(struct call *l);
} commands[] = {
	{ "combine", combine }, { "data", data }, { "eval", eval },
	{ "predict", predict }, { "prep", prep }, { "prune", prune },
	{ "show", show }, { "train", train },
};

static bool is_aside(const struct opt *o)
{
	return o && (o->act == THREADS || o->act == DEVICE);
}

static void gather(struct call *l)
{
	struct draft *d = &l->d;
	struct opt_hit hit;

	for (size_t i = 1; i < d->args.n && !d->reason; i += hit.n_args) {
		const char *arg = d->args.v[i];

		hit = (struct opt_hit){ .n_args = 1 };
		if (strcmp(arg, "-o") != 0 && (strncmp(arg, "--", 2) != 0 || !arg[2]))
			strs_add(&l->files, arg);
		else if (!opt_match(options, &d->args, i, &hit))
			draft_refuse(d, "%s: no option that gg knows", arg);
		else if (hit.o->act == HELP)
			draft_refuse(d, "%s: it is run for what it prints", arg);
		else
			l->v[hit.o->act] = hit.value;
		for (size_t k = 0; k < hit.n_args && !d->reason; k++)
			strs_add(is_aside(hit.o) && arg[0] == '-' ? &l->aside : &l->named,
				 d->args.v[i + k]);
	}
}

/* Others' {} would stand for other numbers. */
static bool can_fuse(const struct call *l)
{
	return !(l->v[INIT] && strstr(l->v[INIT], "{}")) &&
	       !(l->v[OWNED] && strstr(l->v[OWNED], "{}"));
}

static const char **words(struct arena *a, const char *first, const struct strs *l, size_t *n)
{
	const char **v = arena_alloc(a, (l->n + 2) * sizeof *v);

	*n = 0;
	if (first)
		v[(*n)++] = first;
	if (l->n)
		memcpy(v + *n, l->v, l->n * sizeof *v);
	*n += l->n;
	return v;
}

/* In exact numbers the bytes are the same by any number of threads, on any device;
 * in others it is the device whose bytes they are. */
static void put_aside(struct call *l, const char *name, struct binding *out)
{
	const char *profile = l->v[PROFILE];
	struct arena *a = l->d.a;
	struct strs all = { 0 };

	if (!l->aside.n || (profile && strcmp(profile, "exact") != 0))
		return;
	out->hints.aside = words(a, NULL, &l->aside, &out->hints.n_aside);
	strs_add(&all, name);
	for (size_t i = 0; i < l->named.n; i++)
		strs_add(&all, l->named.v[i]);
	out->args = words(a, l->d.c->args[0], &all, &out->n_args);
	strs_release(&all);
}

/* In exact numbers a member ends with the bytes of one alone, and goes on from the
 * state that it left among others.  What is told of a whole (states, snapshots) is
 * of one command. */
static const char train_fuse[] =
	"--members={n} --seed=,0 --rate=,0.05 --momentum=,0.9 --beta2=,0.999 --epsilon=,1e-8 "
	"--decay=,0 --l1=,0 --smoothing=,0 --gamma=,0.1 -o,--output={} --metrics={} !--state "
	"--checkpoint={stop} !--resume !--snapshots !--profile=cublas !--profile=fast";

enum match ml_bind(const struct command *c, struct arena *a, struct binding *out,
		   struct buf *why)
{
	struct call l = { 0 };
	struct draft *d = &l.d;
	const char *name;
	double cpus, gpus;
	bool is_known = false, fuses;
	enum match verdict;

	draft_begin(d, c, a);
	d->is_in_place = true;
	if (d->lists.n)
		draft_refuse(d, "@%s: gg-ml reads no lists", d->lists.v[0]);
	name = d->args.n ? d->args.v[0] : "";
	gather(&l);
	for (size_t i = 0; i < sizeof commands / sizeof *commands && !d->reason; i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		commands[i].bind(&l);
		is_known = true;
	}
	if (!is_known)
		draft_refuse(d, "no command that gg knows");
	cpus = (double)count(&l, THREADS);
	fuses = strcmp(name, "train") == 0 && can_fuse(&l);
	gpus = l.v[DEVICE] && strncmp(l.v[DEVICE], "cuda", 4) == 0;
	verdict = draft_end(d, out, why);
	if (verdict == MATCH_BOUND)
		put_aside(&l, name, out);
	strs_release(&l.files);
	strs_release(&l.named);
	strs_release(&l.aside);
	if (verdict != MATCH_BOUND)
		return MATCH_REAL;
	out->hints.cpus = cpus;
	out->hints.fuse = fuses ? train_fuse : NULL;
	out->hints.gpus = gpus;
	if (strcmp(name, "train") == 0)
		out->hints.resume = how_it_goes_on(&l);
	return MATCH_BOUND;
}
