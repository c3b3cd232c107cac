/* t_store_shared.c - results, tables, and a store that several processes have open or
 * that is old, damaged or read-only
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "store_rig.h"

static void results(void)
{
	struct store *s = open_at("result", STORE_CREATE);
	struct id thunk = id_of(bytes_str("t")), v = id_of(bytes_str("v"));
	struct result_out out[] = { { "model", { REF_VALUE, v, NULL } } };
	struct result r = { out, 1 }, got;

	MUST(store_put_result(s, &thunk, &r, &e), e);
	for (int pass = 0; pass < 2; pass++) {
		MUST(store_get_result(s, &thunk, &a, &got, &e), e);
		CHECK(got.n == 1);
		CHECK_STR(got.v[0].name, "model");
		CHECK(id_equal(&got.v[0].ref.id, &v));
		MUST(store_flush(s, &e), e);
	}
	MUST(store_close(s, &e), e);
}

struct pairs {
	struct store *s;
	struct map want;
	int n;
	bool deletes;
};

static int see(void *arg, struct bytes key, struct bytes value)
{
	struct pairs *p = arg;
	const struct bytes *want = map_get(&p->want, key);

	CHECK(want && bytes_equal(*want, value));
	p->n++;
	if (p->deletes)
		MUST(store_table_delete(p->s, TABLE_HINT, key, &e), e);
	return 0;
}

static void tables(void)
{
	static const size_t lengths[] = { 0, 1, 32, 400, 447, 448, 449, 479, 480,
					  481, 511, 512, 5000, 100000 };
	struct pairs p = { .s = open_at("table", STORE_CREATE) };
	struct bytes got, key, value;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int twin = 0; twin < 2; twin++) {
			struct bytes *want = arena_alloc(&a, sizeof(*want));

			key = random_bytes(lengths[i], 1);
			if (twin && key.n)
				((char *)key.p)[key.n - 1] ^= 1;
			*want = random_bytes(i * 37 % 11 * 100, (unsigned)i + 50);
			*map_at(&p.want, key) = want;
			MUST(store_table_put(p.s, TABLE_HINT, key, *want, &e), e);
			/* Another table does not mind. */
			MUST(store_table_put(p.s, TABLE_REF, key, bytes_str("x"), &e), e);
		}
	}
	for (int pass = 0; pass < 2; pass++) {
		size_t pos = 0;
		void *want;

		while (map_each(&p.want, &pos, &key, &want)) {
			MUST(store_table_get(p.s, TABLE_HINT, key, &a, &value, &e), e);
			CHECK(bytes_equal(value, *(struct bytes *)want));
		}
		p.n = 0;
		MUST(store_table_each(p.s, TABLE_HINT, see, &p, &e), e);
		CHECK(p.n == (int)p.want.n);
		MUST(store_flush(p.s, &e), e);
	}
	p.deletes = true;
	MUST(store_table_each(p.s, TABLE_HINT, see, &p, &e), e);
	p.n = 0;
	MUST(store_table_each(p.s, TABLE_HINT, see, &p, &e), e);
	CHECK(p.n == 0);
	CHECK(store_table_get(p.s, TABLE_HINT, bytes_str("x"), &a, &got, &e) < 0 &&
	      e.code == ERR_MISSING);
	map_release(&p.want);
	MUST(store_close(p.s, &e), e);
}

static void replaced(void)
{
	struct store *s = open_at("table", 0);
	struct bytes k = bytes_str("counter"), got;

	for (int i = 0; i < 100; i++) {
		struct bytes v = bytes_str(arena_printf(&a, "%d", i * i));

		MUST(store_table_put(s, TABLE_RUN, k, v, &e), e);
		if (i % 10 == 0)
			MUST(store_flush(s, &e), e);
		MUST(store_table_get(s, TABLE_RUN, k, &a, &got, &e), e);
		CHECK(bytes_equal(got, v));
		if (i % 7 == 0) {
			MUST(store_table_delete(s, TABLE_RUN, k, &e), e);
			CHECK(store_table_get(s, TABLE_RUN, k, &a, &got, &e) < 0);
		}
	}
	MUST(store_close(s, &e), e);
}

