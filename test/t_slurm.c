/* t_slurm.c - what Slurm's programs print, and what it means */
#include "../src/backends/slurm_folder.h"
#include "../src/backends/slurm_jobs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "test.h"

static struct err e;

/* As squeue of Slurm 22.05 printed it, and lines that it never prints. */
static void lines(void)
{
	static const char text[] =
		"7|0|RUNNING|None|n0|gg-a-1-00ff\n"
		"7|1|PENDING|Resources||gg-a-1-00ff\n"
		"7|2|OUT_OF_MEMORY|OutOfMemory|n1|gg-a-1-00ff\n"
		"slurm_load_jobs: warning\n"
		"x|2|RUNNING|None|n1|gg\n"
		"8|N/A|PENDING|ReqNodeNotAvail, UnavailableNodes:n[1-3]||somebody's | job\n"
		"9|4294967295|SOME_LATER_STATE|None|n2|name";
	struct bytes left = { text, sizeof text - 1 };
	struct arena a = { 0 };
	struct slurm_line l;

	CHECK(slurm_line_next(&left, &a, &l) == 1);
	CHECK(l.job == 7 && l.task == 0 && l.state->phase == SLURM_RUNS);
	CHECK_STR(l.node, "n0");
	CHECK_STR(l.name, "gg-a-1-00ff");
	CHECK(slurm_line_next(&left, &a, &l) == 1 && l.state->phase == SLURM_WAITS);
	CHECK_STR(l.reason, "Resources");
	CHECK(slurm_line_next(&left, &a, &l) == 1 && l.state->phase == SLURM_ENDED);
	CHECK(l.state->how == RUN_OUT_OF_MEMORY);
	CHECK(slurm_line_next(&left, &a, &l) == 1 && l.job == 8 && l.task == 0);
	CHECK_STR(l.name, "somebody's | job");
	CHECK(slurm_line_next(&left, &a, &l) == 1 && l.task == UINT32_MAX);
	CHECK(l.state->phase == SLURM_RUNS);
	CHECK(slurm_line_next(&left, &a, &l) == 0 && left.n == 0);
	arena_release(&a);
}

static void ends(void)
{
	static const char text[] = "1|0|TIMEOUT|TimeLimit|n0|x\n1|1|OUT_OF_MEMORY|None|n0|x\n"
		"1|2|NODE_FAIL|None|n0|x\n1|3|CANCELLED|None|n0|x\n1|4|PREEMPTED|None|n0|x\n";
	struct bytes left = { text, sizeof text - 1 };
	const char *told[5];
	struct arena a = { 0 };
	struct slurm_line l;

	for (int i = 0; i < 5; i++) {
		CHECK(slurm_line_next(&left, &a, &l) == 1 && l.state->phase == SLURM_ENDED);
		told[i] = l.state->text;
		CHECK((l.state->how == RUN_OUT_OF_MEMORY) == (i == 1));
		for (int k = 0; k < i; k++)
			CHECK(strcmp(told[i], told[k]) != 0);
	}
	CHECK(strstr(told[0], "time=") && strstr(told[1], "mem="));
	arena_release(&a);
}

