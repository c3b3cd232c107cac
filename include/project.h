/* project.h - where a project is, and what is inside it; src/thunk/project.c
 *
 * A project is the folder that holds .gg.  Paths of the project are plain
 * paths relative to its root ("." is the root itself); anything else is
 * absolute and outside.
 */
#ifndef GG_PROJECT_H
#define GG_PROJECT_H

#include "base.h"

#define PROJECT_DIR ".gg"
#define MODELS_FILE "gg.models"

struct project {
	char *root;             /* real absolute path, no trailing slash */
	char *store_dir;        /* absolute path of .gg */
	int root_fd;
	struct trade *trade;    /* trade.c's own */
	struct litter *litter;  /* litter.c's own */
	struct undo *undo;      /* undo.h; or NULL */
};

/* Find the project that holds cwd by walking up to a folder with .gg; when
 * store_dir (GG_DIR) is not NULL it is the store, and the root is its parent
 * if it is called .gg, else cwd.  ERR_MISSING: no project above cwd. */
int project_open(const char *cwd, const char *store_dir, struct project *out,
		 struct err *e);
void project_close(struct project *p);

/* The real path that `path`, seen from cwd, names: symlinks in all but the
 * last part are followed (in the last one too if a slash follows it), and what
 * does not exist is taken as text.  cwd is real, as getcwd(3) gives it.  Then
 * *inside says whether it is in the project, and the string from a is plain
 * (or ".") when it is and absolute when not.  One readlink for each folder of
 * path, none for a name alone. */
const char *project_path(const struct project *p, struct arena *a,
			 const char *cwd, const char *path, bool *inside);

#endif
