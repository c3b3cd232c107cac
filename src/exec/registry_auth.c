/* registry_auth.c - logging in at a registry
 *
 * A 401 says how: by name and password at each request (Basic), or by a token
 * (Bearer) that another server gives for a name and password.  Nothing secret
 * gets into a message.
 */
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include "base64.h"
#include "registry_private.h"

const char *registry_challenge(const char *s, const char *key, struct arena *a)
{
	size_t n = strlen(key);

	while (*s) {
		const char *name = s += strspn(s, " ,\t"), *from;

		s += strcspn(s, "=, \t");
		if (*s != '=' || s[1] != '"') {
			s += *s != 0;
			continue;
		}
		from = s + 2;
		if (strncasecmp(name, key, n) == 0 && name[n] == '=')
			return arena_strn(a, from, strcspn(from, "\""));
		s = from + strcspn(from, "\"");
		s += *s == '"';
	}
	return NULL;
}

static const char *basic(struct registry *r)
{
	struct buf b = { 0 };
	struct bytes pair;
	const char *header;

	pair = bytes_str(arena_printf(&r->arena, "%s:%s", r->o->user, r->o->password));
	buf_str(&b, "Authorization: Basic ");
	base64_encode(pair, &b);
	header = arena_str(&r->arena, b.p);
	buf_release(&b);
	return header;
}

static void add_query(struct buf *url, const char *key, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~:/,";

	buf_printf(url, "%c%s=", memchr(url->p, '?', url->n) ? '&' : '?', key);
	for (; *value; value++) {
		if (strchr(plain, *value))
			buf_char(url, *value);
		else
			buf_printf(url, "%%%02X", (unsigned char)*value);
	}
}

static const char *token_url(struct registry *r, const char *realm, const char *challenge)
{
	const char *service = registry_challenge(challenge, "service", &r->arena);
	const char *scope = registry_challenge(challenge, "scope", &r->arena), *url;
	struct buf b = { 0 };

	buf_str(&b, realm);
	if (service)
		add_query(&b, "service", service);
	add_query(&b, "scope", scope ? scope :
		  arena_printf(&r->arena, "repository:%s:pull,push", r->o->to.name));
	url = arena_str(&r->arena, b.p);
	buf_release(&b);
	return url;
}

static int take_token(struct registry *r, struct bytes body, struct err *e)
{
	json_error_t ignored;
	json_t *o = json_loadb(body.p, body.n, 0, &ignored);
	const char *token = json_string_value(json_object_get(o, "token"));

	if (!token)
		token = json_string_value(json_object_get(o, "access_token"));
	if (token && !strpbrk(token, "\r\n"))
		r->authorization = arena_printf(&r->arena, "Authorization: Bearer %s", token);
	else
		token = NULL;
	json_decref(o);
	return token ? 0 : err_set(e, ERR_BAD, "the server that %s sends to for a token "
				   "gives none", r->o->to.host);
}

static int wrong_password(struct registry *r, struct err *e)
{
	if (r->o->user)
		return err_set(e, ERR_REFUSED, "%s: this user and password are not accepted",
			       r->o->to.host);
	return err_set(e, ERR_REFUSED, "%s wants a user and password: log in (podman login, "
		       "docker login), or set GG_REGISTRY_USER and GG_REGISTRY_PASSWORD",
		       r->o->to.host);
}

static int get_token(struct registry *r, const char *challenge, struct err *e)
{
	const char *realm = registry_challenge(challenge, "realm", &r->arena);
	const char *headers[2] = { NULL };
	struct http_request q = { .headers = headers };
	struct http_answer a;

	if (!realm)
		return err_set(e, ERR_BAD, "%s does not say where to get a token",
			       r->o->to.host);
	/* A password goes over plain http only where all else does. */
	if (bytes_start(bytes_str(r->base), "https:") && !r->o->trusts_anyone &&
	    !bytes_start(bytes_str(realm), "https:"))
		return err_set(e, ERR_REFUSED, "%s wants the password sent without "
			       "encryption", r->o->to.host);
	if (r->o->user)
		headers[0] = basic(r);
	q.url = token_url(r, realm, challenge);
	if (http_fetch(r->o->http, &q, &r->arena, &a, e) < 0)
		return err_wrap(e, "logging in at %s", r->o->to.host);
	if (a.status == 401 || a.status == 403)
		return wrong_password(r, e);
	if (a.status != 200)
		return err_set(e, a.status >= 500 ? ERR_RETRY : ERR_BAD, "logging in at %s: "
			       "status %d", r->o->to.host, a.status);
	return take_token(r, a.body, e);
}

int registry_login(struct registry *r, const char *challenge, struct err *e)
{
	if (challenge && strncasecmp(challenge, "Bearer ", 7) == 0)
		return get_token(r, challenge + 7, e);
	if (challenge && strncasecmp(challenge, "Basic", 5) != 0)
		return err_set(e, ERR_REFUSED, "%s wants a way to log in that gg does not "
			       "know: %.40s", r->o->to.host, challenge);
	if (!r->o->user || r->authorization)
		return wrong_password(r, e);
	r->authorization = basic(r);
	return 0;
}
