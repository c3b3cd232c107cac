/* output.c - files that people name with -o: whole or not at all, for whom the umask
 * says; a device or a pipe stays what it is
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"

static int write_through(const char *file, struct bytes b, struct err *e)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC), failed;

	if (fd < 0)
		return err_sys(e, "cannot open %s", file);
	failed = file_write_fd(fd, b.p, b.n) < 0;
	if (failed)
		err_sys(e, "cannot write %s", file);
	if (close(fd) < 0 && !failed)
		failed = err_sys(e, "cannot write %s", file);
	return failed ? -1 : 0;
}

int output_write(const char *file, struct bytes b, struct err *e)
{
	struct stat st;

	if (strcmp(file, "-") == 0) {
		fwrite(b.p, 1, b.n, stdout);
		return 0;
	}
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return write_through(file, b, e);
	return file_write(AT_FDCWD, file, b, 0666, FILE_USUAL, e);
}
