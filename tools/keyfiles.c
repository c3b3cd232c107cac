/* keyfiles.c - where keys are kept
 *
 * The secret is the user's: GG_KEY names its file, else it is "key" in the folder
 * gg of $XDG_CONFIG_HOME or ~/.config.  Trusted keys are in "trusted" beside
 * it, and in gg.keys of the project, which may be committed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"

enum { KEYS_MAX = 1 << 20 };

static const char *in_config(struct ctx *c, const char *name)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		return arena_printf(&c->arena, "%s/gg/%s", config, name);
	if (home && *home == '/')
		return arena_printf(&c->arena, "%s/.config/gg/%s", home, name);
	return NULL;
}

const char *keys_secret_path(struct ctx *c)
{
	const char *named = getenv("GG_KEY");

	return named && *named ? named : in_config(c, "key");
}

const char *keys_trusted_path(struct ctx *c)
{
	return in_config(c, "trusted");
}

static int add_file(struct ctx *c, int dirfd, const char *path, struct err *e)
{
	struct bytes text;

	if (file_read(dirfd, path, KEYS_MAX, &c->arena, &text, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	if (keyring_add(c->keys, text, e) == 0)
		return 0;
	if (e->code == ERR_BAD)
		e->code = ERR_USAGE;
	return err_wrap(e, "%s", path);
}

int keys_open(struct ctx *c, struct err *e)
{
	const char *named = getenv("GG_KEY"), *trusted = keys_trusted_path(c);

	if (named && *named && access(named, F_OK) < 0)
		return err_set(e, ERR_USAGE, "GG_KEY names %s, which is not there; gg key new "
			       "makes it", named);
	if (keyring_open(keys_secret_path(c), (struct bytes){ 0 }, &c->keys, e) < 0)
		return -1;
	if (trusted && add_file(c, AT_FDCWD, trusted, e) < 0)
		return -1;
	return c->project.root ? add_file(c, c->project.root_fd, KEYS_FILE, e) : 0;
}
