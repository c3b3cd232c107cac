/* work.h - the folder in which one gg keeps its cells' folders
 *
 * Private to src/backends; work.c.
 */
#ifndef GG_WORK_H
#define GG_WORK_H

#include "base.h"

struct work_folder {
	char *path;             /* .../work/PID-N; NULL: not made yet */
	char *above;
	int fd;                 /* locked while this process lives */
};

/* Remove what dead processes left under store_dir/work, and make a folder
 * that this process holds. */
int work_folder_open(struct work_folder *w, const char *store_dir, struct err *e);
void work_folder_close(struct work_folder *w);
/* The path of a cell's own folder, in a.  The cell makes and removes it. */
const char *work_folder_cell(const struct work_folder *w, unsigned number,
			     struct arena *a);
/* A cell that was killed left it. */
void work_folder_remove_cell(const struct work_folder *w, unsigned number);

#endif
