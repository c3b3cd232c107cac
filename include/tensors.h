/* tensors.h - named arrays in a file; src/kernels/safetensors.c
 *
 * The safetensors format: eight bytes of little-endian length, that many bytes
 * of JSON that name each tensor's type, shape and place, then the bytes.  What is
 * written here begins its data at a multiple of 64 and has exactly one spelling,
 * so that equal tensors are equal files.
 */
#ifndef GG_TENSORS_H
#define GG_TENSORS_H

#include "base.h"

enum dtype { DT_F32, DT_F64, DT_U8, DT_I32, DT_I64, DT_BOOL, DT_COUNT };
size_t dtype_bytes(enum dtype t);

struct tensor {
	const char *name;
	enum dtype type;
	size_t dims[8], n_dims;
	const void *data;
	size_t n;               /* elements */
};

/* A word about the whole: name and value are text. */
struct remark {
	const char *name, *value;
};

struct tensors {
	struct arena a;
	struct tensor *v;       /* in order of name */
	struct remark *remarks;
	size_t n, n_remarks;
	void *map;
	size_t map_bytes;
	const char *path;       /* for messages */
};

/* Map the file at path; *out is the caller's until tensors_close().  Everything
 * in the header is checked against the file.  ERR_MISSING, ERR_IO, ERR_BAD with
 * what is wrong. */
int tensors_open(const char *path, struct tensors *out, struct err *e);
/* The same of bytes that outlive *out. */
int tensors_read(struct bytes file, const char *path, struct tensors *out, struct err *e);
void tensors_close(struct tensors *t);
/* The tensor called so; ERR_MISSING. */
const struct tensor *tensors_find(const struct tensors *t, const char *name);
const char *tensors_remark(const struct tensors *t, const char *name);
/* The same, of that type and (n_dims > 0) that many dimensions: ERR_BAD. */
const struct tensor *tensors_want(const struct tensors *t, const char *name,
				  enum dtype type, size_t n_dims, struct err *e);

/* Write a file that appears whole or not at all.  Tensors and remarks in any
 * order. */
int tensors_write(const char *path, const struct tensor *v, size_t n,
		  const struct remark *remarks, size_t n_remarks, struct err *e);

#endif
