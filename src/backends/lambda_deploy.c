/* lambda_deploy.c - functions of AWS Lambda, made, listed and removed
 *
 * Names of members and paths are those of the published API, version
 * 2015-03-31.  A function that gg has made says so in its description.  The zip
 * is the same bytes each time, so that code that has not changed is known by
 * its hash and not sent again.
 */
#include "lambda.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base64.h"
#include "id.h"
#include "lambda_account.h"
#include "lambda_answer.h"
#include "sigv4.h"
#include "zip.h"

#define MADE_BY "gg worker"

enum { ANSWER_MAX = 16 << 20, ZIP_MAX = 50 << 20, PAGE = 50, ASK_MS = 120000,
	WAIT_FIRST_MS = 100, WAIT_LONGEST_MS = 3000, WAIT_MS = 300000, TRIES = 6 };

/* ---- one request */

struct asking {
	struct arena *a;
	int status;
	json_t *json;                   /* the answer's, or NULL */
	struct lambda_said said;
	struct err err;                 /* no answer came; code 0: one did */
	bool is_over;
};

static void on_answer(void *arg, const struct http_answer *h, const struct err *e)
{
	struct asking *k = arg;

	k->status = h->status;
	if (e)
		k->err = *e;
	lambda_answer_read(h, e, k->a, &k->said);
	k->json = e ? NULL : json_loadb(h->body.p, h->body.n, 0, NULL);
	k->is_over = true;
}

struct task {
	const char *doing;              /* what is told of it when it fails */
	const char *method, *name, *tail, *query;
	json_t *body;                   /* or NULL */
};

/* Ask once.  0 whatever the status is. */
static int ask(struct lambda_account *api, const struct task *t, struct asking *k,
	       struct err *e)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	char *text = t->body ? json_dumps(t->body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const struct lambda_request r = {
		.method = t->method, .function = t->name, .tail = t->tail, .query = t->query,
		.headers = t->body ? headers : NULL, .body = bytes_str(text ? text : ""),
		.max_bytes = ANSWER_MAX, .total_ms = ASK_MS, .done = on_answer, .arg = k,
	};
	struct lambda_call *call;
	int rc = lambda_call_start(api, &r, &call, e);

	if (rc == 0)
		loop_run(lambda_account_loop(api), &k->is_over);
	free(text);
	if (rc == 0 && k->err.code) {
		*e = k->err;
		rc = -1;
	}
	return rc;
}

/* The words of an answer that is no success. */
static int refused(const struct asking *k, const char *doing, const char *name,
		   struct err *e)
{
	const char *remedy = lambda_end_remedy(k->said.end);

	if (k->said.end == LAMBDA_ABSENT)
		return err_set(e, ERR_MISSING, "there is no function %s there: gg lambda list "
			       "shows those there are", name);
	if (k->said.error && strstr(k->said.error, "cannot be assumed"))
		remedy = "a new role takes some seconds; does its trust policy name "
			"lambda.amazonaws.com?";
	return err_set(e, k->said.end == LAMBDA_BUSY || k->said.end == LAMBDA_THROTTLED ?
		       ERR_RETRY : ERR_REFUSED, "%s %s: %s%s%s", doing, name,
		       k->said.error ? k->said.error : "refused without a reason",
		       remedy ? "; " : "", remedy ? remedy : "");
}

static void on_time(void *arg)
{
	*(bool *)arg = true;
}

static void rest(struct lambda_account *api, uint64_t ms)
{
	bool is_over = false;

	loop_after(lambda_account_loop(api), ms, on_time, &is_over);
	loop_run(lambda_account_loop(api), &is_over);
}

/* The same until it is neither throttled nor busy; status 2xx.  *out is the
 * caller's to let go of; out NULL: not wanted. */
static int do_it(struct lambda_account *api, const struct task *t, struct arena *a,
		 json_t **out, struct err *e)
{
	int rc = -1;

	for (unsigned i = 0; i < TRIES && rc < 0; i++) {
		struct asking k = { .a = a };

		if (i)
			rest(api, (uint64_t)250 << i);
		rc = ask(api, t, &k, e);
		if (rc == 0 && k.status / 100 != 2)
			rc = refused(&k, t->doing, t->name, e);
		if (rc == 0 && out)
			*out = json_incref(k.json);
		json_decref(k.json);
		if (rc < 0 && e->code != ERR_RETRY)
			break;
	}
	return rc;
}

