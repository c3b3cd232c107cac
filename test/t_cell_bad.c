/* What goes wrong in a cell ends in its own clear words, and harms no one. */
#include "cell_rig.h"

#include <dirent.h>
#include <time.h>

static struct rig rig;

static void put_file(const char *path, const char *text)
{
	char full[600];
	struct err e;

	snprintf(full, sizeof full, "%s/%s", rig.root, path);
	MUST(dir_make_above(AT_FDCWD, full, &e), e);
	MUST(file_write(AT_FDCWD, full, bytes_str(text), 0644, 0, &e), e);
}

static void one(const struct step *s, enum run_status want, const char *says, int line)
{
	int before = test_failures;
	struct step ok = { .script = "echo fine > f", .out = { "f" } };
	struct got g;

	rig_run(&rig, s, &g);
	CHECK_GOT(&g, want, says);
	CHECK(g.n_done == 1);
	got_free(&g);
	/* And the cell serves on. */
	rig_run(&rig, &ok, &g);
	CHECK_GOT(&g, RUN_OK, "");
	got_free(&g);
	if (test_failures != before)
		printf("# in the step of line %d: %s\n", line, s->script);
}
#define ONE(s, want, says) one(s, want, says, __LINE__)

static void endings(void)
{
	struct step s = { .script = "exit 3" };
	struct got g;

	ONE(&s, RUN_EXITED, "exit status 3");
	s.script = "kill -SEGV $$";
	ONE(&s, RUN_SIGNALED, "killed by SIGSEGV (segmentation fault)");
	s.script = "sh -c 'kill -KILL $$'; exit $?";
	ONE(&s, RUN_EXITED, "killed by SIGKILL");
	s.script = "no-such-command-at-all";
	ONE(&s, RUN_EXITED, "exit status 127");
	s.script = "echo out; echo err >&2; exit 4";
	rig_run(&rig, &s, &g);
	CHECK(g.r.status == RUN_EXITED && g.r.code == 4);
	CHECK_STR(g.r.log.p, "out\nerr\n");
	got_free(&g);
}

static void missing_output(void)
{
	struct step s = { .script = "echo 1 > model.npz", .out = { "out/model.npz" } };

	ONE(&s, RUN_NO_OUTPUT, "did not write its output out/model.npz: "
	    "it wrote model.npz in ./ instead of out/");
	s.script = "echo 1 > out/modle.npz";
	ONE(&s, RUN_NO_OUTPUT, "it wrote out/modle.npz instead");
	s.script = "true";
	ONE(&s, RUN_NO_OUTPUT, "wrote nothing");
	s.script = "rmdir out; ln -s /etc out; rm -f out/model.npz";
	ONE(&s, RUN_BAD_OUTPUT, "link");
}

static void wrong_kind(void)
{
	struct step s = { .script = "mkdir o", .out = { "o" } };
	struct step d = { .script = "rmdir o; echo > o", .out = { "o/" } };

	ONE(&s, RUN_BAD_OUTPUT, "o is a folder");
	ONE(&d, RUN_BAD_OUTPUT, "o is a file");
	s.script = "mkfifo o";
	ONE(&s, RUN_BAD_OUTPUT, "pipe");
	s.script = "ln -s /etc/passwd o";
	ONE(&s, RUN_BAD_OUTPUT, "link");
	d.script = "mkfifo o/p";
	ONE(&d, RUN_BAD_OUTPUT, "o/p is a pipe");
	d.script = "mkdir o/a; ln -s ../../x o/a/l";
	ONE(&d, RUN_BAD_OUTPUT, "o/a/l is a link to ../../x");
	d.script = "ln -s /etc o/l";
	ONE(&d, RUN_BAD_OUTPUT, "o/l is a link to /etc");
	d.script = "mkdir o/d; chmod 0 o/d; echo > o/f; chmod 0 o/f";
	ONE(&d, RUN_OK, "");
}

