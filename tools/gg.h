/* gg.h - what the commands of gg share
 *
 * gg.c holds the command table and main, options.c the options, open.c what
 * is opened first, drive.c the forcing that several commands do, ui.c the
 * status line, help.c everything printed from the tables.
 */
#ifndef GG_GG_H
#define GG_GG_H

#include <jansson.h>
#include <stdio.h>
#include "exec.h"
#include "infer.h"
#include "session.h"

enum {
	EXIT_FINE = 0,
	EXIT_THUNK = 1,         /* a thunk, or the script itself, failed; or what was
				 * made differs from what gg verify or gg.lock say */
	EXIT_USAGE = 2,
	EXIT_STORE = 3,         /* the store or the machine */
};

/* Options of all commands, as options.c fills them. */
struct options {
	unsigned jobs;
	bool keep_going, json, explain, quiet, fresh, follow, dry_run, help, verbose;
	bool hermetic, all, no_learn, learn, writes, files, no_fuse, preempt;
	const char *output, *forget;
	unsigned keep_runs, runs, retries;
	const char *push, *tag, *compress, *auth_file, *ca_file, *once;
	bool tls_verify, locked;
	const char *connect, *serve, *listen, *name, *dir;
	uint64_t cache_bytes;
	double patience_s;
	double gpus;                    /* below 0: not said */
	const char *sample, *trace, *metrics;
	const struct policy *policy;    /* NULL: the usual */
	bool events;                    /* json means one event a line */
	struct strs engines, remotes;
	bool project;
	const char *grace;
	/* of gg lambda */
	const char *role, *image, *worker, *region, *endpoint, *profile;
	uint64_t memory_bytes, disk_bytes;
	double timeout_s;
	bool arm;
};

struct ctx {
	struct options o;
	struct project project;
	struct store *store;
	struct models *models;
	struct bytes models_text;
	struct loop *loop;
	struct http *http;              /* for engines and remotes elsewhere; or NULL */
	struct depot *depot;            /* NULL: no remotes are named */
	struct depot_remote *remotes;
	size_t n_remotes;
	struct keyring *keys;
	struct engine *engines;         /* in the user's order */
	size_t n_engines;
	struct exec *exec;
	struct arena arena;             /* as long as the command */
	char *cwd, *self;
	const char *const *command;     /* its word and what follows, NULL at the end */
	int lock_fd;
	bool has_color;                 /* standard error is a terminal */
	bool has_told;                  /* that the store cannot be written */
};

enum {
	NEED_STORE = 1,         /* a project and its store */
	NEED_MODELS = 2,
	NEED_EXEC = 4,          /* loop, engine, forcing */
	NEED_ARGS = 8,          /* one argument at least */
	TAKES_COMMAND = 16,     /* options end at the first word */
	ALONE = 32,             /* no other gg may use the store meanwhile */
	HIDDEN = 64,
	MAKES_STORE = 128,      /* here, if there is no project */
	NEED_REMOTES = 256,     /* loop and depot; part of NEED_EXEC */
};

struct verb {
	const char *name;
	int (*run)(struct ctx *c, int argc, char **argv, struct err *e);
	unsigned needs;
	const char *options;            /* keys of option_rows, with spaces between */
	const char *args, *help;
	const char *more;               /* for its man page */
};

/* A program is its table of verbs, and which of them is meant when no word is
 * given; with one verb, when the first word is none. */
struct program {
	const char *fallback;
	bool has_one_verb;
};
extern const struct program program;
extern const struct verb verbs[];
/* A row of gg's table, and the one of gg-worker's. */
#define WORKER_VERB { "worker", cmd_worker, 0, \
	"connect serve listen name jobs gpus memory disk dir cache patience once quiet", "", \
	"run steps for others", \
	"With --connect it takes requests from the gg that gave the ticket, as many " \
	"at a time as --jobs says, until that has no more use for it. Without, it " \
	"takes them from the AWS Lambda Runtime API at AWS_LAMBDA_RUNTIME_API, one " \
	"after the other. It runs steps whose closures are in its image (gg image) or " \
	"on this machine, and those that belong to one machine if this one is like " \
	"it. Asked to end (SIGTERM) it finishes what runs; the second time it does " \
	"not. The token of a ticket is a secret: whoever has it gets work and objects. " \
	"With --serve openwhisk it is the container of an action, made as a Docker " \
	"action of that image: its protocol has no place for a token, so that whoever " \
	"gets to the port may run commands there; OpenWhisk's own network has to be the " \
	"wall. It was tested against the published protocol only, not an OpenWhisk." }
