/* aws.c - who we are for AWS and what speaks like it
 *
 * Keys are looked for in the environment, the files, the container's endpoint, the
 * machine's (EC2), in this order.  Those of files are read again when a server refuses them;
 * those of an endpoint also some minutes before they end, while the old ones
 * are still in use.
 */
#include "aws.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "http.h"
#include "loop.h"

enum {
	EARLY_S = 300,                  /* renewed so long before the end */
	AGAIN_S = 30,                   /* not asked more often while keys hold */
	LEAST_S = 10,                   /* keys are no longer used so near their end */
	TRIES = 4,
	PAUSE_MS = 200,
	ANSWER_MS = 5000,
};

enum source { FROM_NOWHERE, FROM_ENVIRONMENT, FROM_FILES, FROM_CONTAINER, FROM_MACHINE };

struct aws {
	struct http *http;
	setting_fn *setting;
	void *setting_arg;
	enum source source;
	struct arena fixed, ours[2];    /* keys live in ours[version & 1] */
	struct aws_files files;
	const char *region, *ca_file, *where, *url;
	struct aws_keys keys;           /* access_key NULL: none yet */
	unsigned version;
	struct aws_wait *waits, *telling;
	struct http_call *call;         /* that asks the endpoint */
	struct arena step;              /* what machine has */
	struct aws_machine machine;     /* FROM_MACHINE: how far the asking is */
	struct err wrong;               /* to be told when the pause is over */
	struct timer *pause;
	unsigned n_tries;
	int64_t asked_s;
};

bool aws_is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static const char *set(const struct aws_opts *o, const char *name)
{
	const char *s = o->setting ? o->setting(o->setting_arg, name) : NULL;

	return s && *s ? s : NULL;
}

static int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

static const char *same(struct arena *a, const char *s)
{
	return s ? arena_str(a, s) : NULL;
}

/* Take k, which may live anywhere, as the keys of now. */
static void take(struct aws *a, const struct aws_keys *k)
{
	struct arena *home = &a->ours[++a->version & 1];

	arena_reset(home);
	a->keys = (struct aws_keys){ same(home, k->access_key), same(home, k->secret_key),
				     same(home, k->token), k->expires_s };
}

/* ---- where keys are */

