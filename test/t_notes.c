/* t_notes.c - programs that note their looks themselves lose none of them */
#include "watch.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

enum { LOOKS = 3000 };

static int wrong;

static void look(const char *format, int a, int b)
{
	struct stat st;
	char name[100];

	snprintf(name, sizeof name, format, a, b);
	if (stat(name, &st) == 0 || errno != ENOENT)
		wrong++;
	if (open(name, O_RDONLY) >= 0 || errno != ENOENT)
		wrong++;
}

/* Each name twice: looked at and opened. */
static void looks(int who, int n)
{
	for (int i = 0; i < n; i++)
		look(i & 1 ? "/usr/nowhere/%d/%d" : "nowhere-%d/%d", who, i);
}

static void *looks_in_thread(void *arg)
{
	looks(*(int *)arg, LOOKS);
	return NULL;
}

static void on_tick(int sig)
{
	int before = errno;

	(void)sig;
	if (access("/usr/nowhere/tick", R_OK) == 0 || access("tick", R_OK) == 0)
		_exit(96);
	errno = before;
}

/* Two threads, two children that only forked, and a handler that looks. */
static int do_mixed(void)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 500 }, { 0, 500 } }, off = { 0 };
	int who[4] = { 1, 2, 3, 4 }, st;
	pthread_t th[2];
	pid_t pid[2];

	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0) {
			looks(who[2 + i], LOOKS);
			_exit(wrong != 0);
		}
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&th[i], NULL, looks_in_thread, &who[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	for (int i = 0; i < 2; i++)
		if (waitpid(pid[i], &st, 0) < 0 || st)
			wrong++;
	return wrong != 0;
}

/* What a program can see of it: nothing where it looks. */
static int do_unseen(void)
{
	const char *volatile nothing = NULL;
	struct stat st;

	looks(0, 100);
	for (char **v = environ; *v; v++)
		wrong += strncmp(*v, "LD_", 3) == 0;
	wrong += access("/etc/ld.so.preload", R_OK) == 0;
	wrong += open("/etc/ld.so.preload", O_RDONLY) >= 0;
	wrong += open("/.gg/notes", O_RDWR) >= 0;
	wrong += open("unseen", O_WRONLY | O_CREAT | O_EXCL, 0600) != 3;
	wrong += stat(nothing, &st) == 0 || errno != EFAULT;
	return wrong;
}

/* Looks and writes take turns; what is there is never missing. */
static int do_turns(void)
{
	char name[40];
	struct stat st;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "turn-%d", i);
		wrong += stat(name, &st) == 0;
		wrong += close(open(name, O_WRONLY | O_CREAT | O_EXCL, 0600)) != 0;
		wrong += stat(name, &st) != 0;
		wrong += close(open(name, O_RDONLY)) != 0;
		wrong += unlink(name) != 0;
		wrong += stat(name, &st) == 0;
	}
	return wrong != 0;
}

/* A sandbox that allows no more than what the program does. */
static int do_sandbox(void)
{
	struct sock_filter ops[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getcwd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof ops / sizeof *ops, ops };

	looks(0, 50);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return 1;
	looks(1, 50);
	return wrong != 0;
}

/* Write over what is shared with gg. */
static int do_scribble(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[400];
	int n = 0;

	looks(0, 10);
	while (f && fgets(line, sizeof line, f))
		if (strstr(line, "memfd:gg-notes") && strstr(line, "rw-s") &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2 && ++n)
			memset((char *)from + 64, 0x5a, to - from - 64);
	looks(1, 100);
	return n != 1 || wrong;
}

static int do_mode(const char *name)
{
	if (!strcmp(name, "mixed"))
		return do_mixed();
	if (!strcmp(name, "unseen"))
		return do_unseen();
	if (!strcmp(name, "turns"))
		return do_turns();
	if (!strcmp(name, "sandbox"))
		return do_sandbox();
	if (!strcmp(name, "scribble"))
		return do_scribble();
	if (!strcmp(name, "many"))
		looks(5, 60000);
	else if (!strcmp(name, "on"))
		for (int i = 0;; i++)
			looks(i, 100);
	else
		looks(0, 500);
	return wrong != 0;
}

/* ---- the promises */

static size_t n_names(const struct seen *s, int who)
{
	char word[40];
	size_t n;

	snprintf(word, sizeof word, "nowhere-%d/", who);
	n = count(s, word);
	snprintf(word, sizeof word, " /usr/nowhere/%d/", who);
	return n + count(s, word);
}

