/* aws_files.c - keys and region from ~/.aws/credentials and ~/.aws/config
 *
 * The files are ini texts.  The first holds [name], the second [profile name];
 * both [default].
 */
#include <fcntl.h>
#include <string.h>
#include "aws.h"
#include "file.h"

enum { FILE_MAX = 1 << 20 };

static struct bytes trim(struct bytes b)
{
	while (b.n && strchr(" \t\r", b.p[b.n - 1]) && b.p[b.n - 1])
		b.n--;
	while (b.n && (*b.p == ' ' || *b.p == '\t')) {
		b.p++;
		b.n--;
	}
	return b;
}

static struct bytes next_line(struct bytes *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	struct bytes line = { rest->p, end ? (size_t)(end - rest->p) : rest->n };
	size_t n = line.n + (end != NULL);

	rest->p += n;
	rest->n -= n;
	return line;
}

static bool read_section(struct bytes line, struct bytes *out)
{
	const char *end = memchr(line.p, ']', line.n);

	if (!line.n || *line.p != '[')
		return false;
	*out = trim((struct bytes){ line.p + 1, end ? (size_t)(end - line.p) - 1 : 0 });
	return true;
}

/* What follows " #" or " ;" is a comment. */
static struct bytes without_comment(struct bytes v)
{
	for (size_t i = 1; i < v.n; i++)
		if ((v.p[i] == '#' || v.p[i] == ';') && (v.p[i - 1] == ' ' || v.p[i - 1] == '\t'))
			v.n = i;
	return v;
}

bool aws_ini_next(struct aws_ini *i)
{
	while (i->rest.n) {
		struct bytes line = next_line(&i->rest);
		const char *equals;

		/* A line that begins with a space belongs to the one before. */
		if (!line.n || strchr(" \t#;\r", *line.p) || read_section(line, &i->section))
			continue;
		equals = memchr(line.p, '=', line.n);
		if (!equals)
			continue;
		i->name = trim((struct bytes){ line.p, (size_t)(equals - line.p) });
		i->value.p = equals + 1;
		i->value.n = (size_t)(line.p + line.n - equals - 1);
		i->value = trim(without_comment(i->value));
		return true;
	}
	return false;
}

/* Does [section] mean the profile? */
static bool is_profile(struct bytes section, const char *profile)
{
	if (bytes_start(section, "profile ") || bytes_start(section, "profile\t"))
		section = trim((struct bytes){ section.p + 8, section.n - 8 });
	return bytes_equal(section, bytes_str(profile));
}

struct found {
	bool is_there;                  /* the profile */
	const char *key, *secret, *token, *region;
	const char *other;              /* a way to get keys that is not ours */
};

static const struct name {
	const char *name;
	size_t offset;
} names[] = {
	{ "aws_access_key_id", offsetof(struct found, key) },
	{ "aws_secret_access_key", offsetof(struct found, secret) },
	{ "aws_session_token", offsetof(struct found, token) },
	{ "region", offsetof(struct found, region) },
};

static void note(const struct aws_ini *i, struct arena *a, struct found *f)
{
	static const char *const others[] = { "role_arn", "sso_session", "sso_start_url",
					      "credential_process", "web_identity_token_file" };

	f->is_there = true;
	for (size_t n = 0; n < sizeof names / sizeof *names; n++)
		if (bytes_equal(i->name, bytes_str(names[n].name)) && i->value.n)
			*(const char **)((char *)f + names[n].offset) =
				arena_strn(a, i->value.p, i->value.n);
	for (size_t n = 0; n < sizeof others / sizeof *others; n++)
		if (bytes_equal(i->name, bytes_str(others[n])))
			f->other = others[n];
}

static int look(const char *path, const char *profile, struct arena *a, struct found *f,
		struct err *e)
{
	struct aws_ini i = { 0 };

	if (!path)
		return 0;
	if (file_read(AT_FDCWD, path, FILE_MAX, a, &i.rest, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	while (aws_ini_next(&i))
		if (is_profile(i.section, profile))
			note(&i, a, f);
	return 0;
}

static int judge(const struct aws_files *w, const struct found *f, struct aws_said *out,
		 struct err *e)
{
	const char *path = out->path;

	if (f->key && f->secret) {
		if (!aws_is_plain(f->key) || !aws_is_plain(f->secret) ||
		    (f->token && !aws_is_plain(f->token)))
			return err_set(e, ERR_BAD, "%s: a key of the profile %s holds a control "
				       "character", path, w->profile);
		out->keys = (struct aws_keys){ f->key, f->secret, f->token, 0 };
		return 0;
	}
	out->path = NULL;
	if (f->key || f->secret)
		return err_set(e, ERR_BAD, "%s: the profile %s has no %s", path, w->profile,
			       f->key ? "aws_secret_access_key" : "aws_access_key_id");
	return 0;
}

int aws_files_read(const struct aws_files *w, struct arena *a, struct aws_said *out,
		   struct err *e)
{
	const char *const paths[] = { w->credentials, w->config };
	struct found f[2] = { { 0 } };

	*out = (struct aws_said){ 0 };
	for (size_t i = 0; i < 2; i++) {
		if (look(paths[i], w->profile, a, &f[i], e) < 0)
			return -1;
		if (f[i].region)
			out->region = f[i].region;
		if (out->path)
			continue;
		out->path = paths[i];
		if (judge(w, &f[i], out, e) < 0)
			return -1;
	}
	if (out->path)
		return 0;
	if (w->is_named && !f[0].is_there && !f[1].is_there)
		return err_set(e, ERR_MISSING, "the profile %s is neither in %s nor in %s",
			       w->profile, w->credentials ? w->credentials : "~/.aws/credentials",
			       w->config ? w->config : "~/.aws/config");
	if (f[0].other || f[1].other)
		return err_set(e, ERR_REFUSED, "the profile %s gets its keys by %s, which gg does "
			       "not do; try: eval \"$(aws configure export-credentials --profile "
			       "%s --format env)\"", w->profile,
			       f[0].other ? f[0].other : f[1].other, w->profile);
	return 0;
}
