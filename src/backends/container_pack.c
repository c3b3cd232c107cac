/* container_pack.c - closures into an image archive, in a process of its own
 *
 * Reading, hashing and compressing a gigabyte takes seconds in which the loop
 * must go on.
 */
#include "container.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "image.h"

enum { FIRST_CLOSURE = 7, SAID_FD = 3 };

static int pack(int argc, char **argv, struct store *s, struct err *e)
{
	const char *opened[] = { *argv[6] ? argv[6] : NULL, NULL };
	struct image_opts o = { .store = s, .name = argv[3], .self = argv[5],
				.opened = opened };
	struct id *closures = mem_alloc((size_t)argc * sizeof *closures);
	struct arena a = { 0 };
	struct image ignored;
	int fd, rc;

	o.squeeze = strcmp(argv[4], "gzip") == 0 ? IMAGE_GZIP : IMAGE_ZSTD;
	o.closures = closures;
	for (int i = FIRST_CLOSURE; i < argc; i++)
		if (!id_parse(bytes_str(argv[i]), &closures[o.n_closures++])) {
			free(closures);
			return err_set(e, ERR_BAD, "%s is no name of a closure", argv[i]);
		}
	fd = open(argv[2], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	rc = fd < 0 ? err_sys(e, "cannot write %s", argv[2]) :
		image_write(&o, fd, &a, &ignored, e);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = err_sys(e, "writing %s", argv[2]);
	arena_release(&a);
	free(closures);
	return rc;
}

int container_pack_main(int argc, char **argv)
{
	struct store *s = NULL;
	struct err e, late;
	int rc;

	if (argc <= FIRST_CLOSURE)
		return 2;
	rc = store_open(argv[1], 0, &s, &e);
	if (rc == 0)
		rc = pack(argc, argv, s, &e);
	if (s && store_close(s, &late) < 0 && rc == 0) {
		e = late;
		rc = -1;
	}
	if (rc < 0)
		file_write_fd(SAID_FD, e.text, strlen(e.text));
	return rc < 0;
}
