/* journal.h - what happened in a run, one JSON object a line; tools/journal.c
 *
 * The same lines are what --json prints, and what rests in .gg/runs/RUN.jsonl,
 * which grows while the run goes on and is whole up to its last line whatever
 * is killed.  RUN is the UTC time of its begin and a number:
 * 20261121-094412-4711.  Readers pass over events and members that they do not
 * know.  t is seconds since the run began; thunks and logs are names.
 *
 *     {"event":"run","run":RUN,"time":"2026-11-21T09:44:12Z","command":[...],
 *      "engines":[URI...],"gg":1}
 *     {"event":"start","t":0.1,"thunk":ID,"label":TEXT,"engine":URI,"slot":0,
 *      "second":true}                               beside a run that takes long
 *     {"event":"ran","t":2.5,"thunk":ID,"engine":URI,"slot":0,"place":TEXT,
 *      "status":"ok","code":0,"seconds":2.4,"cpu":2.1,"rss":12345678,
 *      "waited":0.1,"cold":true,"dollars":0.001,"log":ID,
 *      "second":true}
 *     {"event":"failed","t":2.5,"thunk":ID,"label":TEXT,"text":TEXT,"cause":ID}
 *     {"event":"notice","t":2.5,"text":TEXT}
 *     {"event":"progress","t":3,"done":4,"cached":2,"running":2,"waiting":8,
 *      "failed":0,"left":12.5}                      to --json only
 *     {"event":"targets","paths":[[PATH,ID,OUTPUT]...]}
 *     {"event":"end","t":60.1,"forced":12,"cached":2,"remote":0,"failed":0,
 *      "unrun":0,"seconds":60.1,"interrupted":false,"retried":0,"duplicated":0,
 *      "engines":[{"engine":URI,"ran":12,"seconds":55.0,"dollars":0}],
 *      "predicted":{"seconds":58.2,"took":60.0,"guessed":0.1},"status":0}
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

#endif
