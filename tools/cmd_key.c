/* cmd_key.c - gg key: one's own key, and whom to believe
 *
 * Files of trusted keys are for people, too: lines are added and taken away, all
 * others stay as they are.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "keys.h"

enum { KEYS_MAX = 1 << 20, PREFIX_MIN = 8 };

static int key_new(struct ctx *c, int argc, char **argv, struct err *e)
{
	const char *path = keys_secret_path(c);
	struct public_key own;
	char *above;

	(void)argv;
	if (argc)
		return err_set(e, ERR_USAGE, "gg key new takes no arguments; GG_KEY names "
			       "another file");
	if (!path)
		return err_set(e, ERR_USAGE, "HOME is not set: say by GG_KEY where the key is "
			       "to be");
	/* Nobody else looks into the folder either. */
	above = arena_strn(&c->arena, path, (size_t)(path_base(path) - path));
	if (dir_make_above(AT_FDCWD, path, e) < 0 || key_make(path, &own, e) < 0)
		return -1;
	if (!getenv("GG_KEY"))
		(void)chmod(above, 0700);
	printf("%s\n", public_key_hex(&own).s);
	note("made %s; those who are to use your results do: gg key trust %s NAME", path,
	     public_key_hex(&own).s);
	return EXIT_FINE;
}

/* ---- files of trusted keys */

struct key_file {
	int dirfd;
	const char *path, *what;
};

static struct key_file user_file(struct ctx *c)
{
	return (struct key_file){ AT_FDCWD, keys_trusted_path(c), "you" };
}

static struct key_file project_file(struct ctx *c)
{
	return (struct key_file){ c->project.root ? c->project.root_fd : -1, KEYS_FILE,
				  "this project" };
}

static int chosen(struct ctx *c, struct key_file *out, struct err *e)
{
	*out = c->o.project ? project_file(c) : user_file(c);
	if (c->o.project && !c->project.root)
		return err_set(e, ERR_USAGE, "--project: there is no project here; gg init "
			       "makes one");
	if (!out->path)
		return err_set(e, ERR_USAGE, "HOME is not set: there is no place for your "
			       "trusted keys");
	return 0;
}

/* "" when there is no such file yet. */
static int read_keys(struct ctx *c, const struct key_file *f, struct bytes *out, struct err *e)
{
	*out = (struct bytes){ "", 0 };
	if (!f->path || f->dirfd == -1)
		return 0;
	if (file_read(f->dirfd, f->path, KEYS_MAX, &c->arena, out, e) == 0)
		return 0;
	return e->code == ERR_MISSING ? 0 : -1;
}

static int print_key(void *arg, const struct public_key *p, const char *name)
{
	const struct key_file *f = arg;

	printf("%s  %-20s trusted by %s\n", public_key_hex(p).s, name, f->what);
	return 0;
}

static int list_file(struct ctx *c, struct key_file f, struct err *e)
{
	struct keyring *k;
	struct bytes text;
	int rc = read_keys(c, &f, &text, e);

	if (rc < 0)
		return -1;
	if (keyring_open(NULL, text, &k, e) < 0)
		return err_wrap(e, "%s", f.path);
	keyring_each(k, print_key, &f);
	keyring_free(k);
	return 0;
}

static int key_list(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct keyring *k;

	(void)argv;
	if (argc)
		return err_set(e, ERR_USAGE, "gg key list takes no arguments");
	if (keyring_open(keys_secret_path(c), (struct bytes){ 0 }, &k, e) < 0)
		return -1;
	if (keyring_own(k))
		printf("%s  %-20s %s\n", public_key_hex(keyring_own(k)).s, "(your own)",
		       keys_secret_path(c));
	keyring_free(k);
	return list_file(c, user_file(c), e) < 0 || list_file(c, project_file(c), e) < 0 ?
		-1 : EXIT_FINE;
}

static int write_keys(const struct key_file *f, const struct buf *b, struct err *e)
{
	return dir_make_above(f->dirfd, f->path, e) < 0 ||
		file_write(f->dirfd, f->path, buf_bytes(b), 0644, FILE_SYNC, e) < 0 ? -1 : 0;
}

