/* t_tracer_all.c - ends, connections and signals are told to who wants them */
#include "watch.h"

static const char talker[] =
	"import ctypes, mmap, os, signal, socket, subprocess, sys\n"
	"def quietly(f, *a):\n"
	"    try: return f(*a)\n"
	"    except OSError: pass\n"
	"t = socket.socket(); t.settimeout(1); quietly(t.connect, ('127.0.0.1', 9))\n"
	"u = socket.socket(type=socket.SOCK_DGRAM); u.sendto(b'x', ('127.0.0.2', 9))\n"
	"w = socket.socket(socket.AF_INET6); w.settimeout(1)\n"
	"quietly(w.connect, ('::1', 9))\n"
	"a = socket.socket(socket.AF_UNIX); a.bind('in_cwd')\n"
	"b = socket.socket(socket.AF_UNIX); quietly(b.connect, 'in_cwd')\n"
	"c = socket.socket(socket.AF_UNIX); c.bind('\\0hidden')\n"
	"d = socket.socket(socket.AF_UNIX); quietly(d.connect, '\\0hidden')\n"
	"e = socket.socket(socket.AF_UNIX); quietly(e.connect, '/no/such')\n"
	"n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); n.bind((0, 0))\n"
	"x, y = socket.socketpair(); x.send(b'x'); x.sendmsg([b'x'])\n"
	"l = socket.socket(); l.bind(('127.0.0.1', 0))\n"
	"os.kill(os.getpid(), 0); signal.raise_signal(signal.SIGCHLD)\n"
	"os.kill(int(sys.argv[1]), 0); quietly(os.kill, -int(sys.argv[1]), 0)\n"
	"f = os.pidfd_open(int(sys.argv[1])); signal.pidfd_send_signal(f, 0)\n"
	"libc = ctypes.CDLL(None)\n"
	"libc.shmget(0x6767, 100, 0); libc.shmget(0, 100, 0)\n"
	"libc.mq_open(b'/queue', 0)\n"
	"os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 9'], {}); os.wait()\n"
	"sys.exit(300)\n";

static void tells_all(void)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct seen s = { .way = way, .wants_all = true };
		char pid[16], line[64];

		put("talker.py", talker, 0644);
		snprintf(pid, sizeof pid, "%d", (int)getpid());
		CHECK(run_args(&s, (const char *[]){ "/usr/bin/python3", "talker.py", pid,
						     NULL }) == 300 % 256);
		CHECK(count(&s, "connect inet 127.0.0.1 9\n") == 1);
		CHECK(count(&s, "connect inet 127.0.0.2 9\n") == 1);
		CHECK(count(&s, "connect inet ::1 9\n") == 1);
		CHECK(has(&s, "bind", "in_cwd") && has(&s, "connect", "in_cwd"));
		CHECK(count(&s, "bind abstract hidden\n") == 1);
		CHECK(count(&s, "connect abstract hidden\n") == 1);
		CHECK(count(&s, "connect /no/such\n") == 1);
		CHECK(count(&s, "bind inet 127.0.0.1 0\n") == 1);
		CHECK(count(&s, "connect datagrams\n") == 1);
		CHECK(count(&s, "\nconnect ") == 9 && count(&s, "\nbind ") == 3);
		snprintf(line, sizeof line, "\nsignal %s\n", pid);
		CHECK(count(&s, line) == 2);
		snprintf(line, sizeof line, "\nsignal -%s\n", pid);
		CHECK(count(&s, line) == 1 && count(&s, "\nsignal ") == 3);
		CHECK(count(&s, "connect ipc 0x6767\n") == 1);
		CHECK(count(&s, "connect queue ") == 1);
		CHECK(count(&s, "\nend 9\n") == 1 && count(&s, "\nend 44\n") == 1);
		CHECK(count(&s, "\nend ") == 2 && s.n_blind == 0);
		CHECK(run_sh(&s, "rm in_cwd") == 0);
		seen_release(&s);
	}
}

/* The end that the tracer makes is not told of; one by a signal neither. */
static void tells_of_real_ends(void)
{
	struct seen s = { .wants_all = true };

	CHECK(run_sh(&s, "PATH=$PWD:$PATH; modelled; modelled; exit 3") == 3);
	CHECK(count(&s, "exec ") > 2 && count(&s, "\nend ") == 1);
	CHECK(run_sh(&s, "kill -9 $$") == 128 + 9 && count(&s, "\nend ") == 0);
	CHECK(run_sh(&s, "kill -0 $$") == 0 && count(&s, "signal ") == 0);
	seen_release(&s);
}

/* Who did not ask for more is told no more. */
static void tells_others_nothing(void)
{
	struct seen s = { 0 };

	CHECK(run_args(&s, (const char *[]){ "/usr/bin/python3", "talker.py", "1",
					     NULL }) != 0);
	CHECK(count(&s, "connect ") == 0 && count(&s, "bind ") == 0);
	CHECK(count(&s, "end ") == 0 && count(&s, "signal ") == 0 && s.n_blind > 0);
	seen_release(&s);
}

/* Java's machine opens "." to return to it; whoever else does so may list it. */
static void tells_who_finds_back(void)
{
	static const char opens[] = "import ctypes; ctypes.CDLL(None).open(b'.', 0)";
	struct seen s = { 0 };

	CHECK(run_sh(&s, "rm -f java; ln -s /usr/bin/python3 java") == 0);
	CHECK(run_args(&s, (const char *[]){ "./java", "-c", opens, NULL }) == 0);
	CHECK(has(&s, "look", ".") && !has(&s, "read", "."));
	CHECK(run_args(&s, (const char *[]){ "/usr/bin/python3", "-c", opens, NULL }) == 0);
	CHECK(has(&s, "read", "."));
	CHECK(run_sh(&s, "rm java") == 0);
	seen_release(&s);
}

static void finds_processes(void)
{
	pid_t parent = 0;

	CHECK(trace_process(getpid(), &parent) == getpid() && parent == getppid());
	CHECK(trace_process(1 << 30, &parent) == 0);
}

static const struct test tests[] = {
	{ "connections, names to call by, signals and ends are told", tells_all },
	{ "an end is told if the program makes it itself", tells_of_real_ends },
	{ "who did not ask for more is told no more", tells_others_nothing },
	{ "Java's way back to its folder is no listing of it", tells_who_finds_back },
	{ "a process and its parent are found", finds_processes },
	{ 0 }
};

int main(int argc, char **argv)
{
	int rc = watch_begin(argc, argv);

	return rc >= 0 ? rc : watch_end(test_main(tests));
}
