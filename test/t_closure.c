/* t_closure.c - closures of machines made for the test: same packages, same closure */
#include "closure_rig.h"

/* ---- promises */

static void owners(void)
{
	struct sys m;

	build_machine(&m, "owners");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, NUMPY "/core.py", "/lib/libc.so.6"),
		  "libc6 python3-numpy");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/usr/bin/python3"), "python3");
	/* A module that was read compiled. */
	CHECK_STR(USES(&m, CLOSURE_FILES, NUMPY "/__pycache__/core.cpython-311.pyc"),
		  NUMPY "/core.py");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/bin/../bin//python3.11"), "python3");
	CHECK_STR(USES(&m, CLOSURE_FILES, NUMPY "/core.py", "/usr/bin/python3"),
		  "/usr/bin/python3 " NUMPY "/core.py");
	sys_close(&m);
}

static const char *remembered_uses(const struct sys *m, const char *path)
{
	struct strs out = { 0 };

	closure_uses_at(s, m, &path, 1, CLOSURE_PACKAGE, &a, &out);
	return joined(out);
}

static int cut_owners(void *arg, struct bytes key, struct bytes value)
{
	size_t *keep = arg;

	if (key.n == 1)
		MUST(store_table_put(s, TABLE_CLOSURE, key,
				     (struct bytes){ value.p, *keep < value.n ? *keep : value.n },
				     &e), e);
	return 0;
}

static void owners_remembered(void)
{
	struct sys m;

	build_machine(&m, "remembered");
	put(&m, "/usr/lib/libnew.so", "new");
	rest();
	CHECK_STR(remembered_uses(&m, "/usr/lib/libnew.so"), "/usr/lib/libnew.so");
	CHECK_STR(remembered_uses(&m, NUMPY "/core.py"), "python3-numpy");
	CHECK_STR(remembered_uses(&m, "/usr/lib/libnew.so"), "/usr/lib/libnew.so");
	put(&m, LIBNEW_LIST, "/.\n/usr/lib/libnew.so\n");
	CHECK_STR(remembered_uses(&m, "/usr/lib/libnew.so"), "libnew");
	rest();
	CHECK_STR(remembered_uses(&m, "/usr/lib/libnew.so"), "libnew");
	for (size_t keep = 200; keep < 201; keep -= 7) {
		MUST(store_table_each(s, TABLE_CLOSURE, cut_owners, &keep, &e), e);
		CHECK_STR(remembered_uses(&m, "/usr/lib/libnew.so"), "libnew");
		CHECK_STR(remembered_uses(&m, NUMPY "/core.py"), "python3-numpy");
	}
	sys_close(&m);
}

static void links_on_the_way(void)
{
	struct sys m;

	build_machine(&m, "links");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/bin/vi"), "/usr/bin/vi vim");
	CHECK_STR(entries(CLOSURE(&m, "/usr/bin/vi")),
		  "bin>usr/bin etc/alternatives/vi>../../usr/bin/vim.basic lib>usr/lib "
		  "usr/bin/vi>../../etc/alternatives/vi usr/bin/vim.basic* ");
	sys_close(&m);
}

static void diverted(void)
{
	struct sys m;

	build_machine(&m, "diverted");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/usr/bin/tool"), "diverter");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/usr/bin/tool.vim"), "vim");
	CHECK_STR(entries(CLOSURE(&m, "vim")),
		  "bin>usr/bin lib>usr/lib usr/bin/tool.vim usr/bin/vim.basic* ");
	sys_close(&m);
}

