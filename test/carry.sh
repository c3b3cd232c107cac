#!/bin/bash
# carry.sh - whatever starts the commands of a script, gg sees them, and what is
# left is what the script alone leaves: same files, same modes, same output
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/seed" && cd "$work/seed" || exit 1
cat >gg.models <<'M'
sh step.sh --in=@in --out=@out [--mode=@]
python3 train.py --seed=@ --out=@out [--data=@in]
python3 tool.py @in @out
./static @in @out
sh both.sh @in @out
sh stdin.sh @out
M
echo 'cat >"$1"' >stdin.sh
echo 'cat "$1" >"$2"; cat "$1"' >both.sh
cat >step.sh <<'S'
while [ $# -gt 0 ]; do
	case $1 in
	--in) in=$2 ;;
	--out) out=$2 ;;
	--mode) mode=$2 ;;
	esac
	shift 2
done
{ echo "$mode"; cat "$in"; } >"$out"
S
cat >train.py <<'S'
#!/usr/bin/env python3
import argparse
p = argparse.ArgumentParser()
p.add_argument("--seed", type=int)
p.add_argument("--out")
p.add_argument("--data")
a = p.parse_args()
text = open(a.data).read() if a.data else ""
open(a.out, "w").write(text + "model %d\n" % (a.seed * a.seed))
S
cat >tool.py <<'S'
#!/usr/bin/python3
import sys
open(sys.argv[2], "w").write(open(sys.argv[1]).read().upper())
S
chmod +x train.py tool.py step.sh
echo hello >a.txt
cat >static.c <<'S'
#include <stdio.h>
int main(int argc, char **argv)
{
	FILE *in = fopen(argv[1], "r"), *out = fopen(argv[2], "w");
	int c;

	if (argc < 3 || !in || !out)
		return 1;
	while ((c = getc(in)) != EOF)
		putc(c == 'l' ? 'L' : c, out);
	return fclose(out) != 0;
}
S
gcc -static -o static static.c || skip "no static libc"
cat >vfork.c <<'S'
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(void)
{
	char *one[] = { "sh", "step.sh", "--in", "a.txt", "--out", "v1", NULL };
	char *two[] = { "sh", "step.sh", "--in", "v1", "--out", "v2", NULL };
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(one[0], one);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return 1;
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, two, environ))
		return 2;
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 3;
}
S
gcc -o vforks vfork.c
cat >threads.c <<'S'
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static void *run(void *arg)
{
	char out[16];
	int status = 1;
	pid_t pid;

	snprintf(out, sizeof out, "t%d", *(int *)arg);
	pid = fork();
	if (pid == 0) {
		execlp("sh", "sh", "step.sh", "--in", "a.txt", "--out", out, (char *)0);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status ? arg : NULL;
}
int main(void)
{
	pthread_t t[8];
	int n[8], bad = 0;
	void *r;

	for (int i = 0; i < 8; i++)
		n[i] = i, pthread_create(&t[i], NULL, run, &n[i]);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], &r), bad |= r != NULL;
	return bad;
}
S
gcc -pthread -o threads threads.c
mkdir "$work/elsewhere"
echo out there >"$work/elsewhere/x"
cd "$work" || exit 1

# What a folder holds, gg's own things apart: names, kinds, modes, bytes.
tree_of()
{
	(cd "$1" && find . -name .gg -prune -o ! -name . -printf '%P %y %m %l\n' | sort &&
		find . -name .gg -prune -o -type f -print0 | sort -z | xargs -0 sha256sum)
}

# same PROMISE N SCRIPT COMMAND...: SCRIPT is s in both projects; COMMAND, run
# plainly in one and by gg run in the other, leaves, prints and ends alike,
# and N of its steps were thunks.
same()
{
	local promise=$1 n=$2 text=$3

	shift 3
	rm -rf plain gg
	cp -a seed plain
	printf '%s' "$text" >plain/s
	chmod +x plain/s
	cp -a plain gg
	(cd gg && "$GG" init >/dev/null)
	check "$promise" both "$n" "$@"
}

