/* slurm_folder.c - what a run of gg keeps on the shared file system
 *
 * Who is dead is told by a lock, which falls with its holder on whatever host,
 * not by process ids.
 */
#include "slurm_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>
#include "file.h"
#include "slurm_jobs.h"

enum { SAID_MAX = 2000 };

static const char prefix[] = "gg-";

/* -1: somebody holds it, or there is no telling. */
static int lock(int dirfd, const char *path, int flags)
{
	int fd = openat(dirfd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int errnum = errno;

		close(fd);
		errno = errnum;
		return -1;
	}
	return fd;
}

static char *new_name(struct arena *a)
{
	char host[65] = "host";
	uint32_t dice = 0;

	gethostname(host, sizeof host - 1);
	host[strcspn(host, ".")] = 0;
	for (char *c = host; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *c))
			*c = '-';
	if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
		dice = (uint32_t)getppid();
	return arena_printf(a, "%s-%ld-%08x", host, (long)getpid(), dice);
}

/* Under another name until it is locked: who looks for dead ones sees it
 * only then. */
static int make(struct slurm_folder *f, const char *name, struct arena *a, struct err *e)
{
	const char *raw = arena_printf(a, "%s/.%s", f->above, name);
	int fd;

	if (dir_make(AT_FDCWD, f->above, e) < 0)
		return -1;
	if (mkdir(raw, 0700) < 0)
		return err_sys(e, "cannot make %s", raw);
	fd = open(raw, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open %s", raw);
	f->fd = fd;
	f->lock_fd = lock(fd, "lock", O_CREAT | O_EXCL);
	if (f->lock_fd < 0)
		return err_sys(e, "cannot lock %s/lock: the file system of dir= has to know locks",
			       raw);
	f->path = mem_str(arena_printf(a, "%s/%s", f->above, name));
	if (rename(raw, f->path) < 0)
		return err_sys(e, "cannot rename %s", raw);
	return 0;
}

int slurm_folder_open(struct slurm_folder *f, const char *dir, struct err *e)
{
	struct arena a = { 0 };
	char *name = new_name(&a);
	int rc;

	*f = (struct slurm_folder){ .fd = -1, .lock_fd = -1, .above = mem_str(dir) };
	f->job_name = mem_str(arena_printf(&a, "%s%s", prefix, name));
	rc = make(f, name, &a, e);
	arena_release(&a);
	if (rc < 0)
		slurm_folder_close(f, false);
	return rc;
}

void slurm_folder_close(struct slurm_folder *f, bool keep)
{
	struct err ignored;             /* the next gg tries again */

	if (f->path && !keep)
		dir_remove(AT_FDCWD, f->path, &ignored);
	if (f->lock_fd >= 0)
		close(f->lock_fd);
	if (f->fd >= 0)
		close(f->fd);
	free(f->above);
	free(f->path);
	free(f->job_name);
	*f = (struct slurm_folder){ .fd = -1, .lock_fd = -1 };
}

/* One word for the shell, whatever is in it. */
static void quote(struct buf *out, const char *word)
{
	buf_char(out, '\'');
	for (; *word; word++)
		if (*word == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *word);
	buf_char(out, '\'');
}

int slurm_folder_write(const struct slurm_folder *f, const struct ticket *t,
		       const struct strs *lines, const struct strs *command, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	ticket_write(t, &b);
	rc = file_write(f->fd, "ticket", buf_bytes(&b), 0600, 0, e);
	buf_reset(&b);
	buf_str(&b, "#!/bin/sh\n");
	for (size_t i = 0; i < lines->n; i++)
		buf_printf(&b, "#SBATCH %s\n", lines->v[i]);
	buf_str(&b, "exec");
	for (size_t i = 0; i < command->n; i++) {
		buf_char(&b, ' ');
		quote(&b, command->v[i]);
	}
	buf_str(&b, " --name \"slurm-$SLURM_ARRAY_JOB_ID-$SLURM_ARRAY_TASK_ID\"\n");
	if (rc == 0)
		rc = file_write(f->fd, "job", buf_bytes(&b), 0700, 0, e);
	buf_release(&b);
	return rc < 0 ? err_wrap(e, "%s", f->path) : 0;
}

void slurm_folder_dead(const struct slurm_folder *f, struct arena *a, struct strs *out)
{
	DIR *d = opendir(f->above);
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		int fd;

		if (ent->d_name[0] == '.')
			continue;
		fd = lock(dirfd(d), arena_printf(a, "%s/lock", ent->d_name), 0);
		if (fd < 0)
			continue;
		strs_add(out, arena_printf(a, "%s%s", prefix, ent->d_name));
		close(fd);
	}
	if (d)
		closedir(d);
}

void slurm_folder_remove(const struct slurm_folder *f, const char *job_name)
{
	struct arena a = { 0 };
	struct err ignored;             /* the next gg tries again */

	dir_remove(AT_FDCWD, arena_printf(&a, "%s/%s", f->above,
					  job_name + sizeof prefix - 1), &ignored);
	arena_release(&a);
}

const char *slurm_folder_said(const struct slurm_folder *f, uint64_t job, uint32_t task,
			      struct arena *a)
{
	const char *name = arena_printf(a, "%llu_%u", (unsigned long long)job, task);
	char text[SAID_MAX];
	int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *said = "";
	off_t size;

	if (fd < 0)
		return said;
	size = lseek(fd, 0, SEEK_END);
	if (size > SAID_MAX)
		size -= SAID_MAX;
	else
		size = 0;
	if (lseek(fd, size, SEEK_SET) >= 0) {
		ssize_t n = file_read_fd(fd, text, sizeof text);

		if (n > 0)
			said = slurm_last_line((struct bytes){ text, (size_t)n }, a);
	}
	close(fd);
	return said;
}