static void left_out(void)
{
	struct sys m;
	const char *all;

	build_machine(&m, "left");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/etc/passwd", "/etc/ld.so.cache", "/proc/stat",
		       "/dev/null", "/home/ann/.config/secret", "/tmp/x", "/run/lock",
		       NUMPY "/__pycache__/gone.cpython-311.pyc", "/usr/lib/libcuda.so.1",
		       NUMPY "-1.24.2.egg-info/PKG-INFO"), "");
	/* A file that is for people, or a setting, only when it is named. */
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/usr/share/doc/libc6/copyright",
		       "/etc/tool.conf"), "/etc/tool.conf /usr/share/doc/libc6/copyright");
	all = entries(CLOSURE(&m, "/etc/", "/home/ann/.local/lib/", "libc6", "python3-numpy", "/usr/lib/"));
	CHECK(strstr(all, "etc/tool.conf"));
	CHECK(strstr(all, "lib/libc.so.6"));
	CHECK(strstr(all, "site-packages/mine.py"));
	CHECK(!strstr(all, "passwd") && !strstr(all, "ld.so.cache") && !strstr(all, "secret"));
	CHECK(!strstr(all, ".pyc") && !strstr(all, "copyright"));
	sys_close(&m);
}

static void stray(void)
{
	CHECK(closure_stray("/home/ann/data.csv") && closure_stray("/root/x"));
	CHECK(closure_stray("/tmp/x") && closure_stray("/var/tmp/deep/x"));
	CHECK(!closure_stray("/home/ann/.local/lib/python3.11/site-packages/x.py"));
	CHECK(!closure_stray("/home/ann/.netrc"));      /* a cell has another home */
	CHECK(!closure_stray("/etc/passwd") && !closure_stray("/proc/self/stat"));
	CHECK(!closure_stray("/srv/data.csv") && !closure_stray("/usr/bin/x"));
}

static void refused(void)
{
	const char *const personal[] = { "/etc/passwd", "/home/ann/.config/secret", "/proc/",
					 "/tmp/x", "/usr/lib/libcuda.so.1" };
	struct sys m;
	struct id id;

	build_machine(&m, "refused");
	for (size_t i = 0; i < sizeof personal / sizeof *personal; i++) {
		CHECK(closure_make_at(s, &m, &personal[i], 1, &id, &e) < 0);
		CHECK(e.code == ERR_REFUSED && strstr(e.text, personal[i]));
		CHECK(!strstr(e.text, "the same"));
	}
	sys_close(&m);
}

static void same_packages(void)
{
	struct sys x, y;
	const char *const uses[] = { "python3-numpy", "libc6", "python3", "/usr/bin/vi",
				     LOCAL, "/etc/absent.conf", NULL };
	struct id one, two;

	build_machine(&x, "one");
	build_machine(&y, "two");
	/* A package more, other users, no empty folder. */
	put(&y, "/var/lib/dpkg/info/more.list", "/.\n/usr/lib/python3/dist-packages/more.py\n");
	put(&y, "/usr/lib/python3/dist-packages/more.py", "more");
	CHECK(unlinkat(y.fd, LOCAL + 1, AT_REMOVEDIR) == 0);
	one = closure_of(&x, uses);
	two = closure_of(&y, uses);
	CHECK(same(one, two));
	MUST(closure_check_at(s, &y, &one, &e), e);
	sys_close(&x);
	sys_close(&y);
}

static void upgrade_numpy(const struct sys *m)
{
	struct buf text = { 0 };
	const char *at = strstr(status, "1.24.2");

	buf_add(&text, status, (size_t)(at - status));
	buf_printf(&text, "1.24.3%s", at + 6);
	put(m, "/var/lib/dpkg/status", text.p);
	put(m, NUMPY "/core.py", "dot = 2");
	buf_release(&text);
}

