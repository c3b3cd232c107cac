/* The loop keeps the promises of loop.h. */
#include "loop.h"

#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

static struct loop *loop;
static struct err e;

struct child {
	struct buf got;
	int status, n_gone;
	bool is_gone;
	size_t got_when_gone;
};

static void on_bytes(void *arg, struct bytes b)
{
	struct child *c = arg;

	buf_add(&c->got, b.p, b.n);
}

static void on_gone(void *arg, int status)
{
	struct child *c = arg;

	c->status = status;
	c->n_gone++;
	c->is_gone = true;
	c->got_when_gone = c->got.n;
}

static struct proc *spawn(struct child *c, const char *script)
{
	const char *args[] = { "/bin/sh", "-c", script, NULL };
	const char *env[] = { "PATH=/usr/bin:/bin", "X=from the test", NULL };
	const struct proc_ops ops = { .bytes = on_bytes, .gone = on_gone, .arg = c };
	struct proc *p;

	*c = (struct child){ .n_gone = 0 };
	MUST(loop_spawn(loop, args, env, &ops, &p, &e), e);
	return p;
}

/* What it prints is taken when that is asked for, to its last byte. */
static void child_prints(void)
{
	struct child c = { 0 };
	const char *args[] = { "/bin/sh", "-c", "echo out; echo err >&2; echo $X", NULL };
	const char *env[] = { "X=end", NULL };
	const struct proc_ops ops = { .bytes = on_bytes, .gone = on_gone, .arg = &c,
				      .takes_output = true };
	struct proc *p;

	MUST(loop_spawn(loop, args, env, &ops, &p, &e), e);
	loop_run(loop, &c.is_gone);
	CHECK(c.status == 0 && c.n_gone == 1);
	CHECK_STR(c.got.p, "out\nerr\nend\n");
	buf_release(&c.got);
}

static void child_ends(void)
{
	struct child c;

	spawn(&c, "printf \"$X\" >&3; cat; exit 7");
	loop_run(loop, &c.is_gone);
	CHECK(c.status == 7 && c.n_gone == 1);
	CHECK_STR(c.got.p, "from the test");
	buf_release(&c.got);
	spawn(&c, "kill -TERM $$");
	loop_run(loop, &c.is_gone);
	CHECK(c.status == -SIGTERM && c.n_gone == 1);
	buf_release(&c.got);
}

static void child_echoes(void)
{
	struct child c;
	struct proc *p = spawn(&c, "cat <&3 >&3");
	size_t n = 5000000;
	char *big = mem_alloc(n);

	for (size_t i = 0; i < n; i++)
		big[i] = (char)(i * 7 + i / 1000);
	/* Far more than a socket holds: the rest is queued. */
	proc_send(p, (struct bytes){ big, n / 2 });
	proc_send(p, (struct bytes){ big + n / 2, n - n / 2 });
	proc_close(p);
	loop_run(loop, &c.is_gone);
	CHECK(c.status == 0 && c.got.n == n && c.got_when_gone == n);
	CHECK(c.got.n == n && memcmp(c.got.p, big, n) == 0);
	buf_release(&c.got);
	free(big);
}

static void child_is_killed(void)
{
	struct child c;
	struct proc *p = spawn(&c, "exec sleep 1000");

	proc_send(p, bytes_str("never read"));
	proc_kill(p, SIGKILL);
	loop_run(loop, &c.is_gone);
	CHECK(c.status == -SIGKILL && c.n_gone == 1);
	p = spawn(&c, "exec 3>&-; sleep 0.2");
	usleep(100000);
	proc_send(p, bytes_str("to nobody"));   /* no SIGPIPE */
	loop_run(loop, &c.is_gone);
	CHECK(c.status == 0);
}

static void absent_program(void)
{
	const char *args[] = { "/no/such/program", NULL }, *env[] = { NULL };
	const struct proc_ops ops = { .bytes = on_bytes, .gone = on_gone };
	struct proc *p;

	CHECK(loop_spawn(loop, args, env, &ops, &p, &e) < 0);
	CHECK(e.code == ERR_MISSING && strstr(e.text, "/no/such/program"));
}

struct tick {
	char order[8];
	int n;
	bool is_over;
};

static void tick_a(void *arg)
{
	struct tick *t = arg;

	t->order[t->n++] = 'a';
}

static void tick_b(void *arg)
{
	struct tick *t = arg;

	t->order[t->n++] = 'b';
	t->is_over = true;
}

static void timers(void)
{
	struct tick t = { .n = 0 };
	struct timer *never;
	uint64_t before = loop_now_ms(loop);

	loop_after(loop, 60, tick_b, &t);
	loop_after(loop, 10, tick_a, &t);
	never = loop_after(loop, 20, tick_a, &t);
	loop_cancel(never);
	loop_cancel(NULL);
	loop_run(loop, &t.is_over);
	CHECK_STR(t.order, "ab");
	CHECK(loop_now_ms(loop) - before >= 60);
}

struct put_off {
	int n, fds[2];
	bool is_read;
};

static void put_off_read(void *arg)
{
	struct put_off *p = arg;

	p->is_read = true;
}