static void why_waiting(void)
{
	static const char *const known[][2] = {
		{ "Resources", "busy" }, { "Priority", "higher priority" },
		{ "QOSMaxJobsPerUserLimit", "as many jobs running as the limits allow" },
		{ "PartitionTimeLimit", "time=" }, { "AssocGrpCpuLimit", "cpus" },
		{ "QOSMaxMemoryPerUser", "much memory" },
		{ "ReqNodeNotAvail, UnavailableNodes:n[1-3]", "not available" },
		{ "(launch failed requeued held)", "could not start it" },
		{ "QOSGrpGRES", "gpus" }, { "SomethingNew", "SomethingNew" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		CHECK(strstr(slurm_reason(known[i][0]), known[i][1]));
	CHECK(slurm_is_held("(launch failed requeued held)") && slurm_is_held("JobHoldMaxRequeue"));
	CHECK(!slurm_is_held("JobHeldUser") && !slurm_is_held("Resources") && !slurm_is_held(""));
}

static void submitted(void)
{
	uint64_t job = 0;
	struct arena a = { 0 };

	CHECK(slurm_job_read(bytes_str("12\n"), &job) && job == 12);
	CHECK(slurm_job_read(bytes_str("sbatch: a warning\n13;big\n"), &job) && job == 13);
	CHECK(!slurm_job_read(bytes_str(""), &job));
	CHECK(!slurm_job_read(bytes_str("Submitted batch job 14\n"), &job));
	CHECK(!slurm_job_read(bytes_str("99999999999999999999999999\n"), &job));
	CHECK(slurm_is_passing(bytes_str("sbatch: error: Batch job submission failed: Unable to "
					 "contact slurm controller (connect failure)\n")));
	CHECK(!slurm_is_passing(bytes_str("sbatch: error: invalid partition specified: x\n")));
	CHECK_STR(slurm_last_line(bytes_str("one\ntwo\033[m\n\n"), &a), "two?[m");
	CHECK_STR(slurm_said(bytes_str("sbatch: error: invalid partition: x\n\nsbatch: error: "
				       "Batch job submission failed\n"), &a),
		  "invalid partition: x; Batch job submission failed");
	CHECK_STR(slurm_said(bytes_str(""), &a), "");
	arena_release(&a);
}

static bool mode_is(const char *path, const char *name, mode_t mode)
{
	struct arena a = { 0 };
	struct stat st;
	bool is = stat(arena_printf(&a, "%s/%s", path, name), &st) == 0 &&
		(st.st_mode & 07777) == mode;

	arena_release(&a);
	return is;
}

/* The script does what it says for words that the shell would take apart. */
static void folder(void)
{
	const struct ticket t = { .url = "https://127.0.0.1:1", .token = "secret",
				  .pool = "slurm" };
	char dir[] = "/tmp/gg-t-slurm-XXXXXX";
	struct slurm_folder f, other;
	struct strs lines = { 0 }, command = { 0 }, dead = { 0 };
	struct arena a = { 0 };
	struct bytes text;

	CHECK(mkdtemp(dir));
	MUST(slurm_folder_open(&f, dir, &e), e);
	strs_add(&lines, "--constraint=a100");
	strs_add(&command, "/bin/echo");
	strs_add(&command, "it's $HOME; `x` \\");
	MUST(slurm_folder_write(&f, &t, &lines, &command, &e), e);
	CHECK(mode_is(f.path, ".", 0700) && mode_is(f.path, "ticket", 0600));
	CHECK(mode_is(f.path, "job", 0700));
	CHECK(strncmp(f.job_name, "gg-", 3) == 0 && strstr(f.path, f.job_name + 3));
	MUST(file_read(AT_FDCWD, arena_printf(&a, "%s/job", f.path), 4096, &a, &text, &e), e);
	CHECK(memmem(text.p, text.n, "\n#SBATCH --constraint=a100\n", 27));
	CHECK(!memmem(text.p, text.n, "secret", 6));
	CHECK(system(arena_printf(&a, "SLURM_ARRAY_JOB_ID=3 SLURM_ARRAY_TASK_ID=4 %s/job >%s/3_4",
				  f.path, f.path)) == 0);
	CHECK_STR(slurm_folder_said(&f, 3, 4, &a), "it's $HOME; `x` \\ --name slurm-3-4");
	CHECK_STR(slurm_folder_said(&f, 3, 5, &a), "");
	MUST(slurm_folder_open(&other, dir, &e), e);
	slurm_folder_dead(&other, &a, &dead);
	CHECK(dead.n == 0);
	slurm_folder_close(&f, false);
	slurm_folder_close(&other, false);
	CHECK(rmdir(dir) == 0);
	strs_release(&lines);
	strs_release(&command);
	strs_release(&dead);
	arena_release(&a);
}

/* A killed one is told by its lock, one that lives is left alone. */
static void dead_ones(void)
{
	char dir[] = "/tmp/gg-t-slurm-XXXXXX";
	struct slurm_folder f, own;
	struct strs dead = { 0 };
	struct arena a = { 0 };
	int ready[2];
	char c;
	pid_t pid;

	CHECK(mkdtemp(dir) && pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		if (slurm_folder_open(&f, dir, &e) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	CHECK(read(ready[0], &c, 1) == 1);
	MUST(slurm_folder_open(&own, dir, &e), e);
	slurm_folder_dead(&own, &a, &dead);
	CHECK(dead.n == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	slurm_folder_dead(&own, &a, &dead);
	CHECK(dead.n == 1 && strncmp(dead.v[0], "gg-", 3) == 0);
	if (dead.n)
		slurm_folder_remove(&own, dead.v[0]);
	dead.n = 0;
	slurm_folder_dead(&own, &a, &dead);
	CHECK(dead.n == 0);
	slurm_folder_close(&own, false);
	CHECK(rmdir(dir) == 0);
	close(ready[0]);
	close(ready[1]);
	strs_release(&dead);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "squeue's lines are read, others are skipped", lines },
	{ "memory, time, nodes, people and priorities end a job each in its own words", ends },
	{ "why a job waits is told in words", why_waiting },
	{ "a job's number and what cannot pass by itself are known", submitted },
	{ "ticket and script are for their owner alone, and no word is a command", folder },
	{ "the folder of a killed gg is found, that of a living one is not", dead_ones },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
