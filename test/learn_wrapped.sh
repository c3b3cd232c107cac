#!/bin/bash
# learn_wrapped.sh - commands around the trainer: nice, env, uv run, a script's own dispatch; what outlives it
. "$(dirname "$0")/lib.sh"

# begin: a fresh project whose files come on standard input as a shell script,
# and beside it ../plain, where its sweep.sh has run without gg.
begin()
{
	cd "$work" && rm -rf p plain && mkdir p && cd p || exit
	cat >fit.py <<'P'
import os, sys
open('o' + sys.argv[1], 'w').write(sys.argv[1] + os.environ.get('X', '') + open('cfg').read())
print('fit', sys.argv[1])
P
	cat >test.py <<'P'
import sys
open('t' + sys.argv[1], 'w').write(open('o' + sys.argv[1]).read()[:3])
P
	echo 'open("cfg", "w").write("cfg")' >prep.py
	bash -s
	cp -r . ../plain
	(cd ../plain && bash sweep.sh >/dev/null 2>&1 </dev/null)
	"$GG" init >/dev/null
}

as_plain() { diff -r --exclude=.gg --exclude=__pycache__ ../plain .; }

begin <<'B'
cat >sweep.sh <<'S'
python3 prep.py
nice -n 5 python3 fit.py 1
nice -n 5 python3 fit.py 2
env -i PATH=/usr/bin LC_ALL=C.UTF-8 X=y python3 fit.py 3
env X=z python3 fit.py 4
timeout 60 python3 fit.py 5
time python3 fit.py 6
stdbuf -oL python3 fit.py 7 >log7
bash -c "exec python3 fit.py 8"
bash -c 'exec "$@"' x python3 fit.py 9
setsid -w python3 fit.py 10
nohup python3 fit.py 11 >log11 2>&1
chrt -b 0 python3 fit.py 12
ionice -c 3 python3 fit.py 13
prlimit --nofile=512 python3 fit.py 14
flock lock python3 fit.py 15
echo 16 17 | xargs -n1 python3 fit.py
(set -a; X=w; . ./dotenv; python3 fit.py 18)
cat o* >all
S
echo Y=1 >dotenv
B
check "what starts a command and no more is seen through" says "failed 0," 0 "$GG" run bash sweep.sh
check "and the files are those of a plain run" as_plain
check "nothing is made again" counts 0 19 0 "$GG" run --fresh bash sweep.sh