static int put_many(void *arg)
{
	struct store *s;
	struct err ce;
	struct id id;
	int from = *(int *)arg;

	if (store_open(arena_printf(&a, "%s/shared", dir), STORE_CREATE, &s, &ce) < 0)
		return 1;
	for (int i = from; i < from + 3000; i++) {
		if (store_put(s, random_bytes(50 + (size_t)i % 5000, (unsigned)i), &id,
			      &ce) < 0)
			return 2;
		if (i % 100 == 0 && store_flush(s, &ce) < 0)
			return 3;
	}
	return store_close(s, &ce) < 0;
}

/* The second starts in the middle of the first's numbers. */
static void two_writers(void)
{
	int from[] = { 0, 1500 };
	pid_t pids[2];
	struct store *s;
	size_t seen[2] = { 0 };

	fflush(stdout);
	for (int i = 0; i < 2; i++)
		if ((pids[i] = fork()) == 0)
			_exit(put_many(&from[i]));
	for (int i = 0; i < 2; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		CHECK(status == 0);
	}
	s = open_at("shared", 0);
	for (int i = 0; i < 4500; i++) {
		struct id id = id_of(random_bytes(50 + (size_t)i % 5000, (unsigned)i));

		CHECK(store_check(s, &id, &e) == 0);
	}
	MUST(store_each_object(s, count_objects, seen, &e), e);
	CHECK(seen[0] == 4500);
	MUST(store_close(s, &e), e);
}

static void seen_after_flush(void)
{
	struct store *s = open_at("shared", STORE_CREATE);
	struct id id = id_of(bytes_str("from the other"));
	int ask[2], tell[2], status;
	char c;
	pid_t pid;

	CHECK(pipe2(ask, O_CLOEXEC) == 0 && pipe2(tell, O_CLOEXEC) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct store *own;
		struct err ce;

		if (store_open(arena_printf(&a, "%s/shared", dir), 0, &own, &ce) < 0 ||
		    store_put(own, bytes_str("from the other"), &id, &ce) < 0)
			_exit(1);
		if (write(tell[1], "p", 1) != 1 || read(ask[0], &c, 1) != 1 ||
		    store_flush(own, &ce) < 0 || write(tell[1], "f", 1) != 1 ||
		    read(ask[0], &c, 1) != 1)
			_exit(2);
		_exit(store_close(own, &ce) < 0);
	}
	CHECK(read(tell[0], &c, 1) == 1 && !store_has(s, &id));
	CHECK(write(ask[1], "x", 1) == 1 && read(tell[0], &c, 1) == 1);
	CHECK(store_has(s, &id));
	CHECK(write(ask[1], "x", 1) == 1);
	waitpid(pid, &status, 0);
	CHECK(status == 0);
	MUST(store_close(s, &e), e);
}

static int use_parents(void *arg)
{
	struct store *s = arg;
	struct err ce;
	struct id id;
	struct bytes b;

	if (store_put(s, bytes_str("child"), &id, &ce) == 0 ||
	    store_get(s, &id, &a, &b, &ce) == 0 || store_flush(s, &ce) == 0 ||
	    store_claim(s, &id, &ce) >= 0)
		return 1;
	/* The same folder may be opened anew once the old one is closed. */
	if (!strstr(ce.text, "fork") || store_close(s, &ce) < 0)
		return 2;
	return 0;
}

static void fork_is_refused(void)
{
	struct store *s = open_at("fork", STORE_CREATE);
	struct id id;

	MUST(store_put(s, bytes_str("parent"), &id, &e), e);
	CHECK(in_child(use_parents, s));
	MUST(store_flush(s, &e), e);
	CHECK(store_has(s, &id));
	MUST(store_close(s, &e), e);
	s = open_at("fork", 0);
	CHECK(store_has(s, &id));
	MUST(store_close(s, &e), e);
}

