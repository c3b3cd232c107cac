#!/bin/bash
# learn_looks.sh - what a program goes by besides the bytes that it reads: sizes, names, what was there before
. "$(dirname "$0")/lib.sh"

# begin: a fresh project whose files come on standard input as a shell script,
# and beside it ../plain, where its sweep.sh has run without gg.
begin()
{
	cd "$work" && rm -rf p plain && mkdir p && cd p || exit
	bash -s
	cp -r . ../plain
	plainly
	"$GG" init >/dev/null
}

plainly() { (cd ../plain && bash sweep.sh >/dev/null 2>&1 </dev/null); }

as_plain() { diff -r --exclude=.gg --exclude=__pycache__ ../plain .; }

begin <<'B'
cat >fit.py <<'P'
import os, sys
loss = float(sys.argv[1])
best = float(open('best').read()) if os.path.exists('best') else 1e9
if loss < best: open('best', 'w').write(str(loss))
print(loss, loss < best)
P
echo 'rm -f best; for l in 5 3 1 2; do python3 fit.py $l >log$l; done' >sweep.sh
B
check "a best one so far: that the second run goes on from the first's is noticed" \
	says "gg: python3 fit.py runs for real" 0 "$GG" run bash sweep.sh
check "and the others of that run do, too" as_plain

begin <<'B'
echo 'import sys; open(sys.argv[1], "w").write(sys.argv[2] * 5000)' >fit.py
cat >sizes.py <<'P'
import os, sys
open('sizes', 'w').write(str([os.path.getsize(f) for f in sys.argv[1:]]))
P
cat >drive.py <<'P'
import os, subprocess
for i in '12':
    subprocess.run(['python3', 'fit.py', 'd' + i, i], check=True)
    assert os.path.exists('d' + i)
P
cat >sweep.sh <<'S'
for i in 1 2 3 4 5 6; do python3 fit.py o$i $i; done
python3 -c 'import os; print(os.path.getsize("o2"))' | cat >s2
perl -e 'print -s "o3"' | cat >s3
ls -l o4 | awk '{print $5}' >s4
ls o5 >names
python3 sizes.py o1 o5
python3 drive.py
S
B
check "sizes of what is not made yet, asked for by any program" "$GG" run bash sweep.sh
check "are those of the files" as_plain
names_only()
{
	rm -rf .gg o? d? && "$GG" init >/dev/null
	printf '%s\n' 'for i in 1 2 3; do python3 fit.py o$i $i; done' 'ls o? >names' \
		'[ -s o2 ] && mv o2 o9; python3 drive.py' >two.sh
	"$GG" infer --learn bash two.sh && "$GG" status --json >"$work/now"
	grep -o '"placeholder"' "$work/now" | wc -l | grep -qx 4
}
check "who asks only what is there, moves it or has started it himself forces nothing" \
	names_only

begin <<'B'
cat >fit.py <<'P'
import sys
if sys.argv[2] == '3':
    print('3 has not converged', file=sys.stderr)
open(sys.argv[1], 'w').write(sys.argv[2])
P
cat >sweep.sh <<'S'
#!/bin/sh
for i in 1 2 3 4; do
	python3 fit.py o$i $i 2>e$i
	if [ -s e$i ]; then echo $i >>warned; else rm e$i; fi
done
S
B
chmod +x sweep.sh ../plain/sweep.sh
check "a shell that asks whether something was printed is told" "$GG" run ./sweep.sh
check "as without gg" as_plain

begin <<'B'
cat >fit.py <<'P'
import os, sys
name = 'w%s.h5' % sys.argv[1]
try: os.close(os.open(name, os.O_RDWR))
except FileNotFoundError: pass
f = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.write(f, b'\211HDF\r\n\032\n' + sys.argv[1].encode())
P
echo 'for i in 1 2 3; do python3 fit.py $i; done' >sweep.sh
B
check "HDF5, which opens what it is to empty: the first one's result is kept" \
	counts 2 1 0 "$GG" run bash sweep.sh
check "and nothing is made again" counts 0 3 0 "$GG" run --fresh bash sweep.sh
check "all is as without gg" as_plain

