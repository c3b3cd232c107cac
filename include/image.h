/* image.h - closures and the worker as an OCI image, in one archive
 *
 * src/exec/image.c (the archive), image_files.c (what is in it), layers.c (in
 * which layer), image_worker.c (gg itself), squeeze.c (a layer's bytes, hashed
 * and compressed on their way), tar.c, oci.c (the JSON).
 *
 * The archive is a tar of an OCI image layout.  The same closures, the same
 * gg and the same way to compress give the same bytes: times are 1970, owners
 * are root, everything has an order, and the compressor's cut does not depend
 * on the number of cores.
 */
#ifndef GG_IMAGE_H
#define GG_IMAGE_H

#include "store.h"

enum image_squeeze { IMAGE_ZSTD, IMAGE_GZIP };

struct image_opts {
	struct store *store;
	const struct id *closures;
	size_t n_closures;
	const char *self;               /* the program that becomes the worker */
	const char *const *opened;      /* libraries that it opens by itself,
					 * NULL at the end; or NULL */
	enum image_squeeze squeeze;
	unsigned n_threads;             /* to compress; 0: all there are */
	const char *name;               /* NAME:TAG in the index; may be NULL */
};

/* A blob of the image, and where its bytes are in the archive. */
struct image_blob {
	struct id id;                   /* sha256 of its bytes as they are */
	uint64_t offset, n_bytes;
	const char *type;               /* media type */
	struct id raw_id;               /* of a layer: before compressing */
	uint64_t raw_bytes;
	const char *what;               /* of a layer: what is in it, in words */
};

struct image {
	struct image_blob *blobs;       /* layers, then the config */
	size_t n;
	struct image_blob manifest;
	struct bytes manifest_text;
};

/* Where the worker is in an image, the list of the closures it satisfies, one
 * name on each line, and their trees' texts with an empty line between. */
#define IMAGE_WORKER "/opt/gg/gg"
#define IMAGE_CLOSURES "/opt/gg/closures"
#define IMAGE_TREES "/opt/gg/trees"

/* Write the archive to fd, an empty regular file; *out lives in a.
 * ERR_MISSING: a closure or a file of one is gone.  ERR_REFUSED: two closures
 * hold different files at one path.  ERR_RETRY: a file changed meanwhile. */
int image_write(const struct image_opts *o, int fd, struct arena *a,
		struct image *out, struct err *e);

#endif
