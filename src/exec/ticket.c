/* ticket.c - the text that a worker needs to find its dispatcher
 *
 * Read as strictly as thunks are: each line once, in this order.
 */
#include "ticket.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define HEAD "gg-ticket 1\n"
#define HEX "0123456789abcdef"

enum { TOKEN = 64, PIN = 8 + 44 };

static const struct line {
	const char *name;
	size_t at, room;
	bool is_optional;
} lines[] = {
	{ "url", offsetof(struct ticket, url), sizeof ((struct ticket *)0)->url, false },
	{ "token", offsetof(struct ticket, token), sizeof ((struct ticket *)0)->token, false },
	{ "key", offsetof(struct ticket, key), sizeof ((struct ticket *)0)->key, true },
	{ "pool", offsetof(struct ticket, pool), sizeof ((struct ticket *)0)->pool, false },
};

void ticket_write(const struct ticket *t, struct buf *out)
{
	buf_str(out, HEAD);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *value = (const char *)t + lines[i].at;

		if (*value)
			buf_printf(out, "%s %s\n", lines[i].name, value);
	}
}

int ticket_token(char token[65], struct err *e)
{
	unsigned char b[TOKEN / 2];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		return err_sys(e, "no random bytes for a token");
	for (size_t i = 0; i < sizeof b; i++)
		snprintf(token + 2 * i, 3, "%02x", b[i]);
	explicit_bzero(b, sizeof b);
	return 0;
}

/* No control character, and nothing that a header or an URL would not hold. */
static bool is_plain(struct bytes v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 0x7f)
			return false;
	return v.n > 0;
}

static int read_line(const struct line *l, struct bytes *text, struct ticket *out,
		     struct err *e)
{
	size_t n_name = strlen(l->name);
	const char *end = text->n ? memchr(text->p, '\n', text->n) : NULL;
	struct bytes v;

	if (!end || !bytes_start(*text, l->name) || text->p[n_name] != ' ')
		return l->is_optional ? 0 :
			err_set(e, ERR_BAD, "ticket: the line \"%s ...\" is not where it belongs",
				l->name);
	v = (struct bytes){ text->p + n_name + 1, (size_t)(end - text->p) - n_name - 1 };
	if (!is_plain(v) || v.n >= l->room)
		return err_set(e, ERR_BAD, "ticket: the line \"%s ...\" is empty, too long or "
			       "has odd characters", l->name);
	memcpy((char *)out + l->at, v.p, v.n);
	text->n -= (size_t)(end + 1 - text->p);
	text->p = end + 1;
	return 0;
}

static bool names_a_place(const struct ticket *t)
{
	if (strncmp(t->url, "unix:/", 6) == 0)
		return !*t->key;
	return strncmp(t->url, "https://", 8) == 0 && t->url[8] && t->url[8] != '/' &&
		!strpbrk(t->url + 8, "/?#@") && *t->key;
}

int ticket_read(struct bytes text, struct ticket *out, struct err *e)
{
	struct ticket t = { .url = "" };

	if (!bytes_start(text, HEAD))
		return err_set(e, ERR_BAD, "this is no ticket: its first line is not gg-ticket 1");
	text.p += strlen(HEAD);
	text.n -= strlen(HEAD);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (read_line(&lines[i], &text, &t, e) < 0)
			return -1;
	if (text.n)
		return err_set(e, ERR_BAD, "ticket: something follows the line \"pool ...\"");
	if (strlen(t.token) != TOKEN || strspn(t.token, HEX) != TOKEN)
		return err_set(e, ERR_BAD, "ticket: the token is not 64 hex digits");
	if (*t.key && (strncmp(t.key, "sha256//", 8) != 0 || strlen(t.key) != PIN))
		return err_set(e, ERR_BAD, "ticket: the key is not sha256// and 44 letters");
	if (!names_a_place(&t))
		return err_set(e, ERR_BAD, "ticket: the url is neither unix:/PATH nor "
			       "https://HOST:PORT with a key");
	*out = t;
	return 0;
}
