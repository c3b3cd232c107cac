/* options.c - one table of options, for parsing and for help */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "quantity.h"

const struct option_row option_rows[] = {
	{ 'j', true, "jobs", "N", "run at most N thunks at once (default: all cores)" },
	{ 'E', false, "engine", "URI",
	  "where thunks run; may be said again, in order of preference (default "
	  "GG_ENGINE, else local; see gg help engines)" },
	{ 'D', false, "remote", "URI",
	  "where objects rest beyond this machine (default: GG_REMOTE, else nowhere); "
	  "may be repeated, nearest first; see gg help remotes" },
	{ 'k', true, "keep-going", NULL, "after a failure go on with what does not need it" },
	{ 'b', false, "retries", "N", "try what failed by itself N times more (default 0)" },
	{ 'Y', false, "timeout", "TIME",
	  "end thunks that run longer, such as 30m, where no model says how long" },
	{ 'e', false, "explain", NULL,
	  "say for each command which model matched, or why none did" },
	{ 'f', true, "follow", NULL, "print what it prints as it comes, until it ends" },
	{ '6', false, "fresh", NULL, "run the script even if nothing it saw has changed" },
	{ 'n', true, "dry-run", NULL, "say what would be done, and do nothing" },
	{ 'o', true, "output", "FILE",
	  "write to FILE; of a graph its ending (.dot .svg .png .json) says how" },
	{ 'P', false, "push", "HOST/NAME[:TAG]", "send the image to a registry" },
	{ 'T', false, "tag", "NAME[:TAG]", "what podman load is to call the image" },
	{ 'C', false, "compress", "zstd|gzip", "how to compress layers (default zstd)" },
	{ 'S', false, "tls-verify", "BOOL",
	  "false: take any certificate, and plain http too" },
	{ 'A', false, "authfile", "FILE",
	  "user and password of registries, as podman login and docker login keep them" },
	{ 'F', false, "ca-file", "FILE", "certificates of authorities to trust" },
	{ 'O', false, "once", "FILE", "run the one request in FILE (- is standard input)" },
	{ 'X', false, "connect", "TICKET",
	  "work for the dispatcher of the ticket in this file (- is standard input)" },
	{ '2', false, "serve", "openwhisk",
	  "answer /init and /run, as the container of an action of OpenWhisk" },
	{ '4', false, "listen", "ADDRESS",
	  "where --serve listens (default 0.0.0.0:8080, where OpenWhisk looks)" },
	{ 'x', false, "name", "NAME", "what the dispatcher calls this worker" },
	{ 'y', false, "dir", "DIR",
	  "keep objects below DIR, and find them there again (default: a new folder in "
	  "TMPDIR)" },
	{ 'B', false, "cache", "SIZE",
	  "keep no more of them than this (default 10G, or half of what is free)" },
	{ 'Z', false, "patience", "TIME",
	  "how long to look for a dispatcher that is silent (default 60s)" },
	{ 'z', false, "gpus", "N",
	  "how much of GPUs this worker has: 0.5 is half of one (default: those that are "
	  "there)" },
	{ 'L', false, "learn", NULL,
	  "learn from the first command of each shape that no model explains" },
	{ 'N', false, "no-learn", NULL, "neither learn from commands nor use what was learned" },
	{ 'c', false, "closure", "package|files",
	  "what learned steps are tied to: the packages whose files they used (as "
	  "usual), or exactly those files" },
	{ 'W', false, "write", NULL, "put learned models into gg.models" },
	{ 'G', false, "forget", "SHAPE", "forget what was learned of SHAPE" },
	{ 'q', true, "quiet", NULL, "print only failures and the summary" },
	{ 'v', true, "verbose", NULL, "print each thunk as it starts" },
	{ 'r', false, "keep-runs", "N", "keep what the last N runs reached (default 10)" },
	{ '%', false, "sample", "P", "of all thunks behind each path only a part, as 0.1" },
	{ '@', false, "trace", "FILE",
	  "write what ran when as Chrome trace events, which Perfetto opens" },
	{ 'K', false, "locked", NULL,
	  "fail when a thunk or its value is another than gg.lock says" },
	{ '8', false, "metrics", "ADDRESS",
	  "serve counts for Prometheus there, such as 127.0.0.1:9464, while it runs" },
	{ '=', false, "policy", "NAME",
	  "which ready step is started first: longest (remaining path; as usual), fifo, "
	  "widest (most wait for it) or shortest" },
	{ 'H', false, "hermetic", NULL,
	  "run each thunk with its closure as the whole root file system" },
	{ 'a', false, "all", NULL, "every thunk that is needed for it as well" },
	{ 'R', false, "runs", "N", "compare N results of each thunk (default 2)" },
	{ 'p', true, "project", NULL, "of this project (gg.keys) instead of yours" },
	{ 'M', false, "memory", "SIZE", "memory of the function or the worker, such as 1024M" },
	{ 't', false, "timeout", "TIME", "its own time limit, at most 15m" },
	{ 'd', false, "disk", "SIZE", "what it may keep in /tmp, from 512M to 10G" },
	{ 'U', false, "role", "ARN", "the role that a new function runs as" },
	{ 'I', false, "image", "URI", "make it from an image in ECR" },
	{ 'w', false, "worker", "FILE", "make it from this static worker (default: gg-worker "
	  "beside gg)" },
	{ 'm', false, "arm", NULL, "for arm64" },
	{ 'g', false, "region", "NAME", "of AWS, as in AWS_REGION" },
	{ 'u', false, "endpoint", "URL", "of the API, if it is not AWS's own" },
	{ 's', false, "profile", "NAME", "whose keys, of ~/.aws" },
	{ '7', false, "grace", "TIME", "leave alone what is younger (default 7d)" },
	{ '3', false, "forget", "NAME",
	  "the project NAME, as list names it, keeps nothing there any more" },
	{ 'J', false, "json", NULL, "print JSON; of a run one event a line (gg help events)" },
	{ 'h', true, "help", NULL, "print this help" },
	{ 0 }
};

