/* packages.c - which package owns a file, and what is in one
 *
 * Debian's by /var/lib/dpkg/info, pip's by what lies beside the modules.  The
 * lists are read whole when the owner of a path is asked for that owned.c does
 * not remember: 10 MB in 30 ms.  That happens when a command is studied or a
 * message written; a closure that is made needs the lists of its own packages
 * only.
 *
 * dpkg spells paths as the package was built, and follows root's links (/lib is
 * usr/lib); here all are written as they lie.
 */
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"
#include "file.h"

#define PIP "pip:"

static const char native[] =
#if defined(__x86_64__)
	":amd64";
#elif defined(__aarch64__)
	":arm64";
#else
	":";
#endif

/* ---- spelling */

struct spelling {
	const char *links[8];           /* "/lib/", ...: those that lead to usr */
	size_t n_links;
	struct diversions diversions;
};

static void spelling_open(struct spelling *sp, const struct sys *m, struct arena *a)
{
	static const char *const roots[] = {
		"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	};
	struct bytes text;

	*sp = (struct spelling){ 0 };
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		const char *to = sys_link(m, roots[i], a);

		if (to && strcmp(to + (*to == '/'), arena_printf(a, "usr%s", roots[i])) == 0)
			sp->links[sp->n_links++] = arena_printf(a, "%s/", roots[i]);
	}
	if (sys_read(m, DPKG_DIVERSIONS, a, &text))
		dpkg_diversions(text, a, &sp->diversions);
}

/* As it lies; in room when it is not the path itself. */
static struct bytes real_spelling(const struct spelling *sp, struct bytes path,
				  char *room, size_t n_room)
{
	for (size_t i = 0; i < sp->n_links; i++)
		if (bytes_start(path, sp->links[i]) && path.n + 4 < n_room) {
			memcpy(room, "/usr", 4);
			memcpy(room + 4, path.p, path.n);
			return (struct bytes){ room, path.n + 4 };
		}
	return path;
}

/* Where a package's file lies if another one has moved it aside. */
static struct bytes diverted(const struct spelling *sp, struct bytes path,
			     const char *package)
{
	for (size_t i = 0; i < sp->diversions.n; i++) {
		const struct diversion *d = &sp->diversions.v[i];

		if (path.n == strlen(d->from) && memcmp(path.p, d->from, path.n) == 0 &&
		    (strncmp(d->by, package, strlen(d->by)) != 0 ||
		     (package[strlen(d->by)] && package[strlen(d->by)] != ':')))
			return bytes_str(d->to);
	}
	return path;
}

/* ---- owners */

/* Which ends of paths are wanted, by a bit each: of the hundred thousands of
 * lines most are no more than looked at.  Links of folders change how a path
 * begins, not how it ends. */
enum { END_BYTES = 8, END_BITS = 1 << 16 };

struct ends {
	uint64_t bits[END_BITS / 64];
};

struct owning {
	const struct sys *m;
	struct ends ends;
	struct spelling sp;
	struct map wanted;              /* path -> struct owner */
	struct arena *a;
	const char *package, *version;
};

static size_t end_of(struct bytes path)
{
	uint64_t u = 0;

	memcpy(&u, path.p + path.n - END_BYTES, END_BYTES);
	return (size_t)((u * 0x9e3779b97f4a7c15u) >> 48);
}

static bool may_be_wanted(const struct ends *e, struct bytes path)
{
	size_t i = path.n < END_BYTES ? 0 : end_of(path);

	return path.n < END_BYTES || (e->bits[i / 64] >> i % 64 & 1);
}

static void want_end(struct ends *e, struct bytes path)
{
	size_t i = path.n < END_BYTES ? 0 : end_of(path);

	if (path.n >= END_BYTES)
		e->bits[i / 64] |= UINT64_C(1) << i % 64;
}

static void own(struct owning *o, struct bytes path)
{
	struct owner *v = map_get(&o->wanted, path);

	if (!v)
		return;
	v->n_owners++;
	if (!v->package) {
		v->package = o->package;
		v->version = o->version;
	}
}

static void own_listed(void *arg, struct bytes path)
{
	struct owning *o = arg;
	char room[4200];

	if (!may_be_wanted(&o->ends, path))
		return;
	own(o, real_spelling(&o->sp, diverted(&o->sp, path, o->package), room,
			     sizeof room));
}

/* "libc6:amd64.list" is libc6 here. */
static const char *package_of_list(const char *file, struct arena *a)
{
	size_t n = strlen(file), k = strlen(native);

	if (n < 6 || strcmp(file + n - 5, ".list") != 0)
		return NULL;
	n -= 5;
	if (n > k && strncmp(file + n - k, native, k) == 0)
		n -= k;
	return arena_strn(a, file, n);
}

