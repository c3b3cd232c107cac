/* lambda.c - steps as invocations of functions, by the Invoke API of AWS Lambda
 *
 * Each function is one size of the same worker.  A step goes to the size that
 * choice.h says; how many at once the place takes, limit.h learns.  Nothing is
 * tried again here: that is the scheduler's.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backend.h"
#include "choice.h"
#include "exec.h"
#include "flight.h"
#include "lambda_account.h"
#include "lambda_answer.h"
#include "limit.h"
#include "prices.h"
#include "quantity.h"

/* What the API takes, 6 MiB, less what may come round it. */
enum { REQUEST_MAX = (6 << 20) - 4096, FUNCTIONS_MAX = 32, JOBS_MAX = 10000,
	NOTICE_MAX = 400 };

static const double default_limit_s = 900, default_mem_mb = 1024, grace_s = 30;

/* As the user says it. */
struct lambda_words {
	unsigned jobs;
	struct strs functions;
	const char *region, *endpoint, *profile, *prices;
	double limit_s, lease_s;
	uint64_t disk_bytes;
	bool is_arm;
};

#define AT(field) offsetof(struct lambda_words, field)

static const struct engine_word lambda_words[] = {
	{ "jobs", WORD_COUNT, AT(jobs), "at most so many invocations at once (100)" },
	{ "function", WORD_LIST, AT(functions),
	  "its name, and :MEMORY (:1024M) if that is not 1024M; several of different memory: "
	  "each step goes to the cheapest" },
	{ "region", WORD_TEXT, AT(region), "as in AWS_REGION or ~/.aws/config" },
	{ "endpoint", WORD_TEXT, AT(endpoint), "URL of the API, if it is not AWS's own" },
	{ "profile", WORD_TEXT, AT(profile), "whose keys, of ~/.aws" },
	{ "limit", WORD_SECONDS, AT(limit_s), "the functions' own time limit (15m)" },
	{ "disk", WORD_BYTES, AT(disk_bytes),
	  "the functions' ephemeral storage (512M), half of which is for steps" },
	{ "lease", WORD_SECONDS, AT(lease_s),
	  "an invocation whose connection has been dead for so long is given up (30s)" },
	{ "arm", WORD_YES, AT(is_arm), "they are of arm64: another price" },
	{ "prices", WORD_TEXT, AT(prices),
	  "a table of prices (gg.prices in the project, else as built in)" },
	{ 0 }
};

struct function {
	const char *name;
	double mem_mb;                  /* as said, then as answers tell */
};

struct backend {
	struct backend_opts o;
	struct flights flights;
	struct lambda_words words;
	struct function *functions;
	struct choice_size sizes[FUNCTIONS_MAX];
	size_t n_functions;
	struct lambda_account *account;
	struct http *http;              /* with room for all of them at once */
	struct choice *choice;
	struct limit limit;
	struct timer *pause;
	uint64_t n_ends[LAMBDA_END_COUNT], n_cold;
	struct arena arena;
	char *notice;                   /* NOTICE_MAX */
	struct map too_long;            /* by step: the text of its last time out */
	const char *first_error;        /* of those that retries do not mend */
	bool has_answered;              /* whatever it said */
};

struct invocation {
	struct flight f;                /* first */
	struct backend *b;
	struct lambda_call *call;
	uint64_t serial;                /* of the limit */
	bool is_counted;                /* it is among those in flight */
	size_t function;
	char *shape;
	double total_s;
	struct lambda_said said;
};

/* ---- what is open at once */

static void on_pause_over(void *arg)
{
	struct backend *b = arg;

	b->pause = NULL;
	if (b->o.changed)
		b->o.changed(b->o.changed_arg);
}

static void landed(struct invocation *v, enum lambda_end end)
{
	struct backend *b = v->b;
	unsigned before = (unsigned)b->limit.window;
	uint64_t now = loop_now_ms(b->o.loop);

	if (!v->is_counted)
		return;
	v->is_counted = false;
	if (end == LAMBDA_THROTTLED) {
		limit_refused(&b->limit, v->serial, now);
		if (v->said.pause_s > 0)
			b->limit.paused_until_ms = now + (uint64_t)(v->said.pause_s * 1000);
	} else if (end == LAMBDA_UNREACHED || end == LAMBDA_BUSY || end == LAMBDA_CUT) {
		limit_dropped(&b->limit);
	} else {
		limit_taken(&b->limit);
	}
	if (b->limit.paused_until_ms > now && !b->pause)
		b->pause = loop_after(b->o.loop, b->limit.paused_until_ms - now, on_pause_over,
				      b);
	if ((unsigned)b->limit.window != before && b->o.changed)
		b->o.changed(b->o.changed_arg);
}

