/* exec_internal.h - what the files of exec share
 *
 * graph.c    which thunk waits for which; reaching them all, in what order
 * node.c     the life of one thunk from wanted to known or failed
 * order.c    the ready ones: which is next, and where is there room
 * site.c     engines: their room, who rests, what they are told
 * sched.c    start, and end well
 * after.c    what follows a failure
 * resume.c   what was ended early goes on
 * preempt.c  what is more urgent takes the room of others
 * twice.c    a second run of what takes too long
 * company.c  several steps as one process
 * flotilla.c steps that may have one GPU or several
 * away.c     what remotes know and hold
 * rewind.c   what was known and is gone is made again
 * exec.c     wants
 * pump.c     what turns all of it, flushing
 * defaults.c limits that nobody has said
 * profile.c  what running took, and what it will take
 * policy.c   the order of the ready ones: a table
 * foresee.c  the same graph run by a clock alone; ahead.c
 *
 * One node per thunk, small, because there may be 100,000: texts and results
 * stay in the store and are read when they are needed.
 *
 * A node is NEW until it is loaded.  Then it is open: WAITING until
 * n_waits_for other nodes have ended, READY in a heap, PAUSED until it is tried
 * again, POLLING while another process has it, AWAY while remotes are asked or
 * give its inputs, RUNNING.  It ends DONE or FAILED; DONE may become NEW again
 * when its objects turn out to be gone.
 */
#ifndef GG_EXEC_INTERNAL_H
#define GG_EXEC_INTERNAL_H

#include "exec.h"

enum node_state {
	NODE_NEW,
	NODE_WAITING,
	NODE_READY,
	NODE_PAUSED,
	NODE_AWAY,
	NODE_POLLING,
	NODE_RUNNING,
	NODE_DONE,
	NODE_FAILED,
};

/* What a WAITING node does once it waits for nothing more. */
enum node_why {
	WAIT_INPUTS,            /* its inputs are known: reduce it */
	WAIT_TWIN,              /* the node with the same reduced thunk ended */
	WAIT_TAIL,              /* the thunks that it returned are known */
};

struct node;

struct edge {
	struct node *waiter;
	struct edge *next;
};

/* Why a node failed; shared by all above the one that did. */
struct failure {
	struct id cause;
	const char *label, *text;
};

/* Commands that take about as long as each other. */
struct shape {
	const char *name;
	double log_seconds;     /* the estimate; n_seen 0: nothing known */
	double log_spread;      /* how far runs are from it, on average */
	double mem_bytes;       /* the most that a run took of late */
	double size_mean, size_var, size_cov;   /* of log bytes in, with time */
	double out_bytes;       /* of late, about */
	double weight;                  /* the most of defaults_weight() that ran */
	uint32_t n_seen, n_open;
	bool is_dirty;
};

enum { SITES_MAX = 32 };

struct node_list {
	struct node **v;
	size_t n, room;
};

/* An engine and what exec has there. */
struct site {
	const struct engine *engine;
	struct room room, used;
	size_t n_running, n_ran;
	size_t n_fetching, n_holding;   /* nodes that lack inputs, without and with
					 * room kept for them */
	double seconds, dollars;        /* of what has run there */
	uint64_t busy_until_ms, ill_until_ms;   /* nothing is started before */
	unsigned n_busy, n_ill;         /* times in a row: took no more, failed */
};

/* Ready nodes with the same needs that the same sites take: a heap.  Whether
 * there is room is asked once for all of them. */
struct lane {
	float cpus, gpus;
	uint32_t mem_mib, disk_mib, sites, seen;
	uint64_t mates;                 /* not 0: all of them can go together */
	struct node_list heap;
	double ready_s;                 /* expected of them */
};