static void upgrades(void)
{
	struct sys m;
	struct id numpy, libc, numpy_now, libc_now;
	struct buf out = { 0 };

	build_machine(&m, "upgraded");
	rest();
	numpy = CLOSURE(&m, "python3-numpy", "python3");
	libc = CLOSURE(&m, "libc6", "python3");
	upgrade_numpy(&m);
	rest();
	CHECK(closure_check_at(s, &m, &numpy, &e) < 0 && e.code == ERR_MISSING);
	CHECK(strstr(e.text, NUMPY "/core.py"));
	CHECK(strstr(e.text, "python3-numpy 1.24.2") && strstr(e.text, "python3-numpy 1.24.3"));
	CHECK(strstr(e.text, "run gg infer again"));
	MUST(closure_check_at(s, &m, &libc, &e), e);
	numpy_now = CLOSURE(&m, "python3-numpy", "python3");
	libc_now = CLOSURE(&m, "libc6", "python3");
	CHECK(same(libc, libc_now) && !same(numpy, numpy_now));
	MUST(closure_compare_at(s, &m, &numpy, &numpy_now, &out, &e), e);
	CHECK_STR(out.p, "python3-numpy 1.24.2 -> 1.24.3 (1 file)\n");
	buf_reset(&out);
	MUST(closure_compare_at(s, &m, &numpy, &libc, &out, &e), e);
	CHECK(out.p && strstr(out.p, "libc6") && strstr(out.p, "python3-numpy"));
	buf_release(&out);
	sys_close(&m);
}

/* Whatever is edited by hand, in whatever way, shows. */
static void edits(void)
{
	struct sys m;
	struct id was, now;

	build_machine(&m, "edited");
	rest();
	was = CLOSURE(&m, "python3-numpy", "/etc/tool.conf");
	CHECK(same(was, CLOSURE(&m, "/etc/tool.conf", "python3-numpy", "python3-numpy")));
	put(&m, "/etc/tool.conf", "speed = 2");
	now = CLOSURE(&m, "python3-numpy", "/etc/tool.conf");
	CHECK(!same(was, now));
	CHECK(closure_check_at(s, &m, &was, &e) < 0 && strstr(e.text, "/etc/tool.conf"));
	put(&m, "/etc/tool.conf", "speed = 1");
	CHECK(same(was, CLOSURE(&m, "python3-numpy", "/etc/tool.conf")));
	MUST(closure_check_at(s, &m, &was, &e), e);
	CHECK(fchmodat(m.fd, "etc/tool.conf", 0755, 0) == 0);
	CHECK(!same(was, CLOSURE(&m, "python3-numpy", "/etc/tool.conf")));
	CHECK(unlinkat(m.fd, "etc/tool.conf", 0) == 0);
	CHECK(!same(was, CLOSURE(&m, "python3-numpy", "/etc/tool.conf")));
	CHECK(closure_check_at(s, &m, &was, &e) < 0 && strstr(e.text, "not on this machine"));
	sys_close(&m);
}

static void appears(void)
{
	struct sys m;
	struct id was, again;

	build_machine(&m, "appears");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/etc/absent.conf", "/opt/deep/er/x"),
		  "/etc/absent.conf /opt/");
	/* In a folder of one package alone it would be that package's. */
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, NUMPY "/core.so"), "");
	rest();
	was = CLOSURE(&m, "libc6", "/etc/absent.conf", "/opt/");
	CHECK(same(was, CLOSURE(&m, "libc6", "/etc/absent.conf", "/opt/")));
	put(&m, "/etc/absent.conf", "here");
	CHECK(!same(was, CLOSURE(&m, "libc6", "/etc/absent.conf", "/opt/")));
	unlinkat(m.fd, "etc/absent.conf", 0);
	CHECK(same(was, CLOSURE(&m, "libc6", "/etc/absent.conf", "/opt/")));
	put(&m, "/opt/deep/er/x", "here");
	again = CLOSURE(&m, "libc6", "/etc/absent.conf", "/opt/");
	CHECK(!same(was, again));
	sys_close(&m);
}

