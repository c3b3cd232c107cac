/* t_exec_lost.c - forcing on bad days: things gone, killed, full, shared */
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "exec_rig.h"

static void lost_workers(void)
{
	begin("lose=2");
	CHECK(force(step0("a"), NULL) == ERR_NONE && n_started == 3);
	reopen("lose=3");
	CHECK(force(step0("b"), NULL) == ERR_FAILED && n_started == 3);
	CHECK(strstr(e.text, "tried 3 times: the worker was lost") != NULL);
	reopen("refuse=2");
	CHECK(force(step0("c"), NULL) == ERR_NONE && n_started == 1);
	reopen("repeat");
	CHECK(force(step1("d give=D", step0("low")), "d") == ERR_NONE);
	CHECK(n_started == 2 && holds("d", "D"));
	end();
}

static void lost_objects(void)
{
	struct id low, mid, gone;

	begin("");
	low = step0("low");
	mid = step1("mid", low);
	CHECK(force(mid, "m") == ERR_NONE && n_started == 2);
	/* The value of low is gone when somebody new needs it. */
	reopen("");
	gone = value_of(low);
	MUST(store_drop(store, &gone, &e), e);
	CHECK(force(step1("new", low), NULL) == ERR_NONE);
	CHECK(n_done == 2 && counts().forced == 2);
	/* Those of both are gone when the target is to be placed. */
	reopen("");
	MUST(store_drop(store, &gone, &e), e);
	gone = value_of(mid);
	MUST(store_drop(store, &gone, &e), e);
	CHECK(force(mid, "m2") == ERR_NONE && n_done == 2);
	CHECK(access("m2", F_OK) == 0);
	/* The same without a path, in one process from start to end. */
	MUST(store_drop(store, &gone, &e), e);
	CHECK(force(mid, NULL) == ERR_NONE && n_done == 3);
	end();
}

static void lost_sources(void)
{
	struct id t1, t2, src;

	begin("");
	write_text("data.csv", "1,2\n");
	t1 = step0("t1 @data.csv");
	t2 = step0("t2 @data.csv");
	src = id_of(bytes_str("1,2\n"));
	MUST(store_drop(store, &src, &e), e);
	CHECK(force(t1, NULL) == ERR_NONE);
	MUST(store_drop(store, &src, &e), e);
	write_text("data.csv", "1,3\n");
	CHECK(force(t2, NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "data.csv: ") && strstr(e.text, "infer again"));
	CHECK(n_own_failures == 1);
	end();
}

static void lost_inside_trees(void)
{
	struct id dir, top, file;
	struct arena a = { 0 };
	struct tree t;
	struct bytes b;

	begin("");
	dir = step0("dir asdir give=inner");
	CHECK(force(dir, "d") == ERR_NONE && holds("d/file", "inner"));
	file = value_of(dir);
	MUST(store_get(store, &file, &a, &b, &e), e);
	MUST(tree_decode(b, &a, &t, &e), e);
	MUST(store_drop(store, &t.v[0].id, &e), e);
	top = step1("top", dir);
	CHECK(force(top, NULL) == ERR_NONE && n_done == 3);
	arena_release(&a);
	end();
}

static void strange_stores(void)
{
	struct id absent = id_of(bytes_str("no such thunk")), id;
	struct result_out out = { "out", { REF_THUNK, absent, "out" } };
	struct result r = { &out, 1 };

	begin("");
	CHECK(force(absent, NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "is not in the store") && strstr(e.text, "gg infer"));
	CHECK(force(step1("top", absent), NULL) == ERR_FAILED);
	MUST(store_put(store, bytes_str("gg-thunk 1\nnonsense\n"), &id, &e), e);
	CHECK(force(id, NULL) == ERR_FAILED && strstr(e.text, "line 2"));
	/* A result that says: my value is my own value. */
	id = step0("liar");
	out.ref.id = id;
	MUST(store_put_result(store, &id, &r, &e), e);
	CHECK(force(id, NULL) == ERR_FAILED && strstr(e.text, "never ends"));
	/* A result that is garbage is made again. */
	id = step0("honest");
	MUST(store_table_put(store, TABLE_RESULT, id_key(&id), bytes_str("?"), &e), e);
	CHECK(force(id, NULL) == ERR_NONE);
	/* An output that nobody declared. */
	{
		struct end d;
		struct want w = { .thunk = id, .out = "other", .done = ended, .arg = &d };

		d = (struct end){ 0 };
		MUST(exec_want(x, &w, &e), e);
		finish();
		CHECK(d.times == 1 && d.e.code == ERR_USAGE);
		w.path = "../up";
		CHECK(exec_want(x, &w, &e) < 0 && e.code == ERR_REFUSED);
	}
	end();
}

/* A thunk over sixty that give 20 KB each. */
static struct id big_top(void)
{
	char words[20100];
	struct id deps[60];

	for (int i = 0; i < 60; i++) {
		int n = sprintf(words, "%d give=%d", i, i);

		memset(words + n, 'x', 20000);
		words[n + 20000] = 0;
		deps[i] = step0(words);
	}
	return step("top", 60, deps);
}

/* A store on a disk of a few MB: an error, no end of waiting, and all is well
 * once there is room. */
