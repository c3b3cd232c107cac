/* t_tracer_life.c - waiting, stopping, killing and the end of what is traced */
#include "watch.h"

#include <dirent.h>

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

	CHECK(run_sh(&s, "\"$0\" stops-itself & p=$!; "
			 "until grep -q '^State:.[Tt]' /proc/$p/status; do sleep 0.02; done; "
			 "kill -CONT $p; wait $p") == 0);
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
	size_t n;
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
	/* One that is between fork and exec has two names, or none. */
	while ((n = n_processes_called(number)) < 3 && tries++ < 6000)
		usleep(10000);
	CHECK(n >= 3);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	for (tries = 0; n_processes_called(number) > 0 && tries < 6000; tries++)
		usleep(10000);
	CHECK(n_processes_called(number) == 0);
}

static void leaves_at_a_signal(void)
{
	struct seen s = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, before;
	struct tracer *t = start(&s, (const char *[]){ "sh", "-c",
		"exec sleep 1000", NULL });
	struct itimerval it = { { 0 }, { 0, 150000 } };
	struct err e;
	int rc;

	sigaction(SIGALRM, &sa, &before);
	setitimer(ITIMER_REAL, &it, NULL);
	rc = tracer_serve(t, &s.leave, &e);
	CHECK(rc == 1);
	tracer_kill(t, SIGTERM);
	CHECK(serve(&s, t) == 0 && tracer_status(t) == 128 + SIGTERM);
	sigaction(SIGALRM, &before, NULL);
	tracer_free(t);
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
	{ "a call left for later waits while others go on", waits_for_later },
	{ "a process killed while it waits harms nobody", survives_kill_while_waiting },
	{ "stopped and continued processes go on", survives_stop },
	{ "what the command leaves behind is seen and waited for", sees_all_left_behind },
	{ "a kill reaches all below, and so does the end", kill_reaches_all },
	{ "an owner that is killed leaves no process", killed_owner_leaves_nothing },
	{ "serving ends at a signal", leaves_at_a_signal },
	{ "no program and no directory are clear errors", refuses_clearly },
	{ "a second tracer below the first is refused", nested },
	{ "standard output goes where it is told", writes_output },
	{ 0 }
};

int main(int argc, char **argv)
{
	int rc = watch_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return watch_end(test_main(tests));
}