static void none_is_lost(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_args(&s, (const char *[]){ self, "mixed", NULL }) == 0);
	for (int who = 1; who <= 4; who++)
		CHECK(n_names(&s, who) == 2 * LOOKS);
	CHECK(has(&s, "look", "nowhere-1/0") && has(&s, "read", "nowhere-1/0"));
	CHECK(count(&s, "look /usr/nowhere/tick\n") > 0);
	CHECK(count(&s, "look /usr/nowhere/tick\n") == count(&s, "/tick\n") / 2);
	CHECK(s.n_late > 6 * LOOKS && s.n_blind == 0);
	seen_release(&s);
}

static void more_than_fits(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_args(&s, (const char *[]){ self, "many", NULL }) == 0);
	CHECK(n_names(&s, 5) == 120000 && s.n_late > 60000 && s.n_blind == 0);
	seen_release(&s);
}

static void is_not_seen(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_sh(&s, "rm -f unseen; exec \"$0\" unseen") == 0);
	CHECK(s.n_late >= 200 && !count(&s, "/.gg/notes.so"));
	seen_release(&s);
}

/* The events of each name come in the order of the calls. */
static void keeps_order(void)
{
	struct seen s = { .way = SERVE_LATE };
	static const char *const order[] = { "look", "write", "look", "read", "remove",
					     "look" };
	char part[30000];
	int n = 0;

	CHECK(run_args(&s, (const char *[]){ self, "turns", NULL }) == 0);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		n += snprintf(part + n, sizeof part - (size_t)n, "%s %s/turn-7\n", order[i],
			      dir);
	CHECK(s.log.p && strstr(s.log.p, part));
	CHECK(s.n_late >= 600 && s.n_blind == 0);
	seen_release(&s);
}

static void leaves_others_alone(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_sh(&s, "LD_PRELOAD=libm.so.6 exec \"$0\" few") == 0);
	CHECK(s.n_late < 500 && n_names(&s, 0) == 1000);
	put("a.c", "#include <sys/stat.h>\nint main(void)\n{\n\tstruct stat st;\n"
	    "\tfor (int i = 0; i < 500; i++)\n\t\tif (!stat(\"/usr/nowhere/0/x\", &st))\n"
	    "\t\t\treturn 1;\n\treturn 0;\n}\n", 0644);
	CHECK(run_sh(&s, "gcc -fsanitize=address -o a a.c && ./a") == 0);
	CHECK(n_names(&s, 0) == 500);
	CHECK(run_sh(&s, "gcc -static -o b a.c && ./b") == 0);
	CHECK(n_names(&s, 0) == 500 && s.n_blind == 0);
	seen_release(&s);
}

static void respects_sandboxes(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_args(&s, (const char *[]){ self, "sandbox", NULL }) == 0);
	CHECK(n_names(&s, 0) == 100 && n_names(&s, 1) == 100);
	CHECK(s.n_late == 100 && s.n_blind == 0);
	seen_release(&s);
}

static void believes_nothing(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_args(&s, (const char *[]){ self, "scribble", NULL }) == 0);
	CHECK(s.n_blind == 1 && strstr(s.why, "wrote over"));
	CHECK(n_names(&s, 1) <= 200);
	seen_release(&s);
}

static void survives_kills(void)
{
	struct seen s = { .way = SERVE_LATE };

	CHECK(run_sh(&s, "for i in 1 2 3 4 5 6 7 8 9; do \"$0\" on & p=$!\n"
			 "sleep 0.03; kill -9 $p; wait $p; done; \"$0\" few") == 0);
	CHECK(s.n_late > 1000);
	CHECK(s.n_blind || n_names(&s, 0) >= 1000);
	seen_release(&s);
}

static const struct test tests[] = {
	{ "threads, forks and handlers: each look is told once", none_is_lost },
	{ "more looks than there is room for", more_than_fits },
	{ "a program sees no variable, no file, no descriptor of it", is_not_seen },
	{ "looks are told before the writes that follow them", keeps_order },
	{ "preloads, sanitizers and static programs stay as they are", leaves_others_alone },
	{ "a program that forbids itself calls makes none but its own", respects_sandboxes },
	{ "a program that writes over what it shares is told of", believes_nothing },
	{ "programs that are killed while they look", survives_kills },
	{ 0 }
};

int main(int argc, char **argv)
{
	int rc = argc > 1 ? do_mode(argv[1]) : watch_begin(argc, argv);

	if (rc >= 0)
		return rc;
#ifdef __SANITIZE_ADDRESS__
	puts("# programs with a sanitizer note nothing themselves");
	return watch_end(0) ? 1 : 77;
#endif
	return watch_end(test_main(tests));
}
