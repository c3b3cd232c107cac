/* t_closure_kept.c - what is remembered of closures, and files that change while they
 * are looked at
 */
#include <pthread.h>
#include <stdatomic.h>
#include "closure_rig.h"

/* As of a command that touched core.py, with what was seen while it ran; between
 * that and its end `path` is written. */
static struct id closure_after(struct sys *m, const char *path, const char *text)
{
	struct closure_ahead *h = closure_ahead_begin_at(s, m->root, "/usr/bin/python3");
	const char *const touched[] = { NUMPY "/core.py", "/lib/libc.so.6", NULL };
	struct id id;

	ahead_wait(h);
	if (path)
		put(m, path, text);
	rest();
	m->ahead = h;
	id = make_of(m, uses_of(m, CLOSURE_PACKAGE, touched));
	m->ahead = NULL;
	closure_ahead_free(h);
	return id;
}

static void seen_ahead(void)
{
	struct sys m;
	struct id was, now;

	build_machine(&m, "ahead");
	rest();
	was = closure_after(&m, NULL, NULL);
	CHECK(same(was, CLOSURE(&m, "libc6", "python3-numpy")));
	CHECK(same(was, closure_after(&m, NULL, NULL)));
	/* What it touched has changed: nothing that was seen counts. */
	now = closure_after(&m, NUMPY "/core.py", "dot = 2");
	CHECK(!same(was, now) && same(now, CLOSURE(&m, "libc6", "python3-numpy")));
	/* What it did not touch is as it was while it ran, not as it is later. */
	was = now;
	now = closure_after(&m, NUMPY "/__init__.py", "import more");
	CHECK(same(was, now));
	now = CLOSURE(&m, "libc6", "python3-numpy");
	CHECK(!same(was, now));
	CHECK(same(now, closure_after(&m, NULL, NULL)));
	/* So does a package's list. */
	put(&m, NUMPY_LIST, "/.\n" NUMPY "/core.py\n");
	rest();
	now = closure_after(&m, NULL, NULL);
	CHECK(!same(was, now) && same(now, CLOSURE(&m, "libc6", "python3-numpy")));
	sys_close(&m);
}

static atomic_bool stop;

static void *scribble(void *fd)
{
	while (!stop)
		if (pwrite(*(int *)fd, "x", 1, 0) != 1)
			break;
	return NULL;
}

/* Large, so that each reading meets a write. */
static void changes_while_read(void)
{
	const char *const use = "/opt/busy";
	struct sys m;
	pthread_t t;
	struct id id;
	int fd;

	build_machine(&m, "busy");
	put(&m, use, "");
	fd = openat(m.fd, "opt/busy", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
	stop = false;
	pthread_create(&t, NULL, scribble, &fd);
	rest();
	CHECK(closure_make_at(s, &m, &use, 1, &id, &e) < 0);
	CHECK(e.code == ERR_RETRY && strstr(e.text, "opt/busy"));
	stop = true;
	pthread_join(t, NULL);
	MUST(closure_make_at(s, &m, &use, 1, &id, &e), e);
	close(fd);
	sys_close(&m);
}

/* A text that is lost is told of, and the next making has it again. */
static void lost_text(void)
{
	struct sys m;
	struct id id;
	struct buf said = { 0 };
	struct bytes text;
	struct tree t;

	build_machine(&m, "lost");
	rest();
	id = CLOSURE(&m, "libc6", "vim");
	MUST(store_flush(s, &e), e);
	MUST(store_get(s, &id, &a, &text, &e), e);
	MUST(tree_decode(text, &a, &t, &e), e);
	CHECK(t.n == 3 && t.v[2].kind == ENTRY_TREE);
	MUST(store_drop(s, &t.v[2].id, &e), e);
	CHECK(closure_each(s, &id, list_entry, &said, &e) < 0);
	buf_release(&said);
	CHECK(e.code == ERR_MISSING && strstr(e.text, "run gg infer again"));
	CHECK(same(id, CLOSURE(&m, "libc6", "vim")));
	CHECK(strstr(entries(id), "usr/bin/vim.basic* "));
	sys_close(&m);
}

static int cut_mark(void *arg, struct bytes key, struct bytes value)
{
	const size_t *keep = arg;

	value.n = *key.p == 't' ? value.n * *keep / 16 : value.n;
	return store_table_put(s, TABLE_CLOSURE, key, value, &e);
}

/* Whatever is left of what was remembered, it is made right. */
static void damaged_mark(void)
{
	struct sys m;
	struct id id;

	build_machine(&m, "damaged");
	rest();
	id = CLOSURE(&m, "python3-numpy");
	CHECK(mark_of_tree(s, &m, &id));
	for (size_t keep = 15; keep < 16; keep--) {
		MUST(store_table_each(s, TABLE_CLOSURE, cut_mark, &keep, &e), e);
		CHECK(!mark_of_tree(s, &m, &id));
		CHECK(same(id, CLOSURE(&m, "python3-numpy")));
		CHECK(mark_of_tree(s, &m, &id));
	}
	sys_close(&m);
}

static bool keeps_none(void *arg, const struct id *tree)
{
	(void)arg;
	(void)tree;
	return false;
}

static void swept(void)
{
	struct sys m;
	struct id id;

	build_machine(&m, "swept");
	rest();
	id = CLOSURE(&m, "libc6");
	CHECK(mark_of_tree(s, &m, &id));
	MUST(closure_sweep(s, keeps_none, NULL, &e), e);
	CHECK(!mark_of_tree(s, &m, &id));
	CHECK(same(id, CLOSURE(&m, "libc6")));
	sys_close(&m);
}

static const struct test tests[] = {
	{ "what was seen while a command ran counts until something that it used changes", seen_ahead },
	{ "a file that changes while it is read is named", changes_while_read },
	{ "a text that is lost is told of and made again", lost_text },
	{ "what is remembered and damaged is not believed", damaged_mark },
	{ "what gc does not keep is forgotten", swept },
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