struct node {
	struct id id, reduced;          /* reduced: zero until known */
	struct edge *waiters;
	struct want_kept *wants;
	struct node *next;              /* in the queue */
	struct shape *shape;            /* NULL until loaded as open */
	const struct failure *failure;
	const struct fuse *fuse;        /* how it goes together with others, or NULL */
	struct trainer *trainer;        /* how fast it is on how many GPUs, or NULL */
	uint64_t mates;                 /* those of the same number can; 0: alone */
	struct errand *errand;          /* of an AWAY node */
	uint32_t n_waits_for, fan_out, sequence;
	double urgency;                 /* as exec_opts.policy has it */
	float cpus, gpus, timeout_s;
	uint8_t gpus_least, gpus_most;  /* most 0: gpus is what it needs */
	uint8_t n_late;                 /* stopped by a guessed limit */
	bool mem_is_guess;              /* mem_mib is of defaults.c */
	uint8_t trains_on;              /* the site, while it runs */
	float in_bytes;                 /* expected, where the shape goes by it */
	uint32_t mem_mib, disk_mib;
	uint32_t sites;                 /* those that may ever take it, as bits */
	uint32_t avoids;                /* of them, where it failed */
	int priority;
	uint8_t state, why;
	uint8_t n_tries, n_own, n_rewinds, n_runs, n_beaten;    /* own: that it failed itself */
	bool is_watched : 1;            /* as in struct hints */
	bool has_claim : 1;             /* of reduced */
	bool is_held : 1;               /* in exec.held: claim falls at flush */
	bool is_queued : 1, is_ordered : 1;
	bool is_rewound : 1;            /* trust no result without its objects */
	bool ran : 1;                   /* counts as forced, not as cached */
	bool is_counted : 1;            /* in n_total */
	bool is_remote : 1;             /* a remote knew its result */
	bool is_asked : 1;              /* remotes, as reduced */
	bool is_unpublished : 1;        /* until the second run has ended */
	bool is_hushed : 1;             /* as hints.is_hushed */
	bool has_aside : 1;             /* as hints.aside: words to run with */
	bool is_resumable : 1;          /* it can leave a checkpoint */
	bool has_restarted : 1;         /* one was of no use */
	uint8_t n_preempted;
	uint8_t n_still;                /* early ends in a row, without progress */
};

/* Nodes by one of their ids. */
struct node_index {
	struct node **v;
	size_t n, room;
};

struct want_kept {
	struct want_kept *next;
	struct node *node;
	bool has_fetched;               /* remotes have been asked for it */
	struct want w;                  /* its strings follow */
};

struct want_list {
	struct want_kept *first, **last;
};

/* One job on the backend. */
struct run {
	struct job job;                 /* first: the backend gives it back */
	struct exec *x;
	struct node *node;
	struct site *site;
	struct room needs;
	struct arena arena;
	const char *label;
	struct company *company;        /* others that go with it, or NULL */
	double weight;                  /* defaults_weight() of its thunk */
	uint64_t in_bytes;              /* of its inputs, as far as known here */
	bool timeout_is_guess;          /* of defaults.c */
	bool is_second;                 /* of a node that takes too long */
	bool is_beaten;                 /* the other was first; gave `first` */
	const struct site *winner;
	struct result first;
	bool is_asked;                  /* to leave its checkpoint and end */
	bool is_chosen;                 /* by preempt.c, to be so */
	bool continues;                 /* from `from` */
	struct checkpoint from;
	uint64_t started_ms;
	struct run *prev, *next;        /* in order of start */
};

struct load_step {
	struct node *node;
	bool is_end;                    /* all below it have been reached */
};

struct paused {
	struct node *node;
	uint64_t due_ms;
};

struct exec {
	struct exec_opts o;
	struct site *sites;
	size_t n_sites;
	struct lane *lanes;
	size_t n_lanes, lanes_room, n_ready;
	struct node_list elastic;       /* ready, and GPUs are yet to be shared out:
					 * a heap */
	struct node_list training;      /* those of them that run */
	struct map trainers;
	size_t picked;                  /* the lane of the last one picked */
	uint32_t n_picks;
	struct arena keep;              /* nodes, edges, failures, shapes */
	struct arena scratch;           /* one step of the pump */
	struct buf text;                /* the reduced thunk of this step */

