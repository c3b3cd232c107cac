/* t_place.c - placeholders and real files in a project */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "place.h"
#include "test.h"

static char root[64];
static struct project project;
static struct store *store;
static struct err e;

static void begin(void)
{
	strcpy(root, "/tmp/gg-t-place-XXXXXX");
	if (!mkdtemp(root) || chdir(root) < 0)
		exit(1);
	project = (struct project){ .root = root };
	project.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(store_open(".gg", STORE_CREATE, &store, &e), e);
}

static void end(void)
{
	MUST(store_close(store, &e), e);
	close(project.root_fd);
	if (chdir("/") < 0)
		exit(1);
	MUST(dir_remove(AT_FDCWD, root, &e), e);
}

static struct placeholder ph(const char *seed)
{
	return (struct placeholder){ id_of(bytes_str(seed)), "model" };
}

static struct ref put(enum ref_kind kind, const char *content)
{
	struct ref r = { .kind = kind };

	MUST(store_put(store, bytes_str(content), &r.id, &e), e);
	return r;
}

static struct ref put_tree(struct entry *v, size_t n)
{
	struct tree t = { v, n };
	struct ref r = { .kind = REF_TREE };
	struct buf b = { 0 };

	MUST(tree_encode(&t, &b, &e), e);
	MUST(store_put(store, buf_bytes(&b), &r.id, &e), e);
	buf_release(&b);
	return r;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static bool holds(const char *path, const char *text)
{
	struct arena a = { 0 };
	struct bytes b;
	bool same = file_read(AT_FDCWD, path, 1 << 20, &a, &b, &e) == 0 &&
		bytes_equal(b, bytes_str(text));

	arena_release(&a);
	return same;
}

static enum place_now look(const char *path)
{
	struct arena a = { 0 };
	struct ref_record r;
	enum place_now now = NOW_ABSENT;
	bool has_ref = ref_get(store, path, &a, &r, &e) == 0;

