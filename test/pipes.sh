#!/bin/bash
# pipes.sh - commands whose output somebody reads while the script runs: $(...),
# a pipe to another command, Python's capture_output.  They are steps like any,
# which are waited for: nothing that is read is another than plainly
. "$(dirname "$0")/lib.sh"

mkdir "$work/base" && cd "$work/base" || exit 1
cat >train.py <<'END'
# SEED OUT: a part on each stream, and a file
import sys
seed, out = sys.argv[1:3]
data = open("data.txt").read()
print("epoch 1 of", seed, "over", len(data), flush=True)
print("warned of", seed, file=sys.stderr)
if seed in open("bad").read().split():
    open(out, "w").write("half\n")
    print("diverged", flush=True)
    sys.exit(3)
print("loss", 1 / int(seed))
open(out, "w").write("model %s\n%s" % (seed, data))
END
cat >eval.py <<'END'
import sys
print(sum(len(open(f).read()) for f in sys.argv[1:]))
END
cat >long.py <<'END'
import sys
for i in range(int(sys.argv[1])):
    sys.stdout.write("%015d\n" % i)
open("long.done", "w").write(open("data.txt").read())
END
cat >shout.sh <<'END'
tr a-z A-Z <"$1"; echo "of $1" >&2
END
echo hello >data.txt
echo none >bad
cd "$work" || exit 1

tree_of()
{
	(cd "$1" && find . -path ./.gg -prune -o -type f -print | LC_ALL=C sort |
		while read -r f; do echo "== $f"; cat "$f"; done)
}

# alike COUNTS COMMAND...: in a copy of base what stands after it, and how it ends
# (0 or not), is as plainly; gg's last line has COUNTS.  again: as things are.
alike()
{
	rm -rf gg plain && cp -r base gg && cp -r base plain && (cd gg && "$GG" init >/dev/null)
	again "$@"
}

again()
{
	local counts=$1 rc_plain rc

	shift
	(cd plain && timeout 120 "$@") >plain.out 2>plain.err </dev/null
	rc_plain=$?
	(cd gg && timeout 300 "$GG" run $flags "$@") >gg.out 2>gg.err </dev/null
	rc=$?
	[ $rc_plain = 0 ] || rc_plain=1
	tree_of plain >plain.tree
	tree_of gg >gg.tree
	[ $rc = $rc_plain ] && diff -a plain.tree gg.tree && tail -1 gg.out | grep -q "^$counts" && return 0
	echo "plain ended with $rc_plain, gg with $rc"
	tail -n 20 gg.out gg.err
	return 1
}

script() { printf '%s\n' "$1" >base/s.sh; }
flags=

script 'mkdir -p logs "a b"
for s in 1 2 3 4; do python3 train.py $s m$s 2>&1 | tee logs/$s.log; done
for s in 1 2 3; do acc=$(python3 eval.py m$s data.txt) || exit 9; echo "$s $acc" >acc$s; done
python3 train.py 5 "a b/m 5" 2>err5 | grep loss >"a b/l"
python3 train.py 6 m6 2>&1 | tee "a b/6" copy6 | tail -1 >last6
sh shout.sh data.txt 2>/dev/null | cat >shout'
check "a sweep: logs, values and files are those of the plain script" alike "forced 7, cached 3, failed 0" sh s.sh
check "a second run does not run it again" again "forced 0, cached 10, failed 0" sh s.sh
check "for nothing has changed" grep -q "not run again" gg.err
flags=--fresh
check "--fresh: each text is replayed" again "forced 0, cached 10, failed 0" sh s.sh
flags=
echo 2 >>gg/m2x; echo 2 >>plain/m2x
echo "more" >>gg/data.txt; echo "more" >>plain/data.txt
check "after an edit what read it is made anew, and who read that reads the new" again "forced 10, cached 0, failed 0" sh s.sh
sed -i s/sum/0+sum/ gg/eval.py plain/eval.py
check "after an edit of one program only its steps are" again "forced 3, cached 7, failed 0" sh s.sh

script 'python3 train.py 1 m1 >o1 2>&1
for s in 2 3; do python3 train.py $s m$s 2>&1 | cat >o$s; done'
check "learned where it printed into a file, it is known where it prints into a pipe" alike "forced 2, cached 1, failed 0" sh s.sh

# Who reads what.
script 'import concurrent.futures as f, subprocess
def one(s):
    r = subprocess.run(["python3", "train.py", str(s), "m%d" % s], capture_output=True, text=True)
    return s, r.returncode, r.stdout, r.stderr
with f.ThreadPoolExecutor(8) as pool:
    open("said", "w").write(repr(sorted(pool.map(one, range(1, 13)))))
