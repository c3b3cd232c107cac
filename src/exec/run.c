/* run.c - one thunk in a cell: inputs in, the program, outputs out
 *
 * The program is started as by vfork, so that its cost does not grow with
 * this process, and waited for by a descriptor beside the socket, so that a
 * cancellation or the end of gg is seen at once.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 1000, LOG_HELD_MAX = 64 << 20, LOG_TOLD_MAX = 64 << 10 };

static const char *const fixed_env[] = {
	"HOME=/tmp",
	"LANG=C.UTF-8",
	"LC_ALL=C.UTF-8",
	"PATH=" STANDARD_PATH,
	"PYTHONDONTWRITEBYTECODE=1",
	"PYTHONHASHSEED=0",
	"TMPDIR=/tmp",
	"TZ=UTC",
	NULL
};

static const char visible_gpus[] = "CUDA_VISIBLE_DEVICES";

const char *run_search(void)
{
	return STANDARD_PATH;
}

static bool is_name(const char *name_value, const char *name, size_t n)
{
	return strncmp(name_value, name, n) == 0 &&
		(name_value[n] == '=' || name_value[n] == '\0');
}

bool run_env_is_fixed(const char *name_value)
{
	for (size_t i = 0; fixed_env[i]; i++)
		if (is_name(name_value, fixed_env[i], strcspn(fixed_env[i], "=")))
			return true;
	return is_name(name_value, "GG_RUNTIME", strlen("GG_RUNTIME"));
}

/* What the child of a spawn needs; it shares this memory until it executes,
 * unless it is watched: its execve already waits for an answer. */
struct spawn {
	const char *program, *cwd;
	const char **args, **env;
	int std[3];
	bool dies_with_cell;
	int proc;                       /* one that can be written to */
	int jail;                       /* its root, and `top` its cwd; or -1 */
	const char *top;
	struct guard *guard;            /* it is watched: it has a copy of all */
	int errnum;
};

/* Where memory runs out the kernel is to take the step, which can run again with
 * more, and not whoever looks after it. */
