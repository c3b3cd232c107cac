/* ptx_read.h - what the parts of the reader share; private to them */
#ifndef GG_PTX_READ_H
#define GG_PTX_READ_H

#include "machine.h"

struct token {
	const char *s;
	size_t n;
	uint32_t line;
};

struct reader {
	const char *at;
	uint32_t line;
	struct token now;       /* not yet taken; empty: the end */
	struct fault *fault;
};

/* The first word is looked at; the next is taken, or taken if it is s, or must be. */
void ptx_begin(struct reader *r);
struct token ptx_take(struct reader *r);
bool ptx_took(struct reader *r, const char *s);
int ptx_want(struct reader *r, const char *s);
int ptx_number(struct reader *r, uint32_t *out);

enum { DATA_MAX = 8 };

/* An instruction in words: [@[!]guard] name data, [address + offset]; */
struct statement {
	struct token name, guard, data[DATA_MAX], address;
	size_t n_data;
	int64_t offset;
	bool is_guarded, guard_is_not, has_address;
};

/* %r<140>: 140 registers of four bytes. */
struct family {
	struct token prefix;
	uint32_t size, count, at;
	bool is_single;
};

/* A name that stands for a place: in the parameters, in shared or local memory;
 * of a label or a branch, among the instructions. */
struct symbol {
	struct token name;
	uint32_t value;
};

struct builder {
	struct kernel *k;
	struct fault *fault;
	struct family *families;
	struct symbol *symbols, *labels, *jumps;
	size_t n_families, n_symbols, n_labels, n_jumps;
};

/* p with room for one more than n. */
void *grown(void *p, size_t n, size_t size);
bool token_is(const struct token *t, const char *s);
int at_line(struct fault *f, const struct token *t, const char *what);

/* Add the instruction; labels are still unknown. */
int build(struct builder *b, const struct statement *s);
/* Where branches go, now that all labels are known. */
int build_targets(struct builder *b);

#endif