	MUST(place_look(store, &project, path, has_ref ? &r : NULL, &now, &e), e);
	arena_release(&a);
	return now;
}

static int real(const char *path, const char *seed, struct ref value)
{
	struct placeholder p = ph(seed);
	struct id missing;

	return place_real(store, &project, path, &p, &value, &missing, &e);
}

static int holder(const char *path, const char *seed, bool is_dir, bool is_exec)
{
	struct placeholder p = ph(seed);

	return place_placeholder(store, &project, path, &p, is_dir, is_exec, &e);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : st.st_mode;
}

/* No temporary is left behind in dir. */
static bool is_tidy(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	bool tidy = true;

	while (d && (de = readdir(d)))
		if (strncmp(de->d_name, ".gg-", 4) == 0)
			tidy = false;
	closedir(d);
	return tidy;
}

static void ref_round_trip(void)
{
	struct ref_record r = { .thunk = id_of(bytes_str("a")), .out = "out put",
				.state = PLACE_REAL,
				.stamp = { 1, 2, 3, -4, 5 },
				.value = { REF_EXEC, id_of(bytes_str("b")), NULL } }, back;
	struct arena a = { 0 };

	begin();
	CHECK(ref_get(store, "x/y", &a, &back, &e) < 0 && e.code == ERR_MISSING);
	MUST(ref_put(store, "x/y", &r, &e), e);
	MUST(ref_get(store, "x/y", &a, &back, &e), e);
	CHECK(id_equal(&back.thunk, &r.thunk) && id_equal(&back.value.id, &r.value.id));
	CHECK_STR(back.out, "out put");
	CHECK(back.state == PLACE_REAL && back.value.kind == REF_EXEC);
	CHECK(stamp_equal(&back.stamp, &r.stamp));
	MUST(store_table_put(store, TABLE_REF, bytes_str("x/y"), bytes_str("\2?"), &e), e);
	CHECK(ref_get(store, "x/y", &a, &back, &e) < 0 && e.code == ERR_BAD);
	MUST(ref_delete(store, "x/y", &e), e);
	CHECK(ref_get(store, "x/y", &a, &back, &e) < 0 && e.code == ERR_MISSING);
	arena_release(&a);
	end();
}

static int count_ref(void *arg, const char *path, const struct ref_record *r)
{
	int *n = arg;

	CHECK(strcmp(path, "a") == 0 || strcmp(path, "b") == 0);
	CHECK_STR(r->out, "model");
	++*n;
	return 0;
}

static void file_placeholders(void)
{
	struct arena a = { 0 };
	struct placeholder back, want;
	int n = 0;

	begin();
	umask(022);
	MUST(holder("a", "one", false, false), e);
	MUST(holder("b", "two", false, true), e);
	CHECK(mode_of("a") == (S_IFREG | 0644) && mode_of("b") == (S_IFREG | 0755));
	CHECK(look("a") == NOW_PLACEHOLDER);
	CHECK(placeholder_at(AT_FDCWD, "a", &a, &back, &e) == 1);
	want = ph("one");
	CHECK(id_equal(&back.thunk, &want.thunk));
	MUST(ref_each(store, count_ref, &n, &e), e);
	CHECK(n == 2);
	/* Somebody else's placeholder, and the user's own bytes. */
	CHECK(rename("b", "a") == 0);
	CHECK(look("a") == NOW_OTHER_PLACEHOLDER && look("b") == NOW_ABSENT);
	write_text("a", "mine");
	CHECK(look("a") == NOW_EDITED);
	/* The command would have overwritten it: so does its placeholder. */
	MUST(holder("a", "one", false, false), e);
	CHECK(look("a") == NOW_PLACEHOLDER);
	MUST(holder("deep/er/c", "one", false, false), e);
	CHECK(look("deep/er/c") == NOW_PLACEHOLDER);
	CHECK(holder("../out", "one", false, false) < 0 && e.code == ERR_REFUSED);
	CHECK(is_tidy(".") && is_tidy("deep/er"));
	arena_release(&a);
	end();
}

static void dir_placeholders(void)
{
	begin();
	MUST(holder("ckpt", "one", true, false), e);
	CHECK(look("ckpt") == NOW_PLACEHOLDER);
	CHECK(mode_of("ckpt/" PLACEHOLDER_NAME) == (S_IFREG | 0644));
	MUST(holder("ckpt", "two", true, false), e);
	CHECK(look("ckpt") == NOW_PLACEHOLDER);
	/* An empty directory and a file may go; the user's files may not. */
	CHECK(mkdir("empty", 0777) == 0);
	MUST(holder("empty", "one", true, false), e);
	CHECK(look("empty") == NOW_PLACEHOLDER);
	write_text("file", "x");
	MUST(holder("file", "one", true, false), e);
	CHECK(look("file") == NOW_PLACEHOLDER);
	MUST(holder("file", "one", false, false), e);
	CHECK(mode_of("file") == (S_IFREG | 0644));
	CHECK(mkdir("mine", 0777) == 0);
	write_text("mine/x", "x");
	CHECK(holder("mine", "one", true, false) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "mine") != NULL);
	CHECK(holder("mine", "one", false, false) < 0 && e.code == ERR_REFUSED);
	CHECK(holds("mine/x", "x"));
	/* A placeholder to which somebody added a file is his too. */
	write_text("ckpt/x", "x");
	CHECK(holder("ckpt", "one", true, false) < 0 && e.code == ERR_REFUSED);
	CHECK(is_tidy("."));
	end();
}

static void real_files(void)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000, .tv_nsec = 7 } };
	struct stat st;
	struct id id, want;

	begin();
	umask(027);
	MUST(holder("a", "one", false, false), e);
	CHECK(utimensat(AT_FDCWD, "a", old, 0) == 0);
	MUST(real("a", "one", put(REF_VALUE, "hello")), e);
	CHECK(holds("a", "hello") && mode_of("a") == (S_IFREG | 0640));
	CHECK(lstat("a", &st) == 0 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7);
	CHECK(st.st_nlink == 1);
	CHECK(look("a") == NOW_REAL);
	MUST(stat_name(store, AT_FDCWD, "a", 0, &id, NULL, &e), e);
	want = id_of(bytes_str("hello"));
	CHECK(id_equal(&id, &want));
	MUST(real("new/b", "two", put(REF_EXEC, "#!/bin/sh\n")), e);
	CHECK(mode_of("new/b") == (S_IFREG | 0750));
	/* What gg itself put there is replaced; the user's bytes are not. */
	MUST(real("a", "one", put(REF_VALUE, "hello 2")), e);
	CHECK(holds("a", "hello 2"));
	write_text("a", "mine");
	CHECK(real("a", "one", put(REF_VALUE, "hello 2")) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "a: ") == e.text && holds("a", "mine"));
	umask(022);
	CHECK(is_tidy(".") && is_tidy("new"));
	end();
}