begin <<'B'
cat >fit.py <<'P'
import sqlite3, sys
c = sqlite3.connect('r%s.db' % sys.argv[1])
c.execute('create table if not exists r(v)')
c.execute('insert into r values(?)', (sys.argv[1],))
c.commit()
P
echo 'rm -f r*.db; for i in 1 2 3; do python3 fit.py $i; done' >sweep.sh
B
check "a file that a command would go on with and has made: its result is kept" \
	counts 2 1 0 "$GG" run bash sweep.sh
check "and nothing is made again" counts 0 3 0 "$GG" run bash sweep.sh
check "all is as without gg" as_plain
sed -i 's/rm -f r\*.db; //' sweep.sh ../plain/sweep.sh
plainly
check "what is there is gone on with" "$GG" run bash sweep.sh
rows() { for i in 1 2 3; do python3 - "$1/r$i.db" <<'P'
import sqlite3, sys
print(list(sqlite3.connect(sys.argv[1]).execute('select * from r')))
P
done; }
check "as without gg" eval '[ "$(rows .)" = "$(rows ../plain)" ] && rows . | grep -q ,.*,'

begin <<'B'
echo 'import sys; open("w%s.txt" % sys.argv[1], "w").write(sys.argv[1])' >fit.py
cat >all.py <<'P'
import glob
open('all', 'w').write(''.join(open(f).read() for f in sorted(glob.glob('w*.txt'))))
P
echo 'cat w*.txt >shall' >all.sh
echo 'open O, ">plall"; for (glob "w*.txt") { open I, $_; print O <I>; }' >all.pl
cat >sweep.sh <<'S'
for i in 1 2; do python3 fit.py $i; done
python3 all.py; sh all.sh; perl all.pl
S
B
check "scripts that collect what lies beside them" "$GG" run bash sweep.sh
check "find all of it" as_plain
sed -i 's/1 2/1 2 3/' sweep.sh ../plain/sweep.sh
plainly
check "one member more" counts 1 2 0 "$GG" run bash sweep.sh
check "is found by each of them" as_plain
begin <<'B'
echo 'import sys; open(sys.argv[1], "w").write("x"); print(sys.argv[1])' >fit.py
cat >drive.py <<'P'
import subprocess
for i in '12':
    with open('log' + i, 'w') as f:
        subprocess.run(['python3', 'fit.py', 'd' + i], stdout=f, check=True)
        f.write('end\n')
P
cat >sweep.sh <<'S'
python3 fit.py a >alone
exec 3>log
python3 fit.py b >&3
echo between >&3
python3 fit.py c >&3
echo end >&3
python3 drive.py
S
B
check "a file that who starts a step has open by another number" "$GG" run bash sweep.sh
check "holds what both wrote" as_plain

mkdir "$work/data"
echo 1 >"$work/data/x"
begin <<'B'
cat >fit.py <<'P'
import os, sys
with open('o' + sys.argv[2], 'w') as f:
    f.write(open(sys.argv[1]).read() + open('inner/z').read())
os.makedirs('runs/' + sys.argv[2])
open('runs/%s/m' % sys.argv[2], 'w').write(sys.argv[2])
P
ln -s ../data data
mkdir real
echo z >real/z
ln -s real inner
cat >sweep.sh <<'S'
set -e
rm -rf runs
for i in 1 2 3; do python3 fit.py data/x $i; done
ln -sf o2 best
cat best >of-best
ln -sfn 3 runs/latest
tar cf - --mtime=@0 --sort=name --exclude latest runs | md5sum >sum
cat runs/latest/m >m
S
B
check "what is read over links is known by the first run" counts 2 1 0 "$GG" run bash sweep.sh
check "a placeholder behind a link is made, a folder is whole before it is packed" as_plain
check "nothing is made again" counts 0 3 0 "$GG" run bash sweep.sh
echo 2 >"$work/data/x"
plainly
check "what a link leads to has changed, outside the project" counts 3 0 0 "$GG" run bash sweep.sh
check "that is seen" as_plain
echo y >real/z
echo y >../plain/real/z
plainly
check "and within it" counts 3 0 0 "$GG" run bash sweep.sh
check "too" as_plain
plan
