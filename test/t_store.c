/* t_store.c - objects, results and tables: what store.h promises */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "test.h"

static char dir[] = "/tmp/gg-t_store-XXXXXX";
static struct err e;
static struct arena a;

static struct store *open_at(const char *name, unsigned flags)
{
	struct store *s;

	MUST(store_open(arena_printf(&a, "%s/%s", dir, name), flags, &s, &e), e);
	return s;
}

/* A process of its own; true when fn gave 0. */
static bool in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid = (fflush(stdout), fork());

	if (pid == 0)
		_exit(fn(arg));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0;
}

static struct bytes random_bytes(size_t n, unsigned seed)
{
	char *p = arena_alloc(&a, n);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (char)(seed >> 24);
	}
	return (struct bytes){ p, n };
}

static const size_t sizes[] = { 0, 1, 100, 1900, 1999, 2000, 2001, 4096, 40000,
				STORE_SMALL - 1, STORE_SMALL, STORE_SMALL + 1, 300000 };
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void round_trip(void)
{
	struct store *s = open_at("round", STORE_CREATE);
	struct id ids[N_SIZES], real;
	struct bytes b[N_SIZES], got;
	uint64_t n;

	for (int pass = 0; pass < 3; pass++) {
		for (size_t i = 0; i < N_SIZES; i++) {
			b[i] = random_bytes(sizes[i], (unsigned)i);
			MUST(store_put(s, b[i], &ids[i], &e), e);
			real = id_of(b[i]);
			CHECK(id_equal(&ids[i], &real));
			CHECK(store_has(s, &ids[i]));
			MUST(store_get(s, &ids[i], &a, &got, &e), e);
			CHECK(bytes_equal(got, b[i]));
			MUST(store_size(s, &ids[i], &n, &e), e);
			CHECK(n == sizes[i]);
			MUST(store_check(s, &ids[i], &e), e);
		}
		if (pass == 0)
			MUST(store_flush(s, &e), e);
		if (pass == 1) {
			MUST(store_close(s, &e), e);
			s = open_at("round", 0);
		}
	}
	MUST(store_close(s, &e), e);
}

static void gone(void)
{
	struct store *s = open_at("round", 0);
	struct id no = id_of(bytes_str("never put"));
	struct bytes b;
	uint64_t n;
	int fd;
	struct result r;

	CHECK(!store_has(s, &no));
	CHECK(store_get(s, &no, &a, &b, &e) < 0 && e.code == ERR_MISSING);
	CHECK(strstr(e.text, id_hex(&no).s) == NULL && strstr(e.text, "is gone"));
	CHECK(store_size(s, &no, &n, &e) < 0 && e.code == ERR_MISSING);
	CHECK(store_open_large(s, &no, &fd, &e) < 0 && e.code == ERR_MISSING);
	CHECK(store_check(s, &no, &e) < 0 && e.code == ERR_MISSING);
	CHECK(store_get_result(s, &no, &a, &r, &e) < 0 && e.code == ERR_MISSING);
	CHECK(store_drop(s, &no, &e) == 0);
	MUST(store_close(s, &e), e);
}

static void put_fd(void)
{
	struct store *s = open_at("fd", STORE_CREATE);

	for (size_t i = 0; i < N_SIZES; i++) {
		struct bytes b = random_bytes(sizes[i], 77 + (unsigned)i), got;
		struct id id, real = id_of(b);
		int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

		CHECK(fd >= 0 && file_write_fd(fd, b.p, b.n) == 0);
		lseek(fd, 3, SEEK_SET);
		MUST(store_put_fd(s, fd, &id, &e), e);
		CHECK(lseek(fd, 0, SEEK_CUR) == 3);
		CHECK(id_equal(&id, &real));
		MUST(store_get(s, &id, &a, &got, &e), e);
		CHECK(bytes_equal(got, b));
		close(fd);
		MUST(store_open_large(s, &id, &fd, &e), e);
		CHECK((fd >= 0) == (sizes[i] > STORE_SMALL));
		if (fd >= 0) {
			struct stat st;

			CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0444);
			close(fd);
		}
	}
	MUST(store_close(s, &e), e);
}

/* 5 GiB with two islands of data, one of them at the end; the name is what
 * sha256sum prints for it. */
static void sparse(void)
{
	static const char name[] =
		"7e5bc1b3b5e940d952fdd3336382e88b000f2ea645f9bd259eed7cb4ed38c61f";
	const off_t size = (off_t)5 << 30;
	struct store *s = open_at("sparse", STORE_CREATE);
	char *path = arena_printf(&a, "%s/sparse-input", dir);
	int fd = open(path, O_CREAT | O_RDWR, 0644), kept;
	struct id id;
	struct stat st;

	CHECK(ftruncate(fd, size) == 0);
	CHECK(pwrite(fd, "island", 6, (off_t)3 << 30) == 6);
	CHECK(pwrite(fd, "end", 3, size - 3) == 3);
	MUST(store_put_fd(s, fd, &id, &e), e);
	CHECK_STR(id_hex(&id).s, name);
	MUST(store_open_large(s, &id, &kept, &e), e);
	CHECK(fstat(kept, &st) == 0 && st.st_size == size);
	CHECK(st.st_blocks < 1024);
	close(kept);
	close(fd);
	unlink(path);
	MUST(store_close(s, &e), e);
}