	struct node_index by_id, by_reduced;
	struct edge *free_edges;
	struct load_step *loads;
	size_t n_loads, loads_room;
	struct node_list order;         /* open nodes, inputs first */
	size_t n_ordered;               /* of them, seen by graph_order */
	struct node *queue, **queue_end;
	struct node_list polling, held;
	struct want_list wanted;
	struct want_list known;         /* their results are put */
	struct want_list placing;       /* and safe */
	struct want_list failing;       /* told when nothing runs any more, so
					 * that no caller leaves before */
	struct run *runs, *last_run;
	struct map closures;            /* closure -> struct err: is it here? */
	struct map whole;               /* trees that are here, by id */
	struct errand *errands;
	size_t n_away;                  /* of them, those waited for */
	struct map fuses;               /* words -> struct fuse */
	struct map hosts;               /* host -> struct bytes, its text */
	struct map shapes;
	struct shape other;             /* for shapes beyond those kept */

	struct timer *pump_timer, *flush_timer, *poll_timer, *grace_timer,
		*rest_timer, *demand_timer, *pause_timer, *twice_timer, *preempt_timer;
	struct paused *paused;
	size_t n_paused, paused_room, n_retried, n_duplicated, n_stopped;
	uint64_t flush_took_ms, flushed_ms, told_demand_ms;
	uint64_t random;
	size_t n_companies, n_fused;    /* processes for several steps; such steps */
	size_t n_linked;                /* runs, beaten ones too */
	size_t n_wants, n_open, n_running, n_total, n_forced, n_cached, n_remote, n_failed,
		n_unrun;
	size_t n_unknown;               /* open nodes whose shape is new */
	double work_s;                  /* expected of the other open ones */
	uint64_t started_sum_ms;        /* of runs */
	uint32_t n_sequence;
	bool is_pumping, is_halted, is_stopped;
	bool is_patient;                /* stopped: checkpoints are waited for */
	bool is_unflushed;              /* results are put and not yet safe */
	const struct failure *halted_by;
	struct err broken;              /* the store cannot be written */
};

/* pump.c.  Turn the pump, now or soon. */
void exec_pump(struct exec *x);
void exec_pump_later(struct exec *x);
void exec_flush(struct exec *x);
void exec_flush_later(struct exec *x);
/* A result has been put under n's claim: it falls after the next flush. */
void exec_hold(struct exec *x, struct node *n);
void exec_drop_claim(struct exec *x, struct node *n);
void exec_poll_later(struct exec *x, struct node *n);

/* exec.c.  Look at one want, place one: false when there is none. */
bool wants_look(struct exec *x);
bool wants_place(struct exec *x);
void wants_place_again(struct exec *x, struct want_kept *w);
void wants_end_failing(struct exec *x);
void wants_end_placing(struct exec *x, const struct err *e);
/* Nothing new may start and nothing runs: what is open ends here. */
void wants_give_up(struct exec *x);
void exec_tell(struct exec *x, const struct exec_event *ev);
/* n has ended: its wants are placed, or end with its failure. */
void exec_end_wants(struct exec *x, struct node *n);

/* graph.c.  The node of a thunk, made if absent. */
struct node *graph_node(struct exec *x, const struct id *id);
/* The same, but NULL when there is none. */
const struct node *graph_find(const struct exec *x, const struct id *id);
void list_add(struct node_list *l, struct node *n);
/* The node that stands for a reduced thunk, or NULL; and make n that node. */
struct node *graph_leader(struct exec *x, const struct id *reduced);
void graph_lead(struct exec *x, struct node *n);
/* n waits for dep, which is loaded if it is new.  false: dep has failed. */
bool graph_wait(struct exec *x, struct node *n, struct node *dep);
void graph_queue(struct exec *x, struct node *n);
struct node *graph_unqueue(struct exec *x);
void graph_load_later(struct exec *x, struct node *n);
/* What n waits for has yet to be loaded. */
void graph_load_below(struct exec *x, struct node *n);
/* Load one node, or finish one; false when there is none to load. */
bool graph_load_step(struct exec *x);
/* Bring urgency up to date for the nodes loaded since the last call. */
void graph_order(struct exec *x);
/* Nothing runs and something is open: there is a ring.  Fail one on it. */
void graph_break_ring(struct exec *x);
/* Forget all that is open, as if it had never been loaded. */
void graph_reset(struct exec *x);
bool node_is_open(const struct node *n);