static void real_again(void)
{
	struct stat before, after;
	struct ref v;

	begin();
	v = put(REF_VALUE, "same");
	MUST(real("a", "one", v), e);
	CHECK(lstat("a", &before) == 0);
	MUST(real("a", "one", v), e);
	CHECK(lstat("a", &after) == 0 && before.st_ino == after.st_ino);
	/* Touched without change: still ours, and still that file. */
	CHECK(utimensat(AT_FDCWD, "a", NULL, 0) == 0);
	CHECK(look("a") == NOW_REAL);
	MUST(real("a", "one", v), e);
	CHECK(lstat("a", &after) == 0 && before.st_ino == after.st_ino);
	/* gg died between its rename and its record: same bytes, no record. */
	MUST(ref_delete(store, "a", &e), e);
	CHECK(look("a") == NOW_EDITED);
	MUST(real("a", "one", v), e);
	CHECK(look("a") == NOW_REAL);
	/* The object is not needed for what stands there already. */
	MUST(store_drop(store, &v.id, &e), e);
	MUST(real("a", "one", v), e);
	/* Edited with the time kept. */
	write_text("a", "emas");
	CHECK(utimensat(AT_FDCWD, "a", (struct timespec[]){ after.st_atim, after.st_mtim },
			0) == 0);
	CHECK(look("a") == NOW_EDITED);
	end();
}

static void symlinks_stay(void)
{
	begin();
	write_text("target", "precious");
	CHECK(symlink("target", "link") == 0);
	CHECK(real("link", "one", put(REF_VALUE, "v")) < 0 && e.code == ERR_REFUSED);
	CHECK(holds("target", "precious") && S_ISLNK(mode_of("link")));
	MUST(holder("link", "one", false, false), e);
	CHECK(holds("target", "precious") && S_ISREG(mode_of("link")));
	end();
}

static void missing_objects(void)
{
	struct ref v = { .kind = REF_VALUE, .id = id_of(bytes_str("never put")) };
	struct entry en = { .name = "x", .kind = ENTRY_FILE, .id = v.id };
	struct placeholder p = ph("one");
	struct id missing = { { 0 } };
	struct ref t;

	begin();
	MUST(holder("a", "one", false, false), e);
	CHECK(place_real(store, &project, "a", &p, &v, &missing, &e) < 0);
	CHECK(e.code == ERR_MISSING && id_equal(&missing, &v.id));
	CHECK(look("a") == NOW_PLACEHOLDER && is_tidy("."));
	t = put_tree(&en, 1);
	missing = (struct id){ { 0 } };
	MUST(holder("d", "one", true, false), e);
	CHECK(place_real(store, &project, "d", &p, &t, &missing, &e) < 0);
	CHECK(e.code == ERR_MISSING && id_equal(&missing, &v.id));
	CHECK(look("d") == NOW_PLACEHOLDER && is_tidy("."));
	end();
}

static struct ref sample_tree(const char *content)
{
	struct ref f = put(REF_VALUE, content), x = put(REF_EXEC, "run"), sub;
	struct entry inner[] = {
		{ .name = "deep", .kind = ENTRY_FILE, .id = f.id },
		{ .name = "up", .kind = ENTRY_LINK, .target = "../run" },
	};

	sub = put_tree(inner, 2);
	return put_tree((struct entry[]){
		{ .name = "file", .kind = ENTRY_FILE, .id = f.id },
		{ .name = "run", .kind = ENTRY_EXEC, .id = x.id },
		{ .name = "sub", .kind = ENTRY_TREE, .id = sub.id },
	}, 3);
}

