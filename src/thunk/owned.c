/* owned.c - which package of dpkg owns a path, remembered
 *
 * One record in TABLE_CLOSURE for all paths that were ever asked for.  dpkg
 * moves each list it writes into place, so that the stamp of their folder says
 * whether any has changed; then the record starts anew.
 *
 *	struct stamp of the folder, of the diversions
 *	for each path: u32 owners, path NUL, package NUL ("" for none)
 */
#include <string.h>
#include "closure_private.h"

enum { RECORD_MAX = 4 << 20 };

static const char record_key[] = "o";

/* False when a change from now on might not show. */
static bool stamp_at(const struct sys *m, const char *path, struct stamp *out)
{
	struct stat st;

	*out = (struct stamp){ 0 };
	if (!sys_lstat(m, path, &st))
		return true;
	*out = stamp_of(&st);
	return stamp_is_old(out);
}

static bool take_string(struct bytes *rest, const char **out)
{
	const char *end = memchr(rest->p, 0, rest->n);

	if (!end)
		return false;
	*out = rest->p;
	rest->n -= (size_t)(end + 1 - rest->p);
	rest->p = end + 1;
	return true;
}

static bool take_line(struct bytes *rest, struct owner *v)
{
	uint32_t n;

	if (rest->n < sizeof n)
		return false;
	memcpy(&n, rest->p, sizeof n);
	*v = (struct owner){ .n_owners = n };
	rest->p += sizeof n;
	rest->n -= sizeof n;
	return take_string(rest, &v->path) && take_string(rest, &v->package);
}

/* Fill in the owners that are remembered of the n at v. */
static void recall(struct bytes rest, struct owner *v, size_t n)
{
	struct map by_path = { 0 };
	struct owner line, *asked;

	for (size_t i = 0; i < n; i++)
		*map_at(&by_path, bytes_str(v[i].path)) = &v[i];
	while (take_line(&rest, &line)) {
		asked = map_get(&by_path, bytes_str(line.path));
		if (!asked)
			continue;
		asked->is_known = true;
		asked->n_owners = line.n_owners;
		asked->package = *line.package ? line.package : NULL;
	}
	map_release(&by_path);
}

void owned_open(struct owned *k, struct store *s, const struct sys *m, struct owner *v,
		size_t n, struct arena *a)
{
	struct stamp now[2];
	struct bytes b, rest;
	struct err ignored;

	*k = (struct owned){ .store = s };
	k->is_trusted = s && stamp_at(m, DPKG_LISTS, &now[0]) &&
			stamp_at(m, DPKG_DIVERSIONS, &now[1]);
	if (!k->is_trusted)
		return;
	buf_add(&k->text, now, sizeof now);
	if (store_table_get(s, TABLE_CLOSURE, bytes_str(record_key), a, &b, &ignored) < 0 ||
	    b.n < sizeof now || b.n > RECORD_MAX || memcmp(b.p, now, sizeof now) != 0)
		return;
	rest = (struct bytes){ b.p + sizeof now, b.n - sizeof now };
	k->known = rest;
	recall(rest, v, n);
}

void owned_add(struct owned *k, const struct owner *v)
{
	const char *package = v->package ? v->package : "";
	uint32_t n = v->n_owners;

	if (!k->is_trusted)
		return;
	if (!k->has_new)
		buf_add(&k->text, k->known.p, k->known.n);
	buf_add(&k->text, &n, sizeof n);
	buf_add(&k->text, v->path, strlen(v->path) + 1);
	buf_add(&k->text, package, strlen(package) + 1);
	k->has_new = true;
}

/* It is kept beside: nothing is wrong when it cannot be kept. */
void owned_close(struct owned *k)
{
	struct err ignored;

	if (k->has_new)
		store_table_put(k->store, TABLE_CLOSURE, bytes_str(record_key),
				buf_bytes(&k->text), &ignored);
	buf_release(&k->text);
}
