#!/bin/bash
# learn.sh - gg run in a folder without models: one command runs, the rest are deferred
. "$(dirname "$0")/lib.sh"

# A trainer that says on fd 9 each time that it runs for real.
begin()
{
	cd "$work" && chmod -R u+w p 2>/dev/null
	rm -rf p && project p
	cat >train.py <<'P'
import argparse, json, os, sys
from common import load
p = argparse.ArgumentParser()
p.add_argument('--seed', type=int, default=0)
p.add_argument('--lr', type=float, default=0.1)
p.add_argument('--out')
p.add_argument('--data', default='data.csv')
p.add_argument('--extra')
a = p.parse_args()
d = load(a.data)
if a.extra:
    d += load(a.extra)
os.makedirs(os.path.dirname(a.out) or '.', exist_ok=True)
json.dump({'seed': a.seed, 'lr': a.lr, 'sum': sum(d) * a.seed}, open(a.out, 'w'))
P
	echo 'def load(p): return [float(x) for x in open(p)]' >common.py
	seq 10 >data.csv
	cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for s in 1 2 3 4 5; do python3 train.py --seed $s --out out/m$s.json; done
S
	chmod +x sweep.sh
}

# The same outputs as the plain script gives elsewhere.
as_plain()
{
	local plain=$work/plain

	rm -rf "$plain" && mkdir "$plain" && cp -- *.py *.csv *.sh "$plain" 2>/dev/null
	(cd "$plain" && ./sweep.sh >/dev/null 2>&1)
	diff -r "$plain/out" out
}

inferred() { says "$1" 0 "$GG" infer --learn ./sweep.sh; }
placeholders() { [ "$(grep -rl '^gg-placeholder' out | wc -l)" = "$1" ]; }

# ---- the ordinary way

begin
check "of five commands one runs, four are deferred" inferred "deferred 4, run for real 2, learned from 1"
check "the one that ran left its file, the others placeholders" placeholders 4
check "gg run makes the rest" counts 4 1 0 "$GG" run ./sweep.sh
check "and all is as without gg" as_plain
check "again: nothing is to be done" counts 0 5 0 "$GG" run ./sweep.sh
check "nor when the script does run" counts 0 5 0 "$GG" run --fresh ./sweep.sh
seq 11 >data.csv
check "an input that no argument names has changed: all again" counts 5 0 0 "$GG" run --fresh ./sweep.sh
check "and as without gg" as_plain
check "gg models says what is known, and that it held" \
	says "held 9, asked for more 0" 0 "$GG" models 'python3 train.py'
