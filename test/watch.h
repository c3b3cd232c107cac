/* watch.h - a program that is watched, and what watches it
 *
 * For the tests of the tracer.  The test program is also what it watches:
 * run with a mode as its argument it makes the calls that no shell can.
 * "modelled" is a program that fails when it really runs.
 */
#ifndef GG_WATCH_H
#define GG_WATCH_H

#include "test.h"
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- what is watched: the modes of this program */

static char *modelled[] = { (char *)"modelled", (char *)"x", NULL };

static inline void *exec_modelled(void *arg)
{
	(void)arg;
	execv(modelled[0], modelled);
	_exit(99);
}

static inline void *spin(void *arg)
{
	for (volatile unsigned i = 0;; i++)
		;
	return arg;
}

static inline void *look_often(void *arg)
{
	char name[64];
	struct stat st;

	for (int i = 0; i < *(int *)arg; i++) {
		snprintf(name, sizeof name, "/nowhere/%d/%d", (int)gettid(), i);
		if (stat(name, &st) == 0)
			_exit(98);
	}
	return NULL;
}

static inline void *spawn_often(void *arg)
{
	for (int i = 0; i < 25; i++) {
		pid_t pid;
		int st;

		if (posix_spawn(&pid, modelled[0], NULL, NULL, modelled, environ) != 0 ||
		    waitpid(pid, &st, 0) < 0 || st != 0)
			_exit(97);
	}
	return arg;
}

static inline int run_threads(void *(*fn)(void *), void *arg)
{
	pthread_t th[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&th[i], NULL, fn, arg);
	for (int i = 0; i < 8; i++)
		pthread_join(th[i], NULL);
	return 0;
}

static inline pid_t start_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(modelled[0], modelled);
		_exit(99);
	}
	return pid;
}

static inline pid_t start_spawn(void)
{
	pid_t pid;

	return posix_spawn(&pid, modelled[0], NULL, NULL, modelled, environ) ? -1 : pid;
}

/* In a child, by the thread that is not its first. */
static inline void exec_in_thread(void)
{
	pthread_t th;

	pthread_create(&th, NULL, spin, NULL);
	pthread_create(&th, NULL, exec_modelled, NULL);
	for (;;)
		pause();
}

static inline void exec_at(void)
{
	syscall(SYS_execveat, AT_FDCWD, modelled[0], modelled, environ, 0);
	_exit(99);
}

static inline pid_t start_one(const char *how)
{
	pid_t pid;

	if (!strcmp(how, "vfork"))
		return start_vfork();
	if (!strcmp(how, "spawn"))
		return start_spawn();
	pid = fork();
	if (pid == 0 && !strcmp(how, "threads"))
		exec_in_thread();
	if (pid == 0 && !strcmp(how, "at"))
		exec_at();
	if (pid == 0)
		exec_modelled(NULL);
	return pid;
}

/* Start the modelled program in one way, n times; it must give 0. */
static inline int mode_start(const char *how, int n)
{
	int bad = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid = start_one(how);
		int st = -1;

		while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
			;
		bad += st != 0;
	}
	return bad != 0;
}

static atomic_int n_alarms;

static inline void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&n_alarms, 1);
}

/* A signal every 200 us, while commands start and files are looked at. */
static inline int mode_alarms(void)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 200 }, { 0, 200 } };
	struct stat st;
	int bad = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	for (int i = 0; i < 5000; i++)
		bad += stat("/", &st) != 0;
	bad += mode_start("fork", 100);
	bad += mode_start("spawn", 100);
	return bad || !n_alarms;
}

