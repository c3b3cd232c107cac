/* image_private.h - what the parts of image.h share; private to src/exec */
#ifndef GG_IMAGE_PRIVATE_H
#define GG_IMAGE_PRIVATE_H

#include "image.h"

/* ---- tar.c: the headers of a ustar archive with what pax adds */

enum { TAR_BLOCK = 512 };

struct tar_entry {
	const char *path;               /* a folder's ends in a slash */
	char type;                      /* '0' file, '2' link, '5' folder */
	unsigned mode;
	uint64_t n_bytes;
	const char *target;
};
/* Append the blocks that come before the entry's bytes, what pads them, and
 * the end of the archive. */
void tar_header(const struct tar_entry *t, struct buf *out);
void tar_pad(uint64_t n_bytes, struct buf *out);
void tar_end(struct buf *out);

/* ---- squeeze.c: bytes in, compressed bytes to a file, both named */

struct squeeze;
struct squeeze *squeeze_new(enum image_squeeze kind, unsigned n_threads);
void squeeze_free(struct squeeze *s);
/* Begin one stream, written to fd at its offset; after squeeze_end() fills
 * id, n_bytes, raw_id and raw_bytes another may begin. */
void squeeze_begin(struct squeeze *s, int fd);
int squeeze_add(struct squeeze *s, const void *p, size_t n, struct err *e);
int squeeze_end(struct squeeze *s, struct image_blob *out, struct err *e);
/* The ending of a layer's media type. */
const char *squeeze_suffix(enum image_squeeze kind);

/* ---- chunks.c: zstd by several threads */

struct chunks;
/* Where compressed bytes go; called by the thread that calls chunks_add(). */
struct chunks_to {
	int (*put)(void *arg, const void *p, size_t n, struct err *e);
	void *arg;
};
struct chunks *chunks_new(unsigned n_threads);
void chunks_free(struct chunks *k);
/* Bytes of a stream, and its end, after which another may begin. */
int chunks_add(struct chunks *k, const char *p, size_t n, struct chunks_to *to,
	       struct err *e);
int chunks_end(struct chunks *k, struct chunks_to *to, struct err *e);
/* Forget a stream that failed. */
void chunks_drop(struct chunks *k);

/* ---- image_files.c */

enum image_kind { IMAGE_DIR, IMAGE_FILE, IMAGE_LINK };

/* One thing in the image. */
struct image_file {
	const char *path;               /* without the slash in front */
	enum image_kind kind;
	unsigned mode;
	const char *target;             /* of a link */
	uint64_t n_bytes;
	struct id id;                   /* of a closure's file */
	struct bytes text;              /* a file's bytes, when p is not NULL */
	const char *host;               /* or the file that has them, or NULL */
	unsigned layer;
};

/* In order of path. */
struct image_files {
	struct image_file *v;
	size_t n, room;
	struct arena *a;
};
struct image_file *image_files_add(struct image_files *fs, const char *path,
				   enum image_kind kind);
/* Their texts: what the worker is to know of the closures. */
struct image_trees {
	struct map seen;
	struct buf text;
};
/* All that is in the image. */
int image_files_make(struct image_files *fs, const struct image_opts *o,
		     struct err *e);
/* Those of gg itself, below IMAGE_WORKER's folder. */
int image_worker_add(struct image_files *fs, const struct image_opts *o,
		     struct bytes trees, struct err *e);

/* ---- layers.c */

struct image_layer {
	const char *what;
	uint64_t n_bytes;
};
/* Give each file its layer; the layers in order, in fs->a. */
struct image_layer *layers_make(struct image_files *fs, size_t *n);

/* ---- oci.c: texts of the format, in a */

struct bytes oci_config(const struct image *m, const struct image_opts *o,
			struct arena *a);
struct bytes oci_manifest(const struct image *m, struct arena *a);
struct bytes oci_index(const struct image *m, const char *name, struct arena *a);

#define OCI_CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"
#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX_TYPE "application/vnd.oci.image.index.v1+json"

#endif
