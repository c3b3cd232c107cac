/* Cells keep what run.h and backend.h promise of steps that behave. */
#include "cell_rig.h"

#include <sched.h>

static struct rig rig;

static void works(void)
{
	struct step s = { .script = "cat in/1 > out/1", .in = { { "in/1", "hello\n" } },
			  .out = { "out/1" } };
	struct got g;

	for (int i = 0; i < 3; i++) {
		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &g, "out/1"), "hello\n");
		CHECK(g.n_done == 1);
		CHECK(g.r.seconds > 0 && g.r.max_rss_bytes > 0);
		CHECK(g.r.log.n == 0);
		got_free(&g);
	}
}

/* May this machine's user make namespaces at all? */
static bool permits_walls(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare((geteuid() ? CLONE_NEWUSER : 0) | CLONE_NEWNS | CLONE_NEWPID |
			      CLONE_NEWNET) < 0);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void walls_stand(void)
{
	if (rig_lacks_walls(&rig))
		CHECK(!permits_walls());
	else
		CHECK(permits_walls());
}

static void flushed(void)
{
	struct step s = { .script = "cat a b > c", .out = { "c" },
			  .in = { { "a", "from the " }, { "b", "database" } } };
	struct got g;
	struct err e;

	rig_thunk(&rig, &s);
	MUST(store_flush(rig.store, &e), e);
	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(rig_out(&rig, &g, "c"), "from the database");
	got_free(&g);
}

static void side_by_side(void)
{
	struct step s = { .script = "sleep 0.2; cat a > c", .out = { "c" },
			  .in = { { "a", "x" } } };
	struct got g[4];

	for (int i = 0; i < 4; i++)
		rig_start(&rig, &s, &g[i]);
	for (int i = 0; i < 4; i++)
		while (!g[i].is_done)
			loop_run(rig.loop, &g[i].is_done);
	for (int i = 0; i < 4; i++) {
		CHECK_GOT(&g[i], RUN_OK, "");
		CHECK(g[i].n_done == 1);
		got_free(&g[i]);
	}
}

static void modes(void)
{
	struct step s = { .script = "./tool > v && cp tool x && test ! -x p && test -r p",
			  .out = { "v", "x" },
			  .in = { { "tool", "#!/bin/sh\necho made\n", .kind = REF_EXEC },
				  { "p", "plain" } } };
	const struct ref *v, *x;
	struct got g;

	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	v = result_output(&g.r.result, "v");
	x = result_output(&g.r.result, "x");
	CHECK(v && v->kind == REF_VALUE && x && x->kind == REF_EXEC);
	CHECK_STR(rig_out(&rig, &g, "v"), "made\n");
	got_free(&g);
}

static void trees(void)
{
	struct step make = {
		.script = "cd out && mkdir -p a/b empty && echo 1 > a/b/f && echo 2 > g && "
			  "chmod +x g && ln -s a/b/f l && ln -s ../../g a/b/up && "
			  "head -c 200000 /dev/zero > large",
		.out = { "out/" } };
	struct step use = {
		.script = "cd t && test -x g && test -d empty && test -L l && cat l a/b/up "
			  "&& test $(wc -c < large) = 200000 && test $(ls | wc -l) = 5 && "
			  "cp -r . ../again",
		.out = { "again/" }, .std = { NULL, "said" } };
	struct got g, h;

	rig_run(&rig, &make, &g);
	CHECK_GOT(&g, RUN_OK, "");
	if (g.r.status != RUN_OK)
		return;
	CHECK(g.r.result.v[0].ref.kind == REF_TREE);
	use.out[1] = "said";
	use.in[0].path = "t";
	use.in[0].kind = REF_TREE;
	use.in[0].id = g.r.result.v[0].ref.id;
	for (int i = 0; i < 2; i++) {
		rig_run(&rig, &use, &h);
		CHECK_GOT(&h, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &h, "said"), "1\n2\n");
		CHECK(h.r.result.n && id_equal(&h.r.result.v[0].ref.id, &use.in[0].id));
		got_free(&h);
	}
	got_free(&g);
}

