/* t_tracer.c - the tracer sees every watched call, and ends what it should
 *
 * The program is also what it watches: `t_tracer MODE ...` makes the calls
 * that no shell can.  "modelled" is a program that fails when it really runs.
 */
#include "test.h"
#include "tracer.h"

#include <dirent.h>
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

static void *exec_modelled(void *arg)
{
	(void)arg;
	execv(modelled[0], modelled);
	_exit(99);
}

static void *spin(void *arg)
{
	for (volatile unsigned i = 0;; i++)
		;
	return arg;
}

static void *look_often(void *arg)
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

static void *spawn_often(void *arg)
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

static int run_threads(void *(*fn)(void *), void *arg)
{
	pthread_t th[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&th[i], NULL, fn, arg);
	for (int i = 0; i < 8; i++)
		pthread_join(th[i], NULL);
	return 0;
}

static pid_t start_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(modelled[0], modelled);
		_exit(99);
	}
	return pid;
}

static pid_t start_spawn(void)
{
	pid_t pid;

	return posix_spawn(&pid, modelled[0], NULL, NULL, modelled, environ) ? -1 : pid;
}

/* In a child, by the thread that is not its first. */
static void exec_in_thread(void)
{
	pthread_t th;

	pthread_create(&th, NULL, spin, NULL);
	pthread_create(&th, NULL, exec_modelled, NULL);
	for (;;)
		pause();
}

static void exec_at(void)
{
	syscall(SYS_execveat, AT_FDCWD, modelled[0], modelled, environ, 0);
	_exit(99);
}

static pid_t start_one(const char *how)
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
static int mode_start(const char *how, int n)
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

static void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&n_alarms, 1);
}

/* A signal every 200 us, while commands start and files are looked at. */
static int mode_alarms(void)
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
static int mode_calls(void)
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

static int mode(char **argv)
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
enum way { SERVE, SERVE_NO_QUICK, STEP, N_WAYS };

struct seen {
	enum way way;
	const char *later;      /* a name that is answered only by the test */
	pthread_mutex_t lock;
	struct buf log;         /* "KIND path[ > path2]\n" */
	size_t n, n_events, n_blind, n_later;
	int exit_status;
	bool leave;
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
	[TRACE_CHANGE] = "change",
};

static char self[4096], dir[4096];

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void note(struct seen *s, const struct trace_event *ev)
{
	pthread_mutex_lock(&s->lock);
	buf_printf(&s->log, "%s %s", kinds[ev->kind], ev->path);
	if (ev->path2)
		buf_printf(&s->log, " > %s", ev->path2);
	buf_char(&s->log, '\n');
	s->n++;
	pthread_mutex_unlock(&s->lock);
}

static bool is_question(const struct seen *s, const struct trace_event *ev)
{
	const char *name = last_name(ev->path);

	return (ev->kind == TRACE_EXEC && !strcmp(name, "modelled")) ||
	       !strcmp(name, "end-me") || (s->later && !strcmp(name, s->later));
}

static bool quick(void *arg, const struct trace_event *ev)
{
	struct seen *s = arg;

	if (is_question(s, ev))
		return false;
	note(s, ev);
	return true;
}