const struct verb *verb_find(const char *name);
void help_verb(const struct verb *v);

/* Each returns an exit status, or -1 with *e filled. */
int cmd_init(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_infer(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_run(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_learn(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_models(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_force(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_status(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_show(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_cat(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_log(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_verify(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_why(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_lock(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_provenance(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_history(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_report(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_diff(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_plan(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_graph(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_gc(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_push(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_pull(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_remote(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_key(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_image(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_lambda(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_worker(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_help(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_man(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_completion(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_cell(struct ctx *c, int argc, char **argv, struct err *e);
int cmd_pack(struct ctx *c, int argc, char **argv, struct err *e);

/* One option, as help and man pages show it, and where its value goes. */
struct option_row {
	const char *key;        /* its name; after a colon, which of that name */
	char letter;            /* may be given as -letter; or 0 */
	int (*take)(const char *word, void *at, struct err *e); /* NULL: a flag */
	size_t offset;          /* in struct options */
	const char *arg, *help;
};
extern const struct option_row option_rows[];   /* a NULL key ends it */
bool option_is_of(const struct verb *v, const struct option_row *r);
int option_name(const struct option_row *r);    /* bytes of key that are its name */
/* Fill c->o; the index of the first argument, or -1. */
int options_parse(struct ctx *c, const struct verb *cmd, int argc, char **argv,
		  struct err *e);
/* --grace in seconds, a week unless said. */
int options_grace(const struct ctx *c, int64_t *out, struct err *e);

/* The engines of --engine or GG_ENGINE, else this machine (engines.c). */
int engines_open(struct ctx *c, struct err *e);
/* What they charge, by gg.prices. */
void engines_set_prices(struct ctx *c);
/* Those alone that neither listen for workers nor start any. */
int engines_open_idle(struct ctx *c, struct err *e);
void engines_close(struct ctx *c);
/* What those that have run something want said. */
void engines_notice(const struct ctx *c);
void engines_help(void);
/* The environment, as a setting_fn. */
const char *setting_of(void *arg, const char *name);

/* Open what cmd needs, and close all of it. */
int ctx_open(struct ctx *c, unsigned needs, struct err *e);
int ctx_close(struct ctx *c, struct err *e);
/* From now on a fault in the map of this store's database is told of as such. */
void damage_watch(const char *store_dir);
/* Say something on standard error that is not a failure. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What a script may read on its standard input (script_input.c).  An inference
 * is kept under key, or, when the script got nothing from an open pipe, under
 * any: that one holds for every input. */
struct script_input {
	enum { INPUT_QUIET, INPUT_IDLE, INPUT_UNKNOWN } kind;
	struct id key, any;
	long long at;                   /* a file is read from here on; else -1 */
};
int script_input_look(struct store *s, const struct id *key, struct arena *a,
		      struct script_input *out, struct err *e);
/* After the script has ended: is it known what it could have read? */
bool script_input_is_known(const struct script_input *in);
/* Make ready to be read once more; false if what came is gone. */
bool script_input_again(const struct script_input *in);

/* One line, on standard error, of what a study came to; the same on standard
 * output with more in it (learned.c). */
void learned_note(const struct sighting *what, const char *shape, const struct err *e);
void learned_print(const struct sighting *what, const char *shape, struct bytes text,
		   const struct err *e);
/* Put what the store knows of learned models into c->models. */
int learned_load(struct ctx *c, struct err *e);

/* What a force was expected to take, beside what it took (forecast.c). */
struct forecast {
	double seconds;                 /* 0: nothing was expected */
	double took_s, guessed;         /* guessed: a share of its time */
	uint64_t from_ms;
	bool is_made;
};

/* Forcing: a drive wants outputs and serves the loop until all are there. */
struct drive {
	struct ctx *c;
	struct map seen;                /* thunks of this command, by id */
	struct map held;                /* how learned models held, by shape */
	struct arena arena;
	size_t n_thunks, n_open, n_unmade;
	uint64_t begun_ms;
	struct ui *ui;
	struct prometheus *prometheus;  /* NULL: --metrics was not said */
	struct record *record;          /* NULL: nothing is written down */
	struct watch *sigint, *sigterm;
	struct timer *why_timer;
	struct forecast forecast;
	bool is_finishing;              /* all is wanted */
	char *told_why;                 /* why an engine's workers do not come */
	bool is_why_open;               /* and still do not */
	struct session *session;        /* its script is still running */
	bool has_asked;                 /* there was one of which a learned
					 * model said too little */
	bool relearns;                  /* they are no failures yet */
	struct locked *locked;          /* --locked: what may be wanted (locked.h) */
	bool is_script;                 /* all that a script makes is wanted */
	struct asked *asked;            /* such steps (relearn.c) */
	struct map unmade, gone;        /* wants that failed; steps that did, and
					 * for which others stand now, by id */
	size_t n_failed_gone, n_unrun_gone;
	struct map insatiable;          /* steps that asked for more, by id */
	struct map ended;               /* how programs ended (fallback.c) */
	size_t n_news;                  /* failures that the script is to hear of */
	size_t n_heard;                 /* ... that it heard of at once, as plainly */
	size_t n_unheard;               /* ... that it can never hear of */
	bool is_answered;               /* what failed is the script's own affair */
	size_t n_answered;              /* so many had failed when what it did was
					 * remembered, and were not tried again */
	bool script_failed;
	const char *untrue;             /* it has to be run again: why */
	unsigned n_interrupts;
	bool was_stuck;                 /* at the last look */
	bool *draining;                 /* what the wait for remotes ends with */
	bool stop, is_idle;
};

/* A learned step has ended: count how its model held, and keep the counts
 * (tally.c). */
void tally_note(struct drive *d, const struct exec_event *ev);
void tally_keep(struct drive *d);
void drive_begin(struct drive *d, struct ctx *c);
/* A thunk belongs to this command: for the count of cached ones. */
void drive_saw(struct drive *d, const struct id *thunk);
int drive_want(struct drive *d, const struct memo_want *w, struct err *e);
/* May the output be wanted, as gg.lock has it? */
bool drive_may_want(struct drive *d, const char *path, const struct placeholder *ph);
/* Serve until nothing is wanted any more. */
void drive_finish(struct drive *d);
/* Wait until remotes have what was made, or somebody interrupts (summary.c). */
void drive_drain(struct drive *d);
void summary_print(const struct drive *d, const struct exec_counts *n, size_t cached,
		   double seconds);
json_t *summary_json(const struct drive *d, const struct exec_counts *n, size_t cached,
		     double seconds);
/* What happens in a drive is written down in .gg/runs, and printed with --json
 * (record.c, journal.h).  record_end() takes end over: how it went, or NULL. */
struct record *record_begin(struct ctx *c);
void record_event(struct record *r, const struct exec_event *ev);
void record_waits(struct record *r, const char *text);
void record_want(struct record *r, const char *path, const struct placeholder *ph);
void record_end(struct record *r, json_t *end);
/* A step has started; all has ended; "predicted" of the last line, or NULL. */
void forecast_look(struct drive *d);
void forecast_end(struct drive *d);
json_t *forecast_json(const struct drive *d);
/* --metrics: who shows the token of .gg/metrics-token is told how the run goes, over
 * TLS at c->o.metrics (prometheus.c).  What has to be written into Prometheus's
 * configuration is said on standard error. */
struct prometheus;
int prometheus_open(struct ctx *c, struct prometheus **out, struct err *e);
void prometheus_event(struct prometheus *p, const struct exec_event *ev);
void prometheus_close(struct prometheus *p);
/* The summary line, and the exit status that goes with it. */
int drive_end(struct drive *d);
/* The same without a word of how it went. */
void drive_quit(struct drive *d);

/* What -o FILE is to hold; "-": standard output. */
int output_write(const char *file, struct bytes b, struct err *e);

/* What a person means by PATH or ID: an output that gg knows, or a name. */
struct named {
	const char *path;               /* plain, or NULL */
	struct id id;                   /* of the thunk, or of the object */
	const char *out;                /* the thunk's output, or NULL */
	bool is_thunk;
};
int name_find(struct ctx *c, const char *word, struct named *out, struct err *e);

/* What became of deferred commands that failed (fallback.c): the script is run
 * once more, and they fail. */
void fallback_note(struct drive *d, const struct exec_event *ev);
/* One was run for real in place of its thunk, and failed with status. */
void fallback_add(struct drive *d, const struct id *thunk, int status);
/* For session_opts.fails; arg is a drive. */
const struct step_failure *fallback_of(const struct drive *d, const struct id *thunk);
/* Its command had waited for it. */
void fallback_heard(struct drive *d, const struct id *thunk);
/* Is the script to be run again?  fallback_begin() says why, and forgets what
 * could not be made. */
bool fallback_is_due(const struct drive *d);
/* Has a signal ended one of them, so that it may end otherwise next time? */
bool fallback_is_by_signal(const struct drive *d);
void fallback_begin(struct drive *d, const char *script);

/* Does the script that is run by these words say what it does when a command
 * fails, or stop then (answers.c)? */
bool script_answers(const char **args, struct arena *a);

/* A failure that learning again may mend: true if it is kept for that. */
bool relearn_note(struct drive *d, const struct exec_event *ev);
/* Was it noted so and learned again in this run of gg?  When it comes again all the
 * same its command is to be watched: it would ask for the same again. */
bool relearn_watches(struct drive *d, const struct id *thunk);
/* The script is about to run: what was noted until now may be no step of it. */
void relearn_from_now(struct drive *d);
/* Learn again what failed so; s is the session whose script deferred it.  True
 * if there is something to be wanted anew. */
bool relearn_all(struct drive *d, struct session *s);
/* What is left of them are failures after all. */
void relearn_give_up(struct drive *d, const char *why);

/* The status line on a terminal, nothing elsewhere. */
struct ui;
struct ui *ui_new(struct ctx *c);
void ui_free(struct ui *u);
void ui_event(void *arg, const struct exec_event *ev);
/* Take the line away before something else is printed. */
void ui_clear(struct ui *u);

/* Remotes, as --remote and GG_REMOTE name them, into c->depot (remotes.c); and
 * the keys of c, from the files that keyfiles.c knows. */
int remotes_open(struct ctx *c, struct err *e);
void remotes_close(struct ctx *c);
void remotes_help(void);
/* Serve until all that was to be written to remotes is; the first that could not be
 * is the error. */
int remotes_drain(struct ctx *c, struct err *e);
int keys_open(struct ctx *c, struct err *e);
/* The file of the own secret key, NULL if no folder for it is known; and those of
 * the keys that a user and a project trust.  From c->arena. */
const char *keys_secret_path(struct ctx *c);
const char *keys_trusted_path(struct ctx *c);
#define KEYS_FILE "gg.keys"

/* A client as the options and the environment (https_proxy, no_proxy) say, and
 * who to be at a registry (online.c): user and password in c->arena, NULL when
 * none are known for host. */
struct http;
int online_open(struct ctx *c, struct http **out, struct err *e);
/* The authorities whose signatures on certificates count: borrowed, or NULL. */
const char *authority_file(void);
int online_login(struct ctx *c, const char *host, const char **user,
		 const char **password, struct err *e);

/* The last runs, for gc: keep the thunks of this one. */
int runs_add(struct ctx *c, const struct drive *d, struct err *e);
int runs_each(struct ctx *c, unsigned n_last,
	      void (*fn)(void *arg, const struct id *thunk), void *arg,
	      struct err *e);

#endif