/* One of each call, named so that the event can be told. */
static inline int mode_calls(void)
{
	struct timespec ts[2] = { { 0 } };
	struct { uint64_t flags, mode, resolve; } how = { O_RDONLY, 0, 0 };
	int dir = open("d", O_RDONLY | O_DIRECTORY), bad = 0;
	char to[1024];
	struct stat st;

	bad += close(open("new", O_WRONLY | O_CREAT | O_TRUNC, 0644)) != 0;
	bad += close(open("excl", O_RDWR | O_CREAT | O_EXCL, 0644)) != 0;
	bad += close(open("new", O_RDWR)) != 0;
	bad += close(open("appended", O_WRONLY | O_APPEND | O_CREAT, 0644)) != 0;
	bad += close(open("d", O_PATH)) != 0;
	bad += close(open(".", O_TMPFILE | O_RDWR, 0644)) != 0;
	bad += close(openat(dir, "in_d", O_RDONLY)) != 0;
	bad += close((int)syscall(SYS_openat2, dir, "../d/how", &how, sizeof how)) != 0;
	bad += stat("stated", &st) == 0;
	bad += fstatat(dir, "in_d", &st, 0) != 0;
	bad += fstatat(dir, "", &st, AT_EMPTY_PATH) != 0;
	bad += access("asked", R_OK) == 0;
	bad += readlink("link", to, sizeof to) <= 0;
	bad += readlink("quiet", to, 1023) > 0;
	bad += rename("excl", "renamed") != 0;
	bad += link("new", "linked") != 0;
	bad += linkat(dir, "in_d", AT_FDCWD, "linked2", 0) != 0;
	bad += unlink("linked") != 0;
	bad += unlinkat(dir, "gone", 0) != 0;
	bad += mkdir("made", 0755) != 0;
	bad += rmdir("made") != 0;
	bad += symlink("target", "symlinked") != 0;
	bad += chmod("new", 0600) != 0;
	bad += truncate("appended", 10) != 0;
	bad += utimensat(AT_FDCWD, "renamed", ts, 0) != 0;
	bad += futimens(dir, ts) != 0;
	bad += mkfifo("fifo", 0600) != 0;
	bad += syscall(SYS_io_uring_setup, 1, NULL) != -1 || errno != ENOSYS;
	bad += chdir("d") != 0;
	bad += access("after_cd", R_OK) == 0;
	return bad;
}

static inline int mode(char **argv)
{
	int n = argv[2] ? atoi(argv[2]) : 0;

	if (!strcmp(argv[1], "calls"))
		return mode_calls();
	if (!strcmp(argv[1], "alarms"))
		return mode_alarms();
	if (!strcmp(argv[1], "look-threads"))
		return run_threads(look_often, &n);
	if (!strcmp(argv[1], "spawn-threads"))
		return run_threads(spawn_often, NULL);
	if (!strcmp(argv[1], "stops-itself"))
		return raise(SIGSTOP) != 0 || access("woke", R_OK) == 0;
	return mode_start(argv[1], n);
}

/* ---- what watches */

/* How the tracer is served. */
enum way { SERVE, SERVE_NO_QUICK, STEP, SERVE_LATE, N_WAYS };

struct seen {
	enum way way;
	const char *later;      /* a name that is answered only by the test */
	pthread_mutex_t lock;
	struct buf log;         /* "KIND path[ > path2]\n" */
	size_t n, n_events, n_blind, n_later, n_late;
	int exit_status;
	bool leave, wants_all;
	uint64_t cookie;
	pid_t pid;
	struct arena arena;
	struct trace_exec exec;
	char why[1000];
};

static const char *const kinds[] = {
	[TRACE_EXEC] = "exec", [TRACE_READ] = "read", [TRACE_WRITE] = "write",
	[TRACE_UPDATE] = "update", [TRACE_LOOK] = "look",
	[TRACE_MAKE_DIR] = "mkdir", [TRACE_REMOVE] = "remove",
	[TRACE_RENAME] = "rename", [TRACE_LINK] = "link",
	[TRACE_CHANGE] = "change", [TRACE_TIMES] = "times",
	[TRACE_ENTER] = "enter",
	[TRACE_END] = "end", [TRACE_CONNECT] = "connect",
	[TRACE_BIND] = "bind", [TRACE_SIGNAL] = "signal",
};

static char self[4096], dir[4096];

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static inline void note(struct seen *s, const struct trace_event *ev)
{
	pthread_mutex_lock(&s->lock);
	buf_printf(&s->log, "%s %s", kinds[ev->kind], ev->path);
	if (ev->path2)
		buf_printf(&s->log, " > %s", ev->path2);
	if (ev->kind == TRACE_END || ev->kind == TRACE_SIGNAL)
		buf_printf(&s->log, "%d", ev->status);
	buf_char(&s->log, '\n');
	s->n++;
	s->n_late += ev->is_late;
	pthread_mutex_unlock(&s->lock);
}

static inline bool is_question(const struct seen *s, const struct trace_event *ev)
{
	const char *name = last_name(ev->path);

	return (ev->kind == TRACE_EXEC && !strcmp(name, "modelled")) ||
	       !strcmp(name, "end-me") || (s->later && !strcmp(name, s->later));
}

static inline bool quick(void *arg, const struct trace_event *ev)
{
	struct seen *s = arg;

	if (is_question(s, ev))
		return false;
	note(s, ev);
	return true;
}

