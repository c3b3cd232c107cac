/* zip.h - a zip archive that is the same bytes each time; zip.c
 *
 * Private to src/backends.  Few files in memory, deflated; no times, no owners.
 */
#ifndef GG_ZIP_H
#define GG_ZIP_H

#include "base.h"

struct zip_file {
	const char *name;
	struct bytes b;
	unsigned mode;                  /* 0755 */
};

/* Append the archive.  ERR_REFUSED beyond 4 GiB or 65,535 files. */
int zip_write(const struct zip_file *v, size_t n, struct buf *out, struct err *e);

#endif