/* The worker keeps objects in the other half. */
static uint64_t disk_for_steps(const struct backend *b)
{
	return b->words.disk_bytes / 2;
}

static struct room lambda_room(const struct backend *b)
{
	unsigned n = limit_room(&b->limit, loop_now_ms(b->o.loop));
	double most = 0;

	for (size_t i = 0; i < b->n_functions; i++)
		most = fmax(most, b->functions[i].mem_mb);
	return (struct room){ .cpus = n, .mem_bytes = (uint64_t)(n * most) << 20,
			      .disk_bytes = n * disk_for_steps(b) };
}

/* ---- an invocation ends */

/* The platform bills from the start of the worker to its answer, each begun
 * millisecond; without its word, what was seen from here. */
static double dollars_of(const struct invocation *v)
{
	static const enum lambda_end unbilled[] = {
		LAMBDA_THROTTLED, LAMBDA_BUSY, LAMBDA_TOO_LARGE, LAMBDA_CLOCK, LAMBDA_EXPIRED,
		LAMBDA_DENIED, LAMBDA_ABSENT, LAMBDA_REFUSED, LAMBDA_UNREACHED,
	};
	const struct choice_size *z = &v->b->sizes[v->function];
	double s = v->said.billed_s > 0 ? v->said.billed_s : ceil(v->total_s * 1000) / 1000;

	for (size_t i = 0; i < sizeof unbilled / sizeof *unbilled; i++)
		if (v->said.end == unbilled[i])
			return 0;
	return choice_cost(z, 1, s);
}

static void learn_memory(struct invocation *v)
{
	struct backend *b = v->b;
	struct function *f = &b->functions[v->function];

	if (!(v->said.mem_mb > 0) || v->said.mem_mb == f->mem_mb)
		return;
	f->mem_mb = b->sizes[v->function].mem_mb = v->said.mem_mb;
	choice_resize(b->choice, v->function, f->mem_mb);
}

/* It used all there was.  Who is to try again doubles what is said here, which
 * must not lead past the next size. */
static uint64_t burst_bytes(const struct backend *b, size_t function)
{
	double had = b->functions[function].mem_mb, next = INFINITY;

	for (size_t i = 0; i < b->n_functions; i++)
		if (b->functions[i].mem_mb > had)
			next = fmin(next, b->functions[i].mem_mb);
	return (uint64_t)fmin(had, next / 2) << 20;
}

static void on_ended(struct flight *f, struct run_report *r)
{
	struct invocation *v = (struct invocation *)f;
	struct backend *b = v->b;
	bool is_run = r->status == RUN_OK && r->seconds > 0;

	r->place = b->functions[v->function].name;
	r->dollars = v->total_s > 0 ? dollars_of(v) : 0;
	r->is_cold = r->is_cold || v->said.init_s > 0;
	b->n_cold += r->is_cold;
	if (v->total_s > r->seconds)
		r->waited_s = v->total_s - r->seconds;
	if (v->said.used_mb > 0 && (double)r->max_rss_bytes < v->said.used_mb * 1048576)
		r->max_rss_bytes = (uint64_t)(v->said.used_mb * 1048576);
	if (v->said.end == LAMBDA_OUT_OF_MEMORY) {
		choice_burst(b->choice, v->shape, v->function);
		r->max_rss_bytes = burst_bytes(b, v->function);
	} else {
		choice_learn(b->choice, v->shape, v->function, is_run ? r->seconds : 0);
	}
	landed(v, v->said.end);
}

static void on_free(struct flight *f)
{
	struct invocation *v = (struct invocation *)f;

	free(v->shape);
	free(v);
}

/* One line: which function, what it said, what to do. */
static const char *describe(struct invocation *v)
{
	const struct lambda_said *s = &v->said;
	const char *remedy = lambda_end_remedy(s->end);
	struct backend *b = v->b;

	return arena_printf(&v->f.arena, "function %s: %s%s%s",
			    b->functions[v->function].name,
			    s->error ? s->error : lambda_end_name(s->end), remedy ? "; " : "",
			    remedy ? remedy : "");
}

