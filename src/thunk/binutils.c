/* binutils.c - what ar, ranlib, strip, objcopy and ld read and write
 *
 * Most of them change a file in place: then it is read and written, and what
 * stood there before is an input of the thunk.
 */
#include <string.h>
#include "binutils.h"
#include "draft.h"
#include "link.h"

enum act {
	PASS,
	OUT,
	LIST,           /* a file to read */
	NAMED_IN,       /* NAME=FILE, read */
	NAMED_OUT,      /* NAME=FILE, written */
	PRINTS,
	TIMES,          /* dates and owners of inputs enter the output */
	ODD,
};

static bool refuse(struct draft *d, enum act act, const char *arg)
{
	return draft_refuse(d, "%s: %s", arg,
			    act == PRINTS ? "it is run for what it prints"
			    : act == TIMES ? "dates and owners would enter the output"
					   : "it reads or writes in a way of its own");
}

struct ar {
	struct draft d;
	char operation;         /* d m q r s, or 0 */
	bool wants_index, adds_newer;
	struct strs files;      /* the archive and its members */
};

static bool ar_letters(struct ar *r, const char *arg, const char *letters)
{
	for (const char *p = letters; *p; p++) {
		if (strchr("dmqr", *p)) {
			if (r->operation && r->operation != *p)
				return draft_refuse(&r->d, "%s: two operations", arg);
			r->operation = *p;
		} else if (*p == 's') {
			r->wants_index = true;
		} else if (*p == 'u') {
			r->adds_newer = true;
		} else if (strchr("ptxVO", *p)) {
			return refuse(&r->d, PRINTS, arg);
		} else if (*p == 'U') {
			return refuse(&r->d, TIMES, arg);
		} else if (!strchr("cDSvfPo", *p)) {
			return refuse(&r->d, ODD, arg);
		}
	}
	return true;
}

static void ar_outputs(struct ar *r)
{
	struct draft *d = &r->d;
	const char *archive = r->files.n ? r->files.v[0] : NULL;
	bool exists;

	if (!r->operation && r->wants_index)
		r->operation = 's';
	if (!r->operation || !archive) {
		draft_refuse(d, "no operation or no archive");
		return;
	}
	exists = draft_is_file(d, archive);
	if (exists && r->adds_newer) {
		refuse(d, TIMES, "u");
		return;
	}
	if (r->operation == 's' && r->files.n > 1)
		draft_refuse(d, "more than one archive");
	/* A dangling or an absent one is made; the others need it. */
	if (exists || !strchr("rq", r->operation))
		draft_read(d, archive, 0);
	for (size_t i = 1; i < r->files.n && strchr("rq", r->operation); i++)
		draft_read(d, r->files.v[i], 0);
	draft_write(d, "archive", archive, 0);
}

enum match ar_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why)
{
	struct ar r = { 0 };
	struct draft *d = &r.d;
	bool has_ended = false;

	draft_begin(d, c, a);
	d->is_in_place = true;
	draft_env(d, "GNUTARGET");
	for (size_t i = 0; i < d->args.n && !d->reason; i++) {
		const char *arg = d->args.v[i];

		if (!has_ended && strcmp(arg, "--") == 0)
			has_ended = true;
		else if (!has_ended && arg[0] == '-' && arg[1] == '-')
			draft_refuse(d, "%s: no option that gg knows", arg);
		else if (!has_ended && arg[0] == '-' && arg[1])
			ar_letters(&r, arg, arg + 1);
		else if (i == 0)
			ar_letters(&r, arg, arg);
		else
			strs_add(&r.files, arg);
	}
	if (!d->reason)
		ar_outputs(&r);
	strs_release(&r.files);
	return draft_end(d, out, why);
}

enum match ranlib_bind(const struct command *c, struct arena *a,
		       struct binding *out, struct buf *why)
{
	struct draft d;

	draft_begin(&d, c, a);
	d.is_in_place = true;
	draft_env(&d, "GNUTARGET");
	for (size_t i = 0; i < d.args.n && !d.reason; i++) {
		const char *arg = d.args.v[i];

		if (arg[0] == '-' && strcmp(arg, "-D") != 0) {
			refuse(&d, ODD, arg);
		} else if (arg[0] != '-') {
			draft_read(&d, arg, 0);
			draft_write(&d, "archive", arg, 0);
		}
	}
	if (!d.writes.n)
		draft_refuse(&d, "no archive");
	return draft_end(&d, out, why);
}