static void large(void)
{
	struct step make = { .script = "head -c 3000000 /dev/zero | tr '\\0' x > big; "
				       "chmod 700 big", .out = { "big" } };
	struct step use = { .script = "wc -c < in.bin > n; cp in.bin copy",
			    .out = { "n", "copy" } };
	struct got g, h;
	struct stat st;

	rig_run(&rig, &make, &g);
	CHECK_GOT(&g, RUN_OK, "");
	if (g.r.status != RUN_OK)
		return;
	CHECK(fstatat(store_objects_fd(rig.store),
		      store_object_path(&g.r.result.v[0].ref.id).s, &st, 0) == 0);
	CHECK(st.st_size == 3000000 && (st.st_mode & 07777) == 0444);
	use.in[0].path = "in.bin";
	use.in[0].id = g.r.result.v[0].ref.id;
	for (int i = 0; i < 4; i++) {
		use.in[0].kind = i % 2 ? REF_EXEC : REF_VALUE;
		rig_run(&rig, &use, &h);
		CHECK_GOT(&h, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &h, "n"), "3000000\n");
		CHECK(h.r.result.n == 2 &&
		      id_equal(&result_output(&h.r.result, "copy")->id, &use.in[0].id));
		got_free(&h);
	}
	got_free(&g);
}

