/* t_tracer.c - the tracer sees every watched call, and ends what it should */
#include "watch.h"

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
		CHECK(has(&s, "change", "c/appended") && has(&s, "times", "c/renamed"));
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

static void set_up(void)
{
	put("script", "#!/bin/sh -e\nmodelled\n./modelled\n", 0755);
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

	put("plain", "exit 5\n", 0755);
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

static const struct test tests[] = {
	{ "each kind of call makes its event, with an absolute path", each_kind },
	{ "a command that ends in place of running is success to every parent", carries },
	{ "the status is the one given, or the command's own", gives_status },
	{ "arguments, environment and cwd are what execve was given", reads_arguments },
	{ "of 10,000 calls by 8 threads none is lost", none_lost },
	{ "a 32-bit program is reported", says_what_it_cannot_see },
	{ 0 }
};

int main(int argc, char **argv)
{
	int rc = watch_begin(argc, argv);

	if (rc >= 0)
		return rc;
	set_up();
	return watch_end(test_main(tests));
}