static void die_first(int proc)
{
	static const char score[] = "500";
	int fd = openat(proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t ignored = fd < 0 ? 0 : write(fd, score, sizeof score - 1);

	(void)ignored;
	if (fd >= 0)
		close(fd);
}

static int child(void *arg)
{
	struct spawn *s = arg;

	if (s->dies_with_cell)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setpgid(0, 0);
	die_first(s->proc);
	if ((s->jail < 0 || (fchdir(s->jail) == 0 && chroot(".") == 0 && chdir(s->top) == 0)) &&
	    (!s->cwd || chdir(s->cwd) == 0) && dup2(s->std[0], 0) == 0 &&
	    dup2(s->std[1], 1) == 1 && dup2(s->std[2], 2) == 2 &&
	    (!s->guard || guard_enter(s->guard) == 0))
		execve(s->program, (char **)s->args, (char **)s->env);
	s->errnum = errno;
	if (s->guard)
		guard_fail(s->guard, s->errnum);
	return 127;
}

/* ---- what the program finds */

static const char *program_path(struct cell *c)
{
	const char *slash = strrchr(c->program, '/');
	size_t n = (size_t)(slash - c->program);
	const char *p = c->search;

	for (; *p; p += strcspn(p, ":"), p += *p == ':')
		if (strcspn(p, ":") == n && strncmp(p, c->program, n) == 0)
			return arena_printf(&c->arena, "PATH=%s", c->search);
	return arena_printf(&c->arena, "PATH=%.*s:%s", (int)n, c->program, c->search);
}

static const char *runtime_env(struct cell *c)
{
	static const char *const names[] = {
		[RUNTIME_HOST] = "host ", [RUNTIME_CLOSURE] = "closure ",
		[RUNTIME_IMAGE] = "image sha256:",
	};

	return arena_printf(&c->arena, "GG_RUNTIME=%s%s", names[c->thunk.runtime],
			    id_hex(&c->thunk.runtime_id).s);
}

/* A thunk that says by itself which GPUs it wants knows what it does. */
static bool says_gpus(const struct thunk *t)
{
	for (size_t i = 0; i < t->n_env; i++)
		if (is_name(t->env[i], visible_gpus, sizeof visible_gpus - 1))
			return true;
	return false;
}

static const char **make_env(struct cell *c)
{
	const struct thunk *t = &c->thunk;
	size_t n_fixed = sizeof fixed_env / sizeof *fixed_env, n = 0;
	const char **v = arena_alloc(&c->arena, (n_fixed + t->n_env + 2) * sizeof *v);

	for (size_t i = 0; fixed_env[i]; i++) {
		const char *s = fixed_env[i];

		if (bytes_start(bytes_str(s), "PATH="))
			s = program_path(c);
		else if (bytes_start(bytes_str(s), "HOME="))
			s = arena_printf(&c->arena, "HOME=%s", c->box.tmp);
		else if (bytes_start(bytes_str(s), "TMPDIR="))
			s = arena_printf(&c->arena, "TMPDIR=%s", c->box.tmp);
		v[n++] = s;
	}
	v[n++] = runtime_env(c);
	if (*c->request->gpus && !says_gpus(t))
		v[n++] = arena_printf(&c->arena, "%s=%s", visible_gpus, c->request->gpus);
	for (size_t i = 0; i < t->n_env; i++)
		v[n++] = t->env[i];
	return v;
}

static int check_env(const struct thunk *t, struct err *e)
{
	for (size_t i = 0; i < t->n_env; i++)
		if (run_env_is_fixed(t->env[i]))
			return err_set(e, ERR_REFUSED, "%.*s is fixed by gg and cannot "
				       "be set for a step: take it out of the model's "
				       "env line", (int)strcspn(t->env[i], "="),
				       t->env[i]);
	return 0;
}

static int open_std(struct cell *c, int i, struct err *e)
{
	const char *path = c->thunk.std[i];
	int flags = O_RDONLY, fd;

	if (!path)
		return i == 0 ? c->null_fd : c->log_fd;
	if (i)                  /* an input as well: the program adds to it */
		flags = O_WRONLY | O_CREAT |
			(thunk_input(&c->thunk, path) ? O_APPEND : O_TRUNC);
	if (path[0] != '/')
		fd = beneath_open(c->box.seen_root_fd, path, flags, 0666);
	else
		fd = c->box.jail >= 0 ? jail_open(&c->box, path) :
			open(path, flags | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot open %s for the program", path) : fd;
}

static int open_stds(struct cell *c, int std[3], struct err *e)
{
	const char *const *path = c->thunk.std;

	for (int i = 0; i < 3; i++) {
		if (i == 2 && path[1] && path[2] && strcmp(path[1], path[2]) == 0)
			std[2] = std[1];
		else if ((std[i] = open_std(c, i, e)) < 0)
			return -1;
	}
	return 0;
}

static void close_stds(struct cell *c, int std[3])
{
	if (std[2] == std[1])
		std[2] = -1;
	for (int i = 0; i < 3; i++)
		if (std[i] >= 0 && std[i] != c->null_fd && std[i] != c->log_fd)
			close(std[i]);
}

/* ---- the program's life */

struct life {
	pid_t pid;
	int pidfd, status;
	struct rusage used;
	bool is_late, is_asked;         /* is_asked: to end by itself */
	double looked;                  /* when the log was looked at last */
	uint64_t n_told;                /* of its bytes */
};

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A program that prints without end must not fill the memory: its log is
 * punched hollow in front, so that places in it stay what they are. */
static void trim_log(struct cell *c)
{
	struct stat st;

	if (fstat(c->log_fd, &st) == 0 && (off_t)st.st_blocks * 512 > LOG_HELD_MAX)
		fallocate(c->log_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			  st.st_size - CELL_LOG_MAX);
}

/* What has been printed goes out as it comes, for those who look on; never
 * more than the socket takes at once, as a program's time limit is watched by
 * this loop. */
static void tell_log(struct cell *c, struct life *l)
{
	int unread = 0;
	struct stat st;
	size_t n;
	char *p;

	if (fstat(c->log_fd, &st) < 0 || (uint64_t)st.st_size <= l->n_told ||
	    ioctl(CELL_FD, SIOCOUTQ, &unread) < 0 || unread || c->out.n)
		return;
	if ((uint64_t)st.st_size - l->n_told > CELL_LOG_MAX)
		l->n_told = (uint64_t)st.st_size - CELL_LOG_MAX;
	n = (size_t)((uint64_t)st.st_size - l->n_told);
	n = n < LOG_TOLD_MAX ? n : LOG_TOLD_MAX;
	p = mem_alloc(n);
	if (pread(c->log_fd, p, n, (off_t)l->n_told) == (ssize_t)n) {
		frame_log(&c->out, l->n_told, (struct bytes){ p, n });
		cell_send(c, true);
		l->n_told += n;
	}
	free(p);
}

static void look(struct cell *c, struct life *l)
{
	double now = seconds_now();

	if (now - l->looked < LOOK_MS / 1000.0)
		return;
	l->looked = now;
	trim_log(c);
	tell_log(c, l);
}

/* Once what it is to leave is known, and it is told or its time is near. */
static void ask_to_stop(struct cell *c, struct life *l, double ran)
{
	double after = c->request->stop_s;

	if (l->is_asked || !c->checkpoint.path ||
	    !(c->is_stopping || (after > 0 && ran >= after)))
		return;
	l->is_asked = true;
	kill(-l->pid, SIGTERM);
}

/* Until the time limit, or it is to be asked to stop, or to look again. */
static double seconds_left(const struct cell *c, const struct life *l, double ran)
{
	const struct request *q = c->request;
	double left = q->timeout_s > 0 ? q->timeout_s - ran : LOOK_MS;

	if (q->stop_s > 0 && !l->is_asked && c->checkpoint.path && left > 0 &&
	    q->stop_s - ran < left)
		left = q->stop_s - ran > 0 ? q->stop_s - ran : 1e-3;
	return left;
}

static void await(struct cell *c, struct life *l, double started)
{
	struct pollfd p[] = { { .fd = l->pidfd, .events = POLLIN },
			      { .fd = CELL_FD, .events = POLLIN },
			      { .fd = guard_fd(c->guard), .events = POLLIN } };

	l->looked = started;
	for (;;) {
		double left = seconds_left(c, l, seconds_now() - started);
		int ms = left * 1000 < LOOK_MS ? (int)(left * 1000) + 1 : LOOK_MS;

		if (left <= 0) {
			l->is_late = true;
			break;
		}
		ask_to_stop(c, l, seconds_now() - started);
		if (poll(p, 3, ms) == 0) {
			look(c, l);
			continue;
		}
		if (p[0].revents)
			break;
		if (p[2].revents & POLLIN && !guard_serve(c->guard))
			break;
		if (p[2].revents & POLLHUP)
			p[2].fd = -1;
		if (p[1].revents)
			cell_listen(c);
		if (c->is_cancelled || c->is_cut_off)
			break;
		look(c, l);
	}
	if (!p[0].revents)
		kill(l->pid, SIGKILL);
	while (wait4(l->pid, &l->status, 0, &l->used) < 0 && errno == EINTR)
		;
	close(l->pidfd);
	/* Any process left is a child of this one by now. */
	if (wait4(-1, NULL, WNOHANG | __WALL, NULL) >= 0)
		sandbox_kill_all(&c->box, l->pid);
}

static void take_log(struct cell *c)
{
	off_t n = lseek(c->log_fd, 0, SEEK_END), from = 0;
	char *p;
	ssize_t got;

	if (n <= 0)
		return;
	if (n > CELL_LOG_MAX)
		from = n - CELL_LOG_MAX;
	p = arena_alloc(&c->arena, (size_t)(n - from) + 1);
	got = pread(c->log_fd, p, (size_t)(n - from), from);
	c->report.log = (struct bytes){ p, got < 0 ? 0 : (size_t)got };
	c->report.log_dropped_bytes = (uint64_t)from;
	if (ftruncate(c->log_fd, 0) < 0)
		c->is_spoiled = true;
}

static int reap(struct life *l)
{
	while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(l->pidfd);
	return -1;
}

static int not_executed(const struct cell *c, int errnum, struct err *e)
{
	errno = errnum;
	err_sys(e, "cannot execute %s", c->program);
	e->code = errnum == EAGAIN || errnum == ENOMEM ? ERR_IO : ERR_REFUSED;
	return -1;
}

static int start(struct cell *c, struct life *l, struct err *e)
{
	const char *cwd = c->thunk.cwd;
	struct spawn s = {
		.program = c->program, .args = c->thunk.args, .env = make_env(c),
		.cwd = cwd && strcmp(cwd, ".") != 0 ? cwd : NULL,
		.std = { -1, -1, -1 }, .jail = c->box.jail, .top = c->box.seen_root,
		.proc = c->box.proc,
		.dies_with_cell = !(c->box.walls & WALL_PID),
	};
	int flags = CLONE_PIDFD | SIGCHLD;
	int rc = open_stds(c, s.std, e);

	c->n_kills = memory_kills(&c->kills);
	if (rc == 0 && c->request->is_watched)
		rc = guard_open(c, e);
	if (c->request->is_watched)
		s.guard = c->guard;
	else
		flags |= CLONE_VM | CLONE_VFORK;
	if (rc == 0) {
		l->pid = clone(child, c->stack + CELL_CHILD_STACK, flags, &s, &l->pidfd);
		if (l->pid < 0)
			rc = err_sys(e, "cannot start a process");
	}
	close_stds(c, s.std);
	if (rc == 0 && s.guard && guard_meet(s.guard, e) < 0) {
		kill(l->pid, SIGKILL);
		rc = reap(l);
	}
	if (rc < 0 || !s.errnum)
		return rc;
	reap(l);
	return not_executed(c, s.errnum, e);
}

static void note_usage(struct run_report *r, const struct life *l, double started)
{
	const struct rusage *u = &l->used;

	r->seconds = seconds_now() - started;
	r->cpu_seconds = (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
		(double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
	r->max_rss_bytes = (uint64_t)u->ru_maxrss << 10;
}

/* ---- the verdict */

/* Has the kernel killed to make room while it ran?  A shell may have gone on without
 * one of its commands, and then all looks well. */
static const char *ran_out_of_memory(struct cell *c, int status)
{
	bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	if (!is_killed && status)
		return NULL;
	if (memory_kills(&c->kills) <= c->n_kills)
		return NULL;
	return is_killed ? "killed for lack of memory: say how much it needs with `mem` in its "
			   "model, or give the place more" :
		"processes were killed for lack of memory while it ran, so that what it made may "
		"lack something: say how much it needs with `mem` in its model, or give the "
		"place more";
}

static void judge_end(struct cell *c, const struct life *l)
{
	struct run_report *r = &c->report;

	if (r->status != RUN_OK)        /* it was ended for that */
		return;
	if (l->is_late) {
		r->status = RUN_TIMED_OUT;
		r->text = arena_printf(&c->arena, "ran longer than %g s, its time limit: "
				       "give it more with `time` in its model, or --timeout",
				       c->request->timeout_s);
	} else if (c->is_cancelled || c->is_cut_off) {
		r->status = RUN_SIGNALED;
		r->code = SIGKILL;
		r->text = "cancelled";
	} else if ((r->text = ran_out_of_memory(c, l->status))) {
		r->status = RUN_OUT_OF_MEMORY;
		r->code = SIGKILL;
	} else if (WIFSIGNALED(l->status)) {
		r->status = RUN_SIGNALED;
		r->code = WTERMSIG(l->status);
		/* A file that is mapped and finds no room. */
		if (r->code == SIGBUS)
			r->text = blame_disk(c);
	} else if (WEXITSTATUS(l->status)) {
		r->status = RUN_EXITED;
		r->code = WEXITSTATUS(l->status);
		r->text = blame_log(c);
		r->is_blamed = r->text != NULL;
		if (!r->text)
			r->text = blame_disk(c);
		if (!c->request->is_watched)
			r->undeclared = NULL;
		else if (r->undeclared)
			r->status = RUN_UNDECLARED;
	}
	if (r->status != RUN_OK && !r->text)
		r->text = blame_status(&c->arena, r->status, r->code);
}

/* What a model that was learned does not know of would be lost. */
static bool judge_strays(struct cell *c)
{
	struct run_report *r = &c->report;

	r->undeclared = astray_first(c);
	if (!r->undeclared)
		return false;
	r->status = RUN_UNDECLARED;
	r->text = blame_stray(c, r->undeclared);
	return true;
}

static int judge(struct cell *c, const struct life *l, struct err *e)
{
	struct run_report *r = &c->report;
	const char *changed = layout_changed(c);
	int rc = l->is_late || c->report.status != RUN_OK ? 0 :
		stop_judge(c, l->status, l->is_asked, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	judge_end(c, l);
	if ((r->status == RUN_EXITED && !r->is_blamed) ||
	    (r->status == RUN_SIGNALED && !c->is_cancelled && !c->is_cut_off))
		collect_left(c);
	if (r->status != RUN_OK)
		return 0;
	if (changed) {
		r->status = RUN_WROTE_INPUT;
		r->text = arena_printf(&c->arena, "%s changed its input %s: let it write "
				       "to another path, or declare that path as an "
				       "output too", blame_who(c), changed);
		return 0;
	}
	return c->request->is_watched && judge_strays(c) ? 0 : collect_outputs(c, e);
}

static int prepare(struct cell *c, struct err *e)
{
	if (c->unfit.code) {
		*e = c->unfit;
		return -1;
	}
	if (thunk_decode(c->request->text, &c->arena, &c->thunk, e) < 0)
		return err_wrap(e, "thunk");
	if (!thunk_is_reduced(&c->thunk))
		return err_set(e, ERR_BAD, "an input is another step's output still");
	if (stop_prepare(c, e) < 0 || check_env(&c->thunk, e) < 0 || layout_make(c, e) < 0)
		return -1;
	return verify_machine(c, e);
}

/* The program from its start to the end of its last process. */
static int live(struct cell *c, struct life *l, struct err *e)
{
	double started = seconds_now();
	bool is_watched = c->request->is_watched;
	int errnum = 0, rc = start(c, l, e);

	if (rc == 0)
		await(c, l, started);
	if (rc == 0 && is_watched)
		errnum = guard_errno(c->guard);
	if (is_watched)
		guard_close(c->guard);
	if (rc == 0)
		note_usage(&c->report, l, started);
	return errnum ? not_executed(c, errnum, e) : rc;
}

static int run(struct cell *c, struct err *e)
{
	struct life l = { .pidfd = -1 };

	if (prepare(c, e) < 0 || live(c, &l, e) < 0)
		return -1;
	take_log(c);
	return judge(c, &l, e);
}

void run_thunk(struct cell *c)
{
	struct run_report *r = &c->report;
	struct err e;

	*r = (struct run_report){ .text = NULL };
	c->is_cancelled = c->is_stopping = false;
	if (run(c, &e) == 0)
		return;
	r->status = RUN_CELL_FAILED;
	r->result.n = 0;
	if (e.code == ERR_MISSING && !id_is_zero(&r->missing))
		r->status = RUN_LOST_INPUT;
	if (e.code == ERR_REFUSED || e.code == ERR_BAD)
		r->status = RUN_NOT_STARTED;
	r->text = arena_str(&c->arena, e.text);
}