/* A package that was not there, and comes: under each name it may have. */
static void package_appears(void)
{
	struct sys m;
	struct id was, now;

	build_machine(&m, "comes");
	rest();
	was = CLOSURE(&m, "libnew", "libc6:other", "pip:newer", "pip:/opt/site-packages/newest");
	CHECK(mark_of_tree(s, &m, &was));
	put(&m, LOCAL "/newer.py", "newer");
	put(&m, LOCAL "/newer-1.dist-info/RECORD", "newer.py,,\n");
	rest();
	now = CLOSURE(&m, "libnew", "libc6:other", "pip:newer", "pip:/opt/site-packages/newest");
	CHECK(!same(was, now) && strstr(entries(now), "newer.py"));
	put(&m, "/opt/site-packages/newest.py", "newest");
	put(&m, "/opt/site-packages/newest-1.dist-info/RECORD", "newest.py,,\n");
	now = CLOSURE(&m, "libnew", "libc6:other", "pip:newer", "pip:/opt/site-packages/newest");
	CHECK(strstr(entries(now), "newest.py"));
	rest();
	now = CLOSURE(&m, "libnew", "pip:newer");
	put(&m, "/usr/lib/libnew.so", "new");
	put(&m, LIBNEW_LIST, "/.\n/usr/lib/libnew.so\n");
	CHECK(strstr(entries(CLOSURE(&m, "libnew", "pip:newer")), "libnew.so"));
	sys_close(&m);
}

static void modules(void)
{
	struct sys m;
	struct id was, now;
	struct buf out = { 0 };

	build_machine(&m, "modules");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, LOCAL, "/usr/lib/python3/dist-packages",
		       "/usr/lib"), LOCAL);
	rest();
	was = CLOSURE(&m, "python3-numpy", LOCAL);
	put(&m, LOCAL "/numpy.py", "it stands before the other");
	rest();
	now = CLOSURE(&m, "python3-numpy", LOCAL);
	CHECK(!same(was, now));
	MUST(closure_check_at(s, &m, &now, &e), e);
	MUST(closure_compare_at(s, &m, &was, &now, &out, &e), e);
	CHECK(out.p && strstr(out.p, "modules have come or gone"));
	buf_release(&out);
	/* A version is no name; nor is a cache. */
	put(&m, LOCAL "/numpy-2.0.dist-info/METADATA", "Name: numpy");
	put(&m, LOCAL "/__pycache__/x.pyc", "compiled");
	CHECK(same(now, CLOSURE(&m, "python3-numpy", LOCAL)));
	put(&m, LOCAL "/other.py", "other");
	CHECK(closure_check_at(s, &m, &now, &e) < 0 && strstr(e.text, LOCAL));
	sys_close(&m);
}

static void pip(void)
{
	static const char site[] = "/opt/venv/lib/python3.11/site-packages";
	struct sys m;
	struct id was, now;
	struct buf out = { 0 };
	const char *use;

	build_machine(&m, "pip");
	put(&m, LOCAL "/hydra/__init__.py", "main = 1");
	put(&m, LOCAL "/hydra/a,b.py", "odd");
	put(&m, "/usr/local/bin/hydra", "#!/usr/bin/python3\n");
	put(&m, LOCAL "/Hydra_Core-1.3.dist-info/RECORD",
	    "hydra/__init__.py,sha256=abc,8\r\n\"hydra/a,b.py\",,3\n"
	    "../../../bin/hydra,,\nHydra_Core-1.3.dist-info/RECORD,,\n");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, LOCAL "/hydra/__init__.py"), "pip:hydra-core");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/usr/local/bin/hydra"), "pip:hydra-core");
	put(&m, arena_printf(&a, "%s/lone.py", site), "by hand");
	put(&m, arena_printf(&a, "%s/six.py", site), "six = 6");
	put(&m, arena_printf(&a, "%s/six-1.0-py3.11.egg-info/installed-files.txt", site),
	    "../six.py\n");
	use = arena_printf(&a, "pip:%s/six", site);
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, arena_printf(&a, "%s/six.py", site)), use);
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, arena_printf(&a, "%s/lone.py", site)),
		  arena_printf(&a, "%s/lone.py", site));
	rest();
	was = CLOSURE(&m, "pip:hydra-core", use);
	CHECK(strstr(entries(was), "usr/local/bin/hydra "));
	CHECK(strstr(entries(was), "hydra/a,b.py "));
	CHECK(strstr(entries(was), "site-packages/six.py "));
	put(&m, LOCAL "/hydra/__init__.py", "main = 2");
	MUST(dir_remove(m.fd, &LOCAL "/Hydra_Core-1.3.dist-info"[1], &e), e);
	put(&m, LOCAL "/hydra_core-1.4.dist-info/RECORD", "hydra/__init__.py,,\n");
	rest();
	now = CLOSURE(&m, "pip:hydra-core", use);
	CHECK(!same(was, now));
	MUST(closure_compare_at(s, &m, &was, &now, &out, &e), e);
	CHECK_STR(out.p, "pip:hydra-core 1.3 -> 1.4 (4 files)\n");
	buf_release(&out);
	sys_close(&m);
}