static void real_trees(void)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	char target[16] = "";
	struct stat st;
	struct ref v;
	struct id id;

	begin();
	v = sample_tree("one");
	MUST(holder("d", "one", true, false), e);
	CHECK(utimensat(AT_FDCWD, "d", old, 0) == 0);
	MUST(real("d", "one", v), e);
	CHECK(holds("d/file", "one") && holds("d/sub/deep", "one"));
	CHECK(mode_of("d/run") == (S_IFREG | 0755));
	CHECK(readlink("d/sub/up", target, sizeof(target)) == 6);
	CHECK_STR(target, "../run");
	CHECK(lstat("d", &st) == 0 && st.st_mtim.tv_sec == 2000);
	CHECK(lstat("d/sub/deep", &st) == 0 && st.st_mtim.tv_sec == 2000);
	CHECK(access("d/" PLACEHOLDER_NAME, F_OK) < 0);
	CHECK(look("d") == NOW_REAL);
	MUST(stat_tree(store, AT_FDCWD, "d", 0, NULL, &id, &e), e);
	CHECK(id_equal(&id, &v.id));
	/* Another value replaces it whole; an edit deep inside is seen. */
	MUST(real("d", "one", sample_tree("two")), e);
	CHECK(holds("d/sub/deep", "two"));
	write_text("d/sub/deep", "mine");
	CHECK(look("d") == NOW_EDITED);
	CHECK(real("d", "one", sample_tree("one")) < 0 && e.code == ERR_REFUSED);
	CHECK(holds("d/sub/deep", "mine") && is_tidy("."));
	/* A file where a directory of gg's stood, and back. */
	MUST(real("e", "one", v), e);
	MUST(real("e", "one", put(REF_VALUE, "flat")), e);
	CHECK(holds("e", "flat"));
	MUST(real("e", "one", v), e);
	CHECK(holds("e/file", "one") && is_tidy("."));
	end();
}

static void bad_trees(void)
{
	struct ref v;
	const char *leaves = "gg-tree 1\nlink ../../x x\n", *garbage = "not a tree\n";

	begin();
	v = put(REF_TREE, leaves);
	CHECK(real("d", "one", v) < 0 && e.code == ERR_BAD);
	v = put(REF_TREE, garbage);
	CHECK(real("d", "one", v) < 0 && e.code == ERR_BAD);
	CHECK(look("d") == NOW_ABSENT && is_tidy("."));
	end();
}

static void large_files(void)
{
	struct ref v = { .kind = REF_VALUE };
	size_t n = 3 << 20;
	char *p = mem_alloc(n);
	struct stat st;

	begin();
	memset(p, 'x', n);
	MUST(store_put(store, (struct bytes){ p, n }, &v.id, &e), e);
	MUST(real("big", "one", v), e);
	CHECK(lstat("big", &st) == 0 && st.st_size == (off_t)n && st.st_nlink == 1);
	CHECK((st.st_mode & 0777) == 0644);
	/* An edit in the project does not reach the store. */
	write_text("big", "edited");
	MUST(store_check(store, &v.id, &e), e);
	free(p);
	end();
}

static void touched(void)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct stat st;

	begin();
	MUST(holder("a", "one", false, false), e);
	CHECK(utimensat(AT_FDCWD, "a", old, 0) == 0);
	CHECK(place_touch(store, &project, "a", &e) < 0 && e.code == ERR_REFUSED);
	MUST(real("a", "one", put(REF_VALUE, "v")), e);
	MUST(place_touch(store, &project, "a", &e), e);
	CHECK(lstat("a", &st) == 0 && st.st_mtim.tv_sec > 2000);
	CHECK(look("a") == NOW_REAL);
	CHECK(place_touch(store, &project, "b", &e) < 0 && e.code == ERR_MISSING);
	end();
}