static void cloexec(void)
{
	struct store *s = open_at("fork", 0);
	struct id id = id_of(bytes_str("c"));
	int n = 0;

	CHECK(store_claim(s, &id, &e) == 1);
	MUST(store_put(s, random_bytes(100000, 3), &id, &e), e);
	for (int fd = 3; fd < 64; fd++) {
		char link[40], path[200] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 &&
		    strncmp(path, dir, strlen(dir)) == 0) {
			CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			n++;
		}
	}
	CHECK(n >= 5);
	MUST(store_close(s, &e), e);
}

static void idle_flush(void)
{
	struct store *s = open_at("fork", 0);
	struct stat before, after;
	char *db = arena_printf(&a, "%s/fork/db", dir);

	stat(db, &before);
	for (int i = 0; i < 1000; i++)
		MUST(store_flush(s, &e), e);
	stat(db, &after);
	CHECK(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	CHECK(store_pending_bytes(s) == 0);
	MUST(store_close(s, &e), e);
}

static void no_store(void)
{
	struct store *s;

	CHECK(store_open("/tmp/gg-no-such-store", 0, &s, &e) < 0);
	CHECK(e.code == ERR_MISSING && strstr(e.text, "/tmp/gg-no-such-store"));
	CHECK(store_open(dir, 0, &s, &e) < 0 && e.code == ERR_MISSING);
	CHECK(store_close(NULL, &e) == 0);
}

static void versions(void)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "store 2\n", "store 2" },
		{ "store 17\nand more\n", "store 17" },
		{ "", "no store's version" },
		{ "store\n", "no store's version" },
		{ "store -1\n", "no store's version" },
		{ "store 1 \n", "no store's version" },
		{ "something else entirely\n", "no store's version" },
	};
	char *path = arena_printf(&a, "%s/version/version", dir);
	struct store *s = open_at("version", STORE_CREATE);

	MUST(store_close(s, &e), e);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		MUST(file_write(AT_FDCWD, path, bytes_str(rows[i].text), 0644, 0, &e), e);
		CHECK(store_open(arena_printf(&a, "%s/version", dir), STORE_CREATE, &s,
				 &e) < 0);
		CHECK(e.code == ERR_BAD && strstr(e.text, rows[i].says));
		CHECK(strstr(e.text, "/version"));
	}
	CHECK(store_open(arena_printf(&a, "%s/version", dir), 0, &s, &e) < 0);
	MUST(file_write(AT_FDCWD, path, bytes_str("store 1\n"), 0644, 0, &e), e);
	MUST(store_close(open_at("version", 0), &e), e);
}

static void damaged(void)
{
	char *db = arena_printf(&a, "%s/damaged/db", dir);
	struct bytes b;
	struct store *s;

	for (int kind = 0; kind < 3; kind++) {
		struct id id;
		int rc;

		dir_remove(AT_FDCWD, arena_printf(&a, "%s/damaged", dir), &e);
		s = open_at("damaged", STORE_CREATE);
		for (unsigned i = 0; i < 2000; i++)
			MUST(store_put(s, random_bytes(1000, i), &id, &e), e);
		MUST(store_close(s, &e), e);
		MUST(file_read(AT_FDCWD, db, 1 << 26, &a, &b, &e), e);
		if (kind == 0)
			b = bytes_str("this was never a database, whatever its name "
				      "says, and it is rather short too");
		else if (kind == 1)
			memset((char *)b.p, 0x5a, 8192);
		else
			b.n = b.n / 8;
		MUST(file_write(AT_FDCWD, db, b, 0644, 0, &e), e);
		rc = store_open(arena_printf(&a, "%s/damaged", dir), 0, &s, &e);
		CHECK(rc < 0);
		if (rc == 0)
			MUST(store_close(s, &e), e);
		else
			CHECK(e.code == ERR_BAD && strstr(e.text, "damaged/db"));
	}
}