/* node.c */
void node_load(struct exec *x, struct node *n);
/* Remotes do not know its result: it is to be made. */
void node_go_on(struct exec *x, struct node *n);
/* n waits for nothing more, or has ended. */
void node_step(struct exec *x, struct node *n);
/* Read n's thunk; it lives in a. */
int node_thunk(struct exec *x, const struct node *n, struct arena *a,
	       struct thunk *out, struct bytes *text, struct err *e);
/* The reduced form of n and its text, lent from a, and its name.  1; 0 when n
 * now waits for an input that is made again, or has failed with it; -1. */
struct reduced {
	struct thunk thunk;
	struct bytes text;
	struct id id;
};
int node_reduced(struct exec *x, struct node *n, struct arena *a,
		 struct reduced *out, struct err *e);
/* The result under id that can be used for n: 1 and *r, 0, or -1. */
int node_look(struct exec *x, struct node *n, const struct id *id,
	      struct result *r, struct err *e);
/* n gave r, by running or by look-up of its reduced thunk: put it and go on. */
void node_gave(struct exec *x, struct node *n, struct result *r, bool put_reduced);
/* n itself failed; e says why, log is what it printed, label may be NULL. */
void node_fail(struct exec *x, struct node *n, const char *label, struct bytes log,
	       const struct err *e);
/* The same, with all of told but its kind, thunk, cause and text. */
void node_fail_as(struct exec *x, struct node *n, struct exec_event *told,
		  const struct err *e);
void node_fail_above(struct exec *x, struct node *n, const struct failure *f);
const char *node_label(struct exec *x, const struct node *n, struct arena *a,
		       size_t width);

/* order.c.  Heaps by node_is_before(); NULL: it is empty. */
void heap_push(struct node_list *h, struct node *n);
struct node *heap_pop(struct node_list *h);
void sched_ready(struct exec *x, struct node *n);
/* The same of one that has its GPUs. */
void sched_ready_now(struct exec *x, struct node *n);
void sched_rebuild(struct exec *x);
void sched_forget_ready(struct exec *x);
/* Take the first ready node for which there is room, and where; or NULL. */
struct node *sched_pick(struct exec *x, struct site **where);
/* Of the lane from which the last one was picked: how many are left, if they can
 * go with it; and take the next of them. */
size_t sched_mates(const struct exec *x);
struct node *sched_next_mate(struct exec *x);
struct room node_needs(const struct node *n);
/* Which of two that are ready goes first?  And of the lanes that x->n_picks has
 * not seen, which one's first does, or NULL. */
bool node_is_before(const struct node *a, const struct node *b);
struct lane *sched_best_lane(struct exec *x);

/* flotilla.c.  Which trainer is n, which is t? */
void flotilla_look(struct exec *x, struct node *n, const struct thunk *t);
/* n is ready: true if it waits for GPUs to be shared out. */
bool flotilla_takes(struct exec *x, struct node *n);
/* Share out GPUs that are free. */
void flotilla_form(struct exec *x);
/* n, which runs there, and no more. */
void flotilla_starts(struct exec *x, struct node *n, const struct site *s);
void flotilla_ends(struct exec *x, const struct node *n);
/* What is expected of n with the GPUs it has; 0: nothing is known. */
double flotilla_seconds(const struct node *n);
void flotilla_learn(const struct run *r, double seconds);
int flotilla_flush(struct exec *x, struct err *e);

/* defaults.c.  How much work the numbers in t's arguments may mean, as a log. */
double defaults_weight(const struct thunk *t);
/* Seconds after which r, whose thunk is t reduced, hangs; 0: who knows. */
double defaults_timeout(struct exec *x, const struct run *r, const struct thunk *t);
/* Let n keep as much memory free as its like took, if nobody has said how much. */
void defaults_memory(struct exec *x, struct node *n, const struct thunk *t, struct bytes text);
/* r was stopped by such a limit.  May it try again, and why was it stopped? */
bool defaults_again(struct exec *x, struct run *r);
const char *defaults_why_late(struct exec *x, const struct run *r);

