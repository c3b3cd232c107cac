/* Steps with a closure, on the machine that has it and with nothing but it */
#include "cell_rig.h"
#include "closure.h"

static struct rig rig;
static struct id closure;

static const char *const uses[] = {
	"/bin/sh", "/bin/cat", "/bin/ls", "/usr/bin/env", "/usr/bin/mknod", "/usr/bin/readlink",
	"/usr/sbin/chroot",
	"/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6",
	"/lib/x86_64-linux-gnu/libselinux.so.1", "/lib/x86_64-linux-gnu/libpcre2-8.so.0",
};

static void make(void)
{
	struct err e;

	MUST(closure_make(rig.store, uses, sizeof uses / sizeof *uses, &closure, &e), e);
	MUST(store_flush(rig.store, &e), e);
}

static const char *run(const struct step *step, enum run_status want, const char *says)
{
	struct step s = *step;
	const char *out = NULL;
	struct got g;

	s.closure = closure;
	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, want, says);
	if (g.r.status == RUN_OK)
		out = rig_out(&rig, &g, "o");
	got_free(&g);
	return out;
}

static const char *script(const char *text)
{
	struct step s = { .script = text, .in = { { "a", "A" } }, .out = { "o" } };
	const char *out = run(&s, RUN_OK, "");

	return out ? out : "(failed)";
}

static void on_host(void)
{
	rig_backend(&rig, 2, false);
	CHECK_STR(script("cat a > o"), "A");
	CHECK_STR(script("echo $GG_RUNTIME > o"),
		  arena_printf(&rig.a, "closure %s\n", id_hex(&closure).s));
	/* Folders that the closure has not are not searched for programs. */
	CHECK_STR(script("echo $PATH > o"), "/usr/sbin:/usr/bin:/sbin:/bin\n");
	CHECK(strstr(script("ls / > o"), "proc\n") != NULL);
}

static void no_such_program(void)
{
	static const char *const few[] = { "/bin/cat" };
	struct step s = { .script = "echo > o", .out = { "o" } };
	struct id whole = closure;
	struct err e;

	MUST(closure_make(rig.store, few, 1, &closure, &e), e);
	MUST(store_flush(rig.store, &e), e);
	run(&s, RUN_NOT_STARTED, "has no program sh");
	closure = whole;
}

/* Is everything that lies in / of the closure, or a place for the step? */
static void whole_root(void)
{
	rig_backend(&rig, 2, true);
	CHECK_STR(script("cat a > o"), "A");
	CHECK_STR(script("ls / > o"), "bin\ndev\netc\nlib\nlib64\nproc\nsbin\ntmp\nusr\nvar\n");
	CHECK_STR(script("ls /usr/bin > o"), "cat\ndash\nenv\nls\nmknod\nreadlink\nsh\n");
	CHECK_STR(script("ls /dev > o"),
		  "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n");
	CHECK_STR(script("ls /tmp /var /var/tmp /dev/shm > o"), arena_printf(&rig.a,
		"/dev/shm:\n\n/tmp:\n%s\n\n/var:\ntmp\n\n/var/tmp:\n", path_base(rig.root)));
	CHECK_STR(script("readlink /proc/self/exe > o"), "/usr/bin/readlink\n");
	CHECK_STR(script("echo hi >/dev/null; cat /dev/null /etc/hostname > o"), "localhost\n");
	CHECK_STR(script("pwd > o; ls >> o"), arena_printf(&rig.a, "%s\na\no\n", rig.root));
}

static void nothing_else(void)
{
	struct step s = { .script = "cat /etc/debian_version > o", .out = { "o" } };

	run(&s, RUN_EXITED, "");
	s.script = "/usr/bin/sed --version > o";
	run(&s, RUN_EXITED, "127");
}

static void no_way_out(void)
{
	static const char *const tries[] = {
		"ls /proc/1/root/", "ls /proc/1/cwd/", "echo > /usr/bin/x",
		"echo > /x", "echo > /dev/x", "echo >> /etc/hosts", "mknod /tmp/x c 1 3",
		"mknod x b 8 0", "chroot /proc/1/root /bin/ls", "chroot . /bin/ls",
		"ls /proc/$PPID/root/", "cat /proc/1/environ",
	};

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct step s = { .script = arena_printf(&rig.a, "{ %s; } >/dev/null 2>&1 && "
							 "echo > o; test ! -e o", tries[i]),
				  .out = { "o" } };

		printf("# %s\n", tries[i]);
		run(&s, RUN_NO_OUTPUT, "");
	}
	CHECK_STR(script("cat a > o"), "A");
}