/* Add the lines of text to out, without those whose key begins so; how many these
 * were. */
static size_t drop_key(struct bytes text, const char *hex, struct buf *out)
{
	size_t n = strlen(hex), n_gone = 0;

	for (const char *p = text.p, *end = p + text.n; p < end;) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((eol ? eol + 1 : end) - p);
		bool is_it = len >= n && memcmp(p, hex, n) == 0;

		n_gone += is_it;
		if (!is_it)
			buf_add(out, p, len);
		p += len;
	}
	return n_gone;
}

static int key_trust(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct key_file f;
	struct keyring *k;
	struct public_key p;
	struct bytes text;
	struct buf b = { 0 };
	int rc;

	if (argc < 1 || argc > 2 || !public_key_parse(bytes_str(argv[0]), &p))
		return err_set(e, ERR_USAGE, "gg key trust KEY [NAME]: KEY is the 64 hex digits "
			       "that gg key list prints for who has it");
	if (argc == 2 && strpbrk(argv[1], "\n\r"))
		return err_set(e, ERR_USAGE, "a name has one line");
	if (chosen(c, &f, e) < 0 || read_keys(c, &f, &text, e) < 0)
		return -1;
	if (keyring_open(NULL, text, &k, e) < 0)
		return err_wrap(e, "%s", f.path);
	drop_key(text, argv[0], &b);
	if (b.n && b.p[b.n - 1] != '\n')
		buf_char(&b, '\n');
	buf_printf(&b, "%s%s%s\n", argv[0], argc == 2 ? " " : "", argc == 2 ? argv[1] : "");
	rc = argc == 1 && keyring_trusts(k, &p) ? 0 : write_keys(&f, &b, e);
	if (rc == 0)
		printf("%s: results by %.12s... are believed\n", f.path, argv[0]);
	keyring_free(k);
	buf_release(&b);
	return rc < 0 ? -1 : EXIT_FINE;
}

static int key_distrust(struct ctx *c, int argc, char **argv, struct err *e)
{
	size_t n = argc == 1 ? strspn(argv[0], "0123456789abcdef") : 0, n_gone;
	struct key_file f;
	struct bytes text;
	struct buf b = { 0 };
	int rc = 0;

	if (argc != 1 || argv[0][n] || n < PREFIX_MIN || n > ID_HEX)
		return err_set(e, ERR_USAGE, "gg key distrust KEY: KEY is 8 to 64 hex digits, "
			       "as gg key list prints them");
	if (chosen(c, &f, e) < 0 || read_keys(c, &f, &text, e) < 0)
		return -1;
	n_gone = drop_key(text, argv[0], &b);
	if (n_gone == 0)
		rc = err_set(e, ERR_USAGE, "%s has no key %s; gg key list prints those that are "
			     "trusted", f.path, argv[0]);
	else if (n_gone > 1 && n < ID_HEX)
		rc = err_set(e, ERR_USAGE, "%s is the beginning of several keys; give more of it",
			     argv[0]);
	else
		rc = write_keys(&f, &b, e);
	buf_release(&b);
	return rc < 0 ? -1 : EXIT_FINE;
}

static const struct {
	const char *name;
	int (*run)(struct ctx *c, int argc, char **argv, struct err *e);
} parts[] = {
	{ "new", key_new }, { "list", key_list }, { "trust", key_trust },
	{ "distrust", key_distrust },
};

int cmd_key(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct err ignored;

	/* A project has keys of its own; elsewhere one's own are meant. */
	if (project_open(c->cwd, getenv("GG_DIR"), &c->project, &ignored) < 0)
		c->project = (struct project){ 0 };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcmp(argv[0], parts[i].name) == 0)
			return parts[i].run(c, argc - 1, argv + 1, e);
	return err_set(e, ERR_USAGE, "gg key new, list, trust or distrust, not %s; see "
		       "gg key --help", argv[0]);
}