static void put_off_again(void *arg)
{
	struct put_off *p = arg;

	if (++p->n < 100000 && !p->is_read)
		loop_after(loop, 0, put_off_again, p);
}

static void soon(void)
{
	struct tick t = { .n = 0 };
	struct put_off p = { .n = 0 };
	struct timer *never;
	struct watch *w;

	never = loop_after(loop, 0, tick_a, &t);
	loop_after(loop, 0, tick_a, &t);
	loop_after(loop, 0, tick_b, &t);
	loop_cancel(never);
	loop_run(loop, &t.is_over);
	CHECK_STR(t.order, "ab");
	if (pipe(p.fds) < 0 || write(p.fds[1], "x", 1) != 1)
		abort();
	w = loop_watch(loop, p.fds[0], put_off_read, &p);
	loop_after(loop, 0, put_off_again, &p);
	loop_run(loop, &p.is_read);
	CHECK(p.is_read && p.n < 10);
	loop_unwatch(w);
	loop_run(loop, NULL);
	close(p.fds[0]);
	close(p.fds[1]);
}

struct chore {
	int fds[2];
	bool is_worked, is_done, is_read;
};

static void chore_work(void *arg)
{
	struct chore *c = arg;

	usleep(50000);
	c->is_worked = true;
}

static void chore_done(void *arg)
{
	struct chore *c = arg;

	c->is_done = c->is_worked;
}

static void chore_read(void *arg)
{
	struct chore *c = arg;
	char b;

	c->is_read = read(c->fds[0], &b, 1) == 1;
}

static void work_and_watch(void)
{
	struct chore c = { .is_done = false };
	struct watch *w;

	loop_work(loop, chore_work, chore_done, &c);
	loop_run(loop, &c.is_done);
	CHECK(c.is_done);
	CHECK(pipe(c.fds) == 0);
	w = loop_watch(loop, c.fds[0], chore_read, &c);
	CHECK(write(c.fds[1], "x", 1) == 1);
	loop_run(loop, &c.is_read);
	CHECK(c.is_read);
	loop_unwatch(w);
	loop_unwatch(NULL);
	close(c.fds[0]);
	close(c.fds[1]);
}

struct pipe_io {
	int fds[2];
	unsigned ready;
	bool is_ready;
};

static void io_ready(void *arg, unsigned ready)
{
	struct pipe_io *p = arg;

	p->ready = ready;
	p->is_ready = true;
}

static void watch_both_ways(void)
{
	struct pipe_io p = { .ready = 0 };
	char full[1 << 16] = { 0 };
	struct watch *w;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fds) == 0);
	w = loop_watch_io(loop, p.fds[0], WATCH_READ | WATCH_WRITE, io_ready, &p);
	loop_run(loop, &p.is_ready);
	CHECK(p.ready == WATCH_WRITE);
	while (write(p.fds[0], full, sizeof full) > 0)
		;
	p.is_ready = false;
	CHECK(write(p.fds[1], "x", 1) == 1);
	loop_run(loop, &p.is_ready);
	CHECK(p.ready == WATCH_READ);
	watch_want(w, 0);
	p.is_ready = false;
	loop_turn(loop);
	CHECK(!p.is_ready);
	close(p.fds[1]);
	watch_want(w, WATCH_WRITE);
	loop_run(loop, &p.is_ready);
	CHECK(p.ready & WATCH_WRITE);
	loop_unwatch(w);
	close(p.fds[0]);
}

static void signals(void)
{
	struct tick t = { .n = 0 };
	struct watch *w = loop_signal(loop, SIGUSR1, tick_b, &t);
	struct timer *late;

	/* A signal alone does not keep the loop waiting. */
	loop_run(loop, &t.is_over);
	CHECK(t.n == 0);
	kill(getpid(), SIGUSR1);
	late = loop_after(loop, 1000, tick_a, &t);
	loop_run(loop, &t.is_over);
	CHECK_STR(t.order, "b");
	loop_cancel(late);
	loop_unwatch(w);
}

static void ends_by_itself(void)
{
	struct tick t = { .n = 0 };

	loop_after(loop, 1, tick_a, &t);
	loop_run(loop, NULL);
	CHECK(t.n == 1);
}

static const struct test tests[] = {
	{ "a child's end is told once, as status or signal", child_ends },
	{ "what a child prints is taken, to its last byte", child_prints },
	{ "what is sent arrives whole and in order, whatever its size", child_echoes },
	{ "a child that is killed or deaf harms nobody", child_is_killed },
	{ "a program that is not there is named", absent_program },
	{ "timers fire once, in order, unless cancelled", timers },
	{ "what is due at once comes in order, and cannot keep the loop from the rest", soon },
	{ "work leaves the thread and comes back; a descriptor is watched", work_and_watch },
	{ "a descriptor is watched for reading, writing, both or nothing", watch_both_ways },
	{ "signals are told, and alone do not keep the loop", signals },
	{ "the loop ends when nothing could call back", ends_by_itself },
	{ 0 }
};

int main(void)
{
	int rc;

	MUST(loop_new(&loop, &e), e);
	rc = test_main(tests);
	loop_free(loop);
	return rc;
}
