/* formats.h - examples as other programs keep them
 *
 * src/kernels/idx.c, npy.c (arrays), csv.c, libsvm.c (tables), gzip.c.  Each reads
 * bytes that are all there and believes nothing in them; a message names the
 * file and the line or offset.
 */
#ifndef GG_FORMATS_H
#define GG_FORMATS_H

#include "tensors.h"

/* If b is gzip'ed, *out is what it holds, from a (limit_bytes at most); else b
 * itself.  ERR_BAD. */
int gzip_open(struct bytes b, const char *path, size_t limit_bytes, struct arena *a,
	      struct bytes *out, struct err *e);

/* IDX, the format of MNIST: big-endian; unsigned bytes, ints or floats.  The
 * tensor's data lies in a or in b. */
bool idx_is(struct bytes b);
int idx_read(struct bytes b, const char *path, struct arena *a, struct tensor *out,
	     struct err *e);
/* NumPy's npy, versions 1 to 3, C order, little-endian or bytes. */
bool npy_is(struct bytes b);
int npy_read(struct bytes b, const char *path, struct arena *a, struct tensor *out,
	     struct err *e);

/* Examples of a text file: n x features, and a number or a class each. */
struct table {
	float *x, *y;           /* from a; y NULL: there was no such column */
	size_t n, features;
	const char **names;     /* of classes that were words, in order of first
				 * appearance; y holds their numbers */
	size_t n_names;
};

struct csv_opts {
	const char *label;      /* a column's name or number from 1, "first",
				 * "last", or NULL: none */
	bool has_header;        /* or seen by the first line being no numbers */
	unsigned hash_bits;     /* words of other columns go to one of 2^bits
				 * features (hashing trick); 0: refused */
	bool one_hot;           /* they become one feature for each word */
	bool wants_targets;     /* labels that are words are refused */
};
/* Parted by commas, semicolons or tabs: what the first line has most of. */
int csv_read(struct bytes b, const char *path, const struct csv_opts *o,
	     struct arena *a, struct table *out, struct err *e);
/* Does its first line but comments and bare labels begin with LABEL WORD:? */
bool libsvm_is(struct bytes b);
/* LABEL INDEX:VALUE...; indices from 1, rising; features 0: the largest seen. */
int libsvm_read(struct bytes b, const char *path, size_t features, struct arena *a,
		struct table *out, struct err *e);

#endif
