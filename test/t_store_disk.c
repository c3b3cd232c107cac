/* t_store_disk.c - a full disk: a clear error at any moment, nothing wrong
 *
 * On a tmpfs of a few MB of its own, which needs root (exit 77 without).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "test.h"

static char dir[] = "/tmp/gg-t_disk-XXXXXX";
static char store_dir[64], filler[64];
static struct err e;

/* Leave so many pages of the tmpfs free. */
static void leave_pages(unsigned n)
{
	int fd = open(filler, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	struct statvfs v;

	CHECK(fd >= 0 && fstatvfs(fd, &v) == 0);
	if (v.f_bavail > n)
		CHECK(posix_fallocate(fd, 0, (off_t)(v.f_bavail - n) *
				      (off_t)v.f_frsize) == 0);
	close(fd);
}

static struct bytes object(char *room, unsigned i)
{
	size_t n = i % 3 == 2 ? 70000 : 300 + i * 97 % 5000;

	memset(room, (int)i, n);
	memcpy(room, &i, sizeof(i));
	return (struct bytes){ room, n };
}

/* Put until the disk is full: 0 and how many were flushed down the pipe. */
static int fill(int out)
{
	static char room[70000];
	struct store *s = NULL;
	struct err ce = { 0 };
	struct id id;
	unsigned flushed = 0;
	int rc = store_open(store_dir, STORE_CREATE, &s, &ce);

	for (unsigned i = 0; rc == 0; i++) {
		rc = store_put(s, object(room, i), &id, &ce);
		if (rc == 0)
			rc = store_flush(s, &ce);
		if (rc == 0)
			flushed = i + 1;
	}
	if (ce.code != ERR_IO || !strstr(ce.text, store_dir) ||
	    !strstr(ce.text, "pace left")) {
		printf("# code %d: %s\n", ce.code, ce.text);
		fflush(stdout);
		return 1;
	}
	if (write(out, &flushed, sizeof(flushed)) != sizeof(flushed))
		return 2;
	/* Reading goes on, and so does putting once there is room. */
	for (unsigned i = 0; i < flushed; i++) {
		id = id_of(object(room, i));
		if (store_check(s, &id, &ce) < 0)
			return 3;
	}
	if (s && (unlink(filler) < 0 || store_flush(s, &ce) < 0 ||
		  store_close(s, &ce) < 0)) {
		printf("# then: %s\n", ce.text);
		fflush(stdout);
		return 4;
	}
	return 0;
}

static unsigned full_at(unsigned n_pages)
{
	static char room[70000];
	unsigned flushed = 0;
	struct store *s;
	int status, p[2];
	pid_t pid;

	dir_remove(AT_FDCWD, store_dir, &e);
	leave_pages(n_pages);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fill(p[1]));
	close(p[1]);
	waitpid(pid, &status, 0);
	if (status) {
		printf("# with %u pages: %s %d\n", n_pages,
		       WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		CHECK(!"did not end well");
	}
	if (read(p[0], &flushed, sizeof(flushed)) != sizeof(flushed))
		flushed = 0;
	close(p[0]);
	unlink(filler);
	MUST(store_open(store_dir, STORE_CREATE, &s, &e), e);
	for (unsigned i = 0; i < flushed; i++) {
		struct id id = id_of(object(room, i));

		CHECK(store_check(s, &id, &e) == 0);
	}
	MUST(store_close(s, &e), e);
	return flushed;
}

static void every_moment(void)
{
	unsigned most = 0;

	for (unsigned n = 0; n < 60; n++)
		full_at(n);
	for (unsigned n = 60; n < 400; n += 17) {
		unsigned flushed = full_at(n);

		most = flushed > most ? flushed : most;
	}
	CHECK(most > 10);
}

static void file_too_large(void)
{
	char *big = mem_alloc(6 << 20);
	struct store *s;
	struct id id;

	memset(big, 1, 6 << 20);
	dir_remove(AT_FDCWD, store_dir, &e);
	MUST(store_open(store_dir, STORE_CREATE, &s, &e), e);
	CHECK(store_put(s, (struct bytes){ big, 6 << 20 }, &id, &e) < 0);
	CHECK(e.code == ERR_IO && strstr(e.text, store_dir));
	MUST(store_put(s, (struct bytes){ big, 1 << 20 }, &id, &e), e);
	MUST(store_check(s, &id, &e), e);
	MUST(store_close(s, &e), e);
	free(big);
}

static const struct test tests[] = {
	{ "a disk that is full at any moment is a clear error", every_moment },
	{ "a file that does not fit leaves room for one that does", file_too_large },
	{ 0 }
};

int main(void)
{
	int rc;

	if (!mkdtemp(dir))
		return 1;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=5m") < 0) {
		printf("1..0 # SKIP a small tmpfs cannot be mounted here: %s\n",
		       strerror(errno));
		rmdir(dir);
		return 77;
	}
	snprintf(store_dir, sizeof(store_dir), "%s/.gg", dir);
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	rc = test_main(tests);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return rc;
}
