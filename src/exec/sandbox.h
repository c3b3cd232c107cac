/* sandbox.h - the walls of a cell and the folders behind them
 *
 * Private to src/exec.  sandbox.c (namespaces), view.c (mounts), jail.c (a
 * closure as the program's root).
 */
#ifndef GG_SANDBOX_H
#define GG_SANDBOX_H

#include <sys/types.h>
#include "cell.h"

enum { TMP_TMP, TMP_VAR };

/* "Original" descriptors were opened before the walls stood and go through
 * the mounts as they were: they may write, and rename from one to another.
 * "Seen" ones go through the cell's own mounts; -1 where it has none. */
struct sandbox {
	const char *project;            /* absolute path of the project's root */
	const char *store_dir, *work_dir;
	const char *seen_root;          /* where a program finds the root */
	const char *tmp;                /* where a program finds TMPDIR */
	bool uses_network, uses_gpus;
	const char *closure;            /* in hex: the program's whole root */
	int closure_root;               /* its folder, as seen */
	unsigned walls;                 /* that stand */
	char why[256];                  /* not all of them; else "" */
	int work, root, tmps[2], objects, real_project; /* original */
	int proc;                       /* likewise; -1: there is none */
	int seen_root_fd, seen_objects, seen_work, shm;
	int jail;                       /* where the program's root is; or -1 */
	char *jail_path;                /* as the cell sees it */
	unsigned n_jails;
};

/* Make and open the folders of a cell; project and uses_network are set. */
int sandbox_open(struct sandbox *b, const char *store_dir, const char *work_dir,
		 struct err *e);
/* Go behind as many walls as this machine permits and call inside() there.
 * This process waits outside and returns what inside() returned, 128 +
 * signal if that was killed, -1 if there could be none. */
int sandbox_enter(struct sandbox *b, int (*inside)(void *arg), void *arg,
		  struct err *e);
/* End every process that descends from this one, and wait for them.  group is
 * the process group of the program. */
void sandbox_kill_all(const struct sandbox *b, pid_t group);

/* Arrange the file system that the inside sees, as b->walls permits. */
int view_make(struct sandbox *b, struct err *e);
/* Bind what fd (seen) is over path below dirfd (or an absolute path), for
 * reading only.  -1 with errno. */
int view_bind(int fd, int dirfd, const char *path);

#define JAIL_EVEN "jail0"
#define JAIL_ODD "jail1"

/* Arrange the closure as a root, after the view, with these files of the cell
 * (seen) at absolute paths besides; in the place of an arrangement before. */
struct jail_file {
	const char *path;
	int fd;
};
int jail_make(struct sandbox *b, const struct jail_file *files, size_t n,
	      struct err *e);
/* Open for reading what an absolute path leads the program to. */
int jail_open(const struct sandbox *b, const char *path);

/* The name by which system calls that want a path find what fd is. */
struct fd_path {
	char s[40];
};
struct fd_path fd_path(int fd);

#endif
