/* t_claim.c - one living process at a time holds a claim */
#include <fcntl.h>
#include <signal.h>
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

static const struct test tests[] = {
	{ "a claim is held by one process at a time", one_at_a_time },
	{ "a claim falls with its process", falls_with_process },
	{ "two names at one offset do not confuse", same_offset },
	{ "dropping what is not held is harmless", unknown_is_dropped },
	{ "thousands of claims fit in one process", many },
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
