/* aws_container.c - the endpoint that gives containers their keys
 *
 * ECS names a path on its own address, EKS a whole address and a file with a
 * token, which is written anew from time to time.
 */
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include "aws.h"
#include "file.h"
#include "when.h"

#define ECS_ADDRESS "http://169.254.170.2"

enum { TOKEN_MAX = 64 << 10 };

/* Without TLS keys may only come from this machine or its host. */
static bool is_near(const char *url)
{
	static const char *const hosts[] = { "169.254.170.2", "169.254.170.23",
					     "[fd00:ec2::23]" };
	const char *host = url + strlen("http://");
	struct bytes h = { host, strcspn(host, "/?#") };
	const char *end = *host == '[' ? memchr(host, ']', h.n) : NULL;

	h.n = end ? (size_t)(end - host) + 1 : strcspn(host, ":/?#");
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
		if (bytes_equal(h, bytes_str(hosts[i])))
			return true;
	return http_host_is_local(h);
}

int aws_container_url(setting_fn *setting, void *arg, struct arena *a, const char **out,
		      struct err *e)
{
	const char *path = setting(arg, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = setting(arg, "AWS_CONTAINER_CREDENTIALS_FULL_URI");

	*out = NULL;
	if (path && *path == '/') {
		*out = arena_printf(a, ECS_ADDRESS "%s", path);
		return 0;
	}
	if (path && *path)
		return err_set(e, ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not "
			       "begin with /");
	if (!full || !*full)
		return 0;
	*out = arena_str(a, full);
	if (strncmp(full, "https://", 8) == 0 ||
	    (strncmp(full, "http://", 7) == 0 && is_near(full)))
		return 0;
	return err_set(e, ERR_REFUSED, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor "
		       "an address of this machine: keys would cross the network in the clear");
}

int aws_container_header(setting_fn *setting, void *arg, struct arena *a, const char **out,
			 struct err *e)
{
	const char *path = setting(arg, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = setting(arg, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

	*out = NULL;
	if (path && *path) {
		struct bytes b;

		if (file_read(AT_FDCWD, path, TOKEN_MAX, a, &b, e) < 0)
			return err_wrap(e, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
		while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
			b.n--;
		token = memchr(b.p, 0, b.n) ? "\n" : arena_strn(a, b.p, b.n);
	}
	if (!token || !*token)
		return 0;
	if (!aws_is_plain(token))
		return err_set(e, ERR_BAD, "the token for the container's keys holds a line end "
			       "or a control character");
	*out = arena_printf(a, "Authorization: %s", token);
	return 0;
}

static const char *text_of(const json_t *o, const char *name, struct arena *a)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s && *s && aws_is_plain(s) ? arena_str(a, s) : NULL;
}

int aws_container_parse(struct bytes json, struct arena *a, struct aws_keys *out,
			struct err *e)
{
	json_t *o = json_loadb(json.p, json.n, 0, NULL);
	const char *until = text_of(o, "Expiration", a);
	int rc = 0;

	*out = (struct aws_keys){
		.access_key = text_of(o, "AccessKeyId", a),
		.secret_key = text_of(o, "SecretAccessKey", a),
		.token = text_of(o, "Token", a),
	};
	if (!out->access_key || !out->secret_key)
		rc = err_set(e, ERR_BAD, "what the endpoint for keys gives are none");
	else if (until && !when_iso(until, &out->expires_s))
		rc = err_set(e, ERR_BAD, "the endpoint for keys gives some with an end that is no "
			     "moment");
	json_decref(o);
	return rc;
}