static void own_by_dpkg(struct owning *o)
{
	struct arena names = { 0 }, text = { 0 };
	struct strs files = { 0 };
	struct bytes b;

	sys_names(o->m, DPKG_LISTS, &names, &files);
	for (size_t i = 0; i < files.n; i++) {
		o->package = package_of_list(files.v[i], o->a);
		if (o->package &&
		    sys_read(o->m, arena_printf(&text, DPKG_LISTS "/%s", files.v[i]),
			     &text, &b))
			dpkg_list_each(b, own_listed, o);
		arena_reset(&text);
	}
	strs_release(&files);
	arena_release(&names);
}

static bool is_site(const char *base, size_t n)
{
	return n == 13 && (strncmp(base, "site-packages", n) == 0 ||
			   strncmp(base, "dist-packages", n) == 0);
}

/* The folder of modules that path lies in, or NULL. */
static const char *site_of(const char *path, struct arena *a)
{
	const char *found = NULL, *p = path;

	while ((p = strchr(p, '/'))) {
		size_t n = strcspn(++p, "/");

		if (p[n] && is_site(p, n))
			found = p + n;
	}
	return found ? arena_strn(a, path, (size_t)(found - path)) : NULL;
}

static bool is_default_site(const char *site)
{
	return treatment_match("/usr/local/lib/python3*/dist-packages", site) ||
	       treatment_match("/usr/local/lib/python3*/site-packages", site);
}

struct record {
	const char *from;               /* what its paths are relative to */
	struct arena *a;
	struct owning *o;               /* ask for owners */
	struct strs *files;             /* or collect */
};

static void on_record(void *arg, const char *path)
{
	struct record *r = arg;
	const char *full = path_clean(r->a, r->from, path);

	if (r->o)
		own(r->o, bytes_str(full));
	else
		strs_add(r->files, full);
}

/* Read what a dist-info or egg-info folder says is in its package. */
static const char *read_dist(const struct sys *m, const char *site,
			     const char *folder, struct record *r, struct arena *a)
{
	const char *list = arena_printf(a, "%s/%s/RECORD", site, folder);
	struct bytes text;

	r->from = site;
	if (!sys_read(m, list, r->a, &text)) {
		list = arena_printf(a, "%s/%s/installed-files.txt", site, folder);
		r->from = arena_printf(a, "%s/%s", site, folder);
		if (!sys_read(m, list, r->a, &text))
			return NULL;
	}
	pip_record_each(text, r->a, on_record, r);
	return list;
}

static void own_by_pip(struct owning *o, const char *site)
{
	struct arena a = { 0 }, text = { 0 };
	struct strs names = { 0 };
	struct record r = { .a = &text, .o = o };

	sys_names(o->m, site, &a, &names);
	for (size_t i = 0; i < names.n; i++) {
		const char *name;

		if (!pip_dist_name(names.v[i], o->a, &name, &o->version))
			continue;
		o->package = is_default_site(site)
			? arena_printf(o->a, PIP "%s", name)
			: arena_printf(o->a, PIP "%s/%s", site, name);
		read_dist(o->m, site, names.v[i], &r, &a);
		arena_reset(&text);
	}
	strs_release(&names);
	arena_release(&text);
	arena_release(&a);
}

/* A script in bin belongs to modules of the same prefix. */
static void add_sites_beside(const struct sys *m, const char *path, struct strs *sites,
			     struct arena *a)
{
	const char *slash = strstr(path, "/bin/"), *lib;
	struct strs names = { 0 };

	if (!slash || strchr(slash + 5, '/'))
		return;
	lib = arena_printf(a, "%.*s/lib", (int)(slash - path), path);
	sys_names(m, lib, a, &names);
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.v[i], "python", 6) == 0) {
			strs_add(sites, arena_printf(a, "%s/%s/site-packages", lib, names.v[i]));
			strs_add(sites, arena_printf(a, "%s/%s/dist-packages", lib, names.v[i]));
		}
	strs_release(&names);
}

/* Those that are not remembered are looked for in all lists. */
static void own_again(struct owning *o, struct owned *k, struct owner *v, size_t n)
{
	struct owner **asked = arena_alloc(o->a, (n + 1) * sizeof(*asked));
	size_t n_asked = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].is_known)
			continue;
		asked[n_asked++] = &v[i];
		want_end(&o->ends, bytes_str(v[i].path));
		*map_at(&o->wanted, bytes_str(v[i].path)) = &v[i];
	}
	if (!n_asked)
		return;
	spelling_open(&o->sp, o->m, o->a);
	for (size_t i = 0; i < o->sp.diversions.n; i++)
		want_end(&o->ends, bytes_str(o->sp.diversions.v[i].from));
	own_by_dpkg(o);
	for (size_t i = 0; i < n_asked; i++)
		owned_add(k, asked[i]);
}