static void undeclared_read(void)
{
	struct step s = { .script = "cat data/extra.csv" };
	struct step in_sub = { .script = "cat ../data/extra.csv", .cwd = "sub" };

	put_file("data/extra.csv", "1\n");
	put_file("lib/mod.py", "x = 1\n");
	put_file("data/with space", "1\n");
	ONE(&s, RUN_EXITED, "sh needs data/extra.csv, which is in the project but not "
	    "among its inputs: add `also data/extra.csv` to its model in gg.models");
	s.script = "cat \"$PWD/data/extra.csv\"";
	ONE(&s, RUN_EXITED, "add `also data/extra.csv`");
	s.script = "cat 'data/with space'";
	ONE(&s, RUN_EXITED, "needs data/with space,");
	s.script = "ls data";
	ONE(&s, RUN_EXITED, "add `also data/`");
	s.script = "echo \"ModuleNotFoundError: No module named 'lib.mod'\"; exit 1";
	ONE(&s, RUN_EXITED, "add `also lib/mod.py`");
	s.script = "cat nowhere/at/all";
	ONE(&s, RUN_EXITED, "exit status 1");
	ONE(&in_sub, RUN_EXITED, "add `also ../data/extra.csv`");
}

static void wrote_input(void)
{
	struct step s = { .script = "chmod u+w a; echo b > a", .in = { { "a", "a\n" } } };
	char *big = memset(mem_alloc(200001), 'x', 200000);

	ONE(&s, RUN_WROTE_INPUT, "sh changed its input a");
	s.script = "rm a";
	ONE(&s, RUN_WROTE_INPUT, "sh changed its input a");
	s.script = "mv a b; cp b a";
	ONE(&s, RUN_OK, "");
	s.script = "rm a; ln -s /etc/passwd a";
	ONE(&s, RUN_WROTE_INPUT, "input a");
	big[200000] = '\0';
	s.in[0].text = big;
	s.script = "echo b >> a";
	ONE(&s, RUN_EXITED, "sh tried to write its input a");
	free(big);
}

static void wrote_outside(void)
{
	struct step s = { .script = "echo x > /usr/gg-t" };

	if (rig_lacks_walls(&rig))
		return;
	ONE(&s, RUN_EXITED, "sh tried to write /usr/gg-t, outside the project");
	CHECK(access("/usr/gg-t", F_OK) < 0);
	s.script = "touch /var/gg-t || exit 1";
	ONE(&s, RUN_EXITED, "tried to write /var/gg-t, outside");
	/* Nor can it reach the store or another step by any name. */
	s.script = "ls -A . .gg /proc/1/root /proc/1/cwd 2>&1 | grep -q objects && exit 1; "
		   "mount -o remount,rw / 2>/dev/null && exit 2; "
		   "umount . 2>/dev/null && exit 3; "
		   "mknod dev b 8 0 2>/dev/null && exit 4; exit 0";
	ONE(&s, RUN_OK, "");
}

static int count_processes(const char *mark)
{
	char command[200];
	FILE *f;
	int n = -1;

	snprintf(command, sizeof command, "pgrep -cxf 'sleep %s'", mark);
	f = popen(command, "r");
	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	return n;
}

/* A cell may need the loop until its step runs. */
static void until_there(const char *mark, int n)
{
	for (time_t from = time(NULL); count_processes(mark) < n && time(NULL) - from < 60;
	     usleep(20000))
		loop_turn(rig.loop);
}

static void until_gone(const char *mark)
{
	for (time_t from = time(NULL); count_processes(mark) > 0 && time(NULL) - from < 60;)
		usleep(20000);
}

static void left_over(void)
{
	struct step s = { .script = "setsid sleep 7777 & sh -c 'sleep 7777 & sleep 7777' & "
				    "sleep 0.1; echo > o", .out = { "o" } };

	ONE(&s, RUN_OK, "");
	CHECK(count_processes("7777") == 0);
}

