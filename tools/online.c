/* online.c - what a person has set up for talking to servers
 *
 * Proxies come from the environment, passwords from there or from the files
 * that podman login and docker login write; never from arguments, which
 * everybody on the machine can read.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base64.h"
#include "file.h"
#include "gg.h"
#include "http.h"

enum { AUTH_MAX = 1 << 20 };

static const char *first_env(const char *const *names)
{
	for (; *names; names++) {
		const char *s = getenv(*names);

		if (s && *s)
			return s;
	}
	return NULL;
}

/* As curl has it; libcurl itself looks only where Debian has them, and others have
 * them elsewhere. */
const char *authority_file(void)
{
	static const char *const named[] = { "CURL_CA_BUNDLE", "SSL_CERT_FILE", NULL };
	static const char *const files[] = {
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	};
	const char *file = first_env(named);

	for (size_t i = 0; !file && i < sizeof files / sizeof *files; i++)
		if (access(files[i], R_OK) == 0)
			file = files[i];
	return file;
}

int online_open(struct ctx *c, struct http **out, struct err *e)
{
	static const char *const proxy[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
					     "ALL_PROXY", NULL };
	static const char *const no_proxy[] = { "no_proxy", "NO_PROXY", NULL };
	struct http_opts o = {
		.ca_file = c->o.ca_file ? c->o.ca_file : authority_file(),
		.trusts_anyone = !c->o.tls_verify,
		.proxy = first_env(proxy), .no_proxy = first_env(no_proxy),
	};

	if (!c->loop && loop_new(&c->loop, e) < 0)
		return -1;
	o.loop = c->loop;
	return http_new(&o, out, e);
}

/* "auths": { HOST: { "auth": base64 of USER:PASSWORD } } */
static int take_login(struct ctx *c, const char *file, struct bytes text, const char *host,
		      const char **user, const char **password, struct err *e)
{
	json_error_t where;
	json_t *all = json_loadb(text.p, text.n, 0, &where);
	json_t *one = json_object_get(json_object_get(all, "auths"), host);
	const char *auth = json_string_value(json_object_get(one, "auth"));
	struct buf b = { 0 };
	char *colon;
	int rc = 0;

	if (!all)
		rc = err_set(e, ERR_USAGE, "%s:%d:%d: %s", file, where.line, where.column,
			     where.text);
	if (auth && base64_decode(bytes_str(auth), &b) && (colon = memchr(b.p, ':', b.n))) {
		*user = arena_strn(&c->arena, b.p, (size_t)(colon - b.p));
		*password = arena_strn(&c->arena, colon + 1, b.n - (size_t)(colon + 1 - b.p));
	} else if (one && json_object_get(one, "identitytoken")) {
		rc = err_set(e, ERR_USAGE, "%s: an identity token for %s is of no use to gg: log "
			     "in with user and password", file, host);
	} else if (auth && *auth) {
		rc = err_set(e, ERR_USAGE, "%s: the entry of %s is damaged: log in again",
			     file, host);
	}
	buf_release(&b);
	json_decref(all);
	return rc;
}

static int look_in(struct ctx *c, const char *file, bool must, const char *host,
		   const char **user, const char **password, struct err *e)
{
	struct bytes text;

	if (file_read(AT_FDCWD, file, AUTH_MAX, &c->arena, &text, e) < 0)
		return e->code == ERR_MISSING && !must ? 0 : -1;
	return take_login(c, file, text, host, user, password, e);
}

static const char *below(struct ctx *c, const char *variable, const char *rest)
{
	const char *dir = getenv(variable);

	return dir && *dir ? arena_printf(&c->arena, "%s/%s", dir, rest) : NULL;
}

int online_login(struct ctx *c, const char *host, const char **user,
		 const char **password, struct err *e)
{
	const char *named = c->o.auth_file ? c->o.auth_file : getenv("REGISTRY_AUTH_FILE");
	const char *files[] = {
		below(c, "XDG_RUNTIME_DIR", "containers/auth.json"),
		below(c, "XDG_CONFIG_HOME", "containers/auth.json"),
		below(c, "HOME", ".config/containers/auth.json"),
		below(c, "DOCKER_CONFIG", "config.json"),
		below(c, "HOME", ".docker/config.json"),
	};

	*user = getenv("GG_REGISTRY_USER");
	*password = getenv("GG_REGISTRY_PASSWORD");
	if (*user && *password)
		return 0;
	*user = *password = NULL;
	if (strcmp(host, "docker.io") == 0)
		host = "https://index.docker.io/v1/";
	if (named)
		return look_in(c, named, c->o.auth_file != NULL, host, user, password, e);
	for (size_t i = 0; i < sizeof files / sizeof *files && !*user; i++)
		if (files[i] && look_in(c, files[i], false, host, user, password, e) < 0)
			return -1;
	return 0;
}
