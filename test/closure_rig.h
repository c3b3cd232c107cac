/* closure_rig.h - machines made for tests of closures: packages, pip, links */
#ifndef GG_CLOSURE_RIG_H
#define GG_CLOSURE_RIG_H

#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include "../src/thunk/closure_private.h"
#include "file.h"
#include "test.h"

static char dir[] = "/tmp/gg-t_closure-XXXXXX";
static struct store *s;
static struct err e;
static struct arena a;

/* ---- machines */

static inline void put(const struct sys *m, const char *path, const char *text)
{
	MUST(dir_make_above(m->fd, path + 1, &e), e);
	unlinkat(m->fd, path + 1, 0);
	MUST(file_write(m->fd, path + 1, bytes_str(text), 0644, 0, &e), e);
}

static inline void put_link(const struct sys *m, const char *target, const char *path)
{
	MUST(dir_make_above(m->fd, path + 1, &e), e);
	unlinkat(m->fd, path + 1, 0);
	CHECK(symlinkat(target, m->fd, path + 1) == 0);
}

static inline void put_exec(const struct sys *m, const char *path, const char *text)
{
	put(m, path, text);
	CHECK(fchmodat(m->fd, path + 1, 0755, 0) == 0);
}

static const char status[] =
	"Package: python3-numpy\nStatus: install ok installed\nArchitecture: all\n"
	"Version: 1.24.2\nDescription: arrays\n Version: 9 is no field\n\n"
	"Package: libc6\nArchitecture: amd64\nVersion: 2.36\n\n"
	"Package: libc6\nArchitecture: arm64\nVersion: 2.36\n\n"
	"Package: python3\nArchitecture: all\nVersion: 3.11.2\n\n"
	"Package: vim\nArchitecture: all\nVersion: 9.0\n\n"
	"Package: diverter\nArchitecture: all\nVersion: 1\n\n";

#ifdef __aarch64__
#define LIBC_LIST "/var/lib/dpkg/info/libc6:arm64.list"
#define LIBNEW_LIST "/var/lib/dpkg/info/libnew:arm64.list"
#else
#define LIBC_LIST "/var/lib/dpkg/info/libc6:amd64.list"
#define LIBNEW_LIST "/var/lib/dpkg/info/libnew:amd64.list"
#endif
#define NUMPY_LIST "/var/lib/dpkg/info/python3-numpy.list"
#define NUMPY "/usr/lib/python3/dist-packages/numpy"
#define LOCAL "/usr/local/lib/python3.11/dist-packages"