static enum trace_answer event(void *arg, struct tracer *t,
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

static void blind(void *arg, const char *why)
{
	struct seen *s = arg;

	s->n_blind++;
	snprintf(s->why, sizeof s->why, "%s", why);
}

static struct tracer *start(struct seen *s, const char **args)
{
	struct tracer_ops ops = { .quick = quick, .event = event, .blind = blind,
				  .arg = s };
	const char *env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=/", NULL };
	struct tracer_opts o = { .args = args, .env = env, .cwd = dir, .out_fd = -1 };
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
static int serve(struct seen *s, struct tracer *t)
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

static void seen_release(struct seen *s)
{
	buf_release(&s->log);
	arena_release(&s->arena);
	pthread_mutex_destroy(&s->lock);
}

/* Run args to the end: the exit status. */
static int run_args(struct seen *s, const char **args)
{
	struct tracer *t = start(s, args);
	int status = -1;

	if (serve(s, t) == 0)
		status = tracer_status(t);
	tracer_free(t);
	return status;
}

static int run_sh(struct seen *s, const char *script)
{
	return run_args(s, (const char *[]){ "sh", "-c", script, self, NULL });
}

/* Was there this event, with a path below dir? */
static bool has(const struct seen *s, const char *kind, const char *name)
{
	char line[16000];

	snprintf(line, sizeof line, "%s %s/%s\n", kind, dir, name);
	return s->log.p && strstr(s->log.p, line);
}

static size_t count(const struct seen *s, const char *what)
{
	size_t n = 0;

	for (const char *p = s->log.p; p && (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* ---- the promises */

static void each_kind(void)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct seen s = { .way = way };
		char two[5000];

		CHECK(run_sh(&s, "rm -rf c && mkdir -p c/d && cd c && ln -s x link && "
				 "touch d/in_d d/how d/gone && exec \"$0\" calls") == 0);
		CHECK(has(&s, "write", "c/new") && has(&s, "write", "c/excl"));
		CHECK(has(&s, "update", "c/new") && has(&s, "update", "c/appended"));
		CHECK(has(&s, "read", "c/d") && has(&s, "look", "c/d"));
		CHECK(has(&s, "read", "c/d/in_d") && has(&s, "look", "c/d/in_d"));
		CHECK(has(&s, "read", "c/d/../d/how"));
		CHECK(has(&s, "look", "c/stated") && has(&s, "look", "c/asked"));
		CHECK(has(&s, "look", "c/link") && !has(&s, "look", "c/quiet"));
		CHECK(has(&s, "remove", "c/linked") && has(&s, "remove", "c/d/gone"));
		CHECK(has(&s, "mkdir", "c/made") && has(&s, "remove", "c/made"));
		CHECK(has(&s, "change", "c/symlinked") && has(&s, "change", "c/new"));
		CHECK(has(&s, "change", "c/appended") && has(&s, "change", "c/renamed"));
		CHECK(has(&s, "change", "c/fifo") && !has(&s, "change", "c/d"));
		CHECK(has(&s, "look", "c/d/after_cd") && !has(&s, "update", "c/."));
		snprintf(two, sizeof two, "c/excl > %s/c/renamed", dir);
		CHECK(has(&s, "rename", two));
		snprintf(two, sizeof two, "c/d/in_d > %s/c/linked2", dir);
		CHECK(has(&s, "link", two));
		CHECK(s.n_blind == 0);
		seen_release(&s);
	}
}

/* Each of these gives 0 only if every "modelled" gave 0. */
static const char *const carried[] = {
	"modelled",
	"./modelled && $PWD/modelled a b",
	"env X=1 modelled && env -i ./modelled",
	"./script",
	"(modelled) && (exec modelled) && x=$(modelled; echo $?) && test $x = 0",
	"modelled & wait $!",
	"modelled | modelled",
	"for i in 1 2 3 4 5 6 7 8 9; do modelled $i || exit 1; done",
	"seq 50 | xargs -P 4 -n 1 modelled",
	"make -s -j4 -f many.mk",
	"! command -v ninja >/dev/null || ninja >/dev/null",
	"/usr/bin/python3 many.py",
	"find . -maxdepth 1 -name modelled -exec modelled {} \\;",
	"perl -e 'exit system(\"modelled\", \"x\") != 0'",
	"timeout 10 modelled && nice modelled && setsid -w modelled",
	"\"$0\" fork 50", "\"$0\" vfork 50", "\"$0\" spawn 50", "\"$0\" threads 50",
	"\"$0\" at 5", "\"$0\" spawn-threads", "\"$0\" alarms",
	"bash -c 'modelled && ! false && modelled'",
	"gcc -static -o static static.c && ./static",
};

static void put(const char *name, const char *text, int how)
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

static void set_up(void)
{
	put("modelled", "#!/bin/sh\nexit 77\n", 0755);
	put("script", "#!/bin/sh -e\nmodelled\n./modelled\n", 0755);
	put("plain", "exit 5\n", 0755);
	put("static.c",
	    "#include <unistd.h>\n#include <stdlib.h>\n#include <sys/wait.h>\n"
	    "int main(int n, char **v)\n{\n\tchar *a[] = { \"modelled\", 0 };\n"
	    "\tint st = 0;\n\tif (fork() == 0) {\n"
	    "\t\texecv(\"./modelled\", a);\n\t\t_exit(9);\n\t}\n"
	    "\treturn wait(&st) < 0 || st || !v[n - 1];\n}\n", 0644);
	put("many.mk",
	    "T=$(shell seq 100)\nall: $(T)\n$(T):\n\t@modelled $@\n"
	    "\t@modelled $@ && true\n.PHONY: $(T)\n", 0644);
	put("build.ninja",
	    "rule m\n  command = modelled $out\n"
	    "build a b c d: phony\nbuild x1: m\nbuild x2: m\nbuild x3: m x1\n", 0644);
	put("many.py",
	    "import subprocess, os, threading, multiprocessing\n"
	    "def one(i):\n"
	    "    return subprocess.run(['modelled', str(i)]).returncode\n"
	    "def many(): assert sum(one(i) for i in range(20)) == 0\n"
	    "if __name__ == '__main__':\n"
	    "    assert subprocess.run(['modelled'], capture_output=True).returncode == 0\n"
	    "    assert subprocess.call(['./modelled'], close_fds=False) == 0\n"
	    "    assert os.system('modelled && exec ./modelled') == 0\n"
	    "    t = [threading.Thread(target=many) for _ in range(4)]\n"
	    "    [x.start() for x in t]; [x.join() for x in t]\n"
	    "    with multiprocessing.Pool(3) as p:\n"
	    "        assert p.map(one, range(20)) == [0] * 20\n", 0644);
}

static void carries(void)
{
	for (enum way way = 0; way < N_WAYS; way++)
		for (size_t i = 0; i < sizeof carried / sizeof *carried; i++) {
			struct seen s = { .way = way };
			char script[1000];
			int status;

			snprintf(script, sizeof script, "PATH=$PWD:$PATH\n%s", carried[i]);
			status = run_sh(&s, script);
			if (status || (!count(&s, "/modelled\n") && i != 10))
				printf("# way %d: %s: %d\n", way, carried[i], status);
			CHECK(status == 0 && s.n_blind == 0);
			CHECK(i == 10 || count(&s, "/modelled\n") > 0);
			seen_release(&s);
		}
}

static void gives_status(void)
{
	struct seen s = { .exit_status = 42 };

	CHECK(run_args(&s, (const char *[]){ "./modelled", NULL }) == 42);
	CHECK(run_sh(&s, "./modelled; test $? = 42") == 0);
	CHECK(run_sh(&s, "test -e end-me; exit 3") == 42);
	CHECK(run_sh(&s, "cat end-me; test $? = 42") == 0);
	CHECK(run_sh(&s, "exit 7") == 7);
	CHECK(run_sh(&s, "kill -9 $$") == 128 + 9);
	CHECK(run_args(&s, (const char *[]){ "./plain", NULL }) == 5);
	seen_release(&s);
}

static void reads_arguments(void)
{
	struct seen s = { 0 };
	char big[20001];

	CHECK(run_sh(&s, "cd / && env -i A=1 B= \"C=x y\" \"$OLDPWD/modelled\" "
			 "'' 'a b' \"$(printf 'x\\ny')\" --seed=3") == 0);
	CHECK(s.exec.n_args == 5 && s.exec.n_env == 3);
	CHECK_STR(s.exec.args[1], "");
	CHECK_STR(s.exec.args[2], "a b");
	CHECK_STR(s.exec.args[3], "x\ny");
	CHECK_STR(s.exec.args[4], "--seed=3");
	CHECK(!s.exec.args[5] && !s.exec.env[3]);
	CHECK_STR(s.exec.env[0], "A=1");
	CHECK_STR(s.exec.env[2], "C=x y");
	CHECK_STR(s.exec.cwd, "/");
	memset(big, 'q', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	CHECK(run_args(&s, (const char *[]){ "./modelled", big, "z", NULL }) == 0);
	CHECK(s.exec.n_args == 3);
	CHECK_STR(s.exec.args[1], big);
	CHECK_STR(s.exec.args[2], "z");
	CHECK(run_sh(&s, "exec ./modelled $(seq 20000)") == 0);
	CHECK(s.exec.n_args == 20001);
	CHECK_STR(s.exec.args[20000], "20000");
	CHECK_STR(s.exec.args[777], "777");
	seen_release(&s);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void waits_for_later(void)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct seen s = { .way = way, .later = "slow" };
		struct tracer *t = start(&s, (const char *[]){ "sh", "-c",
			"echo ready > slow; (cat slow >/dev/null; test -e done || exit 1) & "
			"for i in 1 2 3 4 5 6 7 8; do cat /etc/passwd; done >out; "
			": > done; wait $!", NULL });
		double began;

		/* the shell's own open of slow, to write */
		CHECK(serve(&s, t) == 1 && s.n_later == 1);
		s.leave = false;
		tracer_answer(t, s.cookie, TRACE_GO, 0);
		CHECK(serve(&s, t) == 1 && s.n_later == 2);
		s.leave = false;
		began = seconds();
		while (seconds() - began < 0.05 || !has(&s, "write", "done")) {
			struct pollfd p = { .fd = tracer_fd(t), .events = POLLIN };
			struct err e;

			poll(&p, 1, 10);
			CHECK(tracer_step(t, &e) == 1);
		}
		tracer_answer(t, s.cookie, TRACE_GO, 0);
		tracer_answer(t, s.cookie, TRACE_GO, 0);
		CHECK(serve(&s, t) == 0 && tracer_status(t) == 0);
		tracer_free(t);
		seen_release(&s);
	}
}

static void survives_kill_while_waiting(void)
{
	struct seen s = { .later = "slow" };
	struct tracer *t = start(&s, (const char *[]){ "sh", "-c",
		"cat slow 2>/dev/null; test $? = 137", NULL });
	struct trace_exec x;
	struct err e;

	CHECK(serve(&s, t) == 1);
	s.leave = false;
	CHECK(kill(s.pid, SIGKILL) == 0);
	usleep(20000);
	CHECK(tracer_exec(t, s.cookie, &s.arena, &x, &e) < 0 && e.code == ERR_MISSING);
	tracer_answer(t, s.cookie, TRACE_EXIT, 3);
	CHECK(serve(&s, t) == 0 && tracer_status(t) == 0);
	tracer_free(t);
	seen_release(&s);
}

static void survives_stop(void)
{
	struct seen s = { 0 };

	CHECK(run_sh(&s, "\"$0\" stops-itself & p=$!; sleep 0.1; kill -CONT $p; "
			 "wait $p") == 0);
	CHECK(has(&s, "look", "woke"));
	CHECK(run_sh(&s, "exec 2>/dev/null; (while :; do test -e x; done) & p=$!; for i in 1 2 3 4 5 6; "
			 "do kill -STOP $p; test -e y; kill -CONT $p; done; kill $p; "
			 "wait $p; test $? = 143") == 0);
	seen_release(&s);
}

static void sees_all_left_behind(void)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct seen s = { .way = way };

		CHECK(run_sh(&s, "(setsid sh -c 'sleep 0.15; test -e late' &) ; "
				 "exit 4") == 4);
		CHECK(has(&s, "look", "late"));
		seen_release(&s);
	}
}

static size_t n_processes_called(const char *name)
{
	size_t n = 0;
	DIR *d = opendir("/proc");
	struct dirent *de;
	char path[300], line[200];

	while (d && (de = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/%s/cmdline", de->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		size_t k = fread(line, 1, sizeof line - 1, f);
		line[k] = '\0';
		for (size_t i = 0; i + 1 < k; i++)
			if (!line[i])
				line[i] = ' ';
		n += strstr(line, name) != NULL;
		fclose(f);
	}
	if (d)
		closedir(d);
	return n;
}

/* A number that no other sleeper has. */
static const char *mark(char *to, size_t room)
{
	snprintf(to, room, "98%d", (int)getpid());
	return to;
}

static void kill_reaches_all(void)
{
	char number[32], script[200];
	struct seen s = { .later = "ready" };
	struct tracer *t;

	mark(number, sizeof number);
	snprintf(script, sizeof script,
		 "exec 2>/dev/null; trap '' TERM; sleep %s & setsid sleep %s & (sleep %s &) ; "
		 "sleep 0.05; test -e ready; wait", number, number, number);
	t = start(&s, (const char *[]){ "sh", "-c", script, NULL });
	CHECK(serve(&s, t) == 1);
	tracer_kill(t, SIGKILL);
	s.leave = false;
	CHECK(serve(&s, t) == 0 && tracer_status(t) == 128 + SIGKILL);
	CHECK(n_processes_called(number) == 0);
	tracer_free(t);

	s.leave = false;
	t = start(&s, (const char *[]){ "sh", "-c", script, NULL });
	CHECK(serve(&s, t) == 1);
	CHECK(n_processes_called(number) >= 3);
	tracer_free(t);
	CHECK(n_processes_called(number) == 0);
	seen_release(&s);
}

static void killed_owner_leaves_nothing(void)
{
	char number[32], script[200];
	int tries = 0;
	pid_t pid;

	mark(number, sizeof number);
	snprintf(script, sizeof script,
		 "sleep %s & (setsid sh -c 'sleep %s' &); cat slow; sleep %s", number,
		 number, number);
	pid = fork();
	if (pid == 0) {
		struct seen s = { .later = "slow" };
		struct tracer *t = start(&s, (const char *[]){ "sh", "-c", script, NULL });

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(&s, t);
		s.leave = false;
		serve(&s, t);
		_exit(0);
	}
	usleep(200000);
	CHECK(n_processes_called(number) >= 3);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	while (n_processes_called(number) > 0 && tries++ < 200)
		usleep(10000);
	CHECK(n_processes_called(number) == 0);
}

static void none_lost(void)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct seen s = { .way = way };

		/* 8 threads, then 4 processes at a time */
		CHECK(run_sh(&s, "\"$0\" look-threads 1250 && seq 40 | xargs -n 1 -P 4 sh -c "
				 "'for i in 1 2 3 4 5 6 7 8 9 10; do "
				 "test -e counted; cat counted 2>/dev/null; done; :'") == 0);
		CHECK(count(&s, "look /nowhere/") == 10000);
		CHECK(count(&s, "/counted\n") == 40 * 10 * 2);
		seen_release(&s);
	}
}