both()
{
	local n=$1 rc_plain rc_gg want_rc

	shift
	(cd plain && "$@") >plain.out 2>plain.err </dev/null
	rc_plain=$?
	(cd gg && "$GG" run "$@") >gg.all 2>gg.err </dev/null
	rc_gg=$?
	sed '$d' gg.all >gg.out
	[ $rc_plain = 0 ] && want_rc=0 || want_rc=1
	tree_of plain >plain.tree
	tree_of gg >gg.tree
	diff plain.tree gg.tree && diff plain.out gg.out && [ $rc_gg = $want_rc ] &&
		case $(tail -1 gg.all) in "forced $n, "*) true ;; *) false ;; esac &&
		return 0
	echo "plain ended with $rc_plain, gg with $rc_gg"
	tail -n 5 gg.all gg.err
	return 1
}

two='sh step.sh --in a.txt --out b.txt --mode x
sh step.sh --in b.txt --out c.txt --mode y
'
for sh in sh dash bash; do
	same "$sh runs a script" 2 "$two" $sh ./s
done
same "a program by its absolute path" 2 '#!/bin/sh
/bin/sh step.sh --in a.txt --out b.txt
/usr/bin/env python3 train.py --seed 3 --data b.txt --out m
' ./s
same "a #!/usr/bin/env python3 script, executed itself" 2 '#!/bin/sh
./train.py --seed 3 --out m3
./train.py --seed=4 --data m3 --out m4
' ./s
same "a #!/usr/bin/python3 script, executed itself" 1 '#!/bin/sh
./tool.py a.txt up
' ./s
same "a #! script by its absolute path and from another folder" 2 '#!/bin/sh
mkdir d && cd d
../train.py --seed 2 --out m
"$PWD/../tool.py" ../a.txt up
' ./s
same "env, nice, timeout, nohup, time, exec" 7 '#!/bin/bash
env X=1 sh step.sh --in a.txt --out 1
nice sh step.sh --in a.txt --out 2
timeout 100 sh step.sh --in a.txt --out 3
nohup sh step.sh --in a.txt --out 4 2>/dev/null
TIMEFORMAT=; time sh step.sh --in a.txt --out 5
setsid -w sh step.sh --in a.txt --out 6
exec sh step.sh --in 1 --out 7
' ./s
same "background jobs and wait" 4 '#!/bin/sh
for i in 1 2 3; do sh step.sh --in a.txt --out b$i --mode $i & done
wait
cat b1 b2 b3 >all
sh step.sh --in all --out z
' ./s
same "the status of a background job" 1 '#!/bin/bash
sh step.sh --in a.txt --out b & p=$!
wait $p; echo "$?" >rc
false & wait $!; echo "$?" >>rc
' ./s
same "make -j" 6 'all: $(addsuffix .o,1 2 3 4 5)
	sh step.sh --in 1.o --out all
%.o:
	sh step.sh --in a.txt --out $@ --mode $*
' make -s -j4 -f s
same "make -j, each with a spent pipe as input while another runs" 2 'all: hold 1 2
hold: ; @sleep 0.5
1 2: ; @sh step.sh --in a.txt --out $@ --mode $@
' make -s -j3 -f s
same "make -O, which prints each recipe in one piece" 3 'all: 1 2 3
1 2 3:
	sh step.sh --in a.txt --out $@ --mode $@
' make -s -j2 -O -f s
same "what make takes from a command by \$(shell)" 1 'X := $(shell sh both.sh a.txt b)
all:
	sh step.sh --in a.txt --out o --mode "$(X)"
' make -s -f s
same "recursive make with a job server" 6 'top:
	@+$(MAKE) -s -f s sub1
	@+$(MAKE) -s -f s sub2