static void timeout_and_cancel(void)
{
	struct step s = { .script = "sleep 7778 & sleep 7778", .timeout_s = 0.2 };
	struct got g;

	ONE(&s, RUN_TIMED_OUT, "longer than 0.2 s");
	s.timeout_s = 0;
	rig_start(&rig, &s, &g);
	until_there("7778", 1);
	backend_local.cancel(rig.b, &g.job);
	loop_run(rig.loop, &g.is_done);
	CHECK_GOT(&g, RUN_SIGNALED, "cancelled");
	CHECK(count_processes("7778") == 0);
	CHECK(g.n_done == 1);
	got_free(&g);
}

/* The cells of this process: its own children. */
static void kill_cells(void)
{
	char command[100];

	snprintf(command, sizeof command, "pkill -KILL -P %ld", (long)getpid());
	CHECK(system(command) != -1);
}

static void killed_cell(void)
{
	struct step s = { .script = "sleep 7779", .in = { { "a", "1" } } };
	struct step ok = { .script = "echo 1 > o", .out = { "o" } };
	struct got g;

	if (rig_lacks_walls(&rig))
		return;
	rig_start(&rig, &s, &g);
	until_there("7779", 1);
	kill_cells();
	loop_run(rig.loop, &g.is_done);
	CHECK_GOT(&g, RUN_CELL_FAILED, "killed by signal 9");
	CHECK(g.n_done == 1);
	until_gone("7779");
	CHECK(count_processes("7779") == 0);
	got_free(&g);
	ONE(&ok, RUN_OK, "");
}

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static void killed_feeder(void)
{
	struct step s = { .script = "sleep 7780 & sleep 7780" };
	char root[320], work[330];
	struct rig other;
	struct got g;
	pid_t pid;

	if (rig_lacks_walls(&rig))
		return;
	snprintf(root, sizeof root, "%s-other", rig.root);
	snprintf(work, sizeof work, "%s/.gg/work", root);
	pid = fork();
	if (pid == 0) {
		rig_open_at(&other, root, 2);
		rig_start(&other, &s, &g);
		loop_run(other.loop, &g.is_done);
		_exit(0);
	}
	until_there("7780", 2);
	CHECK(count_processes("7780") == 2);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	until_gone("7780");
	CHECK(count_processes("7780") == 0);
	CHECK(count_entries(work) == 1);
	usleep(100000);
	rig_open_at(&other, root, 2);
	CHECK(count_entries(work) == 1);
	s.script = "true";
	rig_run(&other, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	got_free(&g);
	backend_local.close(other.b);
	other.b = NULL;
	CHECK(count_entries(work) == 0);
	rig_close(&other);
}

static void moved_folders(void)
{
	/* What cannot be put right ends the cell, between two steps. */
	struct step s = { .script = "mv /tmp/gg-* /tmp/elsewhere" };
	struct step loop = { .script = "rm -rf d; ln -s . d", .in = { { "d/a", "1" } } };

	if (rig_lacks_walls(&rig))
		return;
	ONE(&s, RUN_OK, "");
	ONE(&s, RUN_OK, "");
	ONE(&loop, RUN_WROTE_INPUT, "d/a");
}

static void loud(void)
{
	struct step s = { .script = "yes | head -c 300000000; echo end" };
	struct got g;

	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK(g.r.log.n == 256 << 10);
	CHECK(g.r.log_dropped_bytes == 300000004 - (256 << 10));
	CHECK(g.r.log.n > 4 && memcmp(g.r.log.p + g.r.log.n - 4, "end\n", 4) == 0);
	got_free(&g);
}

static void lost_input(void)
{
	struct step s = { .script = "cat a", .in = { { "a" } } };
	struct got g;

	memset(s.in[0].id.b, 7, ID_BYTES);
	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_LOST_INPUT, "input a");
	CHECK(id_equal(&g.r.missing, &s.in[0].id));
	got_free(&g);
	s.in[0].kind = REF_TREE;
	ONE(&s, RUN_LOST_INPUT, "tree at a");
}

