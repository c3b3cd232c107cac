/* script_input.c - what a script could read on its standard input
 *
 * A terminal and /dev/null say nothing that could be remembered.  A file does:
 * its content, from where it is read on.  What a pipe brought, or will bring,
 * nobody can tell; but one that was open and empty from begin to end brought
 * nothing, so the script did without it, and would with any other input too.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gg.h"

/* Open, and there is nothing to read, not even its end. */
static bool is_idle(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* A pipe whose other end is closed and that holds nothing is as /dev/null. */
static bool is_spent(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP && !(p.revents & POLLIN);
}

static struct id named(const struct id *key, struct bytes what)
{
	struct hash *h = hash_new();
	struct id id;

	hash_add(h, key, sizeof *key);
	hash_add(h, what.p, what.n);
	id = hash_end(h);
	hash_free(h);
	return id;
}

int script_input_look(struct store *s, const struct id *key, struct arena *a,
		      struct script_input *out, struct err *e)
{
	struct stat st;
	struct id id;

	*out = (struct script_input){ .kind = INPUT_QUIET, .key = *key, .at = -1 };
	out->any = named(key, bytes_str("any input"));
	if (fstat(STDIN_FILENO, &st) < 0)
		return 0;
	if (S_ISREG(st.st_mode)) {
		out->at = lseek(STDIN_FILENO, 0, SEEK_CUR);

		if (stat_name(s, AT_FDCWD, "/dev/stdin", 0, &id, NULL, e) < 0)
			return err_wrap(e, "standard input");
		out->key = named(key, bytes_str(arena_printf(a, "%s %lld",
							     id_hex(&id).s, out->at)));
	} else if ((S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) && !is_spent()) {
		out->kind = is_idle() ? INPUT_IDLE : INPUT_UNKNOWN;
		out->key = out->any;
	}
	return 0;
}

bool script_input_is_known(const struct script_input *in)
{
	return in->kind == INPUT_QUIET || (in->kind == INPUT_IDLE && is_idle());
}

bool script_input_again(const struct script_input *in)
{
	if (in->at >= 0)
		return lseek(STDIN_FILENO, (off_t)in->at, SEEK_SET) >= 0;
	return script_input_is_known(in);
}