static void leaves_at_a_signal(void)
{
	struct seen s = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, before;
	struct tracer *t = start(&s, (const char *[]){ "sh", "-c",
		"sleep 0.4", NULL });
	struct itimerval it = { { 0 }, { 0, 150000 } };
	double began = seconds();
	struct err e;
	int rc;

	sigaction(SIGALRM, &sa, &before);
	setitimer(ITIMER_REAL, &it, NULL);
	rc = tracer_serve(t, &s.leave, &e);
	CHECK(rc == 1 && seconds() - began < 0.35);
	CHECK(serve(&s, t) == 0);
	sigaction(SIGALRM, &before, NULL);
	tracer_free(t);
	seen_release(&s);
}

static void says_what_it_cannot_see(void)
{
	struct seen s = { 0 };
	/* the head of a 32-bit program; the kernel refuses to run the rest */
	char head[64] = "\177ELF\1\1\1";

	put("elf32", "", 0755);
	{
		char path[9000];
		FILE *f;

		snprintf(path, sizeof path, "%s/elf32", dir);
		f = fopen(path, "w");
		CHECK(f && fwrite(head, sizeof head, 1, f) == 1 && fclose(f) == 0);
	}
	run_sh(&s, "./elf32 2>/dev/null");
	CHECK(s.n_blind >= 1 && strstr(s.why, "elf32 is a 32-bit program"));
	CHECK(has(&s, "exec", "./elf32"));
	s.n_blind = 0;
	CHECK(run_sh(&s, "test -e x") == 0 || s.n_blind == 0);
	seen_release(&s);
}

