/* open.c - what a command needs, opened before it and closed after it */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "http.h"

enum { MODELS_MAX = 16 << 20 };

static const char *lock_path(struct ctx *c)
{
	return arena_printf(&c->arena, "%s/lock", c->project.store_dir);
}

static int share_lock(struct ctx *c, struct err *e)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(c->lock_fd, F_OFD_SETLKW, &l) < 0)
		return err_sys(e, "cannot lock %s", lock_path(c));
	return 0;
}

/* Any number of commands share a store; gc has it alone.  Who finds nobody
 * else there (*is_first) clears away what killed ones have left. */
static int lock(struct ctx *c, bool alone, bool *is_first, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const char *path = lock_path(c);

	*is_first = false;
	c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (c->lock_fd < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING, "%s: there is no store, as GG_DIR says; gg init DIR "
			       "makes DIR/.gg, which it can name", c->project.store_dir);
	if (c->lock_fd < 0)
		return errno == EROFS || errno == EACCES ? 0 :
		       err_sys(e, "cannot open %s", path);
	if (fcntl(c->lock_fd, F_OFD_SETLK, &l) == 0) {
		litter_sweep(&c->project);
		*is_first = true;
		return 0;
	}
	if (alone)
		return err_set(e, ERR_REFUSED,
			       "another gg is using %s; try again when it has ended",
			       c->project.store_dir);
	return share_lock(c, e);
}

/* Those that only look can do so in a store that cannot be written.  One that
 * another is just making, or was killed making, is made. */
static int open_store(struct ctx *c, unsigned needs, bool is_first, struct err *e)
{
	unsigned flags = needs & MAKES_STORE && !getenv("GG_DIR") ? STORE_CREATE : 0;
	struct err ignored;

	damage_watch(c->project.store_dir);
	if (store_open(c->project.store_dir, flags, &c->store, e) == 0)
		return is_first ? litter_sweep_after_start(c->store, &c->project, e) : 0;
	if ((needs & (NEED_EXEC | ALONE)) || (e->code != ERR_IO && e->code != ERR_REFUSED))
		return -1;
	return store_open(c->project.store_dir, STORE_READ_ONLY, &c->store, &ignored);
}

static int open_models(struct ctx *c, struct err *e)
{
	if (file_read(c->project.root_fd, MODELS_FILE, MODELS_MAX, &c->arena,
		      &c->models_text, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
		c->models_text = (struct bytes){ 0 };
	}
	if (models_new(c->models_text, MODELS_FILE, &c->models, e) == 0)
		return c->o.no_learn ? 0 : learned_load(c, e);
	if (e->code == ERR_BAD)
		e->code = ERR_USAGE;
	return -1;
}

static char *self_path(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n < 0)
		return mem_str("gg");
	path[n] = 0;
	return mem_str(path);
}

/* An empty store in the folder; version control is told to leave it alone. */
static int make_store(const char *path, struct err *e)
{
	static const char ignored[] = "*\n";
	struct store *s;
	int fd;

	if (dir_make(AT_FDCWD, path, e) < 0 || store_open(path, STORE_CREATE, &s, e) < 0 ||
	    store_close(s, e) < 0)
		return -1;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open %s", path);
	if (file_write(fd, ".gitignore", bytes_str(ignored), 0644, 0, e) < 0) {
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* A script that is run where no project is makes one of the folder. */
static int find_project(struct ctx *c, unsigned needs, struct err *e)
{
	const char *given = getenv("GG_DIR");
	struct err missing;

	if (project_open(c->cwd, given, &c->project, e) == 0)
		return 0;
	if (e->code != ERR_MISSING || given || !(needs & MAKES_STORE))
		return -1;
	missing = *e;
	if (make_store(arena_printf(&c->arena, "%s/%s", c->cwd, PROJECT_DIR), e) < 0) {
		*e = missing;
		return -1;
	}
	note("made %s/%s: this folder is a gg project now", c->cwd, PROJECT_DIR);
	return project_open(c->cwd, given, &c->project, e);
}

int ctx_open(struct ctx *c, unsigned needs, struct err *e)
{
	bool is_first;

	c->cwd = getcwd(NULL, 0);
	if (!c->cwd)
		return err_sys(e, "cannot tell the current folder");
	c->self = self_path();
	c->has_color = isatty(2) && !getenv("NO_COLOR");
	if (!(needs & NEED_STORE))
		return 0;
	if (find_project(c, needs, e) < 0 || lock(c, needs & ALONE, &is_first, e) < 0 ||
	    open_store(c, needs, is_first, e) < 0)
		return -1;
	if (is_first && !(needs & ALONE) && share_lock(c, e) < 0)
		return -1;
	if ((needs & NEED_MODELS) && open_models(c, e) < 0)
		return -1;
	if (!(needs & (NEED_EXEC | NEED_REMOTES)))
		return 0;
	if (loop_new(&c->loop, e) < 0 || remotes_open(c, e) < 0)
		return -1;
	if (!(needs & NEED_EXEC))
		return 0;
	return engines_open(c, e);
}

int ctx_close(struct ctx *c, struct err *e)
{
	int rc = 0;

	engines_close(c);
	exec_free(c->exec);
	remotes_close(c);
	http_free(c->http);
	loop_free(c->loop);
	models_free(c->models);
	if (c->store)
		rc = store_close(c->store, e);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	project_close(&c->project);
	strs_release(&c->o.engines);
	strs_release(&c->o.remotes);
	arena_release(&c->arena);
	free(c->cwd);
	free(c->self);
	return rc;
}

int cmd_init(struct ctx *c, int argc, char **argv, struct err *e)
{
	const char *dir = argc ? argv[0] : ".";
	char *path = arena_printf(&c->arena, "%s/%s", dir, PROJECT_DIR);
	bool was_there = access(path, F_OK) == 0;

	if (argc > 1)
		return err_set(e, ERR_USAGE, "gg init takes one folder");
	if (make_store(path, e) < 0)
		return -1;
	printf("%s: %s\n", path, was_there ? "is there already" : "made");
	return EXIT_FINE;
}

int cmd_cell(struct ctx *c, int argc, char **argv, struct err *e)
{
	(void)c;
	(void)e;
	return cell_main(argc - 1, argv + 1);
}