#define COMMON_OPTIONS \
	{ "-I", OPT_BOTH, PASS, 0, NULL }, \
	{ "--input-target", OPT_EQ, PASS, 0, NULL }, \
	{ "-O", OPT_BOTH, PASS, 0, NULL }, \
	{ "--output-target", OPT_EQ, PASS, 0, NULL }, \
	{ "-F", OPT_BOTH, PASS, 0, NULL }, \
	{ "--target", OPT_EQ, PASS, 0, NULL }, \
	{ "-p", OPT_FLAG, PASS, 0, NULL }, \
	{ "--preserve-dates", OPT_FLAG, PASS, 0, NULL }, \
	{ "-D", OPT_FLAG, PASS, 0, NULL }, \
	{ "--enable-deterministic-archives", OPT_FLAG, PASS, 0, NULL }, \
	{ "-U", OPT_FLAG, TIMES, 0, NULL }, \
	{ "--disable-deterministic-archives", OPT_FLAG, TIMES, 0, NULL }, \
	{ "-R", OPT_BOTH, PASS, 0, NULL }, \
	{ "--remove-section", OPT_EQ, PASS, 0, NULL }, \
	{ "--remove-relocations", OPT_EQ, PASS, 0, NULL }, \
	{ "-S", OPT_FLAG, PASS, 0, NULL }, \
	{ "-g", OPT_FLAG, PASS, 0, NULL }, \
	{ "--strip-all", OPT_FLAG, PASS, 0, NULL }, \
	{ "--strip-debug", OPT_FLAG, PASS, 0, NULL }, \
	{ "--strip-dwo", OPT_FLAG, PASS, 0, NULL }, \
	{ "--strip-unneeded", OPT_FLAG, PASS, 0, NULL }, \
	{ "--only-keep-debug", OPT_FLAG, PASS, 0, NULL }, \
	{ "-M", OPT_FLAG, PASS, 0, NULL }, \
	{ "--merge-notes", OPT_FLAG, PASS, 0, NULL }, \
	{ "--no-merge-notes", OPT_FLAG, PASS, 0, NULL }, \
	{ "-N", OPT_BOTH, PASS, 0, NULL }, \
	{ "--strip-symbol", OPT_EQ, PASS, 0, NULL }, \
	{ "--keep-section", OPT_EQ, PASS, 0, NULL }, \
	{ "-K", OPT_BOTH, PASS, 0, NULL }, \
	{ "--keep-symbol", OPT_EQ, PASS, 0, NULL }, \
	{ "--keep-section-symbols", OPT_FLAG, PASS, 0, NULL }, \
	{ "--keep-file-symbols", OPT_FLAG, PASS, 0, NULL }, \
	{ "-w", OPT_FLAG, PASS, 0, NULL }, \
	{ "--wildcard", OPT_FLAG, PASS, 0, NULL }, \
	{ "-x", OPT_FLAG, PASS, 0, NULL }, \
	{ "--discard-all", OPT_FLAG, PASS, 0, NULL }, \
	{ "-X", OPT_FLAG, PASS, 0, NULL }, \
	{ "--discard-locals", OPT_FLAG, PASS, 0, NULL }, \
	{ "-v", OPT_FLAG, PASS, 0, NULL }, \
	{ "--verbose", OPT_FLAG, PASS, 0, NULL }, \
	{ "-V", OPT_FLAG, PRINTS, 0, NULL }, \
	{ "--version", OPT_FLAG, PRINTS, 0, NULL }, \
	{ "--help", OPT_FLAG, PRINTS, 0, NULL }, \
	{ "--info", OPT_FLAG, PRINTS, 0, NULL }

static const struct opt strip_options[] = {
	COMMON_OPTIONS,
	{ "-s", OPT_FLAG, PASS, 0, NULL },
	{ "-d", OPT_FLAG, PASS, 0, NULL },
	{ "-o", OPT_BOTH, OUT, 0, NULL },
	{ 0 },
};

