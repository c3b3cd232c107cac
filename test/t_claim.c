/* t_claim.c - one living process at a time holds a claim */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "test.h"

static char dir[] = "/tmp/gg-t_claim-XXXXXX";
static struct err e;

/* A process that does as it is told, a letter at a time, and answers with
 * one: c and d claim the two ids, u and v drop them, n opens, x ends. */
struct other {
	pid_t pid;
	int to, from;
};

static struct id id_a, id_b;

static char serve_one(struct store **s, char c)
{
	struct err ce;

	switch (c) {
	case 'n':
		return store_open(dir, 0, s, &ce) < 0 ? '!' : '.';
	case 'c':
		return (char)('0' + store_claim(*s, &id_a, &ce));
	case 'd':
		return (char)('0' + store_claim(*s, &id_b, &ce));
	case 'u':
		store_unclaim(*s, &id_a);
		return '.';
	case 'v':
		store_unclaim(*s, &id_b);
		return '.';
	default:
		return store_close(*s, &ce) < 0 ? '!' : '.';
	}
}

static void start(struct other *o)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		exit(1);
	fflush(stdout);
	o->pid = fork();
	if (o->pid == 0) {
		struct store *s = NULL;
		char c;

		close(to[1]);
		close(from[0]);
		while (read(to[0], &c, 1) == 1) {
			char answer = serve_one(&s, c);

			if (write(from[1], &answer, 1) != 1 || c == 'x')
				break;
		}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	o->to = to[1];
	o->from = from[0];
}

static char tell(struct other *o, char c)
{
	char answer = '?';

	if (write(o->to, &c, 1) != 1 || read(o->from, &answer, 1) != 1)
		return '?';
	return answer;
}

/* By word: a later process holds copies of this one's pipes. */
static void end(struct other *o)
{
	tell(o, 'x');
	close(o->to);
	close(o->from);
	waitpid(o->pid, NULL, 0);
}

static void one_at_a_time(void)
{
	struct other x, y;

	start(&x);
	start(&y);
	CHECK(tell(&x, 'n') == '.' && tell(&y, 'n') == '.');
	CHECK(tell(&x, 'c') == '1');
	CHECK(tell(&y, 'c') == '0');
	CHECK(tell(&x, 'c') == '1');
	CHECK(tell(&y, 'd') == '1');
	CHECK(tell(&x, 'd') == '0');
	CHECK(tell(&x, 'u') == '.');
	CHECK(tell(&y, 'c') == '1');
	CHECK(tell(&x, 'c') == '0');
	CHECK(tell(&y, 'x') == '.');
	CHECK(tell(&x, 'c') == '1' && tell(&x, 'd') == '1');
	end(&x);
	end(&y);
}

static void falls_with_process(void)
{
	struct other x, y;

	start(&x);
	start(&y);
	CHECK(tell(&x, 'n') == '.' && tell(&y, 'n') == '.');
	CHECK(tell(&x, 'c') == '1' && tell(&y, 'c') == '0');
	kill(x.pid, SIGKILL);
	waitpid(x.pid, NULL, 0);
	CHECK(tell(&y, 'c') == '1');
	end(&x);
	end(&y);
}

/* The names differ only behind what the offset is taken from. */
static void same_offset(void)
{
	struct id was = id_b;
	struct other x, y;

	id_b = id_a;
	id_b.b[31] ^= 1;
	start(&x);
	start(&y);
	CHECK(tell(&x, 'n') == '.' && tell(&y, 'n') == '.');
	CHECK(tell(&x, 'c') == '1' && tell(&x, 'd') == '1');
	CHECK(tell(&x, 'u') == '.');
	CHECK(tell(&y, 'd') == '0');
	CHECK(tell(&x, 'v') == '.');
	CHECK(tell(&y, 'd') == '1');
	end(&x);
	end(&y);
	id_b = was;
}

static void unknown_is_dropped(void)
{
	struct store *s;

	MUST(store_open(dir, 0, &s, &e), e);
	store_unclaim(s, &id_a);
	CHECK(store_claim(s, &id_a, &e) == 1);
	store_unclaim(s, &id_a);
	store_unclaim(s, &id_a);
	MUST(store_close(s, &e), e);
	MUST(store_open(dir, STORE_READ_ONLY, &s, &e), e);
	CHECK(store_claim(s, &id_a, &e) < 0 && e.code == ERR_REFUSED);
	MUST(store_close(s, &e), e);
}