static void streams(void)
{
	struct step s = { .script = "cat; echo err >&2; echo more", .out = { "log" },
			  .in = { { "text", "given\n" } }, .std = { "text", "log", "log" } };
	struct step t = { .script = "cat; echo err >&2; echo out" };
	struct step add = { .script = "echo two", .in = { { "log", "one\n" } },
			    .out = { "log" }, .std = { NULL, "log", NULL } };
	struct got g;

	rig_run(&rig, &s, &g);
	CHECK_STR(rig_out(&rig, &g, "log"), "given\nerr\nmore\n");
	CHECK(g.r.log.n == 0);
	got_free(&g);
	rig_run(&rig, &t, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(g.r.log.p, "err\nout\n");
	got_free(&g);
	rig_run(&rig, &add, &g);
	CHECK_STR(rig_out(&rig, &g, "log"), "one\ntwo\n");
	got_free(&g);
}

static void places(void)
{
	struct step s = { .script = "pwd > where; ls > all", .cwd = "sub/dir",
			  .out = { "sub/dir/where", "sub/dir/all", "sub/else" } };
	struct got g;
	char want[300];

	if (rig_lacks_walls(&rig))
		return;
	s.script = "pwd > where; cat ../given > ../else; ls -A .. ../.. > all";
	s.in[0].path = "sub/given";
	s.in[0].text = "g";
	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	snprintf(want, sizeof want, "%s/sub/dir\n", rig.root);
	CHECK_STR(rig_out(&rig, &g, "sub/dir/where"), want);
	CHECK_STR(rig_out(&rig, &g, "sub/dir/all"),
		  "..:\ndir\nelse\ngiven\n\n../..:\nsub\n");
	got_free(&g);
}

static void private_tmp(void)
{
	struct step s = { .script = "ls -A /tmp /var/tmp /dev/shm; "
			  "touch /tmp/gg-t /var/tmp/gg-t /dev/shm/gg-t x y; mkdir -p d/e; "
			  "touch d/e/f" };
	struct got g;
	struct buf want = { 0 };

	if (rig_lacks_walls(&rig))
		return;
	buf_printf(&want, "/dev/shm:\n\n/tmp:\n%s\n\n/var/tmp:\n", path_base(rig.root));
	for (int i = 0; i < 2; i++) {
		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(g.r.log.p, want.p);
		got_free(&g);
	}
	s.script = "ls -A";
	rig_run(&rig, &s, &g);
	CHECK_STR(g.r.log.p, "");
	got_free(&g);
	CHECK(access("/tmp/gg-t", F_OK) < 0 && access("/var/tmp/gg-t", F_OK) < 0 &&
	      access("/dev/shm/gg-t", F_OK) < 0);
	buf_release(&want);
}

static void network(void)
{
	struct step s = { .script = "grep -c : /proc/net/dev; "
				    "readlink /proc/self/ns/net" };
	char host[64] = "";
	struct got g, h;

	if (rig_lacks_walls(&rig))
		return;
	CHECK(readlink("/proc/self/ns/net", host, sizeof host - 1) > 0);
	rig_run(&rig, &s, &g);
	CHECK(bytes_start(g.r.log, "1\n"));
	CHECK(!strstr(g.r.log.p, host));
	s.network = true;
	rig_run(&rig, &s, &h);
	CHECK_GOT(&h, RUN_OK, "");
	CHECK(strstr(h.r.log.p, host) != NULL);
	got_free(&g);
	got_free(&h);
}

static void environment(void)
{
	struct step s = { .script = "env | grep -v -e ^GG_RUNTIME -e ^PWD | sort; umask; "
				    "echo $GG_RUNTIME > r", .out = { "r" },
			  .env = { "ONE=1", "TWO=a b" } };
	struct got g;
	char want[100];

	if (rig_lacks_walls(&rig))
		return;
	rig_run(&rig, &s, &g);
	CHECK_STR(g.r.log.p,
		  "HOME=/tmp\nLANG=C.UTF-8\nLC_ALL=C.UTF-8\nONE=1\n"
		  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
		  "PYTHONDONTWRITEBYTECODE=1\nPYTHONHASHSEED=0\n"
		  "TMPDIR=/tmp\nTWO=a b\nTZ=UTC\n0022\n");
	snprintf(want, sizeof want, "host %s\n", id_hex(&rig.host_id).s);
	CHECK_STR(rig_out(&rig, &g, "r"), want);
	got_free(&g);
	CHECK(run_env_is_fixed("LC_ALL=x") && run_env_is_fixed("GG_RUNTIME=x"));
	CHECK(!run_env_is_fixed("LC_ALLX=x") && !run_env_is_fixed("OMP_NUM_THREADS=1"));
}

static void odd_names(void)
{
	struct step s = { .script = "for i in *; do cat \"$i\"; done > 'out\n file'\xff; "
				    "cp -r . ../o",
			  .in = { { "d/a b", "1" }, { "d/c\nd", "2" }, { "d/e\xff\\x", "3" } },
			  .cwd = "d", .out = { "d/out\n file\xff", "o/" } };
	struct got g;

	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(rig_out(&rig, &g, "d/out\n file\xff"), "123");
	got_free(&g);
}

static void forgets(void)
{
	struct step a = { .script = "ls -R; rm -rf scratch; ln -s / scratch; mkdir more",
			  .in = { { "x/one", "1" }, { "y", "2" } } };
	struct step b = { .script = "ls -AR", .in = { { "x", "a file now" } } };
	struct step d = { .script = "cat x/one", .in = { { "x/one", "changed" } } };
	struct got g;

	for (int i = 0; i < 2; i++) {
		rig_run(&rig, &a, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(g.r.log.p, ".:\nx\ny\n\n./x:\none\n");
		got_free(&g);
		rig_run(&rig, &b, &g);
		CHECK_STR(g.r.log.p, ".:\nx\n");
		got_free(&g);
		rig_run(&rig, &d, &g);
		CHECK_STR(g.r.log.p, "changed");
		got_free(&g);
	}
}

/* Files are written anew for other steps: neither their old bytes nor their
 * modes nor their attributes may show. */
static void written_anew(void)
{
	struct step many = { .script = "for i in $(seq 60); do echo a long line of $i > m$i; "
				       "chmod 7$((i % 8))4 m$i; done; chmod 1700 . \"$TMPDIR\"" };
	struct step look = { .script = "stat -c '%a %s' . \"$TMPDIR\" a b c d/e | tr '\\n' ' '; "
				       "cat a b c d/e",
			     .in = { { "a", "1" }, { "b", "", .kind = REF_EXEC },
				     { "c", "three", .kind = REF_EXEC }, { "d/e", "e" } } };
	struct got g;

	for (int i = 0; i < 3; i++) {
		rig_run(&rig, &many, &g);
		CHECK_GOT(&g, RUN_OK, "");
		got_free(&g);
		look.in[0].text = i == 1 ? "another" : "1";
		rig_run(&rig, &look, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK(strstr(g.r.log.p, i == 1 ? "444 7 555 0 555 5 444 1 anotherthreee"
					       : "444 1 555 0 555 5 444 1 1threee"));
		if (!backend_local.notice(rig.b))
			CHECK(bytes_start(g.r.log, "755 ") && strstr(g.r.log.p, " 1777 "));
		got_free(&g);
	}
}

static void in_place(void)
{
	struct step s = { .script = "echo b >> f; echo c >> t/g; rm t/old",
			  .in = { { "f", "a\n" } }, .out = { "f", "t/" } };
	struct tree t = { .v = (struct entry[]){ { "g", ENTRY_FILE, { { 0 } }, NULL },
						  { "old", ENTRY_FILE, { { 0 } }, NULL } },
			  .n = 2 };
	struct buf text = { 0 };
	struct err e;
	struct got g;

	MUST(store_put(rig.store, bytes_str("x\n"), &t.v[0].id, &e), e);
	t.v[1].id = t.v[0].id;
	MUST(tree_encode(&t, &text, &e), e);
	s.in[1].path = "t";
	s.in[1].kind = REF_TREE;
	MUST(store_put(rig.store, buf_bytes(&text), &s.in[1].id, &e), e);
	for (int i = 0; i < 2; i++) {
		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &g, "f"), "a\nb\n");
		CHECK(strstr(rig_out(&rig, &g, "t"), " g\n") != NULL);
		CHECK(strstr(rig_out(&rig, &g, "t"), " old\n") == NULL);
		got_free(&g);
	}
	buf_release(&text);
}

static void outside_inputs(void)
{
	struct step s = { .script = "cat /etc/passwd /tmp/sub/data > o", .out = { "o" },
			  .in = { { "/etc/passwd", "recorded " },
				  { "/tmp/sub/data", "data" } } };
	struct step same = { .script = "cmp /etc/passwd copy; cp /etc/passwd o",
			     .out = { "o" }, .in = { { "/etc/passwd" }, { "copy" } } };
	struct got g;
	struct err e;

	if (rig_lacks_walls(&rig))
		return;
	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(rig_out(&rig, &g, "o"), "recorded data");
	got_free(&g);
	MUST(stat_name(rig.store, AT_FDCWD, "/etc/passwd", STAT_KEEP, &same.in[0].id,
		       NULL, &e), e);
	same.in[1].id = same.in[0].id;
	rig_run(&rig, &same, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(g.r.log.p, "");
	got_free(&g);
}

static void kinder(void)
{
	/* Reading, linking or touching an input leaves its bytes as they are. */
	struct step s = { .script = "ln a b; touch a; cat b > c; mkdir -p t/__cache__",
			  .in = { { "a", "A" }, { "t/f", "F" } }, .out = { "c" } };
	struct got g;

	for (int i = 0; i < 2; i++) {
		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &g, "c"), "A");
		got_free(&g);
	}
}

