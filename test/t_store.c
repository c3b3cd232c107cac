/* t_store.c - objects: kept, found, dropped, compacted as store.h promises */
#include <errno.h>
#include "store_rig.h"

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
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