static void full_store(void)
{
	begin("");
	close_all();
	CHECK(rename(".gg", "old") == 0 && mkdir(".gg", 0777) == 0);
	if (mount("none", ".gg", "tmpfs", 0, "size=2m") < 0) {
		printf("# skipped: a tmpfs cannot be mounted here\n");
		open_all("", false);
		end();
		return;
	}
	open_all("", false);
	CHECK(force(big_top(), "top") == ERR_IO && strstr(e.text, ".gg/"));
	CHECK(access("top", F_OK) < 0);
	close_engines();
	exec_free(x);
	loop_free(loop);
	store_close(store, &e);
	CHECK(mount("none", ".gg", "tmpfs", MS_REMOUNT, "size=64m") == 0);
	open_all("", false);
	CHECK(force(big_top(), "top") == ERR_NONE);
	close_all();
	CHECK(umount(".gg") == 0);
	open_all("", false);
	end();
}

/* Killed at any moment: the next one finishes with nothing wrong. */
static void killed(void)
{
	struct end d;
	pid_t pid;

	begin("");
	for (int round = 0; round < 12; round++) {
		struct end all[40];
		struct id deps[40];
		char path[32];

		close_all();
		pid = fork();
		if (pid < 0)
			exit(1);
		open_all(pid ? "" : "delay=1,cpus=2", false);
		for (int i = 0; i < 40; i++) {
			snprintf(path, sizeof(path), "r%d i%d", round, i);
			deps[i] = step1(path, step0(path));
			snprintf(path, sizeof(path), "r%d/%d", round, i);
			if (!pid)
				want(deps[i], path, &all[i]);
		}
		want(step("top", 40, deps), "top", &d);
		if (!pid) {
			finish();
			_exit(0);
		}
		usleep(5000u * (unsigned)round + 1000);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid);
		for (int i = 0; i < 40; i++) {
			snprintf(path, sizeof(path), "r%d/%d", round, i);
			CHECK(force(deps[i], path) == ERR_NONE && access(path, F_OK) == 0);
		}
		CHECK(d.times == 1 && d.e.code == ERR_NONE);
		CHECK(unlink("top") == 0);
	}
	end();
}

enum { N_SHARED = 200, N_PROCESSES = 3 };

static int one_process(void)
{
	struct end d[N_SHARED];
	int bad = -test_failures;

	open_all("delay=2,log=runs", false);
	for (int i = 0; i < N_SHARED; i++) {
		char word[16];

		snprintf(word, sizeof(word), "%d", i);
		want(step1(word, step0("shared")), NULL, &d[i]);
	}
	finish();
	for (int i = 0; i < N_SHARED; i++)
		bad += d[i].times != 1 || d[i].e.code != ERR_NONE;
	close_all();
	return bad + test_failures;
}

static void many_processes(void)
{
	struct arena a = { 0 };
	struct strs lines = { 0 };
	struct bytes b;
	int status, dup = 0;

	begin("");
	close_all();
	for (int i = 0; i < N_PROCESSES; i++)
		if (fork() == 0)
			_exit(one_process() != 0);
	for (int i = 0; i < N_PROCESSES; i++)
		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	MUST(file_read(AT_FDCWD, "runs", 1 << 20, &a, &b, &e), e);
	CHECK(b.n == (N_SHARED + 1) * (ID_HEX + 1));
	for (size_t i = 0; i + ID_HEX < b.n; i += ID_HEX + 1)
		strs_add(&lines, arena_strn(&a, b.p + i, ID_HEX));
	strs_sort(&lines);
	for (size_t i = 1; i < lines.n; i++)
		dup += strcmp(lines.v[i], lines.v[i - 1]) == 0;
	CHECK(dup == 0);
	strs_release(&lines);
	arena_release(&a);
	open_all("", false);
	end();
}

static void holder_dies(void)
{
	struct end d;
	int has_begun[2];
	char c = 0;
	pid_t pid;

	begin("");
	close_all();
	CHECK(pipe(has_begun) == 0);
	pid = fork();
	if (pid > 0)
		CHECK(read(has_begun[0], &c, 1) == 1);
	open_all("", false);
	want(step1("top", step0("slow=300 give=x")), "t", &d);
	while (pid == 0 && n_started == 0) {
		loop_turn(loop);
		usleep(100);
	}
	/* What it holds is never finished. */
	while (pid == 0)
		if (c || (c = (char)write(has_begun[1], "b", 1)))
			pause();
	for (int i = 0; i < 100; i++) {
		loop_turn(loop);
		usleep(1000);
	}
	CHECK(n_started == 0 && d.times == 0);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	close(has_begun[0]);
	close(has_begun[1]);
	finish();
	CHECK(n_started == 2 && d.times == 1 && d.e.code == ERR_NONE);
	end();
}

static const struct test tests[] = {
	{ "a lost worker is tried again, three times in all", lost_workers },
	{ "a value that is gone is made again of itself", lost_objects },
	{ "a source that is gone is put again, or named with the remedy", lost_sources },
	{ "a file gone from inside a tree is made again", lost_inside_trees },
	{ "a store with holes or lies gives clear errors", strange_stores },
	{ "a store without room fails in words and works again with room", full_store },
	{ "killed at any moment, the next run finishes with nothing wrong", killed },
	{ "processes that force the same run each thunk once between them", many_processes },
	{ "what a killed process had begun is begun again by one that waits", holder_dies },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