static const struct opt objcopy_options[] = {
	COMMON_OPTIONS,
	{ "-B", OPT_BOTH, PASS, 0, NULL },
	{ "--binary-architecture", OPT_EQ, PASS, 0, NULL },
	{ "-j", OPT_BOTH, PASS, 0, NULL },
	{ "--only-section", OPT_EQ, PASS, 0, NULL },
	{ "--add-gnu-debuglink", OPT_EQ, LIST, 0, NULL },
	{ "--strip-unneeded-symbol", OPT_EQ, PASS, 0, NULL },
	{ "--extract-symbol", OPT_FLAG, PASS, 0, NULL },
	{ "--localize-hidden", OPT_FLAG, PASS, 0, NULL },
	{ "-L", OPT_BOTH, PASS, 0, NULL },
	{ "--localize-symbol", OPT_EQ, PASS, 0, NULL },
	{ "--globalize-symbol", OPT_EQ, PASS, 0, NULL },
	{ "-G", OPT_BOTH, PASS, 0, NULL },
	{ "--keep-global-symbol", OPT_EQ, PASS, 0, NULL },
	{ "-W", OPT_BOTH, PASS, 0, NULL },
	{ "--weaken-symbol", OPT_EQ, PASS, 0, NULL },
	{ "--weaken", OPT_FLAG, PASS, 0, NULL },
	{ "-b", OPT_BOTH, PASS, 0, NULL },
	{ "--byte", OPT_EQ, PASS, 0, NULL },
	{ "--gap-fill", OPT_EQ, PASS, 0, NULL },
	{ "--pad-to", OPT_EQ, PASS, 0, NULL },
	{ "--set-start", OPT_EQ, PASS, 0, NULL },
	{ "--change-start", OPT_EQ, PASS, 0, NULL },
	{ "--adjust-start", OPT_EQ, PASS, 0, NULL },
	{ "--change-addresses", OPT_EQ, PASS, 0, NULL },
	{ "--adjust-vma", OPT_EQ, PASS, 0, NULL },
	{ "--change-section-address", OPT_EQ, PASS, 0, NULL },
	{ "--change-section-lma", OPT_EQ, PASS, 0, NULL },
	{ "--change-section-vma", OPT_EQ, PASS, 0, NULL },
	{ "--set-section-flags", OPT_EQ, PASS, 0, NULL },
	{ "--set-section-alignment", OPT_EQ, PASS, 0, NULL },
	{ "--add-section", OPT_EQ, NAMED_IN, 0, NULL },
	{ "--update-section", OPT_EQ, NAMED_IN, 0, NULL },
	{ "--dump-section", OPT_EQ, NAMED_OUT, 0, NULL },
	{ "--rename-section", OPT_EQ, PASS, 0, NULL },
	{ "--redefine-sym", OPT_EQ, PASS, 0, NULL },
	{ "--redefine-syms", OPT_EQ, LIST, 0, NULL },
	{ "--strip-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--strip-unneeded-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--keep-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--localize-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--globalize-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--keep-global-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--weaken-symbols", OPT_EQ, LIST, 0, NULL },
	{ "--add-symbol", OPT_EQ, PASS, 0, NULL },
	{ "--writable-text", OPT_FLAG, PASS, 0, NULL },
	{ "--readonly-text", OPT_FLAG, PASS, 0, NULL },
	{ "--pure", OPT_FLAG, PASS, 0, NULL },
	{ "--impure", OPT_FLAG, PASS, 0, NULL },
	{ "--prefix-symbols", OPT_EQ, PASS, 0, NULL },
	{ "--prefix-sections", OPT_EQ, PASS, 0, NULL },
	{ "--prefix-alloc-sections", OPT_EQ, PASS, 0, NULL },
	{ "--compress-debug-sections", OPT_START, PASS, 0, NULL },
	{ "--decompress-debug-sections", OPT_FLAG, PASS, 0, NULL },
	{ "--reverse-bytes", OPT_EQ, PASS, 0, NULL },
	{ "--srec-len", OPT_EQ, PASS, 0, NULL },
	{ "--srec-forceS3", OPT_FLAG, PASS, 0, NULL },
	{ 0 },
};

