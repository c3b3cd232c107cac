/* remotes.c - the table of places where objects rest
 *
 * A new one costs its file and a row here.
 */
#include <string.h>
#include "remote.h"

const struct remote_ops *const remotes[] = {
	&remote_dir, &remote_http, &remote_https,
	&remote_s3, &remote_redis, &remote_rediss,
	NULL,
};

/* What may be a password is not shown: of a URI only what is before ":". */
const struct remote_ops *remote_find(const char *uri, struct err *e)
{
	size_t n = strcspn(uri, ":");
	struct buf known = { 0 };

	for (size_t i = 0; remotes[i]; i++)
		if (uri[n] && strlen(remotes[i]->scheme) == n &&
		    strncmp(remotes[i]->scheme, uri, n) == 0)
			return remotes[i];
	for (size_t i = 0; remotes[i]; i++)
		buf_printf(&known, "%s%s", i ? ", " : "", remotes[i]->scheme);
	err_set(e, ERR_USAGE, "a remote begins with one of %s and a colon, not with \"%.*s\"",
		known.p, (int)(n > 40 ? 40 : n), uri);
	buf_release(&known);
	return NULL;
}

bool remote_key_is_good(const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
	size_t n = strlen(key);

	if (n == 0 || n > REMOTE_KEY_MAX || strspn(key, plain) != n || key[n - 1] == '/')
		return false;
	for (const char *p = key; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		if (*p == '.' || *p == '/')
			return false;
	return true;
}
