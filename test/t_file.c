/* t_file.c - files that appear whole, copies, folders made and removed */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "id.h"
#include "test.h"

static char top[] = "/tmp/t_file.XXXXXX";
static int dir = -1;

static int n_entries(const char *path)
{
	DIR *d = fdopendir(openat(dir, path, O_RDONLY | O_DIRECTORY));
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static bool holds(const char *path, struct bytes want)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e;
	bool is_same = file_read(dir, path, 1 << 20, &a, &b, &e) == 0 &&
		bytes_equal(b, want);

	arena_release(&a);
	return is_same;
}

static void put(const char *path, const char *text)
{
	struct err e;

	MUST(file_write(dir, path, bytes_str(text), 0644, 0, &e), e);
}

static void make(const char *path)
{
	struct err e;

	MUST(dir_make(dir, path, &e), e);
}

static void writes(void)
{
	struct stat st;
	struct err e;
	mode_t old = umask(077);

	make("w");
	MUST(file_write(dir, "w/a", bytes_str("one"), 0644, 0, &e), e);
	CHECK(fstatat(dir, "w/a", &st, 0) == 0 && (st.st_mode & 07777) == 0644);
	MUST(file_write(dir, "w/a", bytes_str("two"), 0444, FILE_SYNC, &e), e);
	CHECK(fstatat(dir, "w/a", &st, 0) == 0 && (st.st_mode & 07777) == 0444);
	CHECK(holds("w/a", bytes_str("two")));
	MUST(file_write(dir, "w/b", (struct bytes){ NULL, 0 }, 0755, 0, &e), e);
	CHECK(holds("w/b", bytes_str("")));
	CHECK(n_entries("w") == 2);
	umask(old);
}

/* A name of 255 bytes leaves no room for a longer temporary one. */
static void long_names(void)
{
	char name[256];
	struct err e;

	memset(name, 'n', 255);
	name[255] = 0;
	MUST(file_write(dir, name, bytes_str("x"), 0644, 0, &e), e);
	CHECK(holds(name, bytes_str("x")));
	CHECK(unlinkat(dir, name, 0) == 0);
}

static void failed_writes(void)
{
	struct rlimit old, small = { 1000, 1000 };
	char data[5000] = { 0 };
	struct err e = { 0 };

	make("f/dir/x");
	CHECK(file_write(dir, "f/no/file", bytes_str("x"), 0644, 0, &e) < 0);
	CHECK(e.code == ERR_IO && strstr(e.text, "f/no/file"));
	CHECK(file_write(dir, "f/dir", bytes_str("x"), 0644, 0, &e) < 0);
	CHECK(n_entries("f") == 1);
	put("f/old", "old");
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	CHECK(file_write(dir, "f/old", (struct bytes){ data, 5000 }, 0644, 0, &e) < 0);
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK(holds("f/old", bytes_str("old")));
	CHECK(n_entries("f") == 2);
}

enum { N_WRITES = 100 };

static void *write_often(void *arg)
{
	char data[2000];
	struct err e;

	memset(data, *(char *)arg, sizeof(data));
	for (int i = 0; i < N_WRITES; i++)
		if (file_write(dir, "race/f", (struct bytes){ data, sizeof(data) },
			       0644, 0, &e) < 0)
			return arg;
	return NULL;
}

/* Threads and a process write one file while it is read. */
static void races(void)
{
	static char who[3] = "abc";
	pthread_t t[2];
	void *failed[2];
	pid_t pid;
	int status;
	bool is_whole = true;

	make("race");
	pid = fork();
	if (pid == 0)
		_exit(write_often(&who[2]) != NULL);
	write_often(&who[0]);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, write_often, &who[i]) == 0);
	for (int i = 0; i < N_WRITES; i++) {
		struct arena a = { 0 };
		struct bytes b = { 0 };
		struct err e;

		MUST(file_read(dir, "race/f", 5000, &a, &b, &e), e);
		is_whole &= b.n == 2000;
		for (size_t k = 0; is_whole && k < b.n; k++)
			is_whole = b.p[k] == b.p[0];
		arena_release(&a);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &failed[i]);
		CHECK(!failed[i]);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(is_whole);
	CHECK(n_entries("race") == 1);
}