/* sched.c */
void sched_start(struct exec *x);
/* A run of n on site, all but started; NULL when n waits, is known or failed. */
struct run *sched_prepare(struct exec *x, struct node *n, struct site *site);
/* r, which runs no more, has ended so. */
void sched_ended(struct exec *x, struct run *r, const struct run_report *rep);
void run_free(struct run *r);
void sched_free_runs(struct exec *x);
void sched_cancel_all(struct exec *x);
/* r is beaten, or has ended: its node runs no more unless by another. */
void run_counts_no_more(struct exec *x, struct run *r);
void sched_start_second(struct exec *x, const struct run *late, struct site *site);

/* after.c.  A run there failed: is it the site's fault? */
void after_blame(struct exec *x, struct site *s, const struct run_report *rep);
/* What follows for the node of r, which is no run of its any more. */
void after_failure(struct exec *x, struct run *r, const struct run_report *rep);
/* Is it the program's fault, or that of what it was asked for, not of the place? */
bool after_is_own_fault(enum run_status s);

/* company.c.  What those words of a model say; NULL: nothing. */
const struct fuse *company_words(struct exec *x, const char *words);
/* n is t, reduced: with which may it go? */
void company_look(struct exec *x, struct node *n, const struct thunk *t);
/* r is about to start: others of its lane go with it. */
void company_gather(struct exec *x, struct run *r);
/* How many steps r is. */
size_t company_size(const struct run *r);
void company_starts(struct exec *x, const struct run *r);
void company_not_started(struct exec *x, struct run *r);
void company_done(struct exec *x, struct run *r, const struct run_report *rep);
void company_free(struct run *r);

/* resume.c.  r is about to run: add what it goes on with.  false: its checkpoint
 * is fetched first, and r is of no use. */
bool resume_prepare(struct exec *x, struct run *r);
/* r, alone or as others too, runs with words that its thunk has not. */
void aside_prepare(struct exec *x, struct run *r);
/* Is n to run in no company, as it has left a checkpoint or may have to? */
bool resume_goes_alone(struct exec *x, const struct node *n);
bool run_may_stop(const struct run *r);
void run_stop(struct run *r);
/* Ask all that may: how many. */
size_t resume_stop_all(struct exec *x);
/* r ended as rep says, and so did those it went on from: of all together. */
struct run_report resume_whole(struct exec *x, const struct run *r,
			       const struct run_report *rep);
/* n has its result. */
void resume_done(struct exec *x, const struct node *n);
/* RUN_STOPPED: is it to go on? */
bool resume_stopped(struct exec *x, struct run *r, const struct run_report *rep);
/* r has failed, perhaps for its checkpoint: is it to begin anew? */
bool resume_rejected(struct exec *x, struct run *r, const struct run_report *rep);
/* Inputs of n were not to be had: was it the checkpoint?  It is forgotten. */
bool resume_lost(struct exec *x, struct node *n);

/* preempt.c.  Look for such steps as long as any waits and others run. */
void preempt_watch(struct exec *x);

/* twice.c.  Look for such runs as long as anything runs. */
void twice_watch(struct exec *x);
/* The first of them has ended well; another that was beaten has ended. */
void twice_won(struct exec *x, const struct run *winner, const struct result *given);
void twice_lost(struct exec *x, struct run *r, const struct run_report *rep);

/* site.c */
int sites_open(struct exec *x, struct err *e);
void sites_close(struct exec *x);
uint32_t site_bit(const struct exec *x, const struct site *s);
/* Which sites may ever take n: 0, or -1 when there is none, with what it needs
 * and what there is. */
int sites_accept(struct exec *x, struct node *n, const struct thunk *t,
		 struct bytes text, struct err *e);
/* Those on this machine can run t only with its runtime here: they leave
 * n->sites, or, when no other is left, -1. */
int sites_check_runtime(struct exec *x, struct node *n, const struct thunk *t,
			struct err *e);
