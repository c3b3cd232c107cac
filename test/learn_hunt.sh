#!/bin/bash
# learn_hunt.sh - what a first run does not show: names from configurations, links, forms of numbers
. "$(dirname "$0")/lib.sh"

# begin: a fresh project whose files come on standard input as a shell script.
begin()
{
	cd "$work" && rm -rf p plain && mkdir p && cd p || exit
	bash -s
	chmod +x sweep.sh
	cp -r . ../plain
	(cd ../plain && ./sweep.sh >/dev/null 2>&1 </dev/null)
	"$GG" init >/dev/null
}

# The files are those of a plain run.
as_plain() { diff -r --exclude=.gg --exclude=__pycache__ ../plain .; }

begin <<'B'
mkdir conf
for i in 1 2 3; do echo "name=run$i" >conf/c$i; done
cat >fit.py <<'P'
import sys
name = open(sys.argv[1]).read().strip().split('=')[1]
open('out/%s.txt' % name, 'w').write(name)
P
cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for c in conf/*; do python3 fit.py $c; done
cat out/*.txt >all.txt
S
B
check "a configuration names what is written: it runs for real, and it is said why" \
	says "how that name comes from the arguments does not show" 0 "$GG" run ./sweep.sh
check "and the script that lists the folder finds all" as_plain
check "again too" "$GG" run --fresh ./sweep.sh
check "with the same files" as_plain

begin <<'B'
echo 'import sys; open("best.txt", "w").write(sys.argv[1])' >fit.py
cat >sweep.sh <<'S'
#!/bin/sh
for s in 1 2 3 4 5; do python3 fit.py $s; mv best.txt best-$s.txt; done
S
B
check "a program that always writes the same file: two commands are watched" \
	counts 3 2 0 "$GG" run ./sweep.sh
check "and the files that were moved from there are right" as_plain

begin <<'B'
cat >fit.py <<'P'
import os, sys
lr = float(sys.argv[2])
if sys.argv[1] == 'train':
    os.makedirs('m', exist_ok=True)
    open('m/lr%s.txt' % lr, 'w').write('%s' % lr)
else:
    print(open('m/lr%s.txt' % lr).read())
P
cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p res
for lr in 0.1 1 0.2 2; do
	python3 fit.py train $lr
	python3 fit.py eval $lr >res/$lr.txt
done
cat res/*.txt >all.txt
S
B
check "a number that is written in another form in a name" "$GG" run ./sweep.sh
check "and what a later command reads of it" as_plain

begin <<'B'
cat >fit.py <<'P'
import os, sys
d = 'runs/' + sys.argv[1]
os.makedirs(d, exist_ok=True)
open(d + '/m.txt', 'w').write(sys.argv[1])
if os.path.islink('runs/latest'): os.unlink('runs/latest')
os.symlink(sys.argv[1], 'runs/latest')
P
cat >sweep.sh <<'S'
#!/bin/sh
for s in a b c; do python3 fit.py $s; cat runs/latest/m.txt; done
S
B
check "a link to the latest run is no thunk's to make" \
	says "it makes runs/latest, a symbolic link" 0 "$GG" run ./sweep.sh
check "and leads where it should" as_plain

begin <<'B'
cat >fit.py <<'P'
import argparse, os
p = argparse.ArgumentParser()
p.add_argument('--run'); p.add_argument('--resume')
a = p.parse_args()
os.makedirs(a.run, exist_ok=True)
n = int(open(a.resume).read()) if a.resume else 0
if a.resume: os.unlink('%s/%d.ckpt' % (a.run, n))
open('%s/%d.ckpt' % (a.run, n + 1), 'w').write(str(n + 1))
P
cat >sweep.sh <<'S'
#!/bin/sh
rm -rf runs
for s in a b c; do python3 fit.py --run runs/$s; done
python3 fit.py --run runs/a --resume runs/a/1.ckpt
S
B
check "one way of calling runs for real, since it removes what it did not make" \
	says "it removes runs/a/1.ckpt" 0 "$GG" run ./sweep.sh
check "the files are right" as_plain
# What the resumed one has changed is no thunk's output any more, and not counted.
check "the other ways stay deferred" counts 0 2 0 "$GG" run --fresh ./sweep.sh
check "and right" as_plain

begin <<'B'
echo 'import sys; open(sys.argv[2], "w").write(sys.argv[1])' >fit.py
cat >sum.py <<'P'
import os, sys
v = [f for f in sys.argv[1:] if os.path.getsize(f)]
open('sum.txt', 'w').write(' '.join(open(f).read() for f in v))
P
cat >sweep.sh <<'S'
#!/bin/sh
for s in 1 2 3; do python3 fit.py $s $s.txt; done
python3 sum.py 1.txt 2.txt 3.txt
S
B
check "what is looked at before gg makes it, and then read, is learned" \
	counts 2 2 0 "$GG" run ./sweep.sh
check "and right again" as_plain

many_at_once()
{
	local i rc=0 pids=

	for i in 1 2 3 4; do
		"$GG" run ./sweep.sh >"$work/at-$i" 2>&1 &
		pids="$pids $!"
	done
	for i in $pids; do wait "$i" || rc=1; done
	[ $rc = 0 ] || cat "$work"/at-*
	return $rc
}
rm -rf .gg ./*.txt
check "four runs that make the project at the same moment" many_at_once
check "with one result" as_plain

begin <<'B'
echo 'for k in $(seq "$1"); do echo "$1 $k" >ckpt-$1-$k.txt; done' >fit.sh
cat >sweep.sh <<'S'
#!/bin/sh
set -e
for n in 2 3 1 4; do sh fit.sh $n; done
S
B
# Which of the steps fails first is chance.
twice_each_time()
{
	local i

	for i in 1 2 3 4 5; do
		rm -rf .gg ckpt-* && "$GG" init >/dev/null
		"$GG" run ./sweep.sh && "$GG" run ./sweep.sh || return 1
	done
}
check "what a model said before it was learned again is asked of nobody later" twice_each_time
check "and all that was written is there" as_plain

begin <<'B'
cat >fit.py <<'P'
import sys
if sys.argv[1] == '--seed':
    print('progress of', sys.argv[2])
    open(sys.argv[4], 'w').write(sys.argv[2])
else:
    print(open(sys.argv[2]).read() if sys.argv[1] == '--show' else 'usage: fit.py')
P
cat >sweep.sh <<'S'
#!/bin/sh
python3 fit.py --help >/dev/null || exit
for s in 1 2 3; do python3 fit.py --seed $s --out $s.txt >/dev/null; done
python3 fit.py --show 3.txt
S
B
check "--help and what only prints keep nobody from learning the rest" \
	counts 2 1 0 "$GG" run ./sweep.sh
check "with the files of a plain run" as_plain
check "what the script throws away is not shown" eval '! grep progress "$work/.log"'
check "but kept" says "progress of 3" 0 "$GG" log 3.txt
check "the next time it is all known" counts 0 3 0 "$GG" run --fresh ./sweep.sh
check "a way that has only printed so far writes: that is seen" eval '
	sed -i "s/.*--show.*/    open(\"usage\", \"w\").write(\"none\")/" fit.py &&
	"$GG" run ./sweep.sh && [ "$(cat usage)" = none ]'

# A folder that is looked through, or only opened to be synced: nothing of it is in the model.
cat >"$work/fit.c" <<'C'
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int n, char **v)
{
	char root[4096];
	FILE *f = fopen(v[2], "w");
	DIR *d;

	if (n < 3 || !f || !getcwd(root, sizeof root))
		return 1;
	fprintf(f, "%s\n", v[1]);
	if (fclose(f) != 0 || fsync(open(root, O_RDONLY)) < 0)
		return 1;
	if (getenv("LISTS") && ((d = opendir(root)) == NULL || !readdir(d)))
		return 1;
	return 0;
}
C
looks_at_root()
{
	begin <<-'B'
	mkdir bin
	echo 'import sys; open(sys.argv[2], "w").write(open(sys.argv[1]).read() * 2)' >up.py
	cat >sweep.sh <<'S'
	#!/bin/sh
	for s in 1 2 3; do bin/fit $s $s.txt; python3 up.py $s.txt $s.up; done
	S
	B
	cc -o bin/fit "$work/fit.c" && ./sweep.sh && cp -r . ../plain/ && rm -f ./*.txt ./*.up ../plain/.gg -r
}
looks_at_root
check "a folder that is opened like a file says nothing of its names" \
	counts 4 2 0 "$GG" run ./sweep.sh
check "and all is there" as_plain
looks_at_root
export LISTS=1
check "a step that runs for real again and is what it was: what waits for it is made" \
	says "failed 0," 0 "$GG" run ./sweep.sh
check "all of it" as_plain
unset LISTS

begin <<'B'
cat >fit.py <<'P'
import os, sys
seed = os.environ['SEED'] if len(sys.argv) < 4 else sys.argv[2]
open(sys.argv[1] + '-%s.txt' % seed, 'w').write(seed + os.environ.get('GPU', '?'))
P
cat >sweep.sh <<'S'
#!/bin/sh
for s in 1 2 3 4; do CUDA_VISIBLE_DEVICES=$((s % 2)) SEED=$s python3 fit.py a; done
for s in 1 2 3 4; do GPU=$((s % 2)) SEED=$s python3 fit.py b; done
for s in 1 2 3 4; do python3 fit.py c $s $((s % 2)); done
S
B
check "a number in a name that two values share: what was foretold wrongly is undone" \
	"$GG" run ./sweep.sh
check "and nothing stands where nothing should" as_plain
check "that is how it is remembered" counts 0 12 0 "$GG" run ./sweep.sh

begin <<'B'
echo 1 >data
cat >fit.py <<'P'
import hashlib, os, sys
key = 'cache/' + hashlib.md5(sys.argv[1].encode()).hexdigest()
if os.path.exists(key):
    v = open(key).read()
else:
    v = open('data').read() * int(sys.argv[1])
    os.makedirs('cache', exist_ok=True)
    open(key, 'w').write(v)
if not os.path.exists('cache/code.py'):
    open('cache/code.py', 'w').write('1')
open('cache/code.py').read()
open('w_%s_%s' % tuple(sys.argv[1:]), 'w').write(v + sys.argv[2])
P
cat >sweep.sh <<'S'
#!/bin/sh
for n in 1 2 3; do for k in a b; do python3 fit.py $n $k; done; done
S
B
check "a cache called by hashes, which is there or not: all are made" "$GG" run ./sweep.sh
check "as without gg" as_plain
check "and by a second run" "$GG" run ./sweep.sh
check "too" as_plain

begin <<'B'
mkdir x && seq 3 >x/a && seq 5 >x/b && tar cf x.tar x && rm -r x
cat >fit.py <<'P'
import os, sys, tarfile
if not os.path.exists('cache/x'):
    os.makedirs('cache')
    with tarfile.open('x.tar') as t: t.extractall('cache')
    open('cache/done', 'w').close()
n = len(open('cache/x/' + sys.argv[1]).read())
open('m-%s-%s' % tuple(sys.argv[1:]), 'w').write('%s %s' % (n, sys.argv[2]))
P
cat >sweep.sh <<'S'
#!/bin/sh
rm -f m-*
for d in a b; do for s in 1 2 3; do python3 fit.py $d $s; done; done
cat m-* >all
S
B
check "what the first one unpacks and the others find: they are learned" \
	counts 3 3 0 "$GG" run ./sweep.sh
check "and right" as_plain
check "nothing is left to do once all have found it" \
	eval '"$GG" run --fresh ./sweep.sh && counts 0 6 0 "$GG" run --fresh ./sweep.sh'
sed -i "s/'m-%s/'m-seed-%s/" fit.py ../plain/fit.py
(cd ../plain && ./sweep.sh)
check "it calls its outputs otherwise: they are made" "$GG" run ./sweep.sh
check "and no others" as_plain
rm -r cache
check "what was unpacked is gone: it is there again" "$GG" run --fresh ./sweep.sh
check "and all is right" as_plain
plan
