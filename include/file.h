/* file.h - files that appear whole, folders that go whole, clean paths;
 * src/file.c, dir.c, path.c, handover.c (descriptors between processes)
 *
 * Every path is relative to dirfd unless it is absolute.
 */
#ifndef GG_FILE_H
#define GG_FILE_H

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base.h"

/* Read all of a file into a, at most limit_bytes of it (ERR_REFUSED if it
 * holds more).  ERR_MISSING if it is not there, ERR_IO otherwise. */
int file_read(int dirfd, const char *path, size_t limit_bytes, struct arena *a,
	      struct bytes *out, struct err *e);

/* Write a file that appears whole, with exactly this mode: a temporary
 * beside it, then a rename; no folder is made.
 * FILE_SYNC also waits for the disk, file and folder; FILE_USUAL takes from the mode
 * what the umask says.  ERR_IO. */
enum { FILE_SYNC = 1, FILE_USUAL = 2 };
int file_write(int dirfd, const char *path, struct bytes b, mode_t mode,
	       unsigned flags, struct err *e);

/* The same where a person said that it is to go: the mode is the umask's, what a link
 * there leads to is replaced, and a device or a pipe is written into. */
int file_put(const char *path, struct bytes b, unsigned flags, struct err *e);

/* Write or read all of n bytes on fd; EINTR is seen to.  file_read_fd gives
 * the count, less than n only at the end, or -1 with errno. */
int file_write_fd(int fd, const void *p, size_t n);
ssize_t file_read_fd(int fd, void *p, size_t n);

/* Send n bytes as one message, and fd with it if it is not -1: 0, or -1 with
 * errno.  Receive one: how many bytes came, 0 at the end, -1 with errno; *fd is
 * the caller's, or -1. */
int fd_send(int sock, const void *p, size_t n, int fd);
ssize_t fd_receive(int sock, void *p, size_t n, int flags, int *fd);

/* What stands behind "#!" in the first line of an executable script, in line,
 * cut at room.  false if it is no script or cannot be read. */
bool file_shebang(const char *path, char *line, size_t room);

/* Copy all of in to out, which is empty, holes kept, in the kernel where it
 * can: reflink, copy_file_range, else read and write.  in's offset is left
 * alone unless it is a pipe or the like.  ERR_IO. */
int file_copy_fd(int in, int out, struct err *e);

/* Make a folder and those above it; that it is there already is fine. */
int dir_make(int dirfd, const char *path, struct err *e);
/* The same for all folders above path. */
int dir_make_above(int dirfd, const char *path, struct err *e);

/* The names in a folder; flags may add O_NOFOLLOW.  NULL with errno set. */
DIR *dir_names(int dirfd, const char *path, int flags);
/* The next of them but "." and ".."; NULL at the end with errno 0, or else with
 * what went wrong. */
struct dirent *dir_next(DIR *d);

/* Remove a file or a whole folder, however deep, and with read-only folders
 * in it; symlinks are not followed.  That it is absent is fine. */
int dir_remove(int dirfd, const char *path, struct err *e);

/* Join and tidy by text alone: "." and empty parts go, ".." takes one part
 * away and never climbs above "/".  cwd is absolute; so is what comes back,
 * from a. */
char *path_clean(struct arena *a, const char *cwd, const char *path);

/* A path that a thunk may hold: relative, no empty, "." or ".." part, no
 * trailing slash, under 4,096 bytes.  "." alone is not plain. */
bool path_is_plain(const char *path);

/* Is path the folder dir or something below it (both clean)?  dir "/" holds
 * every absolute path, "." every plain one. */
bool path_is_below(const char *dir, const char *path);

/* The last part of path; path itself when it has no slash. */
const char *path_base(const char *path);

#endif