const struct option_row *option_find(char letter)
{
	for (const struct option_row *r = option_rows; r->letter; r++)
		if (r->letter == letter)
			return r;
	return NULL;
}

static int number(const char *s, unsigned *out, struct err *e)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || *s == '-' || n > 1000000)
		return err_set(e, ERR_USAGE, "\"%s\" is not a number", s);
	*out = (unsigned)n;
	return 0;
}

static int boolean(const char *s, bool *out, struct err *e)
{
	*out = strcmp(s, "true") == 0;
	if (!*out && strcmp(s, "false") != 0)
		return err_set(e, ERR_USAGE, "\"%s\" is neither true nor false", s);
	return 0;
}

static int size(const char *s, uint64_t *out, struct err *e)
{
	return quantity_bytes(s, out) ? 0 :
		err_set(e, ERR_USAGE, "\"%s\" is no size such as 512M or 2G", s);
}

static int duration(const char *s, double *out, struct err *e)
{
	return quantity_seconds(s, out) ? 0 :
		err_set(e, ERR_USAGE, "\"%s\" is no time such as 90s or 15m", s);
}

static int amount(const char *s, struct options *o, struct err *e)
{
	o->has_gpus = true;
	return quantity_number(s, &o->gpus) ? 0 :
		err_set(e, ERR_USAGE, "\"%s\" is no number such as 2 or 0.5", s);
}