static void roots_are_kept(void)
{
	const char *top = arena_printf(&rig.a, "%s/roots/%s", rig.store_dir, id_hex(&closure).s);
	const char *dash = arena_printf(&rig.a, "%s/usr/bin/dash", top);
	struct stat before, after;
	struct err e;

	CHECK(stat(dash, &before) == 0 && (before.st_mode & 07777) == 0555);
	rig_backend(&rig, 2, true);
	CHECK_STR(script("cat a > o"), "A");
	CHECK(stat(dash, &after) == 0 && after.st_ino == before.st_ino);

	/* What somebody did to it is undone. */
	rig_backend(&rig, 2, true);
	CHECK(chmod(dash, 0755) == 0);
	MUST(file_write(AT_FDCWD, dash, bytes_str("#!/bin/false\n"), 0555, 0, &e), e);
	MUST(file_write(AT_FDCWD, arena_printf(&rig.a, "%s/etc/more", top), bytes_str("x"),
			0444, 0, &e), e);
	CHECK_STR(script("ls /etc/more > o; cat a > o"), "A");

	/* So is what a power cut may have left. */
	CHECK(stat(dash, &before) == 0);
	MUST(file_write(AT_FDCWD, arena_printf(&rig.a, "%s/roots/boot", rig.store_dir),
			bytes_str("another\n"), 0644, 0, &e), e);
	rig_backend(&rig, 2, true);
	CHECK_STR(script("cat a > o"), "A");
	CHECK(stat(dash, &after) == 0 && after.st_ctime >= before.st_ctime &&
	      (after.st_ino != before.st_ino ||
	       after.st_ctim.tv_nsec != before.st_ctim.tv_nsec));
	rig_backend(&rig, 2, true);
	CHECK(unlink(arena_printf(&rig.a, "%s/usr/bin/cat", top)) == 0);
	CHECK_STR(script("cat a > o"), "A");
}

/* Files below other closures' folders are the same files. */
static void roots_share(void)
{
	struct id whole = closure;
	struct stat one, two;
	struct err e;

	MUST(closure_make(rig.store, uses + 1, sizeof uses / sizeof *uses - 1, &closure, &e),
	     e);
	MUST(store_flush(rig.store, &e), e);
	run(&(struct step){ .script = "echo > o", .out = { "o" } }, RUN_NOT_STARTED, "sh");
	CHECK(stat(arena_printf(&rig.a, "%s/roots/%s/usr/bin/cat", rig.store_dir,
				id_hex(&closure).s), &one) == 0);
	CHECK(stat(arena_printf(&rig.a, "%s/roots/%s/usr/bin/cat", rig.store_dir,
				id_hex(&whole).s), &two) == 0);
	CHECK(one.st_ino == two.st_ino);
	closure = whole;
}

static void lost_bytes(void)
{
	struct id whole = closure, lib, top;
	struct tree t = { .v = &(struct entry){ .name = "sh", .kind = ENTRY_EXEC,
						.id = id_of(bytes_str("nobody has this")) },
			  .n = 1 };
	struct step s = { .script = "echo > o", .out = { "o" } };
	struct buf b = { 0 };
	struct err e;

	MUST(tree_encode(&t, &b, &e), e);
	MUST(store_put(rig.store, buf_bytes(&b), &lib, &e), e);
	buf_reset(&b);
	t.v = &(struct entry){ .name = "bin", .kind = ENTRY_TREE, .id = lib };
	MUST(tree_encode(&t, &b, &e), e);
	MUST(store_put(rig.store, buf_bytes(&b), &top, &e), e);
	MUST(store_flush(rig.store, &e), e);
	buf_release(&b);
	closure = top;
	run(&s, RUN_NOT_STARTED, "/bin/sh");
	closure = whole;
	CHECK_STR(script("cat a > o"), "A");
}

static unsigned count_cells(void)
{
	const char *text = arena_printf(&rig.a, "ls -d %s/work/*/* 2>/dev/null | wc -l",
					rig.store_dir);
	FILE *f = popen(text, "r");
	unsigned n = 0;

	CHECK(f && fscanf(f, "%u", &n) == 1);
	if (f)
		pclose(f);
	return n;
}