sub1: 1 2 3
sub2: 4 5 6
1 2 3 4 5 6:
	@sh step.sh --in a.txt --out $@ --mode $@
' make -s -j3 -f s
same "xargs -P" 12 '#!/bin/sh
seq 12 | xargs -P4 -I{} sh step.sh --in a.txt --out x{} --mode {}
' ./s
same "find -exec" 3 '#!/bin/sh
mkdir d; touch d/1 d/2 d/3
find d -type f -exec sh step.sh --in {} --out {}.o \;
' ./s
if command -v ninja >/dev/null; then
	same "ninja" 4 '#!/bin/sh
cat >build.ninja <<E
rule step
  command = sh step.sh --in \$in --out \$out --mode n
rule say
  command = sh step.sh --in \$in --out \$out --mode n | cat; cat \$in
build o4: say o2
build o1: step a.txt
build o2: step o1
build o3: step a.txt
E
ninja -j3 >/dev/null && rm -f .ninja_log .ninja_deps
' ./s
fi
same "Python: run, Popen, call, os.system, spawn" 6 'import os, subprocess, sys
def step(out): return ["sh", "step.sh", "--in", "a.txt", "--out", out]
subprocess.run(step("1"), check=True)
p = [subprocess.Popen(step(o)) for o in ("2", "3")]
assert [x.wait() for x in p] == [0, 0]
assert subprocess.call(" ".join(step("4")), shell=True) == 0
assert os.system(" ".join(step("5"))) == 0
assert os.spawnvp(os.P_WAIT, "sh", step("6")) == 0
' python3 s
same "what Python captures is what the command prints" 0 'import subprocess
r = subprocess.run(["sh", "step.sh", "--in", "a.txt", "--out", "/dev/stdout", "--mode", "m"],
                   capture_output=True, text=True)
print(repr(r.stdout))
r = subprocess.run(["sh", "step.sh", "--in", "a.txt", "--out", "b"], capture_output=True)
print(r.returncode, open("b").read())
' python3 s
for how in fork spawn; do
	same "Python's multiprocessing: a pool by $how" 6 "import multiprocessing as mp, subprocess
def one(i):
    subprocess.run(['sh', 'step.sh', '--in', 'a.txt', '--out', 'p%d' % i, '--mode', str(i)], check=True)
    return i * i
if __name__ == '__main__':
    with mp.get_context('$how').Pool(3) as p:
        print(p.map(one, range(6)))
" python3 s
done
same "Python's threads that start commands" 8 'import subprocess
from concurrent.futures import ThreadPoolExecutor
def one(i):
    subprocess.run(["python3", "train.py", "--seed", str(i), "--out", "m%d" % i], check=True)