static void reads(void)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e = { 0 };

	make("r");
	put("r/ten", "0123456789");
	MUST(file_read(dir, "r/ten", 10, &a, &b, &e), e);
	CHECK(b.n == 10 && b.p[10] == 0);
	CHECK(file_read(dir, "r/ten", 9, &a, &b, &e) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "r/ten"));
	CHECK(file_read(dir, "r/none", 9, &a, &b, &e) < 0 && e.code == ERR_MISSING);
	CHECK(file_read(dir, "r/ten/x", 9, &a, &b, &e) < 0 && e.code == ERR_MISSING);
	CHECK(file_read(dir, "r", 9, &a, &b, &e) < 0 && e.code == ERR_IO);
	MUST(file_read(AT_FDCWD, "/proc/self/status", SIZE_MAX, &a, &b, &e), e);
	CHECK(b.n > 500);
	CHECK(file_read(AT_FDCWD, "/dev/zero", 100000, &a, &b, &e) < 0 &&
	      e.code == ERR_REFUSED);
	arena_release(&a);
}

/* Copy path a to path b; both open, both closed. */
static void copy(const char *a, const char *b)
{
	int in = openat(dir, a, O_RDONLY);
	int out = openat(dir, b, O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct err e;

	MUST(file_copy_fd(in, out, &e), e);
	CHECK(lseek(in, 0, SEEK_CUR) == 0);
	close(in);
	close(out);
}

static void copies(void)
{
	static char data[700001];
	struct err e;

	make("c");
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31 >> 3);
	MUST(file_write(dir, "c/a", (struct bytes){ data, sizeof(data) }, 0644, 0, &e), e);
	put("c/empty", "");
	copy("c/a", "c/b");
	CHECK(holds("c/b", (struct bytes){ data, sizeof(data) }));
	copy("c/empty", "c/b");
	CHECK(holds("c/b", bytes_str("")));
}

static void copy_streams(void)
{
	int p[2], in = open("/proc/self/status", O_RDONLY), out;
	struct stat st;
	struct err e;

	out = openat(dir, "c/proc", O_RDWR | O_CREAT, 0644);
	MUST(file_copy_fd(in, out, &e), e);
	CHECK(fstat(out, &st) == 0 && st.st_size > 500);
	close(in);
	close(out);
	CHECK(pipe(p) == 0 && write(p[1], "piped", 5) == 5);
	close(p[1]);
	out = openat(dir, "c/pipe", O_RDWR | O_CREAT, 0644);
	MUST(file_copy_fd(p[0], out, &e), e);
	CHECK(holds("c/pipe", bytes_str("piped")));
	CHECK(file_copy_fd(-1, out, &e) < 0 && e.code == ERR_IO);
	close(p[0]);
	close(out);
}

/* Wall time says more of the machine. */
static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sparse_copies(void)
{
	const off_t size = (off_t)5 << 30;
	int in = openat(dir, "c/huge", O_RDWR | O_CREAT, 0644), out;
	char got[6] = "";
	struct stat st;
	double start;

	CHECK(ftruncate(in, size) == 0);
	CHECK(pwrite(in, "island", 6, ((off_t)3 << 30) + 5) == 6);
	close(in);
	start = cpu_s();
	copy("c/huge", "c/huge2");
	CHECK(cpu_s() - start < 0.5);
	out = openat(dir, "c/huge2", O_RDONLY);
	CHECK(fstat(out, &st) == 0 && st.st_size == size);
	CHECK(st.st_blocks < 2048);
	CHECK(pread(out, got, 6, ((off_t)3 << 30) + 5) == 6);
	CHECK(memcmp(got, "island", 6) == 0);
	close(out);
	unlinkat(dir, "c/huge", 0);
	unlinkat(dir, "c/huge2", 0);
}