static char *object_file(const char *store, const struct id *id)
{
	return arena_printf(&a, "%s/%s/objects/%s", dir, store,
			    store_object_path(id).s);
}

static void lying_large(void)
{
	struct store *s = open_at("liar", STORE_CREATE);
	struct bytes b = random_bytes(200000, 5);
	struct id id;
	int fd;

	MUST(store_put(s, b, &id, &e), e);
	chmod(object_file("liar", &id), 0644);
	CHECK(truncate(object_file("liar", &id), 100000) == 0);
	CHECK(store_check(s, &id, &e) < 0 && e.code == ERR_BAD);
	CHECK(strstr(e.text, "damaged"));
	CHECK(!store_has(s, &id));
	MUST(store_put(s, b, &id, &e), e);
	MUST(store_check(s, &id, &e), e);

	chmod(object_file("liar", &id), 0644);
	fd = open(object_file("liar", &id), O_WRONLY);
	CHECK(pwrite(fd, "changed", 7, 150000) == 7);
	close(fd);
	CHECK(store_check(s, &id, &e) < 0 && e.code == ERR_BAD);
	CHECK(store_check(s, &id, &e) < 0 && e.code == ERR_MISSING);

	/* Cut short and put again without a check between. */
	MUST(store_put(s, b, &id, &e), e);
	chmod(object_file("liar", &id), 0644);
	CHECK(truncate(object_file("liar", &id), 0) == 0);
	MUST(store_put(s, b, &id, &e), e);
	MUST(store_check(s, &id, &e), e);
	MUST(store_close(s, &e), e);
}

/* Change one byte of the small object where it lies in the database. */
static void lying_small(void)
{
	struct store *s = open_at("small", STORE_CREATE);
	char *path = arena_printf(&a, "%s/small/db", dir);
	struct bytes one = bytes_str("a small text that nobody else writes"), b;
	struct bytes two = random_bytes(5000, 99);
	struct id id1, id2;
	char *p;

	MUST(store_put(s, one, &id1, &e), e);
	MUST(store_put(s, two, &id2, &e), e);
	MUST(store_close(s, &e), e);
	MUST(file_read(AT_FDCWD, path, 1 << 24, &a, &b, &e), e);
	p = memmem(b.p, b.n, one.p, one.n);
	CHECK(p);
	if (p)
		p[3] ^= 1;
	p = memmem(b.p, b.n, two.p, two.n);
	CHECK(p);
	if (p)
		p[4000] ^= 1;
	MUST(file_write(AT_FDCWD, path, b, 0644, 0, &e), e);
	s = open_at("small", 0);
	CHECK(store_get(s, &id1, &a, &b, &e) < 0 && e.code == ERR_MISSING);
	CHECK(strstr(e.text, "damaged"));
	CHECK(!store_has(s, &id1));
	CHECK(store_check(s, &id2, &e) < 0 && e.code == ERR_BAD);
	MUST(store_put(s, one, &id1, &e), e);
	MUST(store_put(s, two, &id2, &e), e);
	MUST(store_close(s, &e), e);
	s = open_at("small", 0);
	MUST(store_check(s, &id1, &e), e);
	MUST(store_check(s, &id2, &e), e);
	MUST(store_close(s, &e), e);
}

static int count_objects(void *arg, const struct id *id, uint64_t n_bytes)
{
	size_t *v = arg;

	(void)id;
	v[0]++;
	v[1] += n_bytes;
	return 0;
}

static void each_and_drop(void)
{
	struct store *s = open_at("each", STORE_CREATE);
	size_t sum = 0, seen[2] = { 0 };
	struct id ids[N_SIZES], found;

	for (size_t i = 0; i < N_SIZES; i++) {
		MUST(store_put(s, random_bytes(sizes[i], (unsigned)i), &ids[i], &e), e);
		sum += sizes[i];
	}
	MUST(store_each_object(s, count_objects, seen, &e), e);
	CHECK(seen[0] == N_SIZES && seen[1] == sum);
	for (size_t i = 0; i < N_SIZES; i++) {
		char hex[9] = "";

		memcpy(hex, id_hex(&ids[i]).s, 7);
		CHECK(store_find(s, hex, &found, &e) == 1);
		CHECK(id_equal(&found, &ids[i]));
		MUST(store_drop(s, &ids[i], &e), e);
		CHECK(!store_has(s, &ids[i]));
		CHECK(store_find(s, hex, &found, &e) == 0);
	}
	CHECK(store_find(s, "abc", &found, &e) < 0 && e.code == ERR_USAGE);
	CHECK(store_find(s, "ABCD", &found, &e) < 0 && e.code == ERR_USAGE);
	seen[0] = 0;
	MUST(store_each_object(s, count_objects, seen, &e), e);
	CHECK(seen[0] == 0);
	MUST(store_close(s, &e), e);
}

