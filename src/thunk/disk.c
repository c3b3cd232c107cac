/* disk.c - what a failed call on the store's disk means
 *
 * The same few causes meet a user at every call that writes; each has one
 * text here, with its remedy.
 */
#include <errno.h>
#include <string.h>
#include "disk.h"

static const struct {
	int errnum;
	enum err_code code;
	const char *text;
} meanings[] = {
	{ ENOSPC, ERR_IO,
	  "no space left on this disk; free some, for example with gg gc" },
	{ EDQUOT, ERR_IO,
	  "the disk quota is used up; free some, for example with gg gc" },
	{ EFBIG, ERR_IO,
	  "a file may not grow that large here; see ulimit -f and the file system" },
	{ EROFS, ERR_REFUSED,
	  "the file system is read-only; "
	  "mount it for writing, or set GG_DIR to a folder elsewhere" },
	{ EACCES, ERR_REFUSED,
	  "permission denied; give yourself access (chmod, chown), "
	  "or set GG_DIR to a folder elsewhere" },
	{ EPERM, ERR_REFUSED,
	  "not permitted; give yourself access (chmod, chown), "
	  "or set GG_DIR to a folder elsewhere" },
	{ ENOENT, ERR_MISSING, "there is no such file" },
	{ EMFILE, ERR_IO, "too many open files; raise ulimit -n" },
	{ ENFILE, ERR_IO, "too many open files on this machine" },
	{ ENOMEM, ERR_IO,
	  "not enough memory or address space; see ulimit -v" },
};

int disk_fail(int errnum, const char *path, struct err *e)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].errnum == errnum)
			return err_set(e, meanings[i].code, "%s: %s", path,
				       meanings[i].text);
	return err_set(e, ERR_IO, "%s: %s", path, strerror(errnum));
}