static void many(void)
{
	struct store *s;
	struct id id = id_a;

	MUST(store_open(dir, 0, &s, &e), e);
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(id.b, &i, sizeof(i));
		CHECK(store_claim(s, &id, &e) == 1);
	}
	for (unsigned i = 0; i < 2000; i += 2) {
		memcpy(id.b, &i, sizeof(i));
		store_unclaim(s, &id);
	}
	MUST(store_close(s, &e), e);
}

/* All of them stand in one row of the board. */
static struct id in_one_row(unsigned i)
{
	struct id id = id_a;

	memcpy(id.b + 12, &i, sizeof(i));
	return id;
}

enum { ROW_WORDS = 64 };

static unsigned claim_row(struct store *s, unsigned from)
{
	unsigned n = 0;

	for (unsigned i = from; i < from + ROW_WORDS + 1; i++) {
		struct id id = in_one_row(i);

		n += store_claim(s, &id, &e) == 1;
	}
	return n;
}

static void full_row(void)
{
	struct store *s;
	int ready[2];
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (store_open(dir, 0, &s, &e) == 0 && claim_row(s, 0) == ROW_WORDS &&
		    write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	MUST(store_open(dir, 0, &s, &e), e);
	CHECK(claim_row(s, 1000) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(claim_row(s, 1000) == ROW_WORDS);
	MUST(store_close(s, &e), e);
}

enum { NAMES = 2, AT_ONCE = 4, KILLED = 12, ROUNDS = 100000 };

/* What processes that fight for few claims say of themselves, from 1 on. */
struct fight {
	atomic_int holder[NAMES];
	atomic_bool is_doomed[AT_ONCE + KILLED + 1];
	atomic_int n_held, n_wrong;
};

/* Free places come and go, so that the fighters choose different ones. */
static void stir(struct store *s, int me, unsigned i)
{
	struct id id = in_one_row(100 * (unsigned)me + i % 3);
	struct err ignored;

	if (i % 2)
		store_unclaim(s, &id);
	else
		store_claim(s, &id, &ignored);
}

static int fight(struct fight *f, int me)
{
	struct store *s;
	struct err fe;

	if (store_open(dir, 0, &s, &fe) < 0)
		return 1;
	for (unsigned i = 0, n = 0; n < ROUNDS; i++) {
		struct id id = in_one_row(i / 8 % NAMES);
		atomic_int *holder = &f->holder[i / 8 % NAMES];
		int was, got;

		stir(s, me, i);
		got = store_claim(s, &id, &fe);

		if (got < 0)
			return 1;
		if (!got)
			continue;
		was = atomic_exchange(holder, me);
		f->n_wrong += was && !f->is_doomed[was];
		f->n_wrong += atomic_exchange(holder, 0) != me;
		store_unclaim(s, &id);
		f->n_held++;
		n++;
	}
	return store_close(s, &fe) < 0;
}

static pid_t join(struct fight *f, int me)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fight(f, me));
	return pid;
}

static void fought_for(void)
{
	struct fight *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[AT_ONCE];
	int who[AT_ONCE], status;

	if (f == MAP_FAILED)
		exit(1);
	for (int i = 0; i < AT_ONCE; i++)
		pids[i] = join(f, who[i] = i + 1);
	for (int i = 0; i < KILLED; i++) {
		int k = i % AT_ONCE, before = f->n_held;

		while (f->n_held < before + 50 && f->n_held < AT_ONCE * ROUNDS)
			sched_yield();
		f->is_doomed[who[k]] = true;
		kill(pids[k], SIGKILL);
		waitpid(pids[k], NULL, 0);
		pids[k] = join(f, who[k] = AT_ONCE + 1 + i);
	}
	for (int i = 0; i < AT_ONCE; i++)
		CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	CHECK(f->n_wrong == 0 && f->n_held >= AT_ONCE * ROUNDS);
	munmap(f, sizeof *f);
}

static const struct test tests[] = {
	{ "a claim is held by one process at a time", one_at_a_time },
	{ "a claim falls with its process", falls_with_process },
	{ "two names at one offset do not confuse", same_offset },
	{ "dropping what is not held is harmless", unknown_is_dropped },
	{ "thousands of claims fit in one process", many },
	{ "where claims are many one waits, and those of the dead make room", full_row },
	{ "of processes that fight and are killed one at a time holds a claim", fought_for },
	{ 0 }
};

int main(void)
{
	struct store *s;
	int rc;

	if (!mkdtemp(dir))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	id_a = id_of(bytes_str("a"));
	id_b = id_of(bytes_str("b"));
	MUST(store_open(dir, STORE_CREATE, &s, &e), e);
	MUST(store_close(s, &e), e);
	rc = test_main(tests);
	dir_remove(AT_FDCWD, dir, &e);
	return rc;
}
