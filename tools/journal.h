/* journal.h - what happened in a run, one JSON object a line; tools/journal.c
 *
 * The same lines are what --json prints, and what rests in .gg/runs/RUN.jsonl,
 * which grows while the run goes on and is whole up to its last line whatever
 * is killed.  RUN is the UTC time of its begin and a number:
 * 20261121-094412-4711.  Readers pass over events and members that they do not
 * know.  t is seconds since the run began; thunks and logs are names.
 *
 * Each kind of event and its members: tools/help_events.c, as gg help events
 * prints them.  A new one gets its row there.
 *
 * A "ran" that is not followed by "failed" and is not "ok" was started again.
 * slot is the lowest number that was free on that engine.  predicted is there when
 * most of what ran had been seen before; guessed is the share of the time that had
 * not.  Of more than 20,000 targets only so many are listed.
 */
#ifndef GG_JOURNAL_H
#define GG_JOURNAL_H

#include <jansson.h>
#include "gg.h"

#define JOURNAL_DIR "runs"

struct journal;

struct journal_opts {
	struct loop *loop;
	struct store *store;            /* keeps logs */
	const char *store_dir;
	const char *const *command;     /* NULL at the end */
	const char *const *engines;     /* URIs, likewise */
	/* Each line, with its end, as it is written; or NULL. */
	void (*line)(void *arg, struct bytes line);
	void *arg;
	unsigned n_kept;                /* older runs are removed; 0: 200 */
	bool is_quiet;                  /* no file, lines only */
};

/* Nothing is written before something happens.  Never fails: a journal that
 * cannot be written is no reason not to run; journal_close() says so once. */
struct journal *journal_open(const struct journal_opts *o);
void journal_event(struct journal *j, const struct exec_event *ev);
/* Why workers of an engine do not come, or "": no longer. */
void journal_waits(struct journal *j, const char *text);
void journal_progress(struct journal *j, const struct exec_counts *n);
struct journal_target {
	const char *path;
	struct placeholder ph;
};
void journal_targets(struct journal *j, const struct journal_target *v, size_t n);
/* end: the members of the last line beside event and t, taken over; NULL when
 * nothing is to be said.  ERR_IO: what could not be written.  j is gone. */
int journal_close(struct journal *j, json_t *end, struct err *e);
/* Its name; borrowed. */
const char *journal_run(const struct journal *j);

/* Names of the runs there are, oldest first, in a. */
int journal_list(const char *store_dir, struct arena *a, struct strs *out, struct err *e);
/* The run that word means: its name, a beginning of it that no other has, or
 * "last", "last-1", ...  ERR_USAGE. */
int journal_find(const char *store_dir, const char *word, struct arena *a,
		 const char **out, struct err *e);
/* Its text; a last line that is not whole is left out. */
int journal_read(const char *store_dir, const char *run, struct arena *a, struct bytes *out,
		 struct err *e);
/* Call fn for each event of such a text, with what its "event" says; non-zero
 * ends it.  ERR_BAD names the line. */
int journal_each(struct bytes text, int (*fn)(void *arg, const char *event, json_t *o),
		 void *arg, struct err *e);

/* Call fn with the name of each log that the last n runs name; those in which
 * nothing was printed do not count.  ERR_IO. */
int journal_logs(const char *store_dir, size_t n, void (*fn)(void *arg, const struct id *log),
		 void *arg, struct err *e);

#endif