bool site_is_open(const struct exec *x, const struct site *s);
/* It took no more: it rests for a while, longer each time. */
void site_is_busy(struct exec *x, struct site *s, const char *why);
/* rep, with what the table of prices says where the place has charged nothing. */
struct run_report site_charged(const struct site *s, const struct job *j,
			       const struct run_report *rep);
/* A run there has ended; it failed by the site's fault. */
void site_ended(struct exec *x, struct site *s, const struct run_report *rep);
void site_failed(struct exec *x, struct site *s, const char *why);
double sites_cpus(const struct exec *x);
/* Tell engines that want to know what waits for them, now and then. */
void sites_tell_demand(struct exec *x);
/* From 0 up to 1. */
double exec_random(struct exec *x);

/* away.c.  Ask remotes for the result of n under that name: true if n now waits
 * for the answer, and goes on by node_gave or node_go_on. */
bool away_ask(struct exec *x, struct node *n, const struct id *name);
/* Fetch what a run of t, n reduced, on site lacks here: true if n waits for it.
 * Others run meanwhile; room is kept only when many wait already. */
bool away_fetch_inputs(struct exec *x, struct node *n, const struct thunk *t,
		       struct site *site);
/* The same of all inputs, one of which a run did not find: 1, or 0, or -1. */
int away_fetch_lost(struct exec *x, struct node *n, struct err *e);
/* Fetch what w is to be, once: wants_place_again() follows. */
bool away_fetch_want(struct exec *x, struct want_kept *w, const struct ref *ref);
/* n has run and gave r; or was to wait until its second run had ended. */
void away_publish(struct exec *x, struct node *n, const struct result *r);
void away_publish_late(struct exec *x, struct node *n);
/* Nobody waits any more; the wants that did, in a list. */
struct want_kept *away_give_up(struct exec *x, bool wants_too);
void away_close(struct exec *x);

/* rewind.c.  Is all of it in the store, trees to their leaves? */
bool ref_is_whole(struct exec *x, const struct ref *r);
bool result_is_whole(struct exec *x, const struct result *r);
/* Drop what n gave and load it again.  -1 after too many times. */
int node_rewind(struct exec *x, struct node *n, struct err *e);
/* Drop what the store knows that n gave, under both names. */
int node_forget(struct exec *x, const struct node *n, struct err *e);
/* A run of n missed an object: 0 when n waits or is ready again. */
int node_lost_input(struct exec *x, struct node *n, const struct id *missing,
		    struct err *e);
/* The same when no remote has it. */
int node_make_inputs(struct exec *x, struct node *n, const struct id *missing,
		     struct err *e);

/* profile.c.  The shape of t, found or made. */
struct shape *profile_shape(struct exec *x, const struct thunk *t);
double profile_seconds(const struct shape *s);
/* Count n among those expected, and no more. */
void profile_open(struct exec *x, struct node *n);
void profile_close(struct exec *x, struct node *n);
/* Longer than this a run of that shape hardly ever takes; 0: who knows. */
double profile_plausible_s(const struct shape *s);
/* What a run of that shape took. */
struct sample {
	double seconds;
	uint64_t mem_bytes, in_bytes, out_bytes;
	double weight;                  /* of its arguments */
};
void profile_learn(struct exec *x, struct shape *s, const struct sample *took);
/* Keep what r took, under both names of its node; *took, if not NULL, is that. */
void profile_observe(struct exec *x, const struct run *r, const struct run_report *rep,
		     struct sample *took);
/* Seconds expected of n: by its shape, and by the size of its inputs where steps
 * of that shape go by it. */
double node_seconds(const struct node *n);
/* Does the shape's time go by the size of what it reads? */
bool profile_is_sized(const struct shape *s);
/* What is known of t's inputs: their bytes, and n->in_bytes from them. */
uint64_t profile_in_bytes(struct exec *x, const struct thunk *t);
void profile_size(struct exec *x, struct node *n, const struct thunk *t);
/* What j may take, where anything is known of it. */
void profile_expect(const struct node *n, struct job *j);
int profile_flush(struct exec *x, struct err *e);
#endif