with ThreadPoolExecutor(4) as p: list(p.map(one, range(8)))
' python3 s
same "Perl" 2 'system("sh", "step.sh", "--in", "a.txt", "--out", "p1") == 0 or die;
system("sh step.sh --in p1 --out p2; true") == 0 or die;
print `cat p2`;
' perl s
same "vfork and posix_spawn" 2 '' ./vforks
same "threads that fork" 8 '' ./threads
same "a statically linked program" 2 '#!/bin/sh
./static a.txt s1
"$PWD/static" s1 s2
' ./s
same "cd, subshells, functions, here documents" 3 '#!/bin/sh
f() { sh ../step.sh --in ../a.txt --out "$1" --mode f; }
mkdir d; (cd d && f one; f "two words")
cat >conf <<E
from here
E
sh step.sh --in conf --out c
' ./s
same "xtrace, traps, set -e and pipefail" 3 '#!/bin/bash
set -euo pipefail
trap "echo bye >>log" EXIT
sh step.sh --in a.txt --out b | cat
cat b | tr a-z A-Z >up
sh step.sh --in up --out c
sh step.sh --in c --out d
' ./s
same "a status that is not 0" 1 '#!/bin/sh
sh step.sh --in a.txt --out b
exit 7
' ./s
check "is told in one line" grep -q "ended with exit status 7" gg.err
same "a script that dies by a signal" 1 '#!/bin/sh
sh step.sh --in a.txt --out b
kill -TERM $$
' ./s
check "is told by the signal's status" grep -q "ended with exit status 143" gg.err
same "traps run" 1 '#!/bin/sh
trap "echo got >trap" INT
kill -INT $$
sh step.sh --in a.txt --out b
' ./s
same "a pipe that closes early is quiet" 0 '#!/bin/sh
yes | head -1
seq 100000 | head -2
' ./s
check "no word of it on standard error" test ! -s gg.err
same "the rest of its own input" 3 '#!/bin/sh
while read -r name; do sh step.sh --in a.txt --out "o-$name" --mode "$name"; done <<E
one
two
three
E
' ./s
same "a loop that reads a file or a pipe" 4 '#!/bin/sh
printf "1\n2\n" >list
while read -r i; do sh step.sh --in a.txt --out f$i; done <list
cat list | while read -r i; do sh step.sh --in a.txt --out p$i; done
' ./s
same "a deep tree of processes" 1 '#!/bin/sh
n=${1:-40}
[ "$n" = 0 ] && exec sh step.sh --in a.txt --out deep
./s $((n - 1)); exit
' ./s
same "a daemon left behind ends first" 1 '#!/bin/sh
sh step.sh --in a.txt --out b
setsid sh -c "sleep 1; echo late >late" >/dev/null 2>&1 &
until [ -e late ]; do sleep 0.1; done
' ./s
same "outputs that are renamed, copied, linked, removed, appended to" 6 '#!/bin/sh
for i in 1 2 3 4 5 6; do sh step.sh --in a.txt --out o$i --mode $i; done
mv o1 moved; cp o2 copied; ln o3 hard; ln -s o4 soft; rm o5; echo more >>o6
mkdir tmp; sh step.sh --in a.txt --out tmp/x; mv tmp final
' ./s
same "an output written through a link" 0 '#!/bin/sh
mkdir run; ln -s run/result result; ln -s run folder
sh step.sh --in a.txt --out result
sh step.sh --in result --out folder/x
' ./s
same "inputs by way of links" 7 '#!/bin/sh
mkdir -p run sub; echo in run >run/x; ln -s run latest; ln -s run/x file; ln -s ../run sub/up
sh step.sh --in latest/x --out o1
sh step.sh --in file --out o2
sh step.sh --in sub/up/x --out o3
cd sub; sh ../step.sh --in up/x --out ../o4; sh ../step.sh --in up/../run/x --out ../o5; cd ..
sh step.sh --in a.txt --out run/y
sh step.sh --in latest/y --out o6
ln -s run/y made; sh step.sh --in made --out o7
ln -s .. sub/top; cd sub; sh top/step.sh --in top/a.txt --out o8
' ./s
same "data by way of links out of the project" 1 "#!/bin/sh
ln -s '$work/elsewhere' data
sh step.sh --in data/x --out o1
sh step.sh --in data/../data/x --out o2
" ./s
same "an output that is written again" 2 '#!/bin/sh
sh step.sh --in a.txt --out o --mode 1
cat o >seen
sh step.sh --in a.txt --out o --mode 2
' ./s
same "the same step twice" 1 '#!/bin/sh
sh step.sh --in a.txt --out o
sh step.sh --in a.txt --out o
' ./s
same "in place: reads what it writes" 3 '#!/bin/sh
cp a.txt acc
for i in 1 2 3; do sh step.sh --in acc --out acc2 --mode $i; mv acc2 acc; done
' ./s
same "two thousand commands" 2000 '#!/bin/sh
mkdir o; i=0
while [ $i -lt 2000 ]; do i=$((i + 1)); sh step.sh --in a.txt --out o/$i --mode $i; done
' ./s

for sh in dash bash; do
	same "$sh: output and errors sent to a log for the whole script" 0 "#!/bin/$sh
