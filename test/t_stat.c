/* t_stat.c - a file's name without reading it, and never a wrong one */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "test.h"

static char dir[] = "/tmp/gg-t_stat-XXXXXX";
static int dirfd_;
static struct store *s;
static struct err e;
static struct arena a;

static void write_at(const char *path, const char *text)
{
	int fd = openat(dirfd_, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool is_named(const char *path, const char *text)
{
	struct id id, real = id_of(bytes_str(text));

	if (stat_name(s, dirfd_, path, 0, &id, NULL, &e) < 0) {
		printf("# %s\n", e.text);
		return false;
	}
	return id_equal(&id, &real);
}

/* Put a lie in the stat cache: naming the file tells whether it was read. */
static bool lie(const char *path)
{
	struct id wrong = id_of(bytes_str("a lie"));
	struct stat st;

	MUST(fstatat(dirfd_, path, &st, 0), e);
	MUST(stat_note(s, &st, &wrong, &e), e);
	return store_settle(s, &e) == 0 && is_named(path, "a lie");
}

static void names(void)
{
	struct stat st;
	struct id id;

	write_at("f", "hello");
	CHECK(is_named("f", "hello"));
	CHECK(is_named("f", "hello"));
	MUST(stat_name(s, dirfd_, "f", 0, &id, &st, &e), e);
	CHECK(st.st_size == 5);
	CHECK(!store_has(s, &id));
	MUST(stat_name(s, dirfd_, "f", STAT_KEEP, &id, &st, &e), e);
	CHECK(store_has(s, &id));
	write_at("empty", "");
	CHECK(is_named("empty", ""));
	CHECK(symlinkat("f", dirfd_, "link") == 0 && is_named("link", "hello"));
}

static void not_read_again(void)
{
	write_at("old", "hello");
	wait_ms(30);
	CHECK(is_named("old", "hello"));
	CHECK(lie("old"));
}

static void touched(void)
{
	struct timespec times[2] = { { 1000000000, 5 }, { 1000000000, 5 } };

	CHECK(lie("old"));
	wait_ms(30);
	CHECK(utimensat(dirfd_, "old", times, 0) == 0);
	CHECK(is_named("old", "hello"));
}

/* Same size, mtime put back: only ctime tells. */
static void keeps_mtime(void)
{
	struct stat st;
	struct timespec times[2];

	write_at("k", "before");
	wait_ms(30);
	CHECK(is_named("k", "before") && fstatat(dirfd_, "k", &st, 0) == 0);
	write_at("k", "after!");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	CHECK(utimensat(dirfd_, "k", times, 0) == 0);
	CHECK(is_named("k", "after!"));
}

/* Within one tick of the clock, over and over, without a pause. */
static void same_tick(void)
{
	for (int i = 0; i < 2000; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%08d", i);
		write_at("tick", text);
		if (!is_named("tick", text)) {
			CHECK(!"named what it was before");
			break;
		}
	}
}

static void settled(void)
{
	struct stat st;
	struct id id = id_of(bytes_str("by gg"));
	struct timespec from, to;
	double worst = 0;

	for (int i = 0; i < 50; i++) {
		write_at("own", "by gg");
		fstatat(dirfd_, "own", &st, 0);
		MUST(stat_note(s, &st, &id, &e), e);
		clock_gettime(CLOCK_MONOTONIC, &from);
		MUST(store_settle(s, &e), e);
		clock_gettime(CLOCK_MONOTONIC, &to);
		worst += (double)(to.tv_sec - from.tv_sec) * 1e3 +
			(double)(to.tv_nsec - from.tv_nsec) / 1e6;
		write_at("own", "by me");
		if (!is_named("own", "by me")) {
			CHECK(!"an edit after settling does not show");
			break;
		}
	}
	printf("# settling takes %.1f ms\n", worst / 50);
}

/* What gg noted is trusted after settling, and without is once more read. */
static void noted(void)
{
	struct stat st;
	struct id wrong = id_of(bytes_str("noted"));

	write_at("n", "real!");
	fstatat(dirfd_, "n", &st, 0);
	MUST(stat_note(s, &st, &wrong, &e), e);
	MUST(store_settle(s, &e), e);
	CHECK(is_named("n", "noted"));
}

static void other_process(void)
{
	int status;
	pid_t pid;

	write_at("shared", "hello");
	CHECK(is_named("shared", "hello"));
	CHECK(lie("shared"));
	MUST(store_flush(s, &e), e);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct store *own;

		if (store_open(dir, 0, &own, &e) < 0)
			_exit(1);
		s = own;
		_exit(!is_named("shared", "a lie"));
	}
	waitpid(pid, &status, 0);
	CHECK(status == 0);
}

/* Times ahead of the clock are what a clock that was set back leaves. */
static void clock_set_back(void)
{
	struct timespec ahead[2] = { { 4000000000, 7 }, { 4000000000, 7 } };

	write_at("future", "one");
	CHECK(utimensat(dirfd_, "future", ahead, 0) == 0);
	CHECK(is_named("future", "one"));
	wait_ms(30);
	CHECK(is_named("future", "one"));
	write_at("future", "two");
	CHECK(utimensat(dirfd_, "future", ahead, 0) == 0);
	CHECK(is_named("future", "two"));
	MUST(store_settle(s, &e), e);
}

static void replaced(void)
{
	write_at("r", "first");
	wait_ms(30);
	CHECK(is_named("r", "first"));
	write_at("r2", "secnd");
	CHECK(renameat(dirfd_, "r2", dirfd_, "r") == 0);
	CHECK(is_named("r", "secnd"));
}

static void refused(void)
{
	struct id id;

	CHECK(stat_name(s, dirfd_, "no/such", 0, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_MISSING && strstr(e.text, "no/such"));
	CHECK(mkdirat(dirfd_, "folder", 0755) == 0);
	CHECK(stat_name(s, dirfd_, "folder", 0, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_BAD && strstr(e.text, "folder"));
	CHECK(mkfifoat(dirfd_, "pipe", 0644) == 0);
	CHECK(stat_name(s, dirfd_, "pipe", STAT_KEEP, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_BAD && strstr(e.text, "pipe"));
	CHECK(stat_name(s, dirfd_, "/dev/null", 0, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_BAD);
}

static atomic_bool stop;

static void *scribble(void *path)
{
	int fd = openat(dirfd_, path, O_WRONLY);

	while (!stop)
		if (pwrite(fd, &stop, 1, 0) != 1)
			break;
	close(fd);
	return NULL;
}

/* Large, so that each reading meets a write. */
static void changes_while_read(void)
{
	pthread_t t;
	struct id id;
	int fd = openat(dirfd_, "busy", O_CREAT | O_RDWR, 0644);

	CHECK(ftruncate(fd, 64 << 20) == 0);
	stop = false;
	pthread_create(&t, NULL, scribble, "busy");
	wait_ms(20);
	CHECK(stat_name(s, dirfd_, "busy", 0, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_RETRY && strstr(e.text, "busy"));
	CHECK(stat_name(s, dirfd_, "busy", STAT_KEEP, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_RETRY);
	CHECK(store_put_fd(s, fd, &id, &e) < 0 && e.code == ERR_RETRY);
	stop = true;
	pthread_join(t, NULL);
	MUST(stat_name(s, dirfd_, "busy", STAT_KEEP, &id, NULL, &e), e);
	MUST(store_check(s, &id, &e), e);
	close(fd);
	unlinkat(dirfd_, "busy", 0);
}

static void keeps_again(void)
{
	struct id id;

	write_at("gone", "come back");
	wait_ms(30);
	MUST(stat_name(s, dirfd_, "gone", STAT_KEEP, &id, NULL, &e), e);
	MUST(store_drop(s, &id, &e), e);
	MUST(stat_name(s, dirfd_, "gone", STAT_KEEP, &id, NULL, &e), e);
	CHECK(store_has(s, &id));
}

static void make_tree(const char *root)
{
	mkdirat(dirfd_, root, 0755);
	mkdirat(dirfd_, arena_printf(&a, "%s/sub", root), 0755);
	mkdirat(dirfd_, arena_printf(&a, "%s/.gg", root), 0755);
	write_at(arena_printf(&a, "%s/.gg/x", root), "not this");
	write_at(arena_printf(&a, "%s/b", root), "bee");
	write_at(arena_printf(&a, "%s/sub/run", root), "#!/bin/sh\n");
	write_at(arena_printf(&a, "%s/odd \n\xff name", root), "odd");
	fchmodat(dirfd_, arena_printf(&a, "%s/sub/run", root), 0755, 0);
	symlinkat("../b", dirfd_, arena_printf(&a, "%s/sub/up", root));
}

static void trees(void)
{
	struct id id, again, b = id_of(bytes_str("bee"));
	struct bytes text;
	struct tree t;

	make_tree("t1");
	make_tree("t2");
	MUST(stat_tree(s, dirfd_, "t1", STAT_KEEP, ".gg", &id, &e), e);
	MUST(stat_tree(s, dirfd_, "t2", 0, ".gg", &again, &e), e);
	CHECK(id_equal(&id, &again));
	MUST(stat_tree(s, dirfd_, "t2", 0, NULL, &again, &e), e);
	CHECK(!id_equal(&id, &again));
	MUST(store_get(s, &id, &a, &text, &e), e);
	MUST(tree_decode(text, &a, &t, &e), e);
	CHECK(t.n == 3);
	CHECK_STR(t.v[0].name, "b");
	CHECK(t.v[0].kind == ENTRY_FILE && id_equal(&t.v[0].id, &b));
	CHECK(store_has(s, &b));
	CHECK_STR(t.v[1].name, "odd \n\xff name");
	CHECK_STR(t.v[2].name, "sub");
	CHECK(t.v[2].kind == ENTRY_TREE);
	MUST(store_get(s, &t.v[2].id, &a, &text, &e), e);
	MUST(tree_decode(text, &a, &t, &e), e);
	CHECK(t.n == 2 && t.v[0].kind == ENTRY_EXEC && t.v[1].kind == ENTRY_LINK);
	CHECK_STR(t.v[1].target, "../b");
	/* The same bytes another time are the same tree, an edit is not. */
	wait_ms(30);
	MUST(stat_tree(s, dirfd_, "t1", 0, ".gg", &again, &e), e);
	CHECK(id_equal(&id, &again));
	write_at("t1/sub/run", "#!/bin/zh\n");
	MUST(stat_tree(s, dirfd_, "t1", 0, ".gg", &again, &e), e);
	CHECK(!id_equal(&id, &again));
	CHECK(mkdirat(dirfd_, "t0", 0755) == 0);
	MUST(stat_tree(s, dirfd_, "t0", STAT_KEEP, NULL, &id, &e), e);
}

static void refuse_one(const char *what, enum err_code code)
{
	struct id id;

	CHECK(stat_tree(s, dirfd_, "bad", STAT_KEEP, NULL, &id, &e) < 0);
	CHECK(e.code == code && strstr(e.text, "bad/in/"));
	if (!strstr(e.text, what))
		printf("# %s\n", e.text);
	CHECK(strstr(e.text, what));
	unlinkat(dirfd_, "bad/in/it", 0);
}

static void bad_trees(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct id id;
	int fd;

	mkdirat(dirfd_, "bad", 0755);
	mkdirat(dirfd_, "bad/in", 0755);
	CHECK(mkfifoat(dirfd_, "bad/in/it", 0644) == 0);
	refuse_one("named pipe", ERR_BAD);
	CHECK(symlinkat("/etc/passwd", dirfd_, "bad/in/it") == 0);
	refuse_one("leaves the directory", ERR_BAD);
	CHECK(symlinkat("../../f", dirfd_, "bad/in/it") == 0);
	refuse_one("leaves the directory", ERR_BAD);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/bad/in/it", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	close(fd);
	refuse_one("socket", ERR_BAD);
	CHECK(stat_tree(s, dirfd_, "f", 0, NULL, &id, &e) < 0 && e.code == ERR_BAD);
	CHECK(stat_tree(s, dirfd_, "no", 0, NULL, &id, &e) < 0 &&
	      e.code == ERR_MISSING);
}

/* Of our own: the clock tells of others too. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Twice: cold, then by the stat cache, which must be far faster. */
static void many_files(void)
{
	struct id id, again;
	double start = seconds(), first, second;
	char path[64];

	mkdirat(dirfd_, "many", 0755);
	for (int i = 0; i < 50000; i++) {
		snprintf(path, sizeof(path), "many/%02x", i & 255);
		if (i < 256)
			mkdirat(dirfd_, path, 0755);
		snprintf(path, sizeof(path), "many/%02x/%d", i & 255, i);
		write_at(path, path);
	}
	wait_ms(30);
	start = seconds();
	MUST(stat_tree(s, dirfd_, "many", STAT_KEEP, NULL, &id, &e), e);
	MUST(store_flush(s, &e), e);
	first = seconds() - start;
	start = seconds();
	MUST(stat_tree(s, dirfd_, "many", STAT_KEEP, NULL, &again, &e), e);
	second = seconds() - start;
	printf("# 50,000 files: %.2f s, again %.2f s\n", first, second);
	CHECK(id_equal(&id, &again));
	CHECK(first < 20 && second < 5);
}

static void read_only(void)
{
	struct id id;

	MUST(store_close(s, &e), e);
	MUST(store_open(dir, STORE_READ_ONLY, &s, &e), e);
	CHECK(is_named("f", "hello"));
	write_at("fresh", "fresh");
	CHECK(is_named("fresh", "fresh"));
	MUST(stat_name(s, dirfd_, "f", STAT_KEEP, &id, NULL, &e), e);
	CHECK(stat_name(s, dirfd_, "fresh", STAT_KEEP, &id, NULL, &e) < 0);
	CHECK(e.code == ERR_REFUSED && strstr(e.text, "fresh"));
	MUST(store_settle(s, &e), e);
}

static const struct test tests[] = {
	{ "a file has the name of its bytes", names },
	{ "an unchanged file is not read again", not_read_again },
	{ "a touched file is read again and keeps its name", touched },
	{ "an edit that keeps the mtime shows", keeps_mtime },
	{ "edits within one tick of the clock show", same_tick },
	{ "after settling every edit shows", settled },
	{ "after settling what gg wrote is not read again", noted },
	{ "another process trusts the same names", other_process },
	{ "times ahead of the clock are harmless", clock_set_back },
	{ "a file put in another's place is read", replaced },
	{ "what is no regular file is refused by name", refused },
	{ "a file that changes while it is read is not named", changes_while_read },
	{ "an object that was dropped is kept again", keeps_again },
	{ "a directory has the name of its tree", trees },
	{ "links that leave, pipes and sockets are refused", bad_trees },
	{ "50,000 files in one tree", many_files },
	{ "a read-only store still names files", read_only },
	{ 0 }
};

int main(void)
{
	int rc;

	if (!mkdtemp(dir))
		return 1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(store_open(dir, STORE_CREATE, &s, &e), e);
	rc = test_main(tests);
	store_close(s, &e);
	close(dirfd_);
	dir_remove(AT_FDCWD, dir, &e);
	arena_release(&a);
	return rc;
}