void packages_own(const struct sys *m, struct store *s, struct owner *v, size_t n,
		  struct arena *a)
{
	struct owning o = { .m = m, .a = a };
	struct strs sites = { 0 };
	struct owned known;

	owned_open(&known, s, m, v, n, a);
	own_again(&o, &known, v, n);
	owned_close(&known);
	for (size_t i = 0; i < n; i++)
		*map_at(&o.wanted, bytes_str(v[i].path)) = &v[i];
	for (size_t i = 0; i < n; i++) {
		const char *site = v[i].package ? NULL : site_of(v[i].path, a);

		if (site)
			strs_add(&sites, site);
		else if (!v[i].package)
			add_sites_beside(m, v[i].path, &sites, a);
	}
	strs_sort(&sites);
	for (size_t i = 0; i < sites.n; i++)
		if (i == 0 || strcmp(sites.v[i], sites.v[i - 1]) != 0)
			own_by_pip(&o, sites.v[i]);
	strs_release(&sites);
	map_release(&o.wanted);
}

/* ---- the files of one package */

struct listing {
	struct spelling sp;
	const char *package;
	struct arena *a;
	struct strs files;
};

static void add_listed(void *arg, struct bytes path)
{
	struct listing *l = arg;
	struct bytes real = diverted(&l->sp, path, l->package);

	strs_add(&l->files, arena_strn(l->a, real.p, real.n));
}

static void add_place(struct package *p, const char *path)
{
	if (p->n_places < sizeof p->places / sizeof *p->places)
		p->places[p->n_places++] = path;
}

static void dpkg_files(const struct sys *m, struct bytes status, struct arena *a,
		       struct listing *l, struct package *out)
{
	const char *full = arena_printf(a, "%s%s", out->name,
					strchr(out->name, ':') ? "" : native);
	const char *lists[] = { arena_printf(a, DPKG_LISTS "/%s.list", full),
				arena_printf(a, DPKG_LISTS "/%s.list", out->name) };
	const char *version;
	struct bytes text;

	add_place(out, lists[0]);
	add_place(out, lists[1]);
	add_place(out, DPKG_DIVERSIONS);
	if (!sys_read(m, lists[0], a, &text) && !sys_read(m, lists[1], a, &text))
		return;
	spelling_open(&l->sp, m, a);
	dpkg_list_each(text, add_listed, l);
	version = dpkg_version(status, full, a);
	if (!version)           /* of no architecture, "all" */
		version = dpkg_version(status, out->name, a);
	out->version = version ? version : "";
}

static void pip_files_in(const struct sys *m, const char *site, const char *wanted,
			 struct arena *a, struct listing *l, struct package *out)
{
	struct record r = { .a = a, .files = &l->files };
	struct strs names = { 0 };

	add_place(out, site);
	sys_names(m, site, a, &names);
	for (size_t i = 0; i < names.n; i++) {
		const char *name, *version, *list;

		if (!pip_dist_name(names.v[i], a, &name, &version) ||
		    strcmp(name, wanted) != 0)
			continue;
		list = read_dist(m, site, names.v[i], &r, a);
		if (list) {
			add_place(out, list);
			out->version = version;
		}
	}
	strs_release(&names);
}

static void pip_files(const struct sys *m, struct arena *a, struct listing *l,
		      struct package *out)
{
	const char *what = out->name + sizeof PIP - 1, *name, *ignored;
	struct strs names = { 0 };

	if (!pip_dist_name(arena_printf(a, "%s-0.dist-info", path_base(what)), a, &name,
			   &ignored))
		return;
	if (*what == '/') {
		what = arena_strn(a, what, (size_t)(path_base(what) - what));
		pip_files_in(m, path_clean(a, "/", what), name, a, l, out);
		return;
	}
	add_place(out, "/usr/local/lib");
	sys_names(m, "/usr/local/lib", a, &names);
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.v[i], "python3", 7) == 0) {
			pip_files_in(m, arena_printf(a, "/usr/local/lib/%s/dist-packages",
						     names.v[i]), name, a, l, out);
			pip_files_in(m, arena_printf(a, "/usr/local/lib/%s/site-packages",
						     names.v[i]), name, a, l, out);
		}
	strs_release(&names);
}

bool package_is_name(const char *use)
{
	return *use != '/';
}

void package_files(const struct sys *m, struct bytes status, const char *use,
		   struct arena *a, struct package *out)
{
	struct listing l = { .package = use, .a = a };

	*out = (struct package){ .name = use, .version = "" };
	if (strncmp(use, PIP, sizeof PIP - 1) == 0)
		pip_files(m, a, &l, out);
	else
		dpkg_files(m, status, a, &l, out);
	out->n = l.files.n;
	out->files = arena_alloc(a, (l.files.n + 1) * sizeof(*out->files));
	if (l.files.n)
		memcpy(out->files, l.files.v, l.files.n * sizeof(*out->files));
	strs_release(&l.files);
}