static int look_in_environment(struct aws *a, const struct aws_opts *o, struct err *e)
{
	struct aws_keys k = { .access_key = set(o, "AWS_ACCESS_KEY_ID"),
			      .secret_key = set(o, "AWS_SECRET_ACCESS_KEY"),
			      .token = set(o, "AWS_SESSION_TOKEN") };

	if (o->profile || (!k.access_key && !k.secret_key))
		return 0;
	if (!k.access_key || !k.secret_key)
		return err_set(e, ERR_USAGE, "%s is set but %s is not: set both or none",
			       k.access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			       k.access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	if (!aws_is_plain(k.access_key) || !aws_is_plain(k.secret_key) ||
	    (k.token && !aws_is_plain(k.token)))
		return err_set(e, ERR_BAD, "a key in the environment holds a line end or a "
			       "control character: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or "
			       "AWS_SESSION_TOKEN");
	take(a, &k);
	a->source = FROM_ENVIRONMENT;
	a->where = "the environment";
	return 0;
}

static const char *file_of(struct aws *a, const struct aws_opts *o, const char *name,
			   const char *usual)
{
	const char *path = set(o, name), *home = set(o, "HOME");

	if (path)
		return arena_str(&a->fixed, path);
	return home ? arena_printf(&a->fixed, "%s/.aws/%s", home, usual) : NULL;
}

static int look_in_files(struct aws *a, const struct aws_opts *o, struct err *e)
{
	const char *profile = o->profile ? o->profile : set(o, "AWS_PROFILE");
	struct aws_said said;

	a->files = (struct aws_files){
		.credentials = file_of(a, o, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
		.config = file_of(a, o, "AWS_CONFIG_FILE", "config"),
		.profile = arena_str(&a->fixed, profile ? profile : "default"),
		.is_named = profile != NULL,
	};
	if (aws_files_read(&a->files, &a->fixed, &said, e) < 0) {
		/* Whoever has keys already only loses the region. */
		return a->source ? 0 : -1;
	}
	if (!a->region)
		a->region = said.region;
	if (a->source || !said.keys.access_key)
		return 0;
	take(a, &said.keys);
	a->source = FROM_FILES;
	a->where = arena_printf(&a->fixed, "%s [%s]", said.path, a->files.profile);
	return 0;
}

static int look_for_endpoint(struct aws *a, const struct aws_opts *o, struct err *e)
{
	if (a->source || !o->setting)
		return 0;
	if (aws_container_url(o->setting, o->setting_arg, &a->fixed, &a->url, e) < 0)
		return -1;
	if (a->url) {
		a->source = FROM_CONTAINER;
		a->where = "the container's endpoint";
		return 0;
	}
	if (aws_machine_url(o->setting, o->setting_arg, &a->fixed, &a->url, e) < 0)
		return -1;
	if (!a->url)
		return err_set(e, ERR_MISSING, "there are no keys: neither AWS_ACCESS_KEY_ID and "
			       "AWS_SECRET_ACCESS_KEY are set, nor has %s a profile %s, nor does "
			       "a container or a machine of EC2 give any",
			       a->files.credentials ? a->files.credentials : "~/.aws/credentials",
			       a->files.profile);
	a->source = FROM_MACHINE;
	a->where = "this machine's metadata service";
	return 0;
}

int aws_open(const struct aws_opts *o, struct aws **out, struct err *e)
{
	struct aws *a = memset(mem_alloc(sizeof *a), 0, sizeof *a);

	a->http = o->http;
	a->setting = o->setting;
	a->setting_arg = o->setting_arg;
	a->region = set(o, "AWS_REGION");
	if (!a->region)
		a->region = set(o, "AWS_DEFAULT_REGION");
	a->region = same(&a->fixed, a->region);
	a->ca_file = same(&a->fixed, set(o, "AWS_CA_BUNDLE"));
	if (look_in_environment(a, o, e) < 0 || look_in_files(a, o, e) < 0 ||
	    look_for_endpoint(a, o, e) < 0) {
		aws_close(a);
		return -1;
	}
	if (!a->source) {
		aws_close(a);
		return err_set(e, ERR_MISSING, "there are no keys, and nobody who could say some");
	}
	*out = a;
	return 0;
}

void aws_close(struct aws *a)
{
	if (!a)
		return;
	if (a->call)
		http_cancel(a->call);
	loop_cancel(a->pause);
	arena_release(&a->fixed);
	arena_release(&a->ours[0]);
	arena_release(&a->ours[1]);
	arena_release(&a->step);
	free(a);
}

const char *aws_region(const struct aws *a)
{
	return a->region;
}

const char *aws_ca_file(const struct aws *a)
{
	return a->ca_file;
}

const char *aws_source(const struct aws *a)
{
	return a->where;
}

unsigned aws_version(const struct aws *a)
{
	return a->version;
}

/* ---- the container's endpoint */

static void ask(struct aws *a);

static void tell(struct aws *a, const struct err *e)
{
	struct aws_wait *w;

	a->telling = a->waits;
	a->waits = NULL;
	while ((w = a->telling)) {
		a->telling = w->next;
		w->done(w, e);
	}
}

static void pause_over(void *arg)
{
	struct aws *a = arg;

	a->pause = NULL;
	ask(a);
}

static bool holds(const struct aws *a, int64_t least_s)
{
	return a->keys.access_key &&
	       (!a->keys.expires_s || a->keys.expires_s > now_s() + least_s);
}

/* Of this one the asking begins again. */
static void forget_steps(struct aws *a)
{
	arena_reset(&a->step);
	a->machine = (struct aws_machine){ NULL, NULL };
}

static void could_not(struct aws *a, const struct err *e)
{
	forget_steps(a);
	if (e->code == ERR_RETRY && ++a->n_tries < TRIES) {
		a->pause = loop_after(http_loop(a->http), PAUSE_MS << a->n_tries, pause_over, a);
		return;
	}
	tell(a, e);
}

static void judge(struct aws *a, const struct http_answer *answer, struct err *e)
{
	struct arena work = { 0 };
	struct aws_keys k;
	bool is_good = false;

	if (answer->status / 100 == 2 && a->source == FROM_MACHINE && !a->machine.role) {
		if (aws_machine_heard(&a->machine, answer->body, &a->step, e) == 0)
			ask(a);
		else
			could_not(a, e);
		return;
	}
	if (answer->status / 100 != 2)
		err_set(e, answer->status >= 500 || answer->status == 429 ? ERR_RETRY : ERR_REFUSED,
			"%s, asked for keys, answers %d: is a role attached, and the token "
			"right?", a->where, answer->status);
	else if (aws_container_parse(answer->body, &work, &k, e) == 0)
		is_good = true;
	if (is_good && k.expires_s && k.expires_s <= now_s() + LEAST_S)
		is_good = err_set(e, ERR_REFUSED, "the keys it gives have ended already: is this "
				  "machine's clock right?") == 0;
	if (is_good)
		take(a, &k);
	arena_release(&work);
	if (is_good) {
		forget_steps(a);
		tell(a, NULL);
	} else {
		could_not(a, e);
	}
}

static void answered(void *arg, const struct http_answer *answer, const struct err *failed)
{
	struct aws *a = arg;
	struct err e;

	a->call = NULL;
	if (!failed) {
		judge(a, answer, &e);
		return;
	}
	e = *failed;
	err_wrap(&e, "%s, asked for keys", a->where);
	could_not(a, &e);
}

static void refuse(void *arg)
{
	struct aws *a = arg;

	a->pause = NULL;
	tell(a, &a->wrong);
}

static void ask(struct aws *a)
{
	struct arena work = { 0 };
	const char *headers[] = { NULL, "Accept: application/json", NULL };
	struct http_request r = { .url = a->url, .total_ms = ANSWER_MS, .done = answered,
				  .arg = a };
	int rc;

	if (a->call || a->pause)
		return;
	a->asked_s = now_s();
	if (a->source == FROM_MACHINE) {
		aws_machine_ask(&a->machine, a->url, &work, headers, &r);
		rc = 0;
	} else {
		rc = aws_container_header(a->setting, a->setting_arg, &work, &headers[0],
					  &a->wrong);
		r.headers = headers[0] ? headers : headers + 1;
	}
	if (rc == 0)
		rc = http_start(a->http, &r, &a->call, &a->wrong);
	/* Nobody is told before aws_wait() returns. */
	if (rc < 0)
		a->pause = loop_after(http_loop(a->http), 0, refuse, a);
	arena_release(&work);
}

/* ---- keys */

const struct aws_keys *aws_keys(struct aws *a)
{
	if (a->source >= FROM_CONTAINER && !holds(a, EARLY_S) &&
	    (!a->keys.access_key || now_s() >= a->asked_s + AGAIN_S)) {
		if (!a->call && !a->pause)
			a->n_tries = 0;
		ask(a);
	}
	return holds(a, LEAST_S) ? &a->keys : NULL;
}

void aws_wait(struct aws *a, struct aws_wait *w)
{
	struct aws_wait **at = &a->waits;

	while (*at)
		at = &(*at)->next;
	*at = w;
	w->next = NULL;
	if (!a->call && !a->pause)
		a->n_tries = 0;
	ask(a);
}

void aws_unwait(struct aws *a, struct aws_wait *w)
{
	struct aws_wait **lists[] = { &a->waits, &a->telling };

	for (size_t i = 0; i < 2; i++)
		for (struct aws_wait **at = lists[i]; *at; at = &(*at)->next)
			if (*at == w) {
				*at = w->next;
				return;
			}
}

static bool read_again(struct aws *a)
{
	struct arena work = { 0 };
	struct aws_said said;
	struct err e;
	bool is_new;

	is_new = aws_files_read(&a->files, &work, &said, &e) == 0 && said.keys.access_key &&
		 (strcmp(said.keys.access_key, a->keys.access_key) != 0 ||
		  strcmp(said.keys.secret_key, a->keys.secret_key) != 0 ||
		  strcmp(said.keys.token ? said.keys.token : "",
			 a->keys.token ? a->keys.token : "") != 0);
	if (is_new)
		take(a, &said.keys);
	arena_release(&work);
	return is_new;
}

bool aws_renew(struct aws *a, unsigned version)
{
	if (version != a->version)
		return true;
	if (a->source == FROM_FILES)
		return read_again(a);
	if (a->source < FROM_CONTAINER)
		return false;
	a->keys.access_key = NULL;
	return true;
}
