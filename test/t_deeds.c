/* t_deeds.c - what real commands did, as deeds */
#include <fcntl.h>
#include <unistd.h>
#include "test.h"
#include "../src/exec/deeds.h"

extern char **environ;

static struct project project;
static char dir[] = "/tmp/gg-deeds-XXXXXX";

static bool quick(void *arg, const struct trace_event *ev)
{
	if (ev->kind < TRACE_END)
		deeds_note(arg, ev);
	return true;
}

static enum trace_answer event(void *arg, struct tracer *t,
			       const struct trace_event *ev, int *status)
{
	(void)arg;
	(void)t;
	(void)ev;
	(void)status;
	return TRACE_GO;
}

static void print(struct buf *out, const struct deed_at *at)
{
	static const char *const names[] = { "read", "listed", "looked", "absent", "wrote",
					     "updated", "removed", "folder", "ran" };

	buf_str(out, at->path);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (at->deeds & 1U << i)
			buf_printf(out, " %s", names[i]);
	buf_char(out, '\n');
}

static char said[65536], odd[256];

/* The deeds of args: those in the project, and below /etc/gg-. */
static int run(const char **args, bool all)
{
	struct tracer_ops ops = { .quick = quick, .event = event };
	struct tracer_opts o = { .args = args, .env = (const char **)environ,
				 .cwd = dir, .out_fd = -1, .wants_all = true };
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct deed_at *v;
	struct deeds d;
	struct tracer *t;
	struct err e;
	size_t n = 0;
	bool leave = false;
	int rc;

	deeds_init(&d, &project);
	ops.arg = &d;
	MUST(tracer_start(&o, &ops, &t, &e), e);
	while (tracer_serve(t, &leave, &e) > 0)
		;
	rc = tracer_status(t);
	tracer_free(t);
	if (deeds_end(&d, &a, &v, &n, &e) < 0) {
		buf_printf(&out, "! %s\n", e.text);
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		if (all || v[i].path[0] != '/')
			print(&out, &v[i]);
	snprintf(said, sizeof said, "%s", out.p ? out.p : "");
	snprintf(odd, sizeof odd, "%s", d.odd ? d.odd : "");
	buf_release(&out);
	deeds_release(&d);
	arena_release(&a);
	return rc;
}

/* A python program in an empty project that the shell text has set up. */
static bool does(const char *set_up, const char *program, const char *want)
{
	char sh[4096];

	snprintf(sh, sizeof sh, "cd %s && rm -rf ./* && %s", dir, set_up);
	if (system(sh) != 0 ||
	    run((const char *[]){ "/usr/bin/python3", "-I", "-S", "-c", program, NULL },
		false) != 0)
		return false;
	if (strcmp(said, want) != 0)
		printf("# want:\n%s# got:\n%s", want, said);
	return strcmp(said, want) == 0;
}

static void reads(void)
{
	CHECK(does("echo 1 >in; mkdir d; echo 2 >d/x",
		   "import os\nopen('in').read(); os.listdir('d'); os.stat('d/x')\n"
		   "os.path.exists('no')\nos.path.exists('d/../in')\n",
		   "d listed folder\nd/x looked\nin read looked\nno absent\n"));
	CHECK(does("echo 1 >in; ln -s in l; ln -s /etc/hostname out; mkdir d; ln -s d e;"
		   "echo 3 >d/x", "open('l').read(); open('out').read(); open('e/x')",
		   "e/x read\nl read\nout read\n"));
}

static void writes(void)
{
	CHECK(does("echo 1 >old; echo 2 >kept; echo 3 >log; echo 4 >gone; echo 5 >both",
		   "import os\n"
		   "open('new','w').write('x'); open('new').read()\n"
		   "open('old','w').write('y'); open('kept','r+').read()\n"
		   "open('log','a').write('z'); os.remove('gone')\n"
		   "s=open('both').read(); open('both','w').write(s+'w')\n"
		   "open('log2','a').write('z'); open('log2','a').write('z')\n",
		   "both read wrote\ngone removed\nkept read\nlog updated\nlog2 updated\n"
		   "new wrote\nold wrote\n"));
	CHECK(does("true", "import os\nos.makedirs('a/b'); os.makedirs('a/b', exist_ok=True)\n"
		   "open('a/b/m.tmp','w').write('x'); os.rename('a/b/m.tmp','a/b/m')\n"
		   "os.symlink('m','a/b/last'); os.link('a/b/m','a/hard')\n"
		   "open('t','w').close(); os.remove('t'); os.mkdir('u'); os.rmdir('u')\n",
		   "a absent wrote folder\na/b wrote folder\na/b/last wrote\na/b/m wrote\n"
		   "a/hard wrote\n"));
	CHECK(does("mkdir out; echo 1 >x", "import os\nos.makedirs('out', exist_ok=True)\n"
		   "os.mkdir('w'); open('w/1','w').close(); os.mkdir('w/d')\n"
		   "open('w/d/2','w').close(); os.rename('w','out/run')\n"
		   "open('x.new','w').write('1'); os.replace('x.new','x')\n",
		   "out looked folder\nout/run wrote folder\nout/run/1 wrote\n"
		   "out/run/d wrote folder\nout/run/d/2 wrote\nx wrote\n"));
	CHECK(does("echo 1 >a", "import os\nos.rename('a','b'); open('c','x').close()\n"
		   "try: open('c','x')\nexcept OSError: pass\n",
		   "a read removed\nb wrote\nc wrote\n"));
	CHECK(does("echo 1 >a; ln -s a l", "open('l','w').write('2')",
		   "a wrote\nl looked\n"));
}

static void changes(void)
{
	CHECK(does("echo 1 >a; echo 2 >b", "import os\nos.chmod('a', 0o755)\n"
		   "os.truncate('b', 1)\n", "a updated\nb updated\n"));
	/* By another hand: what runs outside of the tracer. */
	CHECK(does("echo 1 >a; (until test -e b; do sleep 0.02; done; echo 2 >>a) & true",
		   "import os, time\nopen('a').read(); open('b','w').close()\n"
		   "while os.stat('a').st_size < 4: time.sleep(0.02)\n",
		   "! a, which it read, was written anew while it ran\n"));
}

static void outside(void)
{
	CHECK(run((const char *[]){ "/bin/sh", "-c", "cat /etc/hostname /no/where; : >/dev/null",
				    NULL }, true) == 0);
	CHECK(strstr(said, "\n/etc/hostname read\n") && strstr(said, "\n/no/where absent\n"));
	CHECK(strstr(said, "/cat read looked ran\n") && !strstr(said, "/proc"));
	CHECK(!strstr(said, "/dev/null wrote"));
}

static void meets_others(void)
{
	CHECK(does("mkfifo p", "import os\nos.close(os.open('p', os.O_RDWR))", "p read\n"));
	CHECK_STR(odd, "it uses the pipe p");
	CHECK(does("true", "import os\nos.mkfifo('q'); os.close(os.open('q', os.O_RDWR))\n"
		   "os.remove('q')\n", ""));
	CHECK_STR(odd, "");
	CHECK(run((const char *[]){ "/bin/bash", "-c", "cat <(echo 1)", NULL }, false) == 0);
	CHECK(strstr(odd, "it uses /dev/fd/"));
}

static const struct test tests[] = {
	{ "what is read, listed, looked at and not there", reads },
	{ "what is written, made, moved, and made only to go again", writes },
	{ "what is changed in place, and what others changed meanwhile", changes },
	{ "paths outside the project", outside },
	{ "pipes by name", meets_others },
	{ 0 }
};

int main(void)
{
	char sh[64];
	int rc;

	if (!mkdtemp(dir))
		return 1;
	project = (struct project){ .root = dir, .store_dir = (char *)"/nowhere/.gg" };
	project.root_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = test_main(tests);
	snprintf(sh, sizeof sh, "rm -rf %s", dir);
	return system(sh) ? 1 : rc;
}