static void refuses_clearly(void)
{
	struct seen s = { 0 };
	struct tracer_ops ops = { .quick = quick, .event = event, .arg = &s };
	const char *env[] = { "PATH=/usr/bin", NULL };
	struct tracer_opts o = { .args = (const char *[]){ "no-such-program", NULL },
				 .env = env, .cwd = dir, .out_fd = -1 };
	struct tracer *t = NULL;
	struct err e;

	CHECK(tracer_start(&o, &ops, &t, &e) < 0 && e.code == ERR_MISSING);
	CHECK(strstr(e.text, "no-such-program"));
	o.args = (const char *[]){ "true", NULL };
	o.cwd = "/nowhere/at/all";
	CHECK(tracer_start(&o, &ops, &t, &e) < 0 && e.code == ERR_MISSING);
	CHECK(strstr(e.text, "/nowhere/at/all") && !t);
	/* found out only when it is executed */
	put("no-interpreter", "#!/nowhere/at/all\n", 0755);
	o.args = (const char *[]){ "./no-interpreter", NULL };
	o.cwd = dir;
	MUST(tracer_start(&o, &ops, &t, &e), e);
	CHECK(serve(&s, t) < 0);
	CHECK(tracer_status(t) == 127);
	tracer_free(t);
	seen_release(&s);
}

