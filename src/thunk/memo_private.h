/* memo_private.h - an inference while it is noted
 *
 * memo.c notes, memo_save.c says at the end what is to be remembered.
 */
#ifndef GG_MEMO_PRIVATE_H
#define GG_MEMO_PRIVATE_H

#include <pthread.h>
#include "memo_record.h"

/* One path. */
struct seen {
	struct memo_entry first;        /* as it was before it was touched */
	bool depends;                   /* first touched by a look or a read */
	bool is_read, is_listed;        /* content matters, names matter */
	bool is_old;                    /* a change after the first touch shows */
	bool has_list;                  /* first.id is the name of its names */
	bool is_written;
	bool was_looked, was_listed;    /* by what the script did, no study */
	bool is_tree;                   /* so does all that is below */
	struct id tree;                 /* is_tree: as the first step had it */
	bool has_first_id;
	bool is_consumed;               /* an output that a real command read */
	bool is_value, is_fixed;        /* INPUT_VALUE; touched in another way */
	bool is_updated;                /* INPUT_UPDATED */
	bool is_output;
	struct placeholder ph;
};

/* A closure that steps run in. */
struct memo_used {
	struct memo_used *next;
	struct bytes uses;              /* as in the record */
	struct id tree;
};

struct memo {
	struct store *store;
	struct project *project;
	struct map by_path;
	struct seen **order;
	size_t n, room;
	struct memo_used *used;
	struct arena arena, scratch;
	pthread_mutex_t lock;           /* of all above but scratch */
	const char *spoilt, *late;      /* late: to be spoilt by, under lock */
	int64_t from_ns;                /* when it began, by the clock of files */
	bool reads_printed;             /* what a thunk printed went to a reader */
	bool reads_outputs;             /* a command that ran did, found out at
					 * the end */
};

/* Append one entry of a record. */
void memo_write(struct buf *b, const struct memo_entry *x);
/* And one for each closure: how many. */
uint32_t memo_write_closures(const struct memo *m, struct buf *b);

/* The name of all that is in a directory. */
int memo_tree_id(struct memo *m, const char *path, struct id *out, struct err *e);

#endif