static void full_disk(void)
{
	struct ref v = { .kind = REF_VALUE };
	size_t n = 2 << 20;
	char *p = mem_alloc(n);

	begin();
	CHECK(mkdir("small", 0777) == 0);
	if (mount("none", "small", "tmpfs", 0, "size=1m") < 0) {
		printf("# skipped: a tmpfs cannot be mounted here\n");
	} else {
		memset(p, 'x', n);
		MUST(store_put(store, (struct bytes){ p, n }, &v.id, &e), e);
		MUST(holder("small/a", "one", false, false), e);
		CHECK(real("small/a", "one", v) < 0 && e.code == ERR_IO);
		CHECK(strstr(e.text, "small/a") && strstr(e.text, "No space"));
		CHECK(look("small/a") == NOW_PLACEHOLDER && is_tidy("small"));
		CHECK(umount("small") == 0);
	}
	free(p);
	end();
}

/* Go on, in another process, as if the machine had been started within this second.
 * 1 there, 0 here once that has ended, -1 where it cannot be had. */
static int started_anew(void)
{
	struct timespec up;
	int rc = 0;
	pid_t pid;
	FILE *f;

	fflush(stdout);
	pid = fork();
	if (pid > 0) {
		waitpid(pid, &rc, 0);
		rc = WIFEXITED(rc) ? WEXITSTATUS(rc) : 1;
		CHECK(rc == 0 || rc == 77);
		return rc == 77 ? -1 : 0;
	}
	clock_gettime(CLOCK_BOOTTIME, &up);
	if (unshare(CLONE_NEWTIME) < 0 || !(f = fopen("/proc/self/timens_offsets", "w")))
		_exit(77);
	rc = fprintf(f, "boottime -%ld 0\n", (long)up.tv_sec);
	if (fclose(f) < 0 || rc < 0)
		_exit(77);
	pid = fork();
	if (pid == 0)
		return 1;
	if (pid < 0 || waitpid(pid, &rc, 0) < 0)
		_exit(77);
	_exit(WIFEXITED(rc) ? WEXITSTATUS(rc) : 1);
}

/* After a power cut a file has the times that it had and other bytes.  Times
 * cannot be forged: here the bytes stay, and the record is of others. */
static void lost_bytes(void)
{
	struct ref_record r;
	struct arena a = { 0 };
	enum place_now now;
	struct ref lost;
	int rc;

	begin();
	CHECK(holder("a", "1", false, false) == 0);
	CHECK(real("a", "1", put(REF_VALUE, "what is there\n")) == 0);
	lost = put(REF_VALUE, "what was there\n");
	MUST(ref_get(store, "a", &a, &r, &e), e);
	r.value = lost;
	MUST(ref_put(store, "a", &r, &e), e);
	/* Of today: whoever did that, it stays. */
	CHECK(look("a") == NOW_REAL);
	MUST(store_close(store, &e), e);
	sleep(1);
	rc = started_anew();
	if (rc > 0) {
		if (store_open(".gg", 0, &store, &e) < 0 ||
		    place_look(store, &project, "a", &r, &now, &e) < 0)
			_exit(2);
		if (now != NOW_PLACEHOLDER)
			printf("# it is taken for what gg put there\n");
		fflush(stdout);
		rc = now == NOW_PLACEHOLDER && real("a", "1", lost) == 0 &&
			holds("a", "what was there\n") && store_close(store, &e) == 0;
		_exit(rc ? 0 : 1);
	}
	if (rc < 0)
		printf("# not tried: no time namespace is to be had\n");
	arena_release(&a);
	MUST(store_open(".gg", 0, &store, &e), e);
	end();
}

static const struct test tests[] = {
	{ "a ref read back is the ref written, and another version is refused", ref_round_trip },
	{ "a file placeholder replaces what stood there and is recognised", file_placeholders },
	{ "a directory placeholder never takes the place of the user's files", dir_placeholders },
	{ "a real file has the content, mode and time, and edits are left alone", real_files },
	{ "a real file that stands already is left alone, also after a touch", real_again },
	{ "a link at the path is not followed", symlinks_stay },
	{ "a gone object is named and the placeholder stays", missing_objects },
	{ "a real directory appears and is replaced whole", real_trees },
	{ "a stored tree that lies is refused", bad_trees },
	{ "a large file is a copy", large_files },
	{ "a file that was made again alike can be given the time of now", touched },
	{ "bytes that a power cut took are missed, also once somebody has read what is left",
	  lost_bytes },
	{ "a full disk is said and leaves the placeholder", full_disk },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
