/* remotes.c - where objects rest, as --remote and GG_REMOTE say */
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "wrap.h"

/* Is p the beginning of a URI, so that a comma before it does not belong to the last? */
static bool begins_remote(const char *p)
{
	for (size_t i = 0; remotes[i]; i++) {
		size_t n = strlen(remotes[i]->scheme);

		if (strncmp(p, remotes[i]->scheme, n) == 0 && p[n] == ':')
			return true;
	}
	return false;
}

/* Without --remote: the words of GG_REMOTE. */
static void default_remotes(struct ctx *c)
{
	const char *given = getenv("GG_REMOTE");
	char *words = arena_str(&c->arena, given ? given : ""), *save = NULL;

	for (char *p = words; (p = strchr(p, ',')) != NULL; p++)
		if (begins_remote(p + 1))
			*p = ' ';
	for (char *w = strtok_r(words, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
		strs_add(&c->o.remotes, w);
}

static int open_one(struct ctx *c, const char *uri, struct err *e)
{
	struct depot_remote *r = &c->remotes[c->n_remotes];
	struct remote_opts o = { .loop = c->loop, .setting = setting_of };

	*r = (struct depot_remote){ .ops = remote_find(uri, e) };
	if (!r->ops)
		return -1;
	if (r->ops->needs_http && !c->http && online_open(c, &c->http, e) < 0)
		return -1;
	o.http = c->http;
	if (r->ops->open(&o, uri, &r->remote, e) < 0)
		return -1;
	c->n_remotes++;
	return 0;
}

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	note("%s", text);
}

static int stop_at_one(void *arg, const struct public_key *p, const char *name)
{
	(void)p;
	(void)name;
	*(bool *)arg = true;
	return 1;
}

static bool trusts_any(const struct keyring *k)
{
	bool any = false;

	keyring_each(k, stop_at_one, &any);
	return any;
}

int remotes_open(struct ctx *c, struct err *e)
{
	struct depot_opts o = { .store = c->store, .notice = on_notice, .arg = c };

	if (!c->o.remotes.n)
		default_remotes(c);
	if (!c->o.remotes.n)
		return 0;
	if (!c->loop && loop_new(&c->loop, e) < 0)
		return -1;
	c->remotes = arena_alloc(&c->arena, c->o.remotes.n * sizeof *c->remotes);
	for (size_t i = 0; i < c->o.remotes.n; i++)
		if (open_one(c, c->o.remotes.v[i], e) < 0)
			return -1;
	if (keys_open(c, e) < 0)
		return -1;
	if (!keyring_can_sign(c->keys) && !trusts_any(c->keys))
		note("there is no key: no result from a remote is believed and none is "
		     "published; gg key new makes one");
	o.loop = c->loop;
	o.remotes = c->remotes;
	o.n_remotes = c->n_remotes;
	o.keys = c->keys;
	return depot_new(&o, &c->depot, e);
}

void remotes_close(struct ctx *c)
{
	depot_free(c->depot);
	c->depot = NULL;
	for (size_t i = 0; i < c->n_remotes; i++)
		c->remotes[i].ops->close(c->remotes[i].remote);
	c->n_remotes = 0;
	keyring_free(c->keys);
	c->keys = NULL;
}

struct drained {
	bool is_done;
	struct err err;
};

static void drained(void *arg, const struct err *e)
{
	struct drained *d = arg;

	if (e)
		d->err = *e;
	d->is_done = true;
}

int remotes_drain(struct ctx *c, struct err *e)
{
	struct drained d = { 0 };

	if (!c->depot)
		return 0;
	depot_drain(c->depot, drained, &d);
	loop_run(c->loop, &d.is_done);
	if (!d.err.code)
		return 0;
	*e = d.err;
	return err_wrap(e, "not all could be written to remotes");
}

void remotes_help(void)
{
	print_wrapped("--remote URI names a place where objects and results rest beyond this "
		      "machine, so that other machines need not make them again; said more "
		      "than once, the nearest comes first. GG_REMOTE holds such URIs, with "
		      "spaces or commas between. What comes from a remote is checked: objects "
		      "against their names, results against the signature of a key that is "
		      "trusted (gg key). Of servers with TLS those count whose certificates are "
		      "signed by the authorities of CURL_CA_BUNDLE or SSL_CERT_FILE, else of "
		      "the system; AWS_CA_BUNDLE comes first for S3. What a run has put there "
		      "or taken from there gg remote gc keeps for 30 days after; what gg push "
		      "has put there, with what gg.lock names, for good.", 0, 0);
	printf("\n    gg force --remote dir:/scratch/gg --remote s3://bucket/gg\n\n");
	for (size_t i = 0; remotes[i]; i++) {
		printf("  %-8s ", remotes[i]->scheme);
		print_wrapped(remotes[i]->help, 11, 11);
	}
}