static void no_packages(void)
{
	struct sys m;
	const char *root = arena_printf(&a, "%s/bare", dir);

	MUST(dir_make(AT_FDCWD, root, &e), e);
	MUST(sys_open(&m, root, &e), e);
	put(&m, "/usr/lib64/libm.so.6", "math");
	put_link(&m, "usr/lib64", "/lib64");
	CHECK_STR(USES(&m, CLOSURE_PACKAGE, "/lib64/libm.so.6"), "/usr/lib64/libm.so.6");
	CHECK_STR(entries(CLOSURE(&m, "/usr/lib64/libm.so.6")),
		  "lib64>usr/lib64 usr/lib64/libm.so.6 ");
	/* A package that is not there is nothing, until it is. */
	CHECK_STR(entries(CLOSURE(&m, "libm6", "pip:nobody")), "lib64>usr/lib64 ");
	sys_close(&m);
}

/* Links may be wrong in every way, and lead around. */
static void odd_links(void)
{
	struct sys m;
	struct id id;

	build_machine(&m, "odd");
	put_link(&m, "loop2", "/opt/loop");
	put_link(&m, "loop", "/opt/loop2");
	put_link(&m, "../../../../../../etc/tool.conf", "/opt/up");
	put_link(&m, "/lib/../etc/tool.conf", "/opt/mixed");
	put_link(&m, "/home/ann/.config/secret", "/opt/home");
	put_link(&m, "/nowhere/at/all", "/opt/dangling");
	put_link(&m, ".", "/opt/self");
	id = CLOSURE(&m, "/opt/loop", "/opt/up", "/opt/mixed", "/opt/home", "/opt/dangling",
		     "/opt/self/self/up");
	CHECK_STR(entries(id),
		  "bin>usr/bin etc/tool.conf lib>usr/lib opt/dangling>../nowhere/at/all "
		  "opt/home>../home/ann/.config/secret opt/loop>loop2 opt/loop2>loop "
		  "opt/mixed>../usr/etc/tool.conf opt/self>. opt/up>../etc/tool.conf ");
	MUST(closure_check_at(s, &m, &id, &e), e);
	sys_close(&m);
}

static const struct test tests[] = {
	{ "what a package owns stands for it", owners },
	{ "who owns what is remembered until a package comes or goes", owners_remembered },
	{ "links on the way are part of the tree", links_on_the_way },
	{ "diversions are followed", diverted },
	{ "what is personal, made or for people is left out", left_out },
	{ "personal and temporary files are told apart from the system's", stray },
	{ "a use that a closure never holds is refused with the reason", refused },
	{ "the same packages on two machines are one closure", same_packages },
	{ "an upgrade changes what used the package and nothing else", upgrades },
	{ "every edit shows", edits },
	{ "what was absent and is there now is another closure", appears },
	{ "a package that was absent and comes shows", package_appears },
	{ "a module that appears where modules are searched shows", modules },
	{ "pip's packages are packages", pip },
	{ "without packages files are taken one by one", no_packages },
	{ "links that lead astray stay inside", odd_links },
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