static void linked_output(void)
{
	struct step s = { .script = "echo 1 > real; ln -s real latest", .out = { "latest" } };
	struct got g;

	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(rig_out(&rig, &g, "latest"), "1\n");
	got_free(&g);
}

static const struct test tests[] = {
	{ "a step that works gives its output's bytes", works },
	{ "all walls stand where they are permitted", walls_stand },
	{ "inputs come from the committed store too", flushed },
	{ "as many steps run at once as were started", side_by_side },
	{ "the executable bit goes in and out", modes },
	{ "folders go out and in with modes, links and empty folders", trees },
	{ "large values go out by rename and in read-only", large },
	{ "standard streams are the files that the step names, or the log", streams },
	{ "the step runs at the project's own path and sees only its inputs", places },
	{ "folders for temporary files are private and empty for each step", private_tmp },
	{ "there is no network unless the step needs it", network },
	{ "the environment is the fixed one and the step's own", environment },
	{ "names may hold spaces, newlines and bytes of no encoding", odd_names },
	{ "nothing of one step is seen by the next", forgets },
	{ "a file that is written anew shows nothing of what it was", written_anew },
	{ "an output may have the path of an input", in_place },
	{ "inputs outside the project have their recorded content", outside_inputs },
	{ "touching and linking an input is no offence", kinder },
	{ "a link to a file stands for that file", linked_output },
	{ 0 }
};

int main(int argc, char **argv)
{
	return rig_main(&rig, tests, argc, argv);
}