static int as_nobody(void *arg)
{
	struct store *s;
	struct err ce;
	struct bytes b;
	struct id id = id_of(bytes_str("kept")), other;
	char *path = arg;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 1;
	if (store_open(path, STORE_CREATE, &s, &ce) == 0 ||
	    ce.code != ERR_REFUSED || !strstr(ce.text, path))
		return 2;
	if (store_open(path, STORE_READ_ONLY, &s, &ce) < 0 ||
	    store_get(s, &id, &a, &b, &ce) < 0 || !bytes_equal(b, bytes_str("kept")))
		return 3;
	if (store_put(s, bytes_str("more"), &other, &ce) == 0 ||
	    ce.code != ERR_REFUSED || !strstr(ce.text, path))
		return 4;
	if (store_put(s, bytes_str("kept"), &other, &ce) < 0 ||
	    store_flush(s, &ce) < 0 || store_settle(s, &ce) < 0)
		return 5;
	if (store_each_object(s, count_objects, (size_t[2]){ 0 }, &ce) < 0)
		return 6;
	return store_close(s, &ce) < 0 ? 7 : 0;
}

static void read_only(void)
{
	struct store *s = open_at("ro", STORE_CREATE);
	char *path = arena_printf(&a, "%s/ro", dir);
	struct id id;

	MUST(store_put(s, bytes_str("kept"), &id, &e), e);
	MUST(store_close(s, &e), e);
	chmod(dir, 0755);
	chmod(path, 0555);
	chmod(arena_printf(&a, "%s/objects", path), 0555);
	chmod(arena_printf(&a, "%s/db", path), 0444);
	chmod(arena_printf(&a, "%s/db-lock", path), 0444);
	CHECK(in_child(as_nobody, path));
	chmod(path, 0755);
	chmod(arena_printf(&a, "%s/objects", path), 0755);
}

static int in_little_space(void *arg)
{
	struct rlimit r = { (rlim_t)1 << 30, (rlim_t)1 << 30 };
	struct store *s;
	struct err ce;
	struct id id;

	setrlimit(RLIMIT_AS, &r);
	if (store_open(arg, STORE_CREATE, &s, &ce) < 0)
		return printf("# %s\n", ce.text), fflush(stdout), 1;
	for (unsigned i = 0; i < 100; i++)
		if (store_put(s, random_bytes(30000, i), &id, &ce) < 0)
			return 2;
	return store_close(s, &ce) < 0;
}

#if defined(__SANITIZE_ADDRESS__)
enum { IS_ASAN = 1 };
#else
enum { IS_ASAN = 0 };
#endif

static void little_space(void)
{
	if (IS_ASAN)
		return;
	CHECK(in_child(in_little_space, arena_printf(&a, "%s/space", dir)));
	CHECK(in_child(in_little_space, arena_printf(&a, "%s/space", dir)));
	/* One with all the space reads what the other wrote. */
	MUST(store_close(open_at("space", 0), &e), e);
}

static void lost_folders(void)
{
	struct store *s = open_at("lost", STORE_CREATE);
	struct bytes b = random_bytes(100000, 11);
	struct id id;

	MUST(store_put(s, b, &id, &e), e);
	MUST(dir_remove(AT_FDCWD, arena_printf(&a, "%s/lost/objects/%.2s", dir,
					       id_hex(&id).s), &e), e);
	CHECK(!store_has(s, &id));
	MUST(store_put(s, b, &id, &e), e);
	CHECK(store_has(s, &id));
	MUST(store_close(s, &e), e);
	MUST(dir_remove(AT_FDCWD, arena_printf(&a, "%s/lost/objects", dir), &e), e);
	s = open_at("lost", 0);
	MUST(store_put(s, b, &id, &e), e);
	MUST(store_check(s, &id, &e), e);
	MUST(store_close(s, &e), e);
}

static const struct test tests[] = {
	{ "a result comes back", results },
	{ "keys of any length stay apart and come back", tables },
	{ "a record is what was put last", replaced },
	{ "two processes put at once and lose nothing", two_writers },
	{ "a flush is seen by another process, what is pending is not", seen_after_flush },
	{ "a store is not used by the child of a fork", fork_is_refused },
	{ "every descriptor closes on exec", cloexec },
	{ "a flush with nothing pending does nothing", idle_flush },
	{ "a store that is not there is missing", no_store },
	{ "a newer store is refused, both versions named", versions },
	{ "a damaged database is refused with its path", damaged },
	{ "a read-only store reads, and refuses puts by path", read_only },
	{ "little address space is enough", little_space },
	{ "object folders that were removed are made again", lost_folders },
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