check "gg models --json too" sh -c '"$0" models --json | python3 -c "
import json, sys
m = [r for r in json.load(sys.stdin) if r.get(\"shape\") == \"python3 train.py\"]
assert len(m) == 1 and m[0][\"from\"] == \"learned\" and m[0][\"held\"] == 9"' "$GG"

# ---- gg.models

check "gg models --write puts it into gg.models" says "gg.models: 1 model added" 0 "$GG" models --write
check "and not twice" says "0 models added" 0 "$GG" models --write
check "where it is in force" sh -c '"$0" infer --fresh --explain ./sweep.sh 2>&1 | grep -q "gg.models:.*matched"' "$GG"
check "a learned one is forgotten on request" "$GG" models --forget 'python3 train.py'
check "and once only" says "nothing was learned" 2 "$GG" models --forget 'python3 train.py'

# ---- one line of what was understood

begin
check "what was learned is said in one line" \
	says "learned python3 train.py: reads common.py, data.csv, train.py; writes out/m1.json" \
	0 "$GG" run ./sweep.sh
begin
check "--no-learn: all run for real" says "deferred 0, run for real 7" 0 "$GG" infer --no-learn ./sweep.sh
check "gg infer learns only if it is asked to" says "deferred 0, run for real 7" 0 "$GG" infer --fresh ./sweep.sh

begin
check "gg learn prints the model" says "python3 train.py --seed=@ --out=@out" 0 \
	"$GG" learn -- python3 train.py --seed 1 --out out/m1.json
check "which is then known, and the result kept" counts 4 1 0 "$GG" run ./sweep.sh
begin
check "gg learn says what keeps a command from being deferred" says "must run for real" 0 \
	"$GG" learn -- python3 -c 'import socket; s = socket.socket()
s.connect_ex(("127.0.0.1", 9)); open("x", "w").write("1")'
check "and ends with the command's own status" says "did not end well" 7 \
	"$GG" learn -- python3 -c 'open("x", "w"); raise SystemExit(7)'

# ---- a shape is met in another way

begin
cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
python3 train.py --seed 1 --out out/m1.json
python3 train.py --seed 2 --out out/m2.json
python3 train.py --seed 3 --lr 0.5 --out out/m3.json
python3 train.py --seed 4 --lr 0.7 --out out/m4.json
python3 train.py --seed 5 --out out/m5.json --extra more.csv
python3 train.py --seed 6 --out out/m6.json --extra more.csv --lr 2
S
seq 5 >more.csv
check "a new option is studied, and merged" inferred "deferred 3, run for real 2, learned from 3"
check "all of that is made" "$GG" run ./sweep.sh
check "as without gg" as_plain

# ---- a step asks for what nobody knew of

asks()
{
	begin
	sed -i 's/^json/if a.seed > 2: d += load("special.csv")\n&/' train.py
	seq 3 >special.csv
	echo 'python3 sum.py out total' >>sweep.sh
	cat >sum.py <<'P'
import json, os, sys
v = [json.load(open(os.path.join(sys.argv[1], 'm%d.json' % i)))['sum'] for i in range(1, 6)]
open('out/' + sys.argv[2], 'w').write(str(sum(v)))
P
}
asks
check "a step asks for a file that its model does not name: learned again, and right" \
	eval '"$GG" run ./sweep.sh && as_plain'
check "its model names that file now" says "special.csv" 0 "$GG" models 'python3 train.py'
check "and what depends on it is right when it changes" \
	eval 'seq 4 >special.csv; "$GG" run ./sweep.sh && as_plain'
check "again there is nothing to do" counts 0 6 0 "$GG" run ./sweep.sh
asks
"$GG" infer --learn ./sweep.sh >/dev/null 2>&1
check "the same when the script is remembered" eval '"$GG" run ./sweep.sh && as_plain'
asks
sed -i '$d' sweep.sh
"$GG" infer --learn ./sweep.sh >/dev/null 2>&1
check "gg force, which knows no script, says what to do" \
	says "gg run of the script" 1 "$GG" force out
check "and gg run does it" eval '"$GG" run ./sweep.sh && as_plain'
asks
sed -i 's/^json/if a.seed == 4: sys.exit(9)\n&/' train.py
sed -i 's/; done/ || exit; done/; $d' sweep.sh
check "a step that then fails for real is a failure, told once" \
	says "failed 1," 1 "$GG" run ./sweep.sh

# ---- what must not be deferred

# /tmp would be passing.
outside=$(mktemp -d "$HOME/gg-test.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" "$outside"' EXIT
must_run()
{
	begin
	printf '%s\n' "$2" >job.py
	ln -s out l
	cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for s in 1 2 3; do python3 job.py $s || exit; done
S
	says "$1" 0 "$GG" infer --learn ./sweep.sh && grep -q "^deferred 0, run for real 5$" "$work/.log" &&
		"$GG" infer --learn --fresh ./sweep.sh && ! grep -q learned "$work/.log"
}
check "a command that uses the network runs for real" must_run "it connects to 127.0.0.1:9" \
'import socket, sys
s = socket.socket(); s.settimeout(1); s.connect_ex(("127.0.0.1", 9))
open("out/%s" % sys.argv[1], "w").write("x")'
check "one that sends a datagram without connecting first" must_run "a socket for datagrams" \
'import socket, sys
socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", 9))
open("out/%s" % sys.argv[1], "w").write("x")'
check "one that signals others too" must_run "it sends a signal" \
'import os, sys
os.kill(os.getppid(), 0)
open("out/%s" % sys.argv[1], "w").write("x")'
check "one that writes outside the project" must_run "outside the project" \
"import sys
open('$outside/x', 'a').write('x')
open('out/%s' % sys.argv[1], 'w').write('x')"
check "one that asks where a link leads" must_run "asks where the link" \
'import os, sys
os.readlink("l")
open("out/%s" % sys.argv[1], "w").write("x")'

given()
{
	begin
	printf '#!/bin/sh\nmkdir -p out\nexec 7>>log\nfor s in 1 2; do python3 job.py $s; done\n' >sweep.sh
	echo 'import os, sys
os.write(7, b"x"); open("out/%s" % sys.argv[1], "w").write("x")' >job.py
	says "it writes log, which it was given open" 0 "$GG" infer --learn ./sweep.sh &&
		[ "$(cat log)" = xx ]
}
check "one that writes what the script had opened for it" given
terminal()
{
	begin
	printf '#!/bin/sh\nmkdir -p out\nfor s in 1 2; do python3 job.py $s; done\n' >sweep.sh
	echo 'import sys
open("out/%s" % sys.argv[1], "w").write(input())' >job.py
	(sleep 1; echo a; sleep 1; echo b) | script -qec "$GG infer --learn ./sweep.sh" /dev/null >"$work/.log" 2>&1
	grep -q "asks a person" "$work/.log" && [ "$(cat out/1 out/2)" = ab ]
}
check "one that asks a person at the terminal" terminal
own_server()
{
	begin
	cat >train.py <<'P'
import socket, sys, threading
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()
def answer():
    c, _ = l.accept(); c.send(b'hello'); c.close()
threading.Thread(target=answer).start()
s = socket.create_connection(l.getsockname())
open(sys.argv[sys.argv.index('--out') + 1], 'wb').write(s.recv(9))
P
	inferred "deferred 4, run for real 2, learned from 1" && counts 4 1 0 "$GG" run ./sweep.sh
}
check "talking to itself alone is nobody's affair" own_server

# ---- failures teach nothing

begin
sed -i 's/^d = load/if a.seed < 4: sys.exit(3)\n&/' train.py
sed -i 's/; done/ || true; done/' sweep.sh
check "who fails teaches nothing, the first who does not does" \
	inferred "deferred 1, run for real 5, learned from 1"
begin
sed -i 's/^d = load/if a.seed == 1: os.kill(os.getpid(), 9)\n&/' train.py
check "nor does who is killed" inferred "deferred 3, run for real 3, learned from 1"

killed()
{
	local pid

	begin
	echo 'import time; open("started", "w"); time.sleep(60)' >>common.py
	setsid "$GG" run ./sweep.sh >/dev/null 2>&1 &
	pid=$!
	until_true 60 test -e started
	kill -9 $pid
	wait $pid 2>/dev/null
	sed -i 2d common.py
	! "$GG" models | grep -q 'train.py' && nothing_temporary && counts 4 1 0 "$GG" run ./sweep.sh
}
check "kill -9 of gg teaches nothing and leaves nothing" killed

# In a name space of its own, whose first process lives on, below a /proc that
# shows the outer one: what the command left is found under other numbers.
outer_proc()
{
	local rc=0

	begin
	printf 'setsid sleep 1000.%s &\nsetsid sleep 1000.%s\n' $$ $$ >nap.sh
	mkfifo lives
	unshare --pid --fork sh -c '"$0" infer sh nap.sh >/dev/null 2>&1 & cat lives; kill -9 $!; cat lives' "$GG" >/dev/null 2>&1 &
	all_sleep 1000.$$ 2 || rc=1
	timeout 60 sh -c ': >lives'
	until_true 60 eval '[ "$(sleepers 1000.$$)" = 0 ]' || rc=1
	timeout 60 sh -c ': >lives'
	wait $!
	wake 1000.$$
	return $rc
}
if unshare --pid --fork true 2>/dev/null; then
	check "so it does where /proc shows other numbers" outer_proc
fi

# ---- at once

begin
sed -i 's/; do python3 \(.*\); done/; do python3 \1 \& done; wait/' sweep.sh
check "of five at once one runs, and four wait" inferred "deferred 4, run for real 2, learned from 1"
check "and come out right" eval 'counts 4 1 0 "$GG" run ./sweep.sh && as_plain'
begin
printf '#!/bin/sh\nmkdir -p out\nseq 5 | xargs -P 4 -I{} python3 train.py --seed {} --out out/m{}.json\n' >sweep.sh
check "the same from xargs -P" inferred "deferred 4, run for real 4, learned from 1"
check "with the right bytes" eval 'counts 4 1 0 "$GG" run ./sweep.sh && as_plain'

# The first waits for what the second makes: it is let go after a while.
waits()
{
	begin
	cat >train.py <<'P'
import os, sys, time
seed = int(sys.argv[2])
open('out/ready%d' % seed, 'w').close()
while not os.path.exists('out/ready%d' % (3 - seed)): time.sleep(0.01)
open('out/m%d.json' % seed, 'w').write('x')
P
	printf '#!/bin/sh\nmkdir -p out\nfor s in 1 2; do python3 train.py --seed $s & done; wait\n' >sweep.sh
	timeout 200 "$GG" infer --learn ./sweep.sh && [ -s out/m1.json ] && [ -s out/m2.json ]
}
check "who waits for one that waits for it is no deadlock" waits
locks()
{
	begin
	printf '#!/bin/sh\nmkdir -p out; mkfifo f\npython3 train.py 1 & python3 train.py 2 & wait\n' >sweep.sh
	echo 'import sys
open("f", "r" if sys.argv[1] == "1" else "w").close(); open("out/" + sys.argv[1], "w").write("x")' >train.py
	timeout 200 "$GG" infer --learn ./sweep.sh && [ -s out/1 ] && [ -s out/2 ]
}
check "nor are two that meet at a pipe" locks

# ---- commands that start commands

begin
cat >all.py <<'P'
import subprocess, sys
for s in range(1, 6):
    subprocess.check_call([sys.executable, 'train.py', '--seed', str(s), '--out', 'out/m%d.json' % s])
P
printf '#!/bin/sh\nmkdir -p out\npython3 all.py\n' >sweep.sh
check "who starts steps is no step: they are learned from" \
	inferred "deferred 4, run for real 3, learned from 1"
begin
sed -i 's/python3 train/env X=1 nice python3 train/' sweep.sh
check "wrappers are seen through" inferred "deferred 4, run for real 12, learned from 1"
begin
sed -i 's/python3 train.py/.\/train.py/' sweep.sh
sed -i '1i #!/usr/bin/python3' train.py && chmod +x train.py
check "and so is #!" inferred "deferred 4, run for real 2, learned from 1"

begin
mkdir out
single() { "$GG" run python3 train.py --seed "$1" --out "out/s$1.json" 2>&1 | tail -1; }
check "a single command given to gg run is learned too" \
	[ "$(single 1 | cut -d, -f1-2)" = 'forced 0, cached 1' ]
check "and the next one is a step" [ "$(single 2 | cut -d, -f1-2)" = 'forced 1, cached 0' ]

begin
rm -rf .gg
check "a folder that never heard of gg is made a project" \
	sh -c "'$GG' run ./sweep.sh && [ -d .gg ] && [ \"\$(cat .gg/.gitignore)\" = '*' ]"
check "only where a script is run" sh -c "mkdir -p ../none && cd ../none && ! '$GG' status && ! [ -e .gg ]"

plan