print(subprocess.check_output(["python3", "eval.py", "m1", "m2"]))
p = subprocess.Popen(["python3", "train.py", "20", "m20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
open("said2", "w").write(p.stderr.read() + p.stdout.read() + repr(p.wait()))'
check "Python's threads that capture both streams" alike "forced 0, cached 14, failed 0" /usr/bin/python3 s.sh
check "told of once" eval '[ $(grep -c "^gg: learned python3 train.py" gg.err) = 1 ]'
sed -i 's/[a-z.]* = subprocess.run/x = 1; &/' gg/s.sh plain/s.sh
check "and nothing of it is done again by another driver" again "forced 0, cached 14, failed 0" /usr/bin/python3 s.sh

script 'all: $(foreach s,1 2 3 4,l$(s))
l%:
	@python3 train.py $* m$* 2>/dev/null | tee $@ >/dev/null'
check "make -j" alike "forced 3, cached 1, failed 0" make -s -j4 -f s.sh
script 'seq 6 | xargs -P3 -I{} sh -c "python3 train.py {} m{} 2>&1 | tee l{} >/dev/null"'
check "xargs -P" alike "forced 5, cached 1, failed 0" sh s.sh
script 'python3 eval.py data.txt >e
cat <(python3 train.py 1 m1) <(python3 train.py 2 m2) >both; python3 train.py 3 m3 > >(tail -1 >t3); wait $!'
check "bash: what stands for a file, and a process of its own" alike "forced 2, cached 2, failed 0" bash s.sh

# How they end.
echo 2 >base/bad
script 'python3 train.py 1 m1 | tee l1
python3 train.py 2 m2 2>&1 | tee l2; echo "${PIPESTATUS[@]}" >p2
x=$(python3 train.py 2 n2 2>e2) || echo "$? $x" >no
if ! python3 train.py 2 o2 2>/dev/null | grep loss; then echo "no loss" >noloss; fi
set -eo pipefail
python3 train.py 3 m3 | cat >l3
python3 train.py 2 q2 2>&1 | tee q
echo not here >end'
check "what fails: its status and its text, ||, PIPESTATUS, set -e and pipefail" alike "forced 1, cached 1, failed 4" bash s.sh
check "the script is not run twice for that" eval '! grep "is run again" gg.err'
check "and fails again" again "forced 0, cached 2, failed 4" bash s.sh
echo none >gg/bad; echo none >plain/bad
check "until it does not" again "forced [0-9]*, cached 0, failed 0" bash s.sh
script 'import concurrent.futures as f, subprocess
def one(s):
    r = subprocess.run(["python3", "train.py", str(s), "m%d" % s], capture_output=True, text=True)
    return s, r.returncode, r.stdout, r.stderr
one(1)
with f.ThreadPoolExecutor(4) as pool:
    open("said", "w").write(repr(sorted(pool.map(one, range(1, 9)))))'
check "one of many threads hears of a failure, the others of none" eval '
	alike "forced 0, cached 7, failed 0" /usr/bin/python3 s.sh || { tail -1 gg.out; false; }'
echo none >base/bad

echo 2 >base/bad
script 'python3 train.py 1 m1 | cat >l1; python3 train.py 2 m2 2>/dev/null | cat >l; echo "$(python3 train.py 2 m3 2>/dev/null)" >v'
check "who does not ask how it ended is not told of it by gg either" alike "forced 0, cached 1, failed 2" sh s.sh
printf '3 5 8\n' >base/bad
script 'python3 train.py 1 m1 | cat >l
for s in 2 3 4 5 6 7 8 9 10; do (x=$(python3 train.py $s m$s 2>&1); echo "$? $x" >o$s) & done; wait'
check "of many at once those hear of a failure that fail, and no others" alike "forced 6, cached 1, failed 3" bash s.sh
echo none >base/bad

# Much, and readers that go.
script 'python3 long.py 2 | cat >w
python3 long.py 700000 | cksum >sum
python3 long.py 700000 | { sleep 0.2; head -c 100000 | cksum >part; cat | cksum >rest; }
python3 long.py 600000 | head -2 >two; echo ${PIPESTATUS[@]} >/dev/null
(yes | head -3) >y'
check "10 MB, slow readers, one that goes early, and yes" alike "forced 1, cached 2, failed 0" bash s.sh
check "and again" again "forced 0, cached 3, failed 0" bash s.sh

script 'import concurrent.futures as f, subprocess
def one(n):
    r = subprocess.run(["python3", "long.py", str(n)], capture_output=True)
    return r.returncode, len(r.stdout), len(r.stderr)
with f.ThreadPoolExecutor(4) as pool:
    open("said", "w").write(repr(list(pool.map(one, [2, 10000, 20000, 100000]))))'
sed -i '/long.done/d' base/long.py; echo 'open("data.txt").read()' >>base/long.py
check "who starts them does not wait for what it does not read yet: more than a pipe holds" alike "forced 0, cached [34], failed 0" /usr/bin/python3 s.sh
check "each time" eval 'flags=--fresh; again "forced 0, cached [34], failed 0" /usr/bin/python3 s.sh'

cat >base/slow.py <<'END'
import sys, time
open("data.txt").read()
print("begin", flush=True)
time.sleep(float(sys.argv[1]))
print("end")
END
script 'python3 slow.py 0.1 | cat >a; timeout 60 python3 slow.py 0.2 | cat >b
timeout 1 python3 slow.py 20 | cat >c; echo late >>c'
check "timeout ends what is read" alike "forced 0, cached 2, failed 0" sh s.sh
script 'import os, pty, subprocess
for s in "1", "2", "3":
    m, t = pty.openpty()
    with subprocess.Popen(["python3", "train.py", s, "m" + s], stdout=t) as p:
        os.close(t)
        said = b""
        try:
            while piece := os.read(m, 4096):
                said += piece
        except OSError:
            pass
    open("said" + s, "wb").write(said)'
check "what a terminal that it made itself shows is there to be read" alike "forced 0, cached 0, failed 0" /usr/bin/python3 s.sh

# What is no step.
script 'echo 5 | python3 eval.py data.txt | cat >a
t=$(python3 -c "import time; print(time.time_ns())"); u=$(python3 -c "import time; print(time.time_ns())")
[ "$t" != "$u" ] && echo other >t
python3 -c "print(1)" | tee one'
check "what reads nothing of the project is asked each time" alike "forced 0, cached 0, failed 0" sh s.sh
check "and who reads a pipe" eval 'grep "python3 eval.py runs for real: its standard input is a pipe" gg.err'

# What says another thing each time, what never ends, and what prints elsewhere too.
cat >base/nth.py <<'END'
import time
open("data.txt").read()
print(time.time_ns())
END
cat >base/endless.py <<'END'
import os, sys
text = open("data.txt").read()
try:
    while True:
        print(text, sys.argv[1])
except BrokenPipeError:
    os._exit(0)
END
cat >base/three.py <<'END'
import os, sys
print("out", sys.argv[1], len(open("data.txt").read()), flush=True)
os.write(3, b"three\n")
END
script 't=$(python3 nth.py); u=$(python3 nth.py); v=$(python3 nth.py)
[ "$t" != "$u" ] && [ "$u" != "$v" ] && echo other >t'
check "who asks again what only prints wants to hear what is true now" alike "forced 0, cached 1, failed 0" sh s.sh
script 'for i in 1 2; do python3 endless.py $i | head -2 >o$i; done'
check "what prints until its reader leaves is not learned" alike "forced 0, cached 0, failed 0" timeout 60 sh s.sh
script 'for i in 1 2 3; do python3 three.py $i 3>&1 | cat >o$i; done'
check "nor what prints into another pipe as well" alike "forced 0, cached 0, failed 0" sh s.sh

# A model that said too little.
cat >base/more.py <<'END'
import sys
text = open("data.txt").read()
if sys.argv[1] == "3":
    text += open("extra.txt").read()
print(sys.argv[1], len(text))
END
echo extra >base/extra.txt
script 'for s in 1 2 3 4; do x=$(python3 more.py $s); echo "$x" >o$s; done'
check "a step that asks for more than its model says runs for real while it is waited for" alike "forced 2, cached 2, failed 0" sh s.sh
check "which is said, and the script is not run again for it" eval '
	grep "python3 more.py 3 asked for extra.txt" gg.err && ! grep "is run again" gg.err'

# Each writes whole lines, into a pipe that is full most of the time.
cat >base/lines.py <<'END'
import os, sys
for i in range(2000): os.write(1, (sys.argv[1] * 60 + "\n").encode())
END
script 'python3 lines.py 1 | cat >first
(for i in 2 3 4; do python3 lines.py $i & done; wait) | (sleep 0.5; while IFS= read -r l; do echo "$l"; done) | sort | uniq -c >lines'
check "lines of those that print into one pipe side by side stay whole" alike "forced 3, cached 1, failed 0" sh s.sh
check "of known ones too" again "forced 0, cached 4, failed 0" sh s.sh --fresh

# Killed in the middle.
script 'python3 long.py 2 | cat >w; python3 long.py 900000 | { read x; echo "$x" >begun; sleep 100; cat; } >never'
rm -rf gg && cp -r base gg && cd gg && "$GG" init >/dev/null
"$GG" run sh s.sh >../killed 2>&1 &
gg=$!
for i in $(seq 600); do [ -s begun ] && break; sleep 0.1; done
check "a reader that has begun" test -s begun
kill -KILL $gg; wait $gg 2>/dev/null
# By its working folder: nothing of it may be left there.
lives() { for p in /proc/[0-9]*; do [ "$(readlink "$p/cwd")" = "$PWD" ] && [ "$p" != "/proc/$$" ] && [ "$p" != "/proc/$BASHPID" ] && return 0; done; return 1; }
for i in $(seq 600); do lives || break; sleep 0.1; done
check "gg killed while it prints leaves nothing running" eval '! lives'
sed -i 's/sleep 100; //' s.sh
check "and the next run is right" eval '"$GG" run sh s.sh >../killed 2>&1 && [ $(wc -l <never) = 899999 ]'
cd "$work" || exit 1

script 'x=$(python3 eval.py data.txt); echo "$x" >x; python3 train.py 1 m1 2>/dev/null | cat; echo visible'
rm -rf gg && cp -r base gg && cd gg && "$GG" init >/dev/null
check "--json: standard output is events alone" eval '
	"$GG" run --json sh s.sh >../json 2>../err && /usr/bin/python3 -c "
import json, sys
for l in open(\"../json\"): json.loads(l)" && grep -q visible ../err && grep -q "epoch 1 of 1" ../err'
plan