static off_t db_bytes(const char *name)
{
	struct stat st;

	if (stat(arena_printf(&a, "%s/%s/db", dir, name), &st) < 0)
		return -1;
	return st.st_size;
}

/* Three of four are dropped, and as many bytes are put again. */
static void compacted(void)
{
	struct store *s = open_at("compact", STORE_CREATE);
	size_t seen[2] = { 0 };
	struct id id;
	off_t full;

	for (unsigned i = 0; i < 4000; i++)
		MUST(store_put(s, random_bytes(4096, i), &id, &e), e);
	MUST(store_flush(s, &e), e);
	full = db_bytes("compact");
	CHECK(full > 4000 * 4096 && full < 4000 * 4096 * 5 / 4);
	for (unsigned i = 0; i < 4000; i++) {
		id = id_of(random_bytes(4096, i));
		if (i % 4)
			MUST(store_drop(s, &id, &e), e);
	}
	MUST(store_compact(s, &e), e);
	MUST(store_compact(s, &e), e);
	/* The database uses pages again from the next commit but one. */
	for (unsigned i = 10000; i < 12000; i++) {
		MUST(store_put(s, random_bytes(4096, i), &id, &e), e);
		if (i % 100 == 0)
			MUST(store_flush(s, &e), e);
	}
	MUST(store_close(s, &e), e);
	printf("# %ld KiB, then %ld KiB\n", (long)full >> 10,
	       (long)db_bytes("compact") >> 10);
	CHECK(db_bytes("compact") < full * 3 / 2);
	s = open_at("compact", 0);
	for (unsigned i = 0; i < 4000; i += 4) {
		id = id_of(random_bytes(4096, i));
		MUST(store_check(s, &id, &e), e);
	}
	MUST(store_each_object(s, count_objects, seen, &e), e);
	CHECK(seen[0] == 3000 && seen[1] == 3000 * 4096);
	MUST(store_close(s, &e), e);
}

static int compact_on(void *arg)
{
	struct store *s;
	struct err ce;

	(void)arg;
	if (store_open(arena_printf(&a, "%s/busy", dir), STORE_CREATE, &s, &ce) < 0)
		return 1;
	for (int i = 0; i < 60; i++)
		if (store_compact(s, &ce) < 0)
			return 2;
	return store_close(s, &ce) < 0;
}

/* One puts and drops while two others compact. */
static void compacted_meanwhile(void)
{
	struct store *s = open_at("busy", STORE_CREATE);
	struct id ids[900];
	pid_t pids[2];

	fflush(stdout);
	for (int i = 0; i < 2; i++)
		if ((pids[i] = fork()) == 0)
			_exit(compact_on(NULL));
	for (unsigned i = 0; i < 900; i++) {
		MUST(store_put(s, random_bytes(3000, i), &ids[i], &e), e);
		if (i % 10 == 9)
			MUST(store_flush(s, &e), e);
		if (i >= 30 && i % 3)
			MUST(store_drop(s, &ids[i - 30], &e), e);
	}
	for (int i = 0; i < 2; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		CHECK(status == 0);
	}
	MUST(store_compact(s, &e), e);
	for (unsigned i = 0; i < 900; i++)
		if (i >= 870 || (i + 30) % 3 == 0)
			CHECK(store_check(s, &ids[i], &e) == 0);
	MUST(store_close(s, &e), e);
}

/* Two names with the same first two bytes are not hard to come by. */
static void find_many(void)
{
	struct store *s = open_at("find", STORE_CREATE);
	struct id ids[2000], out;
	int pairs = 0;

	for (int i = 0; i < 2000; i++)
		MUST(store_put(s, bytes_str(arena_printf(&a, "text %d", i)),
			       &ids[i], &e), e);
	for (int i = 0; i < 2000; i++) {
		char hex[5] = "";
		int same = 0;

		memcpy(hex, id_hex(&ids[i]).s, 4);
		for (int j = 0; j < 2000; j++)
			same += memcmp(ids[i].b, ids[j].b, 2) == 0;
		if (same > 1) {
			CHECK(store_find(s, hex, &out, &e) == 2);
			pairs++;
		}
	}
	CHECK(pairs > 0);
	MUST(store_close(s, &e), e);
}

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
	{ "an object of any size comes back as it went in", round_trip },
	{ "what is not there is missing, by name", gone },
	{ "a file's bytes are kept, its offset stays", put_fd },
	{ "a sparse file of 5 GiB is kept sparse", sparse },
	{ "a large object that was changed is found and removed", lying_large },
	{ "a small object that was changed is found and removed", lying_small },
	{ "each object is visited once, a dropped one never", each_and_drop },
	{ "compacting gives room back and keeps what lives", compacted },
	{ "compacting beside a writer loses nothing", compacted_meanwhile },
	{ "a short name that two objects have is known as such", find_many },
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
	int rc;

	if (!mkdtemp(dir))
		return 1;
	rc = test_main(tests);
	arena_reset(&a);
	if (dir_remove(AT_FDCWD, dir, &e) < 0)
		printf("# %s\n", e.text);
	arena_release(&a);
	return rc;
}