/* ---- what there is */

static const char *text_of(json_t *o, const char *key, struct arena *a)
{
	const char *s = json_string_value(json_object_get(o, key));

	return arena_str(a, s ? s : "");
}

static void read_info(json_t *o, struct arena *a, struct lambda_info *out)
{
	json_t *arch = json_array_get(json_object_get(o, "Architectures"), 0);
	json_t *disk = json_object_get(json_object_get(o, "EphemeralStorage"), "Size");

	*out = (struct lambda_info){
		.name = text_of(o, "FunctionName", a), .state = text_of(o, "State", a),
		.package = text_of(o, "PackageType", a),
		.modified = text_of(o, "LastModified", a),
		.arch = arena_str(a, json_string_value(arch) ? json_string_value(arch) : ""),
		.mem_mb = (unsigned)json_integer_value(json_object_get(o, "MemorySize")),
		.timeout_s = (unsigned)json_integer_value(json_object_get(o, "Timeout")),
		.disk_mb = (unsigned)json_integer_value(disk),
		.code_bytes = (uint64_t)json_integer_value(json_object_get(o, "CodeSize")),
	};
}

static bool is_ours(json_t *configuration)
{
	const char *d = json_string_value(json_object_get(configuration, "Description"));

	return d && strncmp(d, MADE_BY, strlen(MADE_BY)) == 0;
}

/* Its configuration, which is the caller's; *out NULL: there is no such one. */
static int look(struct lambda_account *api, const char *name, struct arena *a, json_t **out,
		struct err *e)
{
	const struct task t = { .doing = "looking at", .method = "GET", .name = name, .tail = "" };
	json_t *all = NULL;
	int rc = do_it(api, &t, a, &all, e);

	*out = NULL;
	if (rc < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	*out = json_incref(json_object_get(all, "Configuration"));
	json_decref(all);
	return *out ? 0 : err_set(e, ERR_BAD, "looking at %s: the answer has no Configuration",
				  name);
}

static int check_state(json_t *o, const char *name, bool *is_ready, struct err *e)
{
	const char *state = json_string_value(json_object_get(o, "State"));
	const char *update = json_string_value(json_object_get(o, "LastUpdateStatus"));
	const char *why = json_string_value(json_object_get(o, "StateReason"));
	const char *why_update = json_string_value(json_object_get(o, "LastUpdateStatusReason"));

	*is_ready = (!state || strcmp(state, "Active") == 0) &&
		(!update || strcmp(update, "Successful") == 0);
	if (state && strcmp(state, "Failed") == 0)
		return err_set(e, ERR_REFUSED, "%s cannot be made: %s", name, why ? why : state);
	if (update && strcmp(update, "Failed") == 0)
		return err_set(e, ERR_REFUSED, "%s cannot be changed: %s", name,
			       why_update ? why_update : update);
	/* One that nobody has called for weeks wakes by being called. */
	*is_ready = *is_ready || (state && strcmp(state, "Inactive") == 0);
	return 0;
}

static int wait_for(struct lambda_account *api, const char *name, struct arena *a,
		    struct lambda_info *out, struct err *e)
{
	uint64_t waited_ms = 0, pause_ms = WAIT_FIRST_MS;
	bool is_ready = false;

