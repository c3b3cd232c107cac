/* cc_link.c - the linker's part of a compiler command, and two questions
 *
 * What no argument says is asked of the compiler itself: which headers its
 * sources include (scan: the same options with -M), and which of its own
 * parts and of the system's libraries it would use (probe: with -### it says
 * what it would run).  The probe keeps only what chooses parts, so that one
 * answer serves nearly all commands of a build.
 */
#include <string.h>
#include "cc.h"
#include "link.h"

void cc_link(struct cc *k)
{
	static const char *const env_names[] = {
		"LIBRARY_PATH", "LD_RUN_PATH", "LDEMULATION", "GNUTARGET",
	};
	struct draft *d = k->d;
	struct link l = {
		.d = d,
		.is_static = k->is_static,
		.is_shared = k->is_shared,
		.is_relocatable = k->is_relocatable,
		.out = k->out ? k->out : "a.out",
	};
	struct strs args = { 0 };
	const char *bad;

	/* -Wl,@list reaches the linker as it stands. */
	if (!lists_expand(d->c->cwd, k->link.v, k->link.n, d->a, &args, &d->lists,
			  &bad))
		draft_refuse(d, "%s", bad);
	for (size_t i = 0; i < d->lists.n; i++)
		draft_read(d, d->lists.v[i], 0);
	for (size_t i = 0; i < sizeof env_names / sizeof *env_names; i++)
		draft_env(d, env_names[i]);
	if (link_args(&l, &args, draft_getenv(d, "LIBRARY_PATH")))
		draft_write(d, l.is_relocatable ? "object"
			       : l.is_shared ? "library" : "program", l.out,
			    l.is_relocatable ? 0 : WRITE_EXEC);
	for (size_t i = 0; i < l.needs.n; i++)
		strs_add(&k->needs, l.needs.v[i]);
	strs_release(&args);
	link_release(&l);
}

static void add_all(struct strs *to, const struct strs *from)
{
	for (size_t i = 0; i < from->n; i++)
		strs_add(to, from->v[i]);
}

static const char *lang_name(enum cc_lang lang)
{
	static const char *const names[LANGS] = {
		[LANG_C] = "c", [LANG_CXX] = "c++", [LANG_C_DONE] = "cpp-output",
		[LANG_CXX_DONE] = "c++-cpp-output", [LANG_ASM] = "assembler",
		[LANG_ASM_CPP] = "assembler-with-cpp",
	};

	return names[lang];
}

static void ask_scan(struct cc *k)
{
	const struct cc_source *s;
	size_t n, n_scanned = 0;
	bool is_said = false;

	s = cc_sources(k, &n);
	for (size_t i = 0; i < n; i++)
		n_scanned += cc_lang_is_scanned(s[i].lang);
	if (!n_scanned)
		return;
	strs_add(&k->d->scan, k->d->c->program);
	strs_add(&k->d->scan, "-M");
	add_all(&k->d->scan, &k->scan);
	for (size_t i = 0; i < n; i++) {
		if (!cc_lang_is_scanned(s[i].lang))
			continue;
		if (s[i].is_said || is_said) {
			strs_add(&k->d->scan, "-x");
			strs_add(&k->d->scan, s[i].is_said ? lang_name(s[i].lang)
							    : "none");
		}
		is_said = s[i].is_said;
		strs_add(&k->d->scan, s[i].path);
	}
}

static void ask_probe(struct cc *k)
{
	static const char *const modes[] = { ['c'] = "-c", ['S'] = "-S",
					     ['E'] = "-E", ['M'] = "-E" };
	struct strs *p = &k->d->probe;
	const struct cc_source *s;
	bool done[LANGS] = { false };
	size_t n;

	s = cc_sources(k, &n);
	strs_add(p, k->d->c->program);
	strs_add(p, "-###");
	add_all(p, &k->probe);
	if (k->mode)
		strs_add(p, modes[(unsigned char)k->mode]);
	for (size_t i = 0; i < n; i++) {
		if (done[s[i].lang])
			continue;
		done[s[i].lang] = true;
		strs_add(p, "-x");
		strs_add(p, lang_name(s[i].lang));
		strs_add(p, "/dev/null");
	}
	if (!n)
		strs_add(p, "/dev/null");
	if (!k->mode)
		add_all(p, &k->needs);
}

void cc_ask(struct cc *k)
{
	ask_scan(k);
	ask_probe(k);
}