# through HOW: a sweep whose commands all go through ./uv, made by standard input.
through()
{
	local how=$1

	begin < <(cat; echo 'chmod +x uv; cat >sweep.sh <<"S"
./uv run python3 prep.py
for i in 1 2 3 4; do ./uv run python3 fit.py $i; ./uv run python3 test.py $i; done
cat t* >all
S')
	check "$how: each script is a command of its own" says "failed 0," 0 "$GG" run bash sweep.sh
	check "$how: the files are those of a plain run" as_plain
	check "$how: nothing is made again" counts 0 9 0 "$GG" run --fresh bash sweep.sh
	check "$how: nor is a command run for real" eval '! grep -q learned "$work/.log"'
}

through "a wrapper in sh that becomes its command" <<'B'
printf '%s\n' '#!/bin/sh' shift 'export VIRTUAL_ENV=$PWD/.venv PATH=$PWD/.venv/bin:$PATH' \
	'exec "$@"' >uv
B
through "one in Python that starts and awaits it" <<'B'
cat >uv <<'P'
#!/usr/bin/env python3
import os, subprocess, sys
os.environ['VIRTUAL_ENV'] = os.getcwd() + '/.venv'
sys.exit(subprocess.call(sys.argv[2:]))
P
B
begin <<'B'
echo 1 >cfg
printf '%s\n' '#!/bin/sh' shift 'exec python3 "$@"' >uv
mkdir bin own
touch own/__init__.py
sed 's/^/    /; 1i def main():' fit.py >own/cli.py
printf '%s\n' '#!/usr/bin/python3' 'import sys' 'sys.path.insert(0, ".")' \
	'from own.cli import main' 'main()' >bin/fit
chmod +x uv bin/fit
echo 'for i in 1 2 3; do ./uv run fit.py $i; done; ./uv run test.py 2
for i in 4 5 6; do bin/fit $i; done; cat o? >all' >sweep.sh
B
check "a wrapper that knows the interpreter, a console script" counts 4 3 0 "$GG" run bash sweep.sh
check "each with the files of a plain run" as_plain
check "and nothing is run again" counts 0 7 0 "$GG" run --fresh bash sweep.sh
check "for real either" eval '! grep -q learned "$work/.log"'

begin <<'B'
cat >tool <<'P'
#!/usr/bin/env python3
import sys
what, i = sys.argv[1:]
if what == 'train': open('o' + i, 'w').write(i * 10)
else: open('t' + i, 'w').write(open('o' + i).read()[:3])
P
chmod +x tool
echo 'for i in 1 2 3 4; do ./tool train $i; done; for i in 4 3 2 1; do ./tool test $i; done
cat t* >all' >sweep.sh
B
check "trades of one script, learned again on the way" says "failed 0," 0 "$GG" run bash sweep.sh
check "give what they give without gg" as_plain
check "and are known by then" counts 0 8 0 "$GG" run --fresh bash sweep.sh

begin <<'B'
echo 'echo $1 >o$1' >fit.sh
echo 'for i in $(seq 40); do sh fit.sh $i; done; cat o? o?? >all' >sweep.sh
B
check "who reads many results one after another is given all of them" \
	counts 39 1 0 timeout 300 "$GG" run bash sweep.sh
check "as they are" as_plain

if parallel --version 2>/dev/null | grep -q '^GNU parallel'; then
	begin <<'B'
echo 1 >cfg
printf '%s\n' 'parallel -j2 python3 fit.py {}{} ::: 1 2 3' 'cat o* >all' >sweep.sh
B
	check "GNU parallel may start them, though it gathers what they print" \
		counts 2 1 0 "$GG" run bash sweep.sh
	check "with the files of a plain run" as_plain
	check "and the same steps the next time" counts 0 3 0 "$GG" run --fresh bash sweep.sh
fi

begin <<'B'
printf '%s\n' '#include <stdio.h>' 'int main(int c, char **v) {' \
	'FILE *f = fopen(v[c - 1], "w"); return f && fprintf(f, "by %s\n", v[0]) < 0; }' >calc.c
printf '%s\n' 'set -e; gcc -o calc calc.c' 'for i in 1 2 3; do ./calc o$i; done; cat o* >all' >sweep.sh
B
check "a trainer that the script compiles first is made, then learned" \
	counts 3 1 0 "$GG" run bash sweep.sh
check "with the files of a plain run" as_plain
sed -i 's/by/for/' calc.c
check "and those follow its text" counts 4 0 0 "$GG" run bash sweep.sh

# ---- names that are chance

begin <<'B'
echo 'import sys; open(sys.argv[2], "w").write(open(sys.argv[1]).read() * 2)' >fit.py
echo 'import sys; open(sys.argv[2], "w").write(sys.argv[1])' >tell.py
seq 5 >data
cat >sweep.sh <<'S'
set -eu
tmp=$(mktemp -d)
part=$(mktemp --suffix=.csv)
trap 'rm -r "$tmp" "$part" /tmp/half.$$' EXIT
sort -r data >$tmp/sorted
head -2 data >$part
tail -2 data >/tmp/half.$$
for i in 1 2; do
	python3 fit.py $tmp/sorted o$i; python3 fit.py $part p$i; python3 fit.py /tmp/half.$$ q$i
done
S
cat >names.sh <<'S'
part=$(mktemp)
echo word >$part
for i in 1 2 3; do python3 tell.py $part t$i; done
cat $(cat t1) $(cat t2) $(cat t3) >words
rm $part
S
B
check "steps that read what mktemp made, or what has the script's number in its name" \
	counts 5 1 0 "$GG" run bash sweep.sh
check "give what they give without gg" as_plain
check "and are the same ones under tomorrow's names" counts 0 6 0 "$GG" run --fresh bash sweep.sh
echo 6 >>data
check "but not with other content" counts 4 2 0 "$GG" run bash sweep.sh
check "who writes such a name down is given the real one" \
	eval '"$GG" run bash names.sh && [ "$(sort -u words | tr "\n" " ")" = "word " ] && [ $(wc -l <words) = 3 ]'

# ---- ended, mended and run again

begin <<'B'
cat >fit.py <<'P'
import os, sys, time
with open('o' + sys.argv[1], 'w') as f:
    f.write('half ')
    f.flush()
    if os.path.exists('slow'):
        open('begun', 'w')
        time.sleep(300)
    f.write('whole ' + sys.argv[1])
P
echo 'set -e; for i in 1 2 3 4; do python3 fit.py $i; done; cat o? >all' >sweep.sh
B
ended()
{
	local p

	touch slow
	set -m
	"$GG" run bash sweep.sh >"$work/.log" 2>&1 </dev/null &
	p=$!
	set +m
	until_true 120 test -e begun && kill -INT -- "-$p"
	! wait $p && ! "$GG" models | grep fit.py
}
check "Ctrl-C while a command is learned from teaches nothing" ended
rm -f slow begun
check "then all is made" counts 3 1 0 "$GG" run bash sweep.sh
check "as without gg" as_plain
sed -i '1a if sys.argv[1] == "3": sys.exit("three")' fit.py ../plain/fit.py
rm -f o? ../plain/o? all ../plain/all
check "a step in the middle fails: so does the script" says "three" 1 "$GG" run bash sweep.sh
(cd ../plain && bash sweep.sh >/dev/null 2>&1)
check "and has gone as far as without gg" as_plain
sed -i 2d fit.py ../plain/fit.py
(cd ../plain && bash sweep.sh)
check "mended: what had failed and what comes after it is made" counts 0 4 0 "$GG" run bash sweep.sh
check "and right" as_plain
echo 'python3 - x <<P
open("streamed", "w")
P' >here.sh
check "a program in a here document: why it is not learned is said" \
	says "python3 - runs for real: its program comes on its standard input" 0 "$GG" run bash here.sh

# ---- what was refused once

begin <<'B'
cat >say.py <<'P'
import os, socket, sys
from own import report
if '--tell' in sys.argv or report:
    try: socket.create_connection(('127.0.0.1', 9), 1)
    except OSError: pass
open('o' + sys.argv[1], 'w').write(sys.argv[1])
P
echo 'report = True' >own.py
echo 'for i in 1 2 3; do python3 say.py $i $TELL; done' >sweep.sh
B
check "who talks to others runs for real, and one line says why" \
	says "python3 say.py runs for real: it connects to 127.0.0.1:9" 0 "$GG" run bash sweep.sh
check "each time" \
	says "python3 say.py runs for real: it connects to 127.0.0.1:9" 0 "$GG" run bash sweep.sh
echo 'report = False' >own.py
check "mended in a module of its: it is learned" counts 2 1 0 "$GG" run bash sweep.sh
check "with an option that brings it back it runs for real, alone" \
	says "say.py runs for real: it connects" 0 env TELL=--tell "$GG" run bash sweep.sh
check "and without that is still known" counts 0 3 0 "$GG" run --fresh bash sweep.sh

# ---- what a command leaves running

begin <<'B'
cat >later.py <<'P'
import subprocess, sys
i, quiet = sys.argv[1], subprocess.DEVNULL
open('o' + i, 'w').write('first ' + i)
subprocess.Popen(['sh', '-c', 'while ! [ -e go ]; do sleep 0.1; done; echo late >>o' + i],
                 stdin=quiet, stdout=quiet, stderr=quiet)
P
cat >pool.py <<'P'
import multiprocessing as mp, sys
def square(x): return x * x
if __name__ == '__main__':
    mp.set_start_method('spawn')
    pool = mp.Pool(2)
    open('p' + sys.argv[1], 'w').write(str(pool.map(square, range(3))))
P
cat >logs.sh <<'P'
exec > >(cat >log$1)
echo hello
echo $1 >l$1
P
cat >sweep.sh <<'S'
rm -f log1 log2
for i in 1 2; do python3 later.py $i; done
touch go
for i in 1 2; do until grep -q late o$i; do sleep 0.1; done; done
for i in 1 2; do python3 pool.py $i; bash logs.sh $i; done
for i in 1 2; do until grep -q hello log$i; do sleep 0.1; done; done
cat o1 o2 log1 log2 >all
rm go
S
B
check "who leaves a process at work runs for real, and one line says why" \
	says "python3 later.py runs for real: it leaves sh running behind it" 0 \
	timeout 120 "$GG" run bash sweep.sh
check "and so does whose log is still being written" \
	grep -q "bash logs.sh runs for real: it" "$work/.log"
check "but not for what only waits for its end" counts 0 2 0 timeout 120 "$GG" run bash sweep.sh
check "all files are those of a plain run" as_plain

# As pyenv's do: the folder in which a shim was called is told to the program.
mkdir "$work/shims"
cat >"$work/shims/python3" <<'P'
#!/bin/bash
export PYENV_DIR=$PWD PYENV_HOOK_PATH=$PWD/hooks PYENV_VERSION=3
exec /usr/bin/python3 "$@"
P
chmod +x "$work/shims/python3"
name_in()
(
	project "$1"
	echo 'import sys; open("o" + sys.argv[1], "w").write(sys.argv[1])' >fit.py
	PATH=$work/shims:$PATH "$GG" run sh -c 'python3 fit.py 1; python3 fit.py 2' >.log 2>&1
	"$GG" show o2 | sed -n 's/^# thunk //p'
)
same_names() { local a=$(name_in here) b=$(name_in there); [ -n "$a" ] && [ "$a" = "$b" ]; }
check "below pyenv's shims a step has the same name in each folder" same_names

# In a folder that is not for what is temporary.
other=$(mktemp -d "$(realpath "$BUILD")/other.XXXXXX")
trap 'rm -rf "$other"; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
case $other in
/tmp/*) echo "# another interpreter is not tried: the build is below /tmp" ;;
*)
	ln -s /usr/bin/dash "$other/sh"
	project another
	echo 'echo $1 >o$1' >fit.sh
	echo 'sh fit.sh 1; sh fit.sh 2' >sweep.sh
	"$GG" run bash sweep.sh >/dev/null 2>&1
	with() { PATH=$other:$PATH "$GG" run --fresh bash sweep.sh; }
	check "below another interpreter it is learned once more" counts 1 1 0 with
	check "and known from then on" counts 0 2 0 with
	;;
esac
plan