exec >log 2>&1
echo begin
sh both.sh a.txt b
sh step.sh --in b --out c
echo between
ls nowhere
sh both.sh c d
cat d
" ./s
	same "$sh: a log that is added to" 1 "#!/bin/$sh
echo first >log
exec >>log
sh both.sh a.txt b
sh step.sh --in b --out c >/dev/null
echo last
" ./s
done
same "process substitution, here strings, a coprocess" 1 '#!/bin/bash
sh step.sh --in <(echo hi) --out b
sh stdin.sh c <<<words
sh both.sh a.txt >(cat >/dev/null) >/dev/null
coproc sh both.sh a.txt d
cat <&"${COPROC[0]}"; wait
sh step.sh --in d --out e
' ./s
same "a folder with outputs, moved and then read" 3 '#!/bin/sh
mkdir tmp; for i in 1 2 3; do sh step.sh --in a.txt --out tmp/$i; done
mv tmp final; cat final/1; tar cf t.tar --mtime=@0 --owner=0 --group=0 final/2 && tar xOf t.tar && rm t.tar
cp -r final copy; cat copy/3
' ./s

# The script's own standard input.
cp -a seed in && cd in && "$GG" init >/dev/null
echo 'read -r x; sh step.sh --in a.txt --out b --mode "$x"' >s
from_pipe() { echo "$1" | "$GG" run sh s >/dev/null && [ "$(head -1 b)" = "$1" ]; }
from_file() { echo "$1" >in.txt && "$GG" run sh s <in.txt >/dev/null && [ "$(head -1 b)" = "$1" ]; }
check "standard input from a pipe" from_pipe one
check "from a pipe with other words" from_pipe two
check "standard input from a file" from_file three
check "from a file with other words" from_file fours
check "and with the first again" from_file three
step_file() { echo "$1" >in.txt && "$GG" run sh stdin.sh c <in.txt >/dev/null && [ "$(cat c)" = "$1" ]; }
step_pipe() { echo "$1" | "$GG" run sh stdin.sh c >/dev/null && [ "$(cat c)" = "$1" ]; }
check "standard input of the step itself, from a file" step_file five
check "from another" step_file six
check "standard input of the step itself, from a pipe" step_pipe seven
check "from another" step_pipe eight
mkfifo open.pipe; exec 8<>open.pipe
idle() { "$GG" run sh step.sh --in a.txt --out i <&8 >/dev/null 2>&1; says "not run again" 0 "$GG" run sh step.sh --in a.txt --out i <&8; }
check "a pipe that stays open and empty: nothing was read, and the next time is remembered" idle
check "then for every other input too" says "not run again" 0 "$GG" run sh step.sh --in a.txt --out i <a.txt
exec 8>&-
stopped() { local t=$SECONDS; timeout -s TERM 1 "$GG" run --fresh sh -c 'sh step.sh --in a.txt --out k; sleep 60; echo no >late'; [ $? = 124 ] && [ $((SECONDS - t)) -lt 50 ] && [ ! -e late ]; }
check "SIGTERM to gg ends the script" stopped
from_tty() { (sleep 1; echo "$1") | script -qec "'$GG' run --fresh sh s" /dev/null >/dev/null; [ "$(head -1 b)" = "$1" ]; }
command -v script >/dev/null && check "standard input from a terminal" from_tty four
cd ..

# gg inside gg.
cp -a seed nested && cd nested && "$GG" init >/dev/null
inner() { says "already watching" 1 "$GG" run --fresh sh -c "'$GG' run sh step.sh --in a.txt --out b"; }
check "gg run below gg run is refused in clear words" inner
force() { "$GG" run --fresh sh -c "sh step.sh --in a.txt --out b --mode q; '$GG' force b && cat b" >"$work/o" 2>&1; grep -q '^q$' "$work/o" && [ "$(head -1 b)" = q ]; }
check "gg force below gg run makes it real" force
plan