static inline enum trace_answer event(void *arg, struct tracer *t,
			       const struct trace_event *ev, int *status)
{
	struct seen *s = arg;
	struct err e;

	note(s, ev);
	s->n_events++;
	if (!is_question(s, ev))
		return TRACE_GO;
	if (s->later && !strcmp(last_name(ev->path), s->later)) {
		s->cookie = ev->cookie;
		s->pid = ev->pid;
		s->n_later++;
		s->leave = true;
		return TRACE_LATER;
	}
	if (ev->kind == TRACE_EXEC) {
		arena_reset(&s->arena);
		CHECK(tracer_exec(t, ev->cookie, &s->arena, &s->exec, &e) == 0);
	}
	*status = s->exit_status;
	return TRACE_EXIT;
}

static inline void blind(void *arg, const char *why)
{
	struct seen *s = arg;

	s->n_blind++;
	snprintf(s->why, sizeof s->why, "%s", why);
}

static inline struct tracer *start(struct seen *s, const char **args)
{
	struct tracer_ops ops = { .quick = quick, .event = event, .blind = blind,
				  .arg = s };
	const char *env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=/", NULL };
	struct tracer_opts o = { .args = args, .env = env, .cwd = dir, .out_fd = -1,
				 .wants_all = s->wants_all,
				 .late_outside = s->way == SERVE_LATE ? dir : NULL };
	struct tracer *t;
	struct err e;

	if (s->way == SERVE_NO_QUICK)
		ops.quick = NULL;
	buf_reset(&s->log);
	pthread_mutex_init(&s->lock, NULL);
	MUST(tracer_start(&o, &ops, &t, &e), e);
	return t;
}

/* Serve until the end, or until *leave with 1. */
static inline int serve(struct seen *s, struct tracer *t)
{
	struct err e;
	int rc;

	if (s->way != STEP) {
		while ((rc = tracer_serve(t, &s->leave, &e)) == 1 && !s->leave)
			;
	} else {
		struct pollfd p = { .fd = tracer_fd(t), .events = POLLIN };

		do {
			poll(&p, 1, -1);
			rc = tracer_step(t, &e);
		} while (rc == 1 && !s->leave);
	}
	if (rc < 0)
		printf("# %s\n", e.text);
	return rc;
}

static inline void seen_release(struct seen *s)
{
	buf_release(&s->log);
	arena_release(&s->arena);
	pthread_mutex_destroy(&s->lock);
}

/* Run args to the end: the exit status. */
static inline int run_args(struct seen *s, const char **args)
{
	struct tracer *t = start(s, args);
	int status = -1;

	if (serve(s, t) == 0)
		status = tracer_status(t);
	tracer_free(t);
	return status;
}

static inline int run_sh(struct seen *s, const char *script)
{
	return run_args(s, (const char *[]){ "sh", "-c", script, self, NULL });
}

/* Was there this event, with a path below dir? */
static inline bool has(const struct seen *s, const char *kind, const char *name)
{
	char line[16000];

	snprintf(line, sizeof line, "%s %s/%s\n", kind, dir, name);
	return s->log.p && strstr(s->log.p, line);
}

static inline size_t count(const struct seen *s, const char *what)
{
	size_t n = 0;

	for (const char *p = s->log.p; p && (p = strstr(p, what)); p++)
		n++;
	return n;
}

static inline void put(const char *name, const char *text, int how)
{
	char path[9000];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, (mode_t)how) < 0) {
		printf("Bail out! %s\n", path);
		exit(1);
	}
}

/* Run below another tracer: must be refused. */
static inline int mode_nested(void)
{
	struct seen s = { 0 };
	struct tracer_ops ops = { .quick = quick, .event = event, .arg = &s };
	struct tracer_opts o = { .args = (const char *[]){ "true", NULL },
				 .env = (const char **)(void *)environ, .cwd = "/",
				 .out_fd = -1 };
	struct tracer *t;
	struct err e;

	return !(tracer_start(&o, &ops, &t, &e) < 0 && e.code == ERR_REFUSED &&
		 strstr(e.text, "already watching"));
}

/* What each test program begins with: -1, or the status of a mode. */
static inline int watch_begin(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (argc > 1)
		return !strcmp(argv[1], "nested") ? mode_nested() : mode(argv);
	snprintf(dir, sizeof dir, "/tmp/gg-tracer-XXXXXX");
	if (n < 0 || !mkdtemp(dir))
		return 1;
	put("modelled", "#!/bin/sh\nexit 77\n", 0755);
	return -1;
}

static inline int watch_end(int rc)
{
	char cmd[5000];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) != 0 || rc;
}

#endif
