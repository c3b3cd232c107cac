/* reference.c - what people call an image: HOST[:PORT]/NAME[:TAG] */
#include <string.h>
#include "registry.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool name_is_good(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 255 || strspn(s, LOWER "._-/") != n || strstr(s, "//"))
		return false;
	return strspn(s, "._-/") == 0 && s[n - 1] != '/' && !strstr(s, "/.");
}

static bool tag_is_good(const char *s)
{
	size_t n = strlen(s);

	return n && n <= 128 && strspn(s, LOWER UPPER "._-") == n && *s != '.' && *s != '-';
}

static bool host_is_good(const char *s)
{
	return strspn(s, LOWER UPPER ".-:[]") == strlen(s) &&
		(strpbrk(s, ".:") || strcmp(s, "localhost") == 0);
}

int reference_parse(const char *text, struct arena *a, struct reference *out,
		    struct err *e)
{
	const char *slash = strchr(text, '/'), *colon;

	if (!slash)
		return err_set(e, ERR_USAGE, "\"%s\" names no registry: write HOST/NAME[:TAG]",
			       text);
	colon = strchr(slash, ':');
	out->host = arena_strn(a, text, (size_t)(slash - text));
	out->name = colon ? arena_strn(a, slash + 1, (size_t)(colon - slash - 1))
			  : arena_str(a, slash + 1);
	out->tag = arena_str(a, colon ? colon + 1 : "latest");
	if (!host_is_good(out->host))
		return err_set(e, ERR_USAGE, "\"%s\" is no registry: a host has a dot or a "
			       "port, or is localhost", out->host);
	if (!name_is_good(out->name))
		return err_set(e, ERR_USAGE, "\"%s\" is no name of an image: lower-case "
			       "letters, digits, and . _ - / between them", out->name);
	if (!tag_is_good(out->tag))
		return err_set(e, ERR_USAGE, "\"%s\" is no tag: letters, digits, . _ -, 128 "
			       "at most", out->tag);
	return 0;
}