/* A function may hang once.  A step that outlasts its limit twice is not for
 * functions. */
struct overdue {
	unsigned n;
	const char *text;
};

static void note_overdue(struct invocation *v, const char *text)
{
	struct backend *b = v->b;
	struct overdue *o = map_get(&b->too_long, id_key(&v->f.job->reduced));

	if (!o) {
		o = arena_alloc(&b->arena, sizeof *o);
		*map_at(&b->too_long, arena_bytes(&b->arena, id_key(&v->f.job->reduced))) = o;
	}
	o->n++;
	o->text = arena_str(&b->arena, text);
}

static int check_overdue(const struct backend *b, const struct job *j, struct err *e)
{
	const struct overdue *o = map_get(&b->too_long, id_key(&j->reduced));

	return o && o->n > 1 ? err_set(e, ERR_REFUSED, "twice: %s", o->text) : 0;
}

/* Where nobody has ever answered it is the address that is wrong, more often than
 * the network. */
static enum run_status status_of(const struct backend *b, enum lambda_end end)
{
	return end == LAMBDA_UNREACHED && !b->has_answered ? RUN_UNREACHABLE :
		lambda_end_status(end);
}

static void on_answer(void *arg, const struct http_answer *a, const struct err *e)
{
	struct invocation *v = arg;
	struct backend *b = v->b;
	enum lambda_end end;
	const char *text;

	v->call = NULL;
	lambda_answer_read(a, e, &v->f.arena, &v->said);
	end = v->said.end;
	b->n_ends[end]++;
	b->has_answered |= a->status > 0;
	v->total_s = a->total_s;
	learn_memory(v);
	if (end == LAMBDA_ANSWERED) {
		flight_answer(&v->f, a->body);
		return;
	}
	text = describe(v);
	if (end == LAMBDA_TIMED_OUT)
		note_overdue(v, text);
	if (lambda_end_status(end) == RUN_CELL_FAILED && !b->first_error)
		b->first_error = arena_str(&b->arena, text);
	flight_fail(&v->f, status_of(b, end), text, v->said.log);
}

/* ---- one begins */

static int send(struct flight *f, struct err *e)
{
	static const char *const headers[] = {
		"Content-Type: application/json", "X-Amz-Invocation-Type: RequestResponse",
		"X-Amz-Log-Type: Tail", NULL,
	};
	struct invocation *v = (struct invocation *)f;
	struct backend *b = v->b;
	const struct lambda_request r = {
		.method = "POST", .function = b->functions[v->function].name,
		.tail = "/invocations", .headers = headers, .body = buf_bytes(&f->parcel.body),
		.max_bytes = REQUEST_MAX + 65536,
		.total_ms = (uint32_t)((b->words.limit_s + grace_s) * 1000),
		.done = on_answer, .arg = v,
	};

	return lambda_call_start(b->account, &r, &v->call, e);
}

static void cut(struct flight *f)
{
	struct invocation *v = (struct invocation *)f;

	lambda_call_cancel(v->call);
	v->call = NULL;
}

static double largest(const struct backend *b)
{
	double most = 0;

	for (size_t i = 0; i < b->n_functions; i++)
		most = fmax(most, b->functions[i].mem_mb);
	return most;
}

/* A hint is what it needs; what its like took is only a guess, which must not
 * keep it from running at all. */
static double memory_for(const struct backend *b, const struct job *j)
{
	const double mb = 1048576, worker_mb = 64;
	double needs = (double)j->needs.mem_bytes / mb;
	double guess = (double)j->expected_mem_bytes / mb;

	guess = guess > 0 ? fmin(guess * 1.2 + worker_mb, largest(b)) : 0;
	return fmax(needs, guess);
}

static int choose(struct backend *b, const struct job *j, struct invocation *v, struct err *e)
{
	struct arena a = { 0 };
	struct buf shape = { 0 };
	struct choice_ask q = { .mem_mb = memory_for(b, j), .cpus = j->needs.cpus,
				.expected_s = j->expected_s, .deadline_s = j->timeout_s };
	struct thunk t;
	int rc = thunk_decode(j->text, &a, &t, e);

	if (rc == 0) {
		shape_name(&t, &shape);
		q.shape = v->shape = mem_str(shape.n ? shape.p : "");
		rc = choice_pick(b->choice, &q, &v->function, e);
	}
	buf_release(&shape);
	arena_release(&a);
	return rc;
}