static void makes_folders(void)
{
	struct stat st;
	struct err e = { 0 };

	make("m/a/b/c");
	make("m/a/b/c");
	make("m/a//b/c/");
	CHECK(fstatat(dir, "m/a/b/c", &st, 0) == 0 && S_ISDIR(st.st_mode));
	MUST(dir_make_above(dir, "m/x/y/file", &e), e);
	CHECK(n_entries("m/x/y") == 0);
	MUST(dir_make_above(dir, "file", &e), e);
	MUST(dir_make_above(dir, "/file", &e), e);
	MUST(dir_make_above(dir, "m//file", &e), e);
	put("m/file", "");
	CHECK(dir_make(dir, "m/file", &e) < 0 && strstr(e.text, "m/file"));
	CHECK(dir_make(dir, "m/file/x", &e) < 0);
	CHECK(symlinkat("a", dir, "m/link") == 0);
	make("m/link/new");
	CHECK(n_entries("m/a") == 2);
}

static void removes(void)
{
	struct stat st;
	struct err e;

	make("d/in/deeper");
	make("d/keep");
	put("d/keep/file", "x");
	put("d/in/file", "x");
	CHECK(symlinkat("../keep", dir, "d/in/link") == 0);
	CHECK(symlinkat("keep", dir, "d/link") == 0);
	CHECK(mkfifoat(dir, "d/in/pipe", 0600) == 0);
	MUST(dir_remove(dir, "d/none", &e), e);
	MUST(dir_remove(dir, "d/none/none", &e), e);
	MUST(dir_remove(dir, "d/in", &e), e);
	CHECK(fstatat(dir, "d/in", &st, 0) < 0 && errno == ENOENT);
	MUST(dir_remove(dir, "d/link", &e), e);
	CHECK(holds("d/keep/file", bytes_str("x")));
	CHECK(n_entries("d") == 1);
	MUST(dir_remove(dir, "d", &e), e);
	CHECK(fstatat(dir, "d", &st, 0) < 0 && errno == ENOENT);
}

/* Folders in folders, with a file now and then. */
static void make_deep(int fd, int depth)
{
	fd = dup(fd);
	for (int i = 0; i < depth; i++) {
		int next;

		CHECK(mkdirat(fd, "d", 0755) == 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		if (i % 8 == 0)
			close(openat(fd, "f", O_WRONLY | O_CREAT, 0444));
		close(fd);
		fd = next;
	}
	close(fd);
}

static void removes_deep(void)
{
	struct rlimit old, few = { 60, 60 };
	struct err e;
	int fd;

	make("deep");
	/* What stands there has the name that moving up would take first. */
	make("deep/.gg-deep-0/x");
	fd = openat(dir, "deep", O_RDONLY | O_DIRECTORY);
	make_deep(fd, 1500);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	MUST(dir_remove(dir, "deep", &e), e);
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK(faccessat(dir, "deep", F_OK, 0) < 0);
}

/* The folder that holds what is removed is the caller's, and stays as it is. */
static bool leaves_the_cage(void)
{
	struct err e = { 0 };
	struct stat st;
	int cage;
	bool is_kept;

	make("own/cage/x/y");
	cage = openat(dir, "own/cage", O_RDONLY | O_DIRECTORY);
	is_kept = fchmod(cage, 0500) == 0 && dir_remove(cage, "x", &e) < 0 &&
		e.code == ERR_IO && strcmp(e.text, "x: cannot remove: Permission denied") == 0 &&
		fstat(cage, &st) == 0 && (st.st_mode & 0777) == 0500;
	close(cage);
	return dir_remove(dir, "own/cage", &e) == 0 && is_kept;
}

/* All below here belongs to a person without rights; the exit status. */
static int remove_read_only(void)
{
	static const mode_t modes[] = { 0500, 0400, 0100, 0000 };
	char path[40];
	struct err e;
	int fd;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		snprintf(path, sizeof(path), "own/r%zu/a/b", i);
		make(path);
		strcat(path, "/file");
		put(path, "x");
		for (char *cut; (cut = strrchr(path, '/')) && cut > path + 3;) {
			*cut = 0;
			if (fchmodat(dir, path, modes[i], 0) < 0)
				return 2;
		}
		if (dir_remove(dir, path, &e) < 0) {
			printf("# mode %o: %s\n", modes[i], e.text);
			return 3;
		}
	}
	make("own/deep");
	fd = openat(dir, "own/deep", O_RDONLY | O_DIRECTORY);
	make_deep(fd, 40);
	for (int next; (next = openat(fd, "d", O_RDONLY | O_DIRECTORY)) >= 0; fd = next)
		if (fchmod(fd, 0555) < 0)
			return 4;
	if (dir_remove(dir, "own/deep", &e) < 0) {
		printf("# deep: %s\n", e.text);
		return 5;
	}
	if (!leaves_the_cage())
		return 6;
	return n_entries("own") == 0 ? 0 : 7;
}