	while (waited_ms < WAIT_MS) {
		const struct task t = { .doing = "waiting for", .method = "GET", .name = name,
					.tail = "/configuration" };
		json_t *o = NULL;
		int rc = do_it(api, &t, a, &o, e);

		if (rc == 0)
			rc = check_state(o, name, &is_ready, e);
		if (rc == 0 && is_ready)
			read_info(o, a, out);
		json_decref(o);
		if (rc < 0 || is_ready)
			return rc;
		rest(api, pause_ms);
		waited_ms += pause_ms;
		pause_ms = pause_ms * 2 < WAIT_LONGEST_MS ? pause_ms * 2 : WAIT_LONGEST_MS;
	}
	return err_set(e, ERR_RETRY, "%s is still being made after %d s: gg lambda list says when "
		       "it is", name, WAIT_MS / 1000);
}

/* ---- what there shall be */

/* What the function is made of, both ways. */
struct code {
	struct buf zip64;               /* empty: an image */
	char sha64[48];
};

static int make_zip(const struct lambda_spec *s, struct code *out, struct err *e)
{
	const struct zip_file file = { "bootstrap", s->worker, 0755 };
	struct buf zip = { 0 }, sha = { 0 };
	struct id id;
	int rc = zip_write(&file, 1, &zip, e);

	if (rc == 0 && zip.n > ZIP_MAX)
		rc = err_set(e, ERR_REFUSED, "the worker is %zu MB as a zip, and Lambda takes 50: "
			     "make it as an image (gg image --push, then --image)",
			     zip.n >> 20);
	if (rc == 0) {
		id = id_of(buf_bytes(&zip));
		base64_encode(buf_bytes(&zip), &out->zip64);
		base64_encode((struct bytes){ (const char *)id.b, sizeof id.b }, &sha);
		snprintf(out->sha64, sizeof out->sha64, "%s", sha.p);
	}
	buf_release(&zip);
	buf_release(&sha);
	return rc;
}

static void put_code(json_t *o, const struct lambda_spec *s, const struct code *c)
{
	if (s->image)
		json_object_set_new(o, "ImageUri", json_string(s->image));
	else
		json_object_set_new(o, "ZipFile", json_stringn(c->zip64.p, c->zip64.n));
}

static void put_number(json_t *o, const char *key, unsigned v)
{
	if (v)
		json_object_set_new(o, key, json_integer(v));
}

static void put_sizes(json_t *o, const struct lambda_spec *s)
{
	put_number(o, "MemorySize", s->mem_mb);
	put_number(o, "Timeout", s->timeout_s);
	if (s->disk_mb)
		json_object_set_new(o, "EphemeralStorage",
				    json_pack("{s:i}", "Size", (int)s->disk_mb));
	if (s->role)
		json_object_set_new(o, "Role", json_string(s->role));
	json_object_set_new(o, "Description", json_string(MADE_BY));
}

static json_t *architectures(const struct lambda_spec *s)
{
	return json_pack("[s]", s->is_arm ? "arm64" : "x86_64");
}

static void tell(const struct lambda_spec *s, const char *text)
{
	if (s->progress)
		s->progress(s->arg, text);
}

static int create(struct lambda_account *api, const struct lambda_spec *s,
		  const struct code *c, struct arena *a, struct err *e)
{
	struct lambda_spec whole = *s;
	json_t *o = json_object(), *code = json_object();
	const struct task t = { .doing = "making", .method = "POST", .tail = "", .body = o };
	int rc;

	whole.mem_mb = s->mem_mb ? s->mem_mb : 1024;
	whole.timeout_s = s->timeout_s ? s->timeout_s : 900;
	whole.disk_mb = s->disk_mb ? s->disk_mb : 2048;
	put_sizes(o, &whole);
	put_code(code, s, c);
	json_object_set_new(o, "FunctionName", json_string(s->name));
	json_object_set_new(o, "Code", code);
	json_object_set_new(o, "PackageType", json_string(s->image ? "Image" : "Zip"));
	json_object_set_new(o, "Architectures", architectures(s));
	if (!s->image) {
		json_object_set_new(o, "Runtime", json_string("provided.al2023"));
		json_object_set_new(o, "Handler", json_string("bootstrap"));
	}
	tell(s, "making it");
	rc = s->role ? do_it(api, &t, a, NULL, e) :
		err_set(e, ERR_USAGE, "there is no function %s yet, and a new one needs --role, "
			"the ARN of the role that it runs as", s->name);
	json_decref(o);
	return rc;
}

static int update_code(struct lambda_account *api, const struct lambda_spec *s,
		       const struct code *c, json_t *old, struct arena *a, struct err *e)
{
	const char *sha = json_string_value(json_object_get(old, "CodeSha256"));
	struct task t = { .doing = "changing", .method = "PUT", .name = s->name, .tail = "/code" };
	int rc;

	if (!s->image && sha && strcmp(sha, c->sha64) == 0) {
		tell(s, "its code is the same");
		return 0;
	}
	t.body = json_object();
	put_code(t.body, s, c);
	json_object_set_new(t.body, "Architectures", architectures(s));
	tell(s, "sending its code");
	rc = do_it(api, &t, a, NULL, e);
	json_decref(t.body);
	return rc;
}

static int update(struct lambda_account *api, const struct lambda_spec *s,
		  const struct code *c, json_t *old, struct arena *a, struct err *e)
{
	const char *package = json_string_value(json_object_get(old, "PackageType"));
	struct task t = { .doing = "changing", .method = "PUT", .name = s->name,
			  .tail = "/configuration" };
	struct lambda_info info;
	int rc;

	if (!is_ours(old))
		return err_set(e, ERR_REFUSED, "there is a function %s already, and it was not "
			       "made by gg: choose another name", s->name);
	if (package && strcmp(package, s->image ? "Image" : "Zip") != 0)
		return err_set(e, ERR_REFUSED, "%s is of the other kind (%s), which Lambda cannot "
			       "change: gg lambda remove %s first", s->name, package, s->name);
	if (wait_for(api, s->name, a, &info, e) < 0 || update_code(api, s, c, old, a, e) < 0 ||
	    wait_for(api, s->name, a, &info, e) < 0)
		return -1;
	t.body = json_object();
	put_sizes(t.body, s);
	rc = do_it(api, &t, a, NULL, e);
	json_decref(t.body);
	return rc;
}

int lambda_deploy(struct lambda_account *api, const struct lambda_spec *s, struct arena *a,
		  struct lambda_info *out, struct err *e)
{
	struct code code = { .zip64 = { 0 } };
	json_t *old = NULL;
	int rc;

