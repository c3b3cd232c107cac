/* registry_call.c - one request to a registry, and what its refusal means */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "registry_private.h"

/* Only where the password was meant to go: a registry may send uploads
 * elsewhere. */
static bool is_own(const struct registry *r, const char *url)
{
	size_t n = strlen(r->base);

	return strncmp(url, r->base, n) == 0 && (url[n] == '/' || url[n] == 0);
}

static int ask_once(struct registry *r, const struct registry_ask *ask,
		    struct http_answer *out, struct err *e)
{
	const char *headers[6] = { NULL };
	struct http_request q = { .method = ask->method, .url = ask->url,
				  .headers = headers, .body = ask->body, .from = ask->from };
	size_t n = 0;

	for (; ask->headers[n]; n++)
		headers[n] = ask->headers[n];
	if (r->authorization && is_own(r, ask->url))
		headers[n] = r->authorization;
	return http_fetch(r->o->http, &q, &r->arena, out, e);
}

int registry_call(struct registry *r, const struct registry_ask *ask,
		  struct http_answer *out, struct err *e)
{
	if (ask_once(r, ask, out, e) < 0)
		return -1;
	if (out->status != 401 || !is_own(r, ask->url))
		return 0;
	if (registry_login(r, http_header(out, "WWW-Authenticate"), e) < 0)
		return -1;
	return ask_once(r, ask, out, e);
}

static const struct meaning {
	int status;
	enum err_code code;
	const char *text;
} meanings[] = {
	{ 401, ERR_REFUSED, "this user and password are not accepted" },
	{ 403, ERR_REFUSED, "this user may not push there" },
	{ 404, ERR_REFUSED, "there is no such repository, or this user may not push there" },
	{ 405, ERR_REFUSED, "this registry does not take images" },
	{ 413, ERR_REFUSED, "too large for the registry, or for a proxy before it" },
	{ 429, ERR_RETRY, "too many requests: try again later" },
	{ 502, ERR_RETRY, "the registry is down behind its proxy: try again later" },
	{ 503, ERR_RETRY, "the registry is not ready: try again later" },
	{ 504, ERR_RETRY, "the registry is down behind its proxy: try again later" },
	{ 507, ERR_IO, "the registry's disk is full" },
};

/* What the registry itself says, if it does so in the usual way. */
static const char *own_words(struct registry *r, const struct http_answer *a)
{
	json_error_t ignored;
	json_t *o = json_loadb(a->body.p, a->body.n, 0, &ignored);
	json_t *first = json_array_get(json_object_get(o, "errors"), 0);
	const char *message = json_string_value(json_object_get(first, "message"));
	json_t *detail = json_object_get(first, "detail");
	char *more = detail ? json_dumps(detail, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	const char *said = "";

	if (message)
		said = arena_printf(&r->arena, " (it says: %.100s%s%.200s)", message,
				    more ? " " : "", more ? more : "");
	free(more);
	json_decref(o);
	return said;
}

int registry_refused(struct registry *r, const char *what, const struct http_answer *a,
		     struct err *e)
{
	const char *said = own_words(r, a);

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == a->status)
			return err_set(e, meanings[i].code, "%s: %s: %s%s", r->o->to.host,
				       what, meanings[i].text, said);
	if (strcasestr(said, "no space left"))
		return err_set(e, ERR_IO, "%s: %s: the registry's disk is full%s",
			       r->o->to.host, what, said);
	if (a->status >= 500)
		return err_set(e, ERR_IO, "%s: %s: the registry failed with status %d%s; its "
			       "disk may be full, its log will tell", r->o->to.host, what,
			       a->status, said);
	return err_set(e, ERR_BAD, "%s: %s: unexpected status %d%s", r->o->to.host, what,
		       a->status, said);
}
