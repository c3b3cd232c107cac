/* cc.h - built-in models of the GNU C compilers and of clang
 *
 * cc.c (arguments to what is read and written), cc_options.c (the table of
 * options), cc_link.c (linking, and what is asked of the compiler itself).
 */
#ifndef GG_CC_H
#define GG_CC_H

#include "builtin.h"
#include "draft.h"

/* As struct builtin's bind. */
enum match cc_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why);
enum match clang_bind(const struct command *c, struct arena *a,
		      struct binding *out, struct buf *why);

enum cc_act {
	CC_PASS,        /* concerns no file that -M does not name */
	CC_REFUSE,
	CC_MODE,        /* -c -S -E */
	CC_ONLY_DEPS,   /* -M -MM */
	CC_OUT,
	CC_LANG,
	CC_INCLUDE,     /* a file to read, before the source */
	CC_SPECS,
	CC_PREFIX,      /* a folder that the compiler takes parts from */
	CC_DEPS,        /* -MD -MMD */
	CC_DEPS_FILE,   /* -MF */
	CC_WP,
	CC_WA,
	CC_XASM,
	CC_WL,
	CC_XLINKER,
	CC_LINK,        /* handed to the linker as it stands */
	CC_STATIC,
	CC_SHARED,
	CC_RELOCATABLE,
	CC_DEBUG,       /* the folder it works in enters the output */
	CC_NO_DEBUG,
	CC_PREFIX_MAP,  /* ... unless this takes it out */
	CC_COVERAGE,    /* .gcno */
	CC_PROFILE,     /* the folder enters the output, mapped or not */
	CC_STACK,       /* .su */
	CC_SPLIT,       /* .dwo */
	CC_LTO,
	CC_ACTS
};

/* Flags of a row: the option is kept in the scan, in the probe. */
enum { CC_SCAN = 1, CC_PROBE = 2 };

extern const struct opt cc_options[];

enum cc_lang {
	LANG_LINK,      /* an object, library or script: for the linker */
	LANG_C,
	LANG_CXX,
	LANG_C_DONE,    /* already preprocessed */
	LANG_CXX_DONE,
	LANG_ASM,
	LANG_ASM_CPP,
	LANG_OTHER,     /* one that is not modelled */
	LANGS
};

struct cc_source {
	const char *path;
	enum cc_lang lang;
	bool is_said;           /* by -x, not by its suffix */
};

struct cc {
	struct draft *d;
	bool is_clang;
	char mode;              /* c S E M, or 0: link */
	const char *out, *deps_file;
	const char *object;     /* an input that only the linker reads */
	enum cc_lang lang;      /* of -x, while lang_said */
	bool lang_said, wants_deps, has_debug, has_profile, has_coverage, has_stack,
		has_split, has_lto, has_no_debug;
	bool is_static, is_shared, is_relocatable;
	struct buf sources;     /* of struct cc_source */
	struct strs link, maps, scan, probe;
	struct strs needs;      /* what the link asks of the probe */
};

const struct cc_source *cc_sources(const struct cc *k, size_t *n);
/* Does the preprocessor see this language? */
bool cc_lang_is_scanned(enum cc_lang lang);

/* The linker's part of k, and its output. */
void cc_link(struct cc *k);
/* The commands that ask the compiler what else it reads. */
void cc_ask(struct cc *k);

#endif