/* Nothing but a store that lies gives these; what is above the folder is not read. */
static void lying_trees(void)
{
	static const char *const targets[] = { "../a", "d/../../a", "./../t/../a" };
	struct step s = { .script = "cat t/l", .in = { { "a", "1" }, { "t" } } };

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct tree t = { .v = &(struct entry){ .name = "l", .kind = ENTRY_LINK,
							.target = targets[i] }, .n = 1 };
		struct buf text = { 0 };
		struct err e;

		MUST(tree_encode(&t, &text, &e), e);
		s.in[1].kind = REF_TREE;
		MUST(store_put(rig.store, buf_bytes(&text), &s.in[1].id, &e), e);
		ONE(&s, RUN_NOT_STARTED, "the link l leaves it");
		buf_release(&text);
	}
}

static void refused(void)
{
	struct step s = { .script = "true", .env = { "LC_ALL=de_DE" } };
	struct step absent = { .script = "true", .in = { { "/usr/no/such", "x" } } };
	struct bytes good = rig.host;
	struct id good_id = rig.host_id;
	struct host h = { .program = { .path = "/bin/sh" } };
	struct buf b = { 0 };
	struct err e;

	ONE(&s, RUN_NOT_STARTED, "LC_ALL is fixed by gg");
	ONE(&absent, RUN_NOT_STARTED, "/usr/no/such");
	s.env[0] = NULL;
	MUST(host_decode(rig.host, &rig.a, &h, &e), e);
	h.program.id.b[0] ^= 1;
	MUST(host_encode(&h, &b, &e), e);
	rig.host = buf_bytes(&b);
	rig.host_id = id_of(rig.host);
	for (int i = 0; i < 2; i++) {
		struct got g;

		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_NOT_STARTED,
			  "/bin/sh has changed since inference: run gg infer again");
		got_free(&g);
	}
	rig.host = good;
	rig.host_id = good_id;
	buf_release(&b);
}

static void nonsense(void)
{
	struct got g = { .is_done = false };
	struct err e;

	g.job = (struct job){ .text = bytes_str("gg-thunk 1\nno\n"), .host = rig.host,
			      .done = rig_done, .arg = &g };
	MUST(backend_local.start(rig.b, &g.job, &e), e);
	loop_run(rig.loop, &g.is_done);
	CHECK_GOT(&g, RUN_NOT_STARTED, "line 2");
	got_free(&g);
}

static const struct test tests[] = {
	{ "exit statuses and signals are told in words", endings },
	{ "a missing output is named, and what was there instead", missing_output },
	{ "an output of another kind is refused by name", wrong_kind },
	{ "an undeclared read names the path and the remedy", undeclared_read },
	{ "a step that changes its input is told which", wrote_input },
	{ "nothing outside can be written", wrote_outside },
	{ "no process outlives its step", left_over },
	{ "a time limit and a cancellation end all of a step", timeout_and_cancel },
	{ "a cell that is killed fails its own step only", killed_cell },
	{ "killing the one who feeds cells leaves no process, and its folder goes later",
	  killed_feeder },
	{ "a step cannot spoil the folder for the next", moved_folders },
	{ "a log without end is kept short", loud },
	{ "a lost input is named, so that it can be made again", lost_input },
	{ "links that lead out of an input are refused", lying_trees },
	{ "what cannot run here is not started", refused },
	{ "a text that is no thunk is refused", nonsense },
	{ 0 }
};

int main(int argc, char **argv)
{
	char top[] = "/tmp/gg-cell-XXXXXX", root[40];
	struct err e;
	int rc;

	if (argc > 1 && strcmp(argv[1], "cell") == 0)
		return cell_main(argc - 2, argv + 2);
	if (!mkdtemp(top))
		return 1;
	snprintf(root, sizeof root, "%s/below", top);
	rig_open_at(&rig, root, 2);
	rc = test_main(tests);
	rig_close(&rig);
	dir_remove(AT_FDCWD, top, &e);
	return rc;
}