static void nested(void)
{
	struct seen s = { 0 };

	CHECK(run_sh(&s, "\"$0\" nested") == 0);
	seen_release(&s);
}

/* Run below another tracer: must be refused. */
static int mode_nested(void)
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

static void writes_output(void)
{
	struct seen s = { 0 };
	struct tracer_ops ops = { .quick = quick, .event = event, .arg = &s };
	struct tracer_opts o = { .args = (const char *[]){ "echo", "hello", NULL },
				 .env = (const char *[]){ NULL }, .cwd = "/" };
	char got[20] = "";
	struct tracer *t;
	struct err e;
	int fds[2];

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	o.out_fd = fds[1];
	pthread_mutex_init(&s.lock, NULL);
	MUST(tracer_start(&o, &ops, &t, &e), e);
	close(fds[1]);
	CHECK(serve(&s, t) == 0);
	/* ends, since no process of the tracer's holds the pipe */
	CHECK(read(fds[0], got, sizeof got - 1) == 6 && read(fds[0], got + 6, 1) == 0);
	CHECK_STR(got, "hello\n");
	close(fds[0]);
	tracer_free(t);
	seen_release(&s);
}

static const struct test tests[] = {
	{ "each kind of call makes its event, with an absolute path", each_kind },
	{ "a command that ends in place of running is success to every parent", carries },
	{ "the status is the one given, or the command's own", gives_status },
	{ "arguments, environment and cwd are what execve was given", reads_arguments },
	{ "a call left for later waits while others go on", waits_for_later },
	{ "a process killed while it waits harms nobody", survives_kill_while_waiting },
	{ "stopped and continued processes go on", survives_stop },
	{ "what the command leaves behind is seen and waited for", sees_all_left_behind },
	{ "a kill reaches all below, and so does the end", kill_reaches_all },
	{ "an owner that is killed leaves no process", killed_owner_leaves_nothing },
	{ "of 10,000 calls by 8 threads none is lost", none_lost },
	{ "serving ends at a signal", leaves_at_a_signal },
	{ "a 32-bit program is reported", says_what_it_cannot_see },
	{ "no program and no directory are clear errors", refuses_clearly },
	{ "a second tracer below the first is refused", nested },
	{ "standard output goes where it is told", writes_output },
	{ 0 }
};

int main(int argc, char **argv)
{
	char cmd[5000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int rc;

	if (argc > 1)
		return !strcmp(argv[1], "nested") ? mode_nested() : mode(argv);
	if (n < 0)
		return 1;
	snprintf(dir, sizeof dir, "/tmp/gg-tracer-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	set_up();
	rc = test_main(tests);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) != 0 || rc;
}