static void removes_read_only(void)
{
	pid_t pid;
	int status = 0;

	make("own");
	CHECK(fchmodat(dir, "own", 0777, 0) == 0);
	CHECK(fchmod(dir, 0755) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(1);
		status = remove_read_only();
		fflush(stdout);
		_exit(status);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A folder of somebody else is left, and the message says which. */
static void refuses_to_remove(void)
{
	struct err e = { 0 };
	pid_t pid;
	int status = 0;

	if (geteuid() != 0)
		return;
	make("other/sub");
	put("other/sub/file", "x");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) < 0)
			_exit(1);
		_exit(dir_remove(dir, "other", &e) < 0 && e.code == ERR_IO &&
		      bytes_start(bytes_str(e.text), "other") ? 0 : 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(holds("other/sub/file", bytes_str("x")));
}

static void paths(void)
{
	static const struct {
		const char *cwd, *path, *clean;
	} v[] = {
		{ "/a", "b", "/a/b" },          { "/a", "/b", "/b" },
		{ "/a", ".", "/a" },            { "/a", "..", "/" },
		{ "/a", "../../..", "/" },      { "/", "", "/" },
		{ "/a/", "b/", "/a/b" },        { "/", "//x//y/", "/x/y" },
		{ "/a/b", "../c/./d", "/a/c/d" }, { "/a", "...", "/a/..." },
		{ "/a", "b/../..", "/" },       { "/a/../b", "c", "/b/c" },
		{ "/", "..a/.b", "/..a/.b" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		CHECK_STR(path_clean(&a, v[i].cwd, v[i].path), v[i].clean);
	arena_release(&a);
}

static void path_kinds(void)
{
	static const char *const bad[] = { "", ".", "..", "/", "/a", "a/", "a//b",
		"./a", "a/.", "a/..", "../a", "a/../b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(!path_is_plain(bad[i]));
	CHECK(path_is_plain("a") && path_is_plain("a/b") && path_is_plain("..."));
	CHECK(path_is_plain(".a/..b") && path_is_plain("\n \xff"));
	CHECK(path_is_below("a", "a") && path_is_below("a", "a/b"));
	CHECK(!path_is_below("a", "ab") && !path_is_below("a/b", "a"));
	CHECK(path_is_below("/", "/") && path_is_below("/", "/x"));
	CHECK(!path_is_below("/", "x") && path_is_below(".", "x"));
	CHECK(!path_is_below(".", "/x"));
	CHECK_STR(path_base("a/b"), "b");
	CHECK_STR(path_base("b"), "b");
	CHECK_STR(path_base("a/"), "");
}

static void cleans_up(void)
{
	struct err e;

	close(dir);
	MUST(dir_remove(AT_FDCWD, top, &e), e);
	CHECK(access(top, F_OK) < 0);
}

static const struct test tests[] = {
	{ "a file appears whole with exactly its mode", writes },
	{ "a file with the longest name can be written", long_names },
	{ "a write that fails leaves the old file and nothing else", failed_writes },
	{ "writers at once never mix, and readers see whole files", races },
	{ "reading keeps to its limit and says what is missing", reads },
	{ "a copy holds the same bytes", copies },
	{ "what is no regular file, or lies about its size, is copied", copy_streams },
	{ "5 GiB of hole is copied in a moment and stays a hole", sparse_copies },
	{ "folders are made with those above them", makes_folders },
	{ "a folder goes whole, and symlinks lead nowhere", removes },
	{ "1,500 folders deep go with few open files", removes_deep },
	{ "read-only folders go too", removes_read_only },
	{ "what may not be removed is named and left", refuses_to_remove },
	{ "paths are tidied by their text", paths },
	{ "plain, below and base are what file.h says", path_kinds },
	{ "nothing is left", cleans_up },
	{ 0 }
};

int main(void)
{
	dir = open(mkdtemp(top), O_RDONLY | O_DIRECTORY);
	return test_main(tests);
}