	if ((!s->image && make_zip(s, &code, e) < 0) || look(api, s->name, a, &old, e) < 0) {
		buf_release(&code.zip64);
		return -1;
	}
	rc = old ? update(api, s, &code, old, a, e) : create(api, s, &code, a, e);
	buf_release(&code.zip64);
	json_decref(old);
	if (rc < 0)
		return -1;
	tell(s, "waiting until it can be called");
	return wait_for(api, s->name, a, out, e);
}

/* ---- list and remove */

struct listing {
	struct lambda_info *v;
	size_t n, room;
};

static void take_page(json_t *page, struct arena *a, struct listing *l)
{
	json_t *all = json_object_get(page, "Functions"), *one;
	size_t i;

	json_array_foreach(all, i, one) {
		if (!is_ours(one))
			continue;
		if (l->n == l->room) {
			l->room = l->room ? 2 * l->room : 32;
			l->v = mem_grow(l->v, l->room * sizeof *l->v);
		}
		read_info(one, a, &l->v[l->n++]);
	}
}

static int next_page(struct lambda_account *api, struct buf *query, struct arena *a,
		     struct listing *l, bool *is_last, struct err *e)
{
	const struct task t = { .doing = "listing", .method = "GET", .tail = "/",
				.query = query->p };
	struct asking k = { .a = a };
	const char *marker;

	if (ask(api, &t, &k, e) < 0)
		return -1;
	if (k.status / 100 != 2) {
		json_decref(k.json);
		return refused(&k, t.doing, "functions", e);
	}
	take_page(k.json, a, l);
	marker = json_string_value(json_object_get(k.json, "NextMarker"));
	*is_last = !marker || !*marker;
	buf_reset(query);
	if (!*is_last) {
		buf_str(query, "Marker=");
		sigv4_encode(bytes_str(marker), false, query);
		buf_char(query, '&');
	}
	buf_printf(query, "MaxItems=%d", PAGE);
	json_decref(k.json);
	return 0;
}

int lambda_list(struct lambda_account *api, struct arena *a, struct lambda_info **out,
		size_t *n, struct err *e)
{
	struct listing l = { 0 };
	struct buf query = { 0 };
	bool is_last = false;
	int rc = 0;

	buf_printf(&query, "MaxItems=%d", PAGE);
	while (rc == 0 && !is_last)
		rc = next_page(api, &query, a, &l, &is_last, e);
	*n = l.n;
	*out = arena_alloc(a, (l.n + 1) * sizeof **out);
	if (l.n)
		memcpy(*out, l.v, l.n * sizeof **out);
	free(l.v);
	buf_release(&query);
	return rc;
}

int lambda_remove(struct lambda_account *api, const char *name, struct err *e)
{
	const struct task t = { .doing = "removing", .method = "DELETE", .name = name, .tail = "" };
	struct arena a = { 0 };
	json_t *old = NULL;
	int rc = look(api, name, &a, &old, e);

	if (rc == 0 && !old)
		rc = err_set(e, ERR_MISSING, "there is no function %s there: gg lambda list shows "
			     "those there are", name);
	else if (rc == 0 && !is_ours(old))
		rc = err_set(e, ERR_REFUSED, "%s was not made by gg, which leaves it alone", name);
	if (rc == 0)
		rc = do_it(api, &t, &a, NULL, e);
	json_decref(old);
	arena_release(&a);
	return rc;
}