static double lambda_dollars(const struct backend *b, const struct job *j)
{
	struct arena a = { 0 };
	struct buf shape = { 0 };
	struct choice_ask q = { .mem_mb = memory_for(b, j), .cpus = j->needs.cpus,
				.expected_s = j->expected_s, .deadline_s = j->timeout_s };
	double dollars = 0;
	struct thunk t;
	struct err e;

	if (thunk_decode(j->text, &a, &t, &e) == 0) {
		shape_name(&t, &shape);
		q.shape = shape.n ? shape.p : "";
		dollars = choice_dollars(b->choice, &q);
	}
	buf_release(&shape);
	arena_release(&a);
	return dollars;
}

static int lambda_start(struct backend *b, struct job *j, struct err *e)
{
	struct invocation *v;

	if (!limit_may(&b->limit, loop_now_ms(b->o.loop)))
		return err_set(e, ERR_RETRY, "functions take %u at once just now",
			       (unsigned)b->limit.window);
	if (check_overdue(b, j, e) < 0)
		return -1;
	v = memset(mem_alloc(sizeof *v), 0, sizeof *v);
	v->b = b;
	v->said.end = LAMBDA_CUT;       /* until there is an answer */
	if (choose(b, j, v, e) < 0) {
		on_free(&v->f);
		return -1;
	}
	v->serial = limit_begin(&b->limit);
	v->is_counted = true;
	if (flight_begin(&b->flights, &v->f, j, e) == 0)
		return 0;
	limit_dropped(&b->limit);
	choice_learn(b->choice, v->shape, v->function, 0);
	on_free(&v->f);
	return -1;
}

static void lambda_cancel(struct backend *b, struct job *j)
{
	(void)b;
	flight_cancel(j->backend_data);
}

static bool lambda_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	double needs = (double)j->needs.mem_bytes / 1048576;

	if (j->needs.gpus > 0)
		err_set(e, ERR_REFUSED, "functions have no GPUs");
	else if (needs > largest(b))
		err_set(e, ERR_REFUSED, "the largest function has %.0f MB", largest(b));
	else if (j->needs.disk_bytes > disk_for_steps(b))
		err_set(e, ERR_REFUSED, "functions have %" PRIu64 " MB of disk for steps, half of "
			"their ephemeral storage; gg lambda deploy --disk makes that more, and "
			"disk= tells it", disk_for_steps(b) >> 20);
	else if (j->needs.cpus > b->words.jobs)
		err_set(e, ERR_REFUSED, "jobs=%u is less than its cpus", b->words.jobs);
	else
		return true;
	return false;
}

/* ---- the whole */

/* NAME or NAME:MEMORY; a name may be an ARN or have a version, which are no
 * sizes.  */
static int read_function(const char *text, struct arena *a, struct function *out,
			 struct err *e)
{
	const char *colon = strrchr(text, ':');
	uint64_t n_bytes;