/* The file behind NAME= */
static const char *named(struct draft *d, const struct opt_hit *h)
{
	const char *file = strchr(h->value, '=');

	if (!file)
		draft_refuse(d, "%s needs NAME=FILE", h->arg);
	return file ? file + 1 : NULL;
}

static void take(struct draft *d, const struct opt_hit *h, const char **to)
{
	const char *file;

	switch ((enum act)h->o->act) {
	case PASS:
		break;
	case OUT:
		*to = h->value;
		break;
	case LIST:
		draft_read(d, h->value, 0);
		break;
	case NAMED_IN:
		file = named(d, h);
		if (file)
			draft_read(d, file, 0);
		break;
	case NAMED_OUT:
		file = named(d, h);
		if (file)
			draft_write(d, "section", file, 0);
		break;
	case PRINTS:
	case TIMES:
	case ODD:
		refuse(d, h->o->act, h->arg);
	}
}

/* Options and files of strip and objcopy. */
static void walk(struct draft *d, const struct opt *table, struct strs *files,
		 const char **to)
{
	bool has_ended = false;
	struct opt_hit hit;

	draft_env(d, "GNUTARGET");
	for (size_t i = 0; i < d->args.n && !d->reason; i += hit.n_args) {
		const char *arg = d->args.v[i];

		hit.n_args = 1;
		if (has_ended || arg[0] != '-' || !arg[1])
			strs_add(files, arg);
		else if (strcmp(arg, "--") == 0)
			has_ended = true;
		else if (!opt_match(table, &d->args, i, &hit))
			draft_refuse(d, "%s: no option that gg knows", arg);
		else
			take(d, &hit, to);
	}
}

static void copy(struct draft *d, const char *from, const char *to)
{
	if (draft_read(d, from, 0))
		draft_write(d, "copy", to,
			    draft_is_exec(d, from) ? WRITE_EXEC : 0);
}

enum match strip_bind(const struct command *c, struct arena *a,
		      struct binding *out, struct buf *why)
{
	struct strs files = { 0 };
	const char *to = NULL;
	struct draft d;

	draft_begin(&d, c, a);
	d.is_in_place = true;
	walk(&d, strip_options, &files, &to);
	if (!d.reason && (!files.n || (to && files.n > 1)))
		draft_refuse(&d, "%zu files to strip", files.n);
	for (size_t i = 0; i < files.n && !d.reason; i++)
		copy(&d, files.v[i], to ? to : files.v[i]);
	strs_release(&files);
	return draft_end(&d, out, why);
}

enum match objcopy_bind(const struct command *c, struct arena *a,
			struct binding *out, struct buf *why)
{
	struct strs files = { 0 };
	const char *to = NULL;
	struct draft d;

	draft_begin(&d, c, a);
	d.is_in_place = true;
	walk(&d, objcopy_options, &files, &to);
	if (!d.reason && (!files.n || files.n > 2))
		draft_refuse(&d, "%zu files", files.n);
	if (!d.reason)
		copy(&d, files.v[0], files.v[files.n - 1]);
	strs_release(&files);
	return draft_end(&d, out, why);
}

enum match ld_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why)
{
	static const char *const env_names[] = {
		"GNUTARGET", "LDEMULATION", "LD_RUN_PATH",
	};
	struct draft d;
	struct link l = { .d = &d, .is_ld = true, .out = "a.out" };

	draft_begin(&d, c, a);
	for (size_t i = 0; i < sizeof env_names / sizeof *env_names; i++)
		draft_env(&d, env_names[i]);
	if (draft_getenv(&d, "COLLECT_GCC"))
		draft_refuse(&d, "a compiler has started it");
	if (!d.reason && link_args(&l, &d.args, NULL)) {
		if (!l.n_inputs)
			draft_refuse(&d, "no input file");
		draft_write(&d, l.is_relocatable ? "object"
				: l.is_shared ? "library" : "program", l.out,
			    l.is_relocatable ? 0 : WRITE_EXEC);
	}
	link_release(&l);
	return draft_end(&d, out, why);
}
