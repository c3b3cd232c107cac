/* slurm_folder.h - what a run of gg keeps on the shared file system
 *
 *     DIR/HOST-PID-HEX/lock       held while this gg lives
 *                      ticket     how to find it, 0600
 *                      job        the script of its jobs, 0700
 *                      JOB_TASK   what each worker printed
 *
 * Its jobs are called gg-HOST-PID-HEX.  Private to src/backends;
 * slurm_folder.c.
 */
#ifndef GG_SLURM_FOLDER_H
#define GG_SLURM_FOLDER_H

#include "base.h"
#include "ticket.h"

struct slurm_folder {
	char *above, *path, *job_name;
	int fd, lock_fd;
};

int slurm_folder_open(struct slurm_folder *f, const char *dir, struct err *e);
/* Remove it.  With keep its lock falls and the next gg sees to it. */
void slurm_folder_close(struct slurm_folder *f, bool keep);

/* Write the ticket and the script: `lines` stand as #SBATCH lines, then
 * program is run with args after it. */
int slurm_folder_write(const struct slurm_folder *f, const struct ticket *t,
		       const struct strs *lines, const struct strs *command, struct err *e);

/* Names of folders whose gg is dead, as their jobs are called; in a. */
void slurm_folder_dead(const struct slurm_folder *f, struct arena *a, struct strs *out);
/* Remove one of these, once its jobs are cancelled. */
void slurm_folder_remove(const struct slurm_folder *f, const char *job_name);

/* The end of what a worker printed, in one line; "" if nothing. */
const char *slurm_folder_said(const struct slurm_folder *f, uint64_t job, uint32_t task,
			      struct arena *a);

#endif