	*out = (struct function){ .name = text, .mem_mb = default_mem_mb };
	if (colon && strpbrk(colon, "MGmg") && quantity_bytes(colon + 1, &n_bytes)) {
		out->name = arena_strn(a, text, (size_t)(colon - text));
		out->mem_mb = (double)n_bytes / 1048576;
	}
	if (!*out->name || strspn(out->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_:$") != strlen(out->name))
		return err_set(e, ERR_USAGE, "\"%.100s\" is no name of a function", out->name);
	return 0;
}

static int read_functions(struct backend *b, struct err *e)
{
	struct prices prices;
	const char *region = lambda_account_region(b->account);

	if (!b->words.functions.n || b->words.functions.n > FUNCTIONS_MAX)
		return err_set(e, ERR_USAGE, "say which function: lambda:function=NAME; gg lambda "
			       "deploy NAME makes one");
	if (prices_load(b->o.project_root, b->words.prices, &b->arena, &prices, e) < 0)
		return -1;
	b->n_functions = b->words.functions.n;
	b->functions = arena_alloc(&b->arena, b->n_functions * sizeof *b->functions);
	for (size_t i = 0; i < b->n_functions; i++) {
		struct function *f = &b->functions[i];

		if (read_function(b->words.functions.v[i], &b->arena, f, e) < 0)
			return -1;
		b->sizes[i] = (struct choice_size){
			.mem_mb = f->mem_mb, .limit_s = b->words.limit_s,
			.per_mb_s = price_of(&prices, "lambda", region, b->words.is_arm ?
					     "gb-second-arm64" : "gb-second") / 1024,
			.per_request = price_of(&prices, "lambda", region, "request"),
		};
	}
	return 0;
}

static int open_all(struct backend *b, const char *rest, struct err *e)
{
	struct lambda_words *w = &b->words;
	struct lambda_account_opts o = { .http = b->o.http, .setting = b->o.setting,
					 .setting_arg = b->o.setting_arg };

	if (engine_words_read("lambda", rest, lambda_words, &b->arena, w, e) < 0)
		return -1;
	if (!w->jobs || w->jobs > JOBS_MAX)
		return err_set(e, ERR_USAGE, "jobs must be from 1 to %d", JOBS_MAX);
	o.region = w->region;
	o.endpoint = w->endpoint;
	o.profile = w->profile;
	if (lambda_account_open(&o, &b->account, e) < 0 || read_functions(b, e) < 0 ||
	    http_like(b->o.http, w->jobs, (uint32_t)(w->lease_s * 1000), &b->http, e) < 0)
		return -1;
	lambda_account_http(b->account, b->http);
	b->choice = choice_new(b->o.store, b->sizes, b->n_functions);
	limit_init(&b->limit, w->jobs);
	b->flights = (struct flights){
		.o = &b->o, .place = "a function", .max_bytes = REQUEST_MAX,
		.is_near = lambda_account_is_local(b->account), .send = send, .cut = cut,
		.ended = on_ended, .free = on_free,
	};
	return 0;
}

static void lambda_close(struct backend *b)
{
	if (!b)
		return;
	flights_close(&b->flights);
	loop_cancel(b->pause);
	lambda_account_close(b->account);
	http_free(b->http);
	choice_free(b->choice);
	map_release(&b->too_long);
	strs_release(&b->words.functions);
	arena_release(&b->arena);
	free(b);
}

static int lambda_open(const struct backend_opts *o, const char *rest, struct backend **out,
		       struct err *e)
{
	struct backend *b = memset(mem_alloc(sizeof *b), 0, sizeof *b);

	b->o = *o;
	b->notice = arena_alloc(&b->arena, NOTICE_MAX);
	b->words = (struct lambda_words){ .jobs = 100, .limit_s = default_limit_s,
					  .disk_bytes = 512 << 20 };
	if (open_all(b, rest, e) < 0) {
		lambda_close(b);
		return -1;
	}
	*out = b;
	return 0;
}

/* Cold starts are no fault, so that they alone are no news. */
static const char *lambda_notice(const struct backend *b)
{
	char *text = b->notice;
	size_t n = 0, room = NOTICE_MAX;

	for (int i = LAMBDA_THROTTLED; i < LAMBDA_END_COUNT && n < room; i++)
		if (b->n_ends[i])
			n += (size_t)snprintf(text + n, room - n, "%s%llu %s", n ? ", " :
					      "lambda: ", (unsigned long long)b->n_ends[i],
					      lambda_end_name((enum lambda_end)i));
	if (!n)
		return NULL;
	if (n < room && b->n_cold)
		n += (size_t)snprintf(text + n, room - n, ", %llu cold starts",
				      (unsigned long long)b->n_cold);
	if (n < room && b->n_ends[LAMBDA_THROTTLED])
		n += (size_t)snprintf(text + n, room - n, "; it takes about %u at once",
				      (unsigned)b->limit.window);
	if (n < room && b->first_error)
		snprintf(text + n, room - n, "; %s", b->first_error);
	return text;
}

const struct backend_ops backend_lambda = {
	.name = "lambda",
	.help = "run steps as functions of AWS Lambda, or of what speaks its Invoke API",
	.words = lambda_words,
	.open = lambda_open,
	.close = lambda_close,
	.room = lambda_room,
	.accepts = lambda_accepts,
	.start = lambda_start,
	.dollars = lambda_dollars,
	.cancel = lambda_cancel,
	.notice = lambda_notice,
};
