/* options.c - one table of options, for parsing and for help */
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "quantity.h"
#include "wrap.h"

enum { DAY_S = 24 * 3600, GRACE_DAYS = 7, NUMBER_MOST = 1000000 };

/* ---- what values are */

static int text(const char *s, void *out, struct err *e)
{
	(void)e;
	*(const char **)out = s;
	return 0;
}

static int list(const char *s, void *out, struct err *e)
{
	(void)e;
	strs_add(out, s);
	return 0;
}

static int number(const char *s, void *out, struct err *e)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || *s == '-' || n > NUMBER_MOST)
		return err_set(e, ERR_USAGE, "\"%s\" is no number up to %d", s, NUMBER_MOST);
	*(unsigned *)out = (unsigned)n;
	return 0;
}

static int boolean(const char *s, void *out, struct err *e)
{
	*(bool *)out = strcmp(s, "true") == 0;
	if (!*(bool *)out && strcmp(s, "false") != 0)
		return err_set(e, ERR_USAGE, "\"%s\" is neither true nor false", s);
	return 0;
}

static int size(const char *s, void *out, struct err *e)
{
	return quantity_bytes(s, out) ? 0 :
		err_set(e, ERR_USAGE, "\"%s\" is no size such as 512M or 2G", s);
}

static int duration(const char *s, void *out, struct err *e)
{
	return quantity_seconds(s, out) ? 0 :
		err_set(e, ERR_USAGE, "\"%s\" is no time such as 90s or 15m", s);
}

static int amount(const char *s, void *out, struct err *e)
{
	return quantity_number(s, out) ? 0 :
		err_set(e, ERR_USAGE, "\"%s\" is no number such as 2 or 0.5", s);
}