/* With usr merged, an alternative, a diversion, documentation and caches. */
static inline void build_machine(struct sys *m, const char *name)
{
	const char *root = arena_printf(&a, "%s/%s", dir, name);

	MUST(dir_make(AT_FDCWD, root, &e), e);
	MUST(sys_open(m, root, &e), e);
	put(m, "/var/lib/dpkg/status", status);
	put(m, "/var/lib/dpkg/diversions",
	    "/usr/bin/tool\n/usr/bin/tool.vim\ndiverter\n");
	put_link(m, "usr/lib", "/lib");
	put_link(m, "usr/bin", "/bin");
	put(m, LIBC_LIST, "/.\n/lib\n/lib/libc.so.6\n/usr\n/usr/share/doc/libc6/copyright\n");
	put(m, "/usr/lib/libc.so.6", "libc 2.36");
	put(m, "/usr/share/doc/libc6/copyright", "whose it is");
	put(m, "/var/lib/dpkg/info/python3.list",
	    "/.\n/usr\n/usr/bin\n/usr/bin/python3\n/usr/bin/python3.11\n"
	    "/usr/lib/python3\n/usr/lib/python3/dist-packages\n");
	put_exec(m, "/usr/bin/python3.11", "an interpreter");
	put_link(m, "python3.11", "/usr/bin/python3");
	put(m, NUMPY_LIST, "/.\n/usr\n/usr/lib/python3/dist-packages\n" NUMPY "\n"
	    NUMPY "/__init__.py\n" NUMPY "/core.py\n" NUMPY "-1.24.2.egg-info\n"
	    NUMPY "-1.24.2.egg-info/PKG-INFO\n");
	put(m, NUMPY "/__init__.py", "import core");
	put(m, NUMPY "/core.py", "dot = 1");
	put(m, NUMPY "-1.24.2.egg-info/PKG-INFO", "Version: 1.24.2");
	put(m, NUMPY "/__pycache__/core.cpython-311.pyc", name);
	put(m, "/var/lib/dpkg/info/vim.list", "/.\n/usr/bin/vim.basic\n/usr/bin/tool\n");
	put_exec(m, "/usr/bin/vim.basic", "vi");
	put(m, "/usr/bin/tool.vim", "a tool of vim");
	put(m, "/var/lib/dpkg/info/diverter.list", "/.\n/usr/bin/tool\n");
	put(m, "/usr/bin/tool", "another tool");
	put_link(m, "/etc/alternatives/vi", "/usr/bin/vi");
	put_link(m, "/usr/bin/vim.basic", "/etc/alternatives/vi");
	put(m, "/etc/passwd", arena_printf(&a, "user of %s", name));
	put(m, "/etc/ld.so.cache", name);
	put(m, "/etc/tool.conf", "speed = 1");
	put(m, "/home/ann/.config/secret", "secret");
	put(m, "/home/ann/.local/lib/python3.11/site-packages/mine.py", "x = 1");
	MUST(dir_make(m->fd, LOCAL + 1, &e), e);
}

/* So that stamps are older than the clock's tick. */
static inline void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
}

static inline struct strs uses_of(const struct sys *m, enum closure_mode mode,
			   const char *const *paths)
{
	struct strs out = { 0 };
	size_t n = 0;

	while (paths[n])
		n++;
	closure_uses_at(NULL, m, paths, n, mode, &a, &out);
	return out;
}

static inline const char *joined(struct strs l)
{
	struct buf b = { 0 };
	const char *out;

	for (size_t i = 0; i < l.n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", l.v[i]);
	out = arena_str(&a, b.n ? b.p : "");
	buf_release(&b);
	strs_release(&l);
	return out;
}

#define USES(m, mode, ...) \
	joined(uses_of(m, mode, (const char *const[]){ __VA_ARGS__, NULL }))

static inline struct id make_of(const struct sys *m, struct strs uses)
{
	struct id id;

	MUST(closure_make_at(s, m, uses.v, uses.n, &id, &e), e);
	strs_release(&uses);
	return id;
}

static inline struct id closure_of(const struct sys *m, const char *const *uses)
{
	struct strs l = { 0 };

	for (; *uses; uses++)
		strs_add(&l, *uses);
	return make_of(m, l);
}

#define CLOSURE(m, ...) closure_of(m, (const char *const[]){ __VA_ARGS__, NULL })

static inline int list_entry(void *arg, const char *path, const struct entry *v)
{
	struct buf *b = arg;

	if (v->kind == ENTRY_LINK)
		buf_printf(b, "%s>%s ", path, v->target);
	else if (v->kind != ENTRY_TREE)
		buf_printf(b, "%s%s ", path, v->kind == ENTRY_EXEC ? "*" : "");
	return 0;
}

static inline const char *entries(struct id id)
{
	struct buf b = { 0 };
	const char *out;

	MUST(closure_each(s, &id, list_entry, &b, &e), e);
	out = arena_str(&a, b.n ? b.p : "");
	buf_release(&b);
	return out;
}

static inline bool same(struct id x, struct id y)
{
	return id_equal(&x, &y);
}

static inline int rig_main(const struct test *tests)
{
	int rc;

	if (!mkdtemp(dir))
		return 1;
	MUST(store_open(arena_printf(&a, "%s/store", dir), STORE_CREATE, &s, &e), e);
	rc = test_main(tests);
	store_close(s, &e);
	dir_remove(AT_FDCWD, dir, &e);
	arena_release(&a);
	return rc;
}

#endif