/* A cell is of one closure; they do not pile up. */
static void cells_of_many_closures(void)
{
	struct id whole = closure;
	unsigned n_most = 0;
	struct err e;

	rig_backend(&rig, 1, true);
	for (size_t i = 0; i < 10; i++) {
		const char *fewer[sizeof uses / sizeof *uses];
		size_t n = 0;

		for (size_t k = 0; k < sizeof uses / sizeof *uses; k++)
			if (k != 2 + i % 5)
				fewer[n++] = uses[k];
		MUST(closure_make(rig.store, fewer, n, &closure, &e), e);
		MUST(store_flush(rig.store, &e), e);
		run(&(struct step){ .script = "echo > o", .out = { "o" } }, RUN_OK, "");
		n_most = count_cells() > n_most ? count_cells() : n_most;
	}
	CHECK(n_most >= 1 && n_most <= 4);
	closure = whole;
}

static void host_steps_are_refused(void)
{
	struct step s = { .script = "echo > o", .out = { "o" } };
	struct job j = { .text = rig_thunk(&rig, &s) };
	struct err e;

	CHECK(backend_local.start(rig.b, &j, &e) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "--hermetic") != NULL);
}

static void outside_inputs(void)
{
	static const char *const at[] = { "/usr/share/gg-test/x.csv", "/data/y", "/tmp/z" };
	struct step plain = { .script = "test ! -e /data && echo > o", .out = { "o" } };

	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < 3; i++) {
			struct step s = { .script = arena_printf(&rig.a, "cat %s > o", at[i]),
					  .in = { { at[i], "there" } }, .out = { "o" } };
			const char *o = run(&s, RUN_OK, "");

			CHECK_STR(o ? o : "", "there");
		}
	run(&plain, RUN_OK, "");
}

/* Bound from the store where it cannot be cloned, before and after the root
 * has been arranged anew. */
static void large_inputs(void)
{
	size_t n = STORE_SMALL * 3;
	char *text = memset(mem_alloc(n + 1), 'x', n);
	struct step s = { .script = "read line < big; echo ${#line} > o", .out = { "o" } };
	const char *o;

	text[n - 1] = '\n';
	text[n] = '\0';
	s.in[0].path = "big";
	s.in[0].text = text;
	o = run(&s, RUN_OK, "");
	CHECK_STR(o ? o : "", arena_printf(&rig.a, "%zu\n", n - 1));
	s.in[1].path = "/data/y";
	s.in[1].text = "there";
	o = run(&s, RUN_OK, "");
	CHECK_STR(o ? o : "", arena_printf(&rig.a, "%zu\n", n - 1));
	free(text);
}

static void watched(void)
{
	struct step s = { .script = "cd sub; cat ../conf.yaml; echo > ../o", .cwd = NULL,
			  .in = { { "sub/x", "" } }, .out = { "o" }, .is_watched = true };
	struct err e;

	MUST(file_write(AT_FDCWD, arena_printf(&rig.a, "%s/conf.yaml", rig.root),
			bytes_str("x"), 0644, 0, &e), e);
	run(&s, RUN_UNDECLARED, "conf.yaml");
	s.script = "cd sub; cat x; cat /etc/hosts; echo > ../o";
	run(&s, RUN_OK, "");
}

static const struct test tests[] = {
	{ "a closure's step runs on the machine that has it", on_host },
	{ "a program that the closure lacks is not taken from the machine", no_such_program },
	{ "with --hermetic the closure is the whole root", whole_root },
	{ "what it lacks fails there", nothing_else },
	{ "nothing leads out of it, nor can it be written to", no_way_out },
	{ "its folder is kept, and made anew when it was changed", roots_are_kept },
	{ "closures share their files", roots_share },
	{ "a closure whose bytes nobody has says which file", lost_bytes },
	{ "cells of closures that are not needed any more end", cells_of_many_closures },
	{ "steps without a closure are refused there", host_steps_are_refused },
	{ "inputs outside the project stand in it while they are declared", outside_inputs },
	{ "large inputs are seen in it", large_inputs },
	{ "a step is watched in it as elsewhere", watched },
	{ 0 }
};

int main(int argc, char **argv)
{
	struct got g;
	int rc;

	if (argc > 1 && strcmp(argv[1], "cell") == 0)
		return cell_main(argc - 2, argv + 2);
	rig_open(&rig);
	rig_run(&rig, &(struct step){ .script = "echo > o", .out = { "o" } }, &g);
	got_free(&g);
	if (rig_lacks_walls(&rig)) {
		rig_close(&rig);
		printf("1..0 # SKIP no mounts of its own here\n");
		return 77;
	}
	make();
	rc = test_main(tests);
	rig_close(&rig);
	return rc;
}
