/* What the kernel says of a process. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "process.h"
#include "test.h"

static void own(void)
{
	struct process p, again;
	volatile unsigned n = 0;

	CHECK(process_read(getpid(), &p));
	CHECK(p.pid == getpid() && p.parent == getppid() && p.state == 'R' && p.started > 0);
	do {
		for (unsigned i = 0; i < 1000000; i++)
			n = n + i;
		CHECK(process_read(getpid(), &again));
	} while (again.pid && again.ticks < p.ticks + 2);
	CHECK(again.started == p.started);
}

static void odd_name(void)
{
	struct process p;
	int ready[2];
	char byte;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "a) Z 1 (b c");
		close(ready[1]);
		while (pause() < 0)
			;
	}
	close(ready[1]);
	/* The child has the other end until it has its name. */
	CHECK(read(ready[0], &byte, 1) == 0);
	CHECK(process_read(pid, &p));
	CHECK_STR(p.name, "a) Z 1 (b c");
	CHECK(p.pid == pid && p.parent == getpid() && p.state != 'Z');
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	CHECK(!process_read(pid, &p));
	CHECK(p.pid == 0 && p.started == 0 && p.parent == 0);
}

static const struct test tests[] = {
	{ "a process is told by number, parent, start and what it has used", own },
	{ "a name may hold whatever it likes; one that has ended is none", odd_name },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