static int policy(const char *s, const struct policy **out, struct err *e)
{
	struct buf all = { 0 };

	*out = policy_find(s);
	if (*out)
		return 0;
	for (size_t i = 0; policies[i]; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", policies[i]->name);
	err_set(e, ERR_USAGE, "there is no policy \"%s\", only %s", s, all.p);
	buf_release(&all);
	return -1;
}

static int closure_mode(const char *s, bool *files, struct err *e)
{
	*files = strcmp(s, "files") == 0;
	if (!*files && strcmp(s, "package") != 0)
		return err_set(e, ERR_USAGE, "\"%s\" is neither package nor files", s);
	return 0;
}

static int take(struct options *o, int letter, struct err *e)
{
	switch (letter) {
	case 'j': return number(optarg, &o->jobs, e);
	case 'r': return number(optarg, &o->keep_runs, e);
	case 'b': return number(optarg, &o->retries, e);
	case 'Y': return duration(optarg, &o->timeout_s, e);
	case 'R': return number(optarg, &o->runs, e);
	case 'a': o->all = true; break;
	case 'c': return closure_mode(optarg, &o->files, e);
	case 'E': strs_add(&o->engines, optarg); break;
	case 'D': strs_add(&o->remotes, optarg); break;
	case 'k': o->keep_going = true; break;
	case 'e': o->explain = true; break;
	case 'f': o->follow = true; break;
	case '6': o->fresh = true; break;
	case 'n': o->dry_run = true; break;
	case 'o': o->output = optarg; break;
	case 'P': o->push = optarg; break;
	case 'T': o->tag = optarg; break;
	case 'C': o->compress = optarg; break;
	case 'S': return boolean(optarg, &o->tls_verify, e);
	case 'A': o->auth_file = optarg; break;
	case 'F': o->ca_file = optarg; break;
	case 'O': o->once = optarg; break;
	case 'M': return size(optarg, &o->memory_bytes, e);
	case 'd': return size(optarg, &o->disk_bytes, e);
	case 't': return duration(optarg, &o->timeout_s, e);
	case 'U': o->role = optarg; break;
	case 'I': o->image = optarg; break;
	case 'w': o->worker = optarg; break;
	case 'm': o->arm = true; break;
	case 'g': o->region = optarg; break;
	case 'u': o->endpoint = optarg; break;
	case 's': o->profile = optarg; break;
	case 'X': o->connect = optarg; break;
	case '2': o->serve = optarg; break;
	case '4': o->listen = optarg; break;
	case 'x': o->name = optarg; break;
	case 'y': o->dir = optarg; break;
	case 'B': return size(optarg, &o->cache_bytes, e);
	case 'Z': return duration(optarg, &o->patience_s, e);
	case 'z': return amount(optarg, o, e);
	case 'L': o->learn = true; break;
	case 'N': o->no_learn = true; break;
	case 'W': o->writes = true; break;
	case 'G': o->forget = optarg; break;
	case '3': o->forget = optarg; break;
	case 'q': o->quiet = true; break;
	case 'v': o->verbose = true; break;
	case '%': o->sample = optarg; break;
	case '@': o->trace = optarg; break;
	case '8': o->metrics = optarg; break;
	case 'K': o->locked = true; break;
	case '=': return policy(optarg, &o->policy, e);
	case 'H': o->hermetic = true; break;
	case 'p': o->project = true; break;
	case '7': o->grace = optarg; break;
	case 'J': o->json = true; break;
	case 'h': o->help = true; break;
	}
	return 0;
}

int options_parse(struct ctx *c, const struct verb *cmd, int argc, char **argv,
		  struct err *e)
{
	struct option longs[32] = { 0 };
	char shorts[64];
	size_t n = 0, k = 0;
	int letter;

	if (cmd->needs & TAKES_COMMAND)
		shorts[k++] = '+';
	shorts[k++] = ':';
	for (const struct option_row *r = option_rows; r->letter; r++) {
		if (r->letter != 'h' && !strchr(cmd->options, r->letter))
			continue;
		longs[n++] = (struct option){ r->name, r->arg ? required_argument :
					      no_argument, NULL, r->letter };
		if (!r->has_letter)
			continue;
		shorts[k++] = r->letter;
		if (r->arg)
			shorts[k++] = ':';
	}
	shorts[k] = 0;
	opterr = 0;
	optind = 1;
	c->o.keep_runs = 10;
	c->o.runs = 2;
	c->o.tls_verify = true;
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (letter == '?')
			return err_set(e, ERR_USAGE, "gg %s has no option %s; see gg %s --help",
				       cmd->name, word, cmd->name);
		if (letter == ':')
			return err_set(e, ERR_USAGE, "%s needs a value; see gg %s --help",
				       word, cmd->name);
		if (take(&c->o, letter, e) < 0)
			return err_wrap(e, "%s", word);
	}
	return optind < argc ? optind : argc;  /* "gg" alone has no word */
}