static int policy(const char *s, void *out, struct err *e)
{
	const struct policy *found = policy_find(s);
	struct buf all = { 0 };

	*(const struct policy **)out = found;
	if (found)
		return 0;
	for (size_t i = 0; policies[i]; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", policies[i]->name);
	err_set(e, ERR_USAGE, "there is no policy \"%s\", only %s", s, all.p);
	buf_release(&all);
	return -1;
}

static int closure_mode(const char *s, void *files, struct err *e)
{
	*(bool *)files = strcmp(s, "files") == 0;
	if (!*(bool *)files && strcmp(s, "package") != 0)
		return err_set(e, ERR_USAGE, "\"%s\" is neither package nor files", s);
	return 0;
}

/* ---- the table */

#define AT(field) offsetof(struct options, field)

const struct option_row option_rows[] = {
	{ "jobs", 'j', number, AT(jobs), "N",
	  "run at most N thunks at once (default: all cores)" },
	{ "engine", 0, list, AT(engines), "URI",
	  "where thunks run; may be said again, in order of preference (default "
	  "GG_ENGINE, else local; see gg help engines)" },
	{ "remote", 0, list, AT(remotes), "URI",
	  "where objects rest beyond this machine (default: GG_REMOTE, else nowhere); "
	  "may be repeated, nearest first; see gg help remotes" },
	{ "keep-going", 'k', NULL, AT(keep_going), NULL,
	  "after a failure go on with what does not need it" },
	{ "retries", 0, number, AT(retries), "N",
	  "run again, up to N times more, a thunk whose own program failed (default 0; what a "
	  "place is to blame for is run again as gg help events says)" },
	{ "timeout", 0, duration, AT(timeout_s), "TIME",
	  "end a thunk that runs longer, such as 30m, where no model sets a limit (default: "
	  "many times as long as eight or more like it took, and half an hour at least)" },
	{ "explain", 0, NULL, AT(explain), NULL,
	  "say for each command which model matched, or why none did" },
	{ "follow", 'f', NULL, AT(follow), NULL,
	  "print what it prints as it comes, until it ends" },
	{ "fresh", 0, NULL, AT(fresh), NULL,
	  "run the script even if nothing it saw has changed" },
	{ "dry-run", 'n', NULL, AT(dry_run), NULL, "say what would be done, and do nothing" },
	{ "output", 'o', text, AT(output), "FILE", "write to FILE" },
	{ "output:graph", 'o', text, AT(output), "FILE",
	  "write to FILE, as its ending says: .dot .svg .png .json" },
	{ "push", 0, text, AT(push), "HOST/NAME[:TAG]", "send the image to a registry" },
	{ "tag", 0, text, AT(tag), "NAME[:TAG]", "what podman load is to call the image" },
	{ "compress", 0, text, AT(compress), "zstd|gzip",
	  "how to compress layers (default zstd)" },
	{ "tls-verify", 0, boolean, AT(tls_verify), "BOOL",
	  "false: take any certificate, and plain http too" },
	{ "authfile", 0, text, AT(auth_file), "FILE",
	  "user and password of registries, as podman login and docker login keep them" },
	{ "ca-file", 0, text, AT(ca_file), "FILE", "certificates of authorities to trust" },
	{ "once", 0, text, AT(once), "FILE",
	  "run the one request in FILE (- is standard input)" },
	{ "connect", 0, text, AT(connect), "TICKET",
	  "work for the dispatcher of the ticket in this file (- is standard input)" },
	{ "serve", 0, text, AT(serve), "openwhisk",
	  "answer /init and /run, as the container of an action of OpenWhisk" },
	{ "listen", 0, text, AT(listen), "ADDRESS",
	  "where --serve listens (default 0.0.0.0:8080, where OpenWhisk looks)" },
	{ "name", 0, text, AT(name), "NAME", "what the dispatcher calls this worker" },
	{ "dir", 0, text, AT(dir), "DIR",
	  "keep objects below DIR, and find them there again (default: a new folder in "
	  "TMPDIR)" },
	{ "cache", 0, size, AT(cache_bytes), "SIZE",
	  "keep no more of them than this (default 10G, or half of what is free)" },
	{ "patience", 0, duration, AT(patience_s), "TIME",
	  "how long to look for a dispatcher that is silent (default 60s)" },
	{ "gpus", 0, amount, AT(gpus), "N",
	  "how much of GPUs this worker has: 0.5 is half of one (default: those that are "
	  "there)" },
	{ "learn", 0, NULL, AT(learn), NULL,
	  "learn from the first command of each shape that no model explains" },
	{ "no-learn", 0, NULL, AT(no_learn), NULL,
	  "neither learn from commands nor use what has been learned" },
	{ "closure", 0, closure_mode, AT(files), "package|files",
	  "what learned steps are tied to: the packages whose files they used (as "
	  "usual), or exactly those files" },
	{ "write", 0, NULL, AT(writes), NULL, "put learned models into gg.models" },
	{ "forget", 0, text, AT(forget), "SHAPE", "forget what was learned of SHAPE" },
	{ "quiet", 'q', NULL, AT(quiet), NULL, "print only failures and the summary" },
	{ "verbose", 'v', NULL, AT(verbose), NULL, "print each thunk as it starts" },
	{ "keep-runs", 0, number, AT(keep_runs), "N",
	  "keep what the last N runs reached and printed (default 10)" },
	{ "sample", 0, text, AT(sample), "P",
	  "only a part of all thunks behind each path, such as 0.1" },
	{ "trace", 0, text, AT(trace), "FILE",
	  "write what ran when as Chrome trace events, which Perfetto opens" },
	{ "locked", 0, NULL, AT(locked), NULL,
	  "fail when a thunk or its value is another than gg.lock says" },
	{ "metrics", 0, text, AT(metrics), "ADDRESS",
	  "serve counts for Prometheus there, such as 127.0.0.1:9464, while it runs" },
	{ "policy", 0, policy, AT(policy), "NAME",
	  "which ready step is started first: longest (remaining path; as usual), fifo, "
	  "widest (most wait for it), shortest, or fleet (as longest, and trainers with gpus "
	  "A-B get GPUs in flotillas)" },
	{ "no-fuse", 0, NULL, AT(no_fuse), NULL,
	  "each thunk in a process of its own, also where several can be one" },
	{ "preempt", 0, NULL, AT(preempt), NULL,
	  "let a thunk that is more urgent (priority, a path twice as long) and has no GPU or "
	  "no room take that of others that can go on later (resume)" },
	{ "hermetic", 0, NULL, AT(hermetic), NULL,
	  "run each thunk with its closure as the whole root file system" },
	{ "all", 0, NULL, AT(all), NULL, "each thunk behind an output as well" },
	{ "runs", 0, number, AT(runs), "N", "compare N results of each thunk (default 2)" },
	{ "project", 'p', NULL, AT(project), NULL,
	  "of this project (gg.keys) instead of yours" },
	{ "memory", 0, size, AT(memory_bytes), "SIZE",
	  "memory of the function or the worker, such as 1024M" },
	{ "timeout:function", 0, duration, AT(timeout_s), "TIME",
	  "its own time limit, at most 15m" },
	{ "disk", 0, size, AT(disk_bytes), "SIZE",
	  "what steps may write (default: what --cache leaves)" },
	{ "disk:function", 0, size, AT(disk_bytes), "SIZE",
	  "what it may keep in /tmp, from 512M to 10G" },
	{ "role", 0, text, AT(role), "ARN", "the role that a new function runs as" },
	{ "image", 0, text, AT(image), "URI", "make it from an image in ECR" },
	{ "worker", 0, text, AT(worker), "FILE",
	  "make it from this static worker (default: gg-worker "
	  "beside gg)" },
	{ "arm", 0, NULL, AT(arm), NULL, "for arm64" },
	{ "region", 0, text, AT(region), "NAME", "of AWS, as in AWS_REGION" },
	{ "endpoint", 0, text, AT(endpoint), "URL", "of the API, if it is not AWS's own" },
	{ "profile", 0, text, AT(profile), "NAME", "whose keys, of ~/.aws" },
	{ "grace", 0, text, AT(grace), "TIME", "leave alone what is younger (default 7d)" },
	{ "grace:gc", 0, text, AT(grace), "TIME",
	  "leave images for containers alone that were used since (default 7d)" },
	{ "forget:remote", 0, text, AT(forget), "NAME",
	  "the project NAME, as list names it, keeps nothing there any more" },
	{ "json", 0, NULL, AT(json), NULL,
	  "print JSON; of a run one event a line (gg help events)" },
	{ "help", 'h', NULL, AT(help), NULL, "print this help" },
	{ 0 }
};

bool option_is_of(const struct verb *v, const struct option_row *r)
{
	return strcmp(r->key, "help") == 0 || has_word(v->options, r->key);
}

int option_name(const struct option_row *r)
{
	return (int)strcspn(r->key, ":");
}

/* ---- reading them */

enum {
	ROWS = sizeof option_rows / sizeof *option_rows - 1,
	BY_NAME = 256,          /* and the row's index */
};

static const struct option_row *by_letter(const struct verb *v, int letter)
{
	for (const struct option_row *r = option_rows; r->key; r++)
		if (r->letter == letter && option_is_of(v, r))
			return r;
	return NULL;
}

static int take(const struct option_row *r, struct options *o, struct err *e)
{
	void *at = (char *)o + r->offset;

	if (!r->take) {
		*(bool *)at = true;
		return 0;
	}
	return r->take(optarg, at, e) == 0 ? 0 :
		err_wrap(e, "--%.*s", option_name(r), r->key);
}

/* What getopt_long is to know of them; names are kept in *a. */
static void describe(const struct verb *v, struct option *longs, struct buf *shorts,
		     struct arena *a)
{
	buf_str(shorts, v->needs & TAKES_COMMAND ? "+:" : ":");
	for (int i = 0; i < ROWS; i++) {
		const struct option_row *r = &option_rows[i];

		if (!option_is_of(v, r))
			continue;
		*longs++ = (struct option){
			arena_strn(a, r->key, (size_t)option_name(r)),
			r->take ? required_argument : no_argument, NULL, BY_NAME + i
		};
		if (r->letter)
			buf_printf(shorts, "%c%s", r->letter, r->take ? ":" : "");
	}
}

static int read_all(struct ctx *c, const struct verb *v, int argc, char **argv,
		    struct err *e)
{
	struct option longs[ROWS + 1] = { 0 };
	struct buf shorts = { 0 };
	int got, rc = 0;

	describe(v, longs, &shorts, &c->arena);
	opterr = 0;
	optind = 1;
	while (!rc && (got = getopt_long(argc, argv, shorts.p, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (got == '?')
			rc = err_set(e, ERR_USAGE, "gg %s has no option %s; see gg %s --help",
				     v->name, word, v->name);
		else if (got == ':')
			rc = err_set(e, ERR_USAGE, "%s needs a value; see gg %s --help",
				     word, v->name);
		else
			rc = take(got < BY_NAME ? by_letter(v, got) :
				  &option_rows[got - BY_NAME], &c->o, e);
	}
	buf_release(&shorts);
	return rc;
}

int options_grace(const struct ctx *c, int64_t *out, struct err *e)
{
	double s = GRACE_DAYS * DAY_S;

	if (c->o.grace && strcmp(c->o.grace, "0") == 0)
		s = 0;
	else if (c->o.grace && !quantity_seconds(c->o.grace, &s))
		return err_set(e, ERR_USAGE, "--grace %s: write it as 7d or 12h", c->o.grace);
	*out = (int64_t)s;
	return 0;
}

int options_parse(struct ctx *c, const struct verb *v, int argc, char **argv,
		  struct err *e)
{
	c->o.keep_runs = 10;
	c->o.runs = 2;
	c->o.tls_verify = true;
	c->o.gpus = -1;
	if (read_all(c, v, argc, argv, e) < 0)
		return -1;
	return optind < argc ? optind : argc;  /* "gg" alone has no word */
}
