#!/bin/bash
# learn_gaps.sh - what projects hold besides scripts: environments, settings
. "$(dirname "$0")/lib.sh"

export PATH=/usr/bin:$PATH
unset PYTHONDONTWRITEBYTECODE

# What the script leaves without gg, at the same place: some files name it.
plainly()
{
	./sweep.sh >/dev/null 2>&1 || { echo "Bail out! the script fails without gg"; exit 1; }
	mv out "$work/$1"
}

# ---- an environment of the project's own

environment()
{
	local site=.venv/lib/python3*/site-packages

	cd "$work" && chmod -R u+w env 2>/dev/null
	rm -rf env && mkdir env && cd env || exit
	python3 -m venv --without-pip .venv 2>/dev/null || skip "no python3-venv"
	# shellcheck disable=SC2086
	site=$(echo $site)
	mkdir -p "$site/tiny" vendor
	echo "$PWD/vendor" >"$site/vendor.pth"
	echo 'bias = 5' >vendor/bias.py
	cat >"$site/tiny/__init__.py" <<'P'
import argparse, json, random, sys
def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seed', type=int)
    p.add_argument('--out')
    a = p.parse_args()
    import bias
    scale = 1
    if a.seed == 3:
        from .rare import scale
    v = [random.Random(a.seed).random() * scale + bias.bias]
    json.dump({'v': v, 'prefix': sys.prefix, 'base': sys.base_prefix}, open(a.out, 'w'))
P
	echo 'scale = 2' >"$site/tiny/rare.py"
	echo 'from tiny import main; main()' | tee train.py >"$site/tiny/__main__.py"
	printf '#!%s\nfrom tiny import main\nmain()\n' "$PWD/.venv/bin/python" >.venv/bin/tiny
	chmod +x .venv/bin/tiny
	cat >sweep.sh <<'S'
#!/bin/bash
. .venv/bin/activate
mkdir -p out
for s in 1 2 3; do tiny --seed $s --out out/c$s.json || exit; done
for s in 1 2 3; do python train.py --seed $s --out out/p$s.json || exit; done
for s in 1 2 3; do .venv/bin/python3 -m tiny --seed $s --out out/m$s.json || exit; done
S
	chmod +x sweep.sh
}

not_of_place()
{
	"$GG" show "$1" >"$work/.shown" && grep -q '^arg train.py' "$work/.shown" &&
		! grep -E '^env (VIRTUAL_ENV|PATH|PS1)' "$work/.shown"
}

environment
plainly env.plain
find . -name __pycache__ -exec rm -r {} +
check "environment: of its script, its python and its module one command each runs" \
	counts 6 3 0 "$GG" run ./sweep.sh
check "environment: all is as without gg, a module that no traced run imported too" \
	diff -r "$work/env.plain" out
check "environment: what Python compiled meanwhile changes no step" \
	counts 0 9 0 "$GG" run --fresh ./sweep.sh
check "environment: that it was activated is no part of a step" \
	not_of_place out/p2.json
check "environment: the packages are its inputs" \
	grep -q '^in tree .*/site-packages/tiny$' <("$GG" show out/p2.json)
check "environment: its steps run with their closure alone, too" \
	says "same 3, differ 0, failed 0" 0 "$GG" verify --hermetic out/c2.json out/p2.json out/m3.json
echo 'bias = 6' >vendor/bias.py
check "environment: a module that a .pth file leads to has changed: all again" \
	counts 9 0 0 "$GG" run --fresh ./sweep.sh
echo 'scale = 3' >.venv/lib/python3*/site-packages/tiny/rare.py
check "environment: so has one of a package: all again, as without gg" \
	counts 9 0 0 "$GG" run --fresh ./sweep.sh
mv out "$work/env.ours"
plainly env.second
check "environment: and as without gg" diff -r "$work/env.second" "$work/env.ours"

# ---- processes that talk to each other

project managers
cat >train.py <<'P'
import argparse, json, multiprocessing as mp
def work(d, i, s): d[i] = i * s % 7
if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('--seed', type=int)
    p.add_argument('--start', default='fork')
    p.add_argument('--out')
    a = p.parse_args()
    mp.set_start_method(a.start)
    with mp.Manager() as m:
        d = m.dict()
        v = [mp.Process(target=work, args=(d, i, a.seed)) for i in range(3)]
        for x in v: x.start()
        for x in v: x.join()
        json.dump(dict(sorted(d.items())), open(a.out, 'w'))
P
cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for s in 1 2; do
	python3 train.py --seed $s --out out/f$s || exit
	python3 train.py --seed $s --start spawn --out out/s$s || exit
	python3 train.py --seed $s --start forkserver --out out/o$s || exit
done
S
chmod +x sweep.sh
plainly managers.plain
check "processes that share what a manager holds, however started, are learned" \
	counts 4 2 0 "$GG" run ./sweep.sh
check "and give what they give without gg" diff -r "$work/managers.plain" out

# ---- values that are called as files are

project named
cat >train.py <<'P'
import argparse
p = argparse.ArgumentParser()
p.add_argument('--name')
p.add_argument('--seed', type=int)
p.add_argument('--out')
a = p.parse_args()
text = open(a.name).read() if a.name.endswith('.txt') else a.name
open(a.out, 'w').write('%s %d' % (text, a.seed))
P
echo 1 >label
echo 1 >other
echo first >some.txt
cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for n in run label other; do
	for s in 1 2 3; do python3 train.py --name $n --seed $s --out out/$n$s || exit; done
done
S
chmod +x sweep.sh
plainly named.plain
check "a value that a file is called by, but never opened, is studied once" \
	counts 7 2 0 "$GG" run ./sweep.sh
check "and all is as without gg" diff -r "$work/named.plain" out
check "nothing is left to do" counts 0 9 0 "$GG" run --fresh ./sweep.sh
echo 2 >label
check "nor does it matter what that file holds" counts 0 9 0 "$GG" run --fresh ./sweep.sh
sed -i 's/run label other/label some.txt/' sweep.sh
rm -rf out
plainly named.second
check "a value that is opened after all is noticed" "$GG" run ./sweep.sh
check "and what it gives is right" diff -r "$work/named.second" out
echo second >some.txt
check "now it matters what it holds" counts 3 3 0 "$GG" run --fresh ./sweep.sh
check "which is read" grep -q second out/some.txt2

# ---- modules of one person: pip install --user

someone=$(mktemp -d /home/gg-test.XXXXXX 2>/dev/null)
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" ${someone:+"$someone"}' EXIT
if [ -n "$someone" ]; then
	project user
	export HOME=$someone
	site=$(python3 -m site --user-site)
	mkdir -p "$site/own"
	echo 'from .weight import w' >"$site/own/__init__.py"
	echo 'w = 7' >"$site/own/weight.py"
	touch -d '1 hour ago' "$site/own/weight.py"     # or its .pyc would stand for the next
	cat >train.py <<'P'
import argparse, own
p = argparse.ArgumentParser()
p.add_argument('--seed', type=int)
p.add_argument('--out')
a = p.parse_args()
open(a.out, 'w').write(str(a.seed * own.w))
P
	cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for s in 1 2 3; do python3 train.py --seed $s --out out/$s || exit; done
S
	chmod +x sweep.sh
	check "a module of the person's own is found by the steps, too" \
		counts 2 1 0 "$GG" run ./sweep.sh
	check "and used" grep -qx 21 out/3
	check "what Python compiled beside it is no change" \
		counts 0 3 0 "$GG" run --fresh ./sweep.sh
	echo 'w = 8' >"$site/own/weight.py"
	check "it has changed: all again" counts 3 0 0 "$GG" run --fresh ./sweep.sh
	check "with what it says now" grep -qx 24 out/3
	check "with its closure as the whole root as well" \
		says "same 1" 0 "$GG" verify --hermetic out/2
fi

# ---- settings that say what the output is called

# settings KIND: a folder of four settings files, by what their names say.
settings()
{
	local i=0 name

	cd "$work" && chmod -R u+w set 2>/dev/null
	rm -rf set && project set
	cat >train.py <<'P'
import argparse, os
p = argparse.ArgumentParser()
p.add_argument('--config')
p.add_argument('--seed', type=int, default=0)
a = p.parse_args()
c = dict(l.strip().split(': ') for l in open(a.config))
import sys; os.makedirs('out', exist_ok=True)
open('out/%s-%d.npz' % (c['name'], a.seed), 'w').write('%s %d' % (c['lr'], a.seed))
if 'log' in c:
    open('out/' + c['log'], 'w').write(c['name'])
P
	mkdir conf
	for name in red green blue grey; do
		i=$((i + 1))
		printf 'name: %s\nlr: 0.%s\n' $name $i >conf/$([ "$1" = stems ] && echo $name || echo $i).yaml
	done
	cat >sweep.sh <<'S'
#!/bin/sh
for c in conf/*.yaml; do
	for s in 1 2 3; do python3 train.py --config $c --seed $s || exit; done
done
S
	chmod +x sweep.sh
}
fails_nowhere() { "$GG" run ./sweep.sh >"$work/.log" 2>&1 && ! grep -q '^failed' "$work/.log"; }

settings stems
plainly stems.plain
check "settings: outputs called as their file is are deferred" \
	counts 11 1 0 "$GG" run ./sweep.sh
check "settings: and right" diff -r "$work/stems.plain" out
"$GG" models 'python3 train.py' >"$work/.model"
check "settings: a module is looked for where one is imported, and nowhere else" \
	sh -c 'grep -q -- --config=@in "$0" && ! grep -q exist_ok "$0"' "$work/.model"
settings stems
echo 'log: more.txt' >>conf/blue.yaml
plainly more.plain
check "settings: an output that one file alone asks for is noticed" fails_nowhere
check "settings: and kept" diff -r "$work/more.plain" out
settings numbers
plainly numbers.plain
check "settings: outputs called by what is in the file are made all the same" fails_nowhere
check "settings: none is another's, none stands where nothing belongs" \
	diff -r "$work/numbers.plain" out
check "settings: why they run for real is said" \
	grep -q "runs for real: it writes out/red-1.npz, and how that name comes" "$work/.log"
sed -i 's/name: red/name: pink/' conf/1.yaml
rm -rf out
plainly pink.plain
check "settings: so when the file calls it otherwise" fails_nowhere
check "settings: the new name stands there" diff -r "$work/pink.plain" out

# ---- a program that is called in several ways

if command -v svm-scale >/dev/null; then
	project scale
	for i in 1 2 3; do
		seq 12 | awk -v s=$i '{ print $1 % 2, "1:" $1 * s, "2:" ($1 * 7 + s) % 5 }' >d$i.txt
	done
	cat >sweep.sh <<'S'
#!/bin/sh
mkdir -p out
for i in 1 2 3; do svm-scale -l 0 -s out/range$i d$i.txt >out/a$i || exit; done
for i in 1 2 3; do svm-scale -r out/range$i d2.txt >out/b$i || exit; done
for i in 1 2 3; do svm-scale d$i.txt >out/c$i || exit; done
S
	chmod +x sweep.sh
	plainly scale.plain
	check "svm-scale that writes ranges, then reads them: one each is studied" \
		counts 7 2 0 "$GG" run ./sweep.sh
	check "svm-scale: all is as without gg" diff -r "$work/scale.plain" out
	check "svm-scale: that its model held is counted" \
		says "held 7, asked for more 0" 0 "$GG" models svm-scale
fi

# ---- files that a program finds beside itself

cd "$work" && mkdir beside && cd beside || exit
for i in 11 12; do echo $i >part-$i.csv; done
echo '{"k": 2}' >params.json
cat >train.py <<'P'
import json, sys
from importlib import metadata
from pathlib import Path
here = Path(__file__).resolve().parent
metadata.version('pip') if len(sys.argv) > 2 else None
k = json.load(open(here / 'params.json'))['k']
parts = sorted(here.glob('*.csv')) if len(sys.argv) < 3 else [here / f'part-1{i}.csv' for i in (1, 2, 3)]
json.dump([k * int(p.read_text()) for p in parts], open(f'o{sys.argv[1]}.json', 'w'))
P
echo 'for i in 1 2 3; do python3 train.py $i; done; cat o?.json >all.json' >sweep.sh
check "beside the script: what it finds by *.csv, from one run" counts 2 1 0 "$GG" run bash sweep.sh
check "beside the script: nothing has changed" counts 0 3 0 "$GG" run --fresh bash sweep.sh
echo 13 >part-13.csv
check "beside the script: a file more is read by all" counts 3 0 0 "$GG" run bash sweep.sh
check "beside the script: and shows" grep -q '22, 24, 26' o3.json
check "beside the script: who only asks for a version lists it, and that counts for nothing" eval '
	"$GG" run python3 train.py 4 x >/dev/null 2>&1; echo 14 >part-14.csv
	counts 0 1 0 "$GG" run --fresh python3 train.py 4 x'

# ---- packages of a name alone, and who looks through all that is on the path

cd "$work" && mkdir -p names/lib/models names/scripts && cd names || exit
for k in 0 1; do echo "K = $k" >lib/models/m$k.py; done
cat >scripts/train.py <<'P'
import importlib, importlib.metadata, sys
importlib.metadata.version('pip')
m = importlib.import_module('lib.models.m%d' % (int(sys.argv[1]) % 2))
open('o' + sys.argv[1], 'w').write(str(m.K))
P
echo 'export PYTHONPATH=.; for i in 1 2 3 4; do python3 scripts/train.py $i; done
python3 -c "import runpy; runpy.run_path(\"scripts/train.py\")" 5' >sweep.sh
check "no __init__.py: each is learned, whatever module another imports" eval '
	says "failed 0," 0 "$GG" run bash sweep.sh && ! grep "runs for real" "$work/.log"'
check "no __init__.py: and all is known then" counts 0 5 0 "$GG" run bash sweep.sh
check "no __init__.py: and right" eval '[ "$(cat o?)" = 10101 ]'
echo 'K = 7' >lib/models/m0.py
check "no __init__.py: an edited module is seen" eval '
	"$GG" run bash sweep.sh && [ "$(cat o?)" = 17171 ]'

# ---- variables that somebody else has set

cd "$work" && mkdir asks && cd asks || exit
cat >fit.py <<'P'
import os, sys
open(f'o{sys.argv[1]}', 'w').write(os.environ.get('ALPHA', '-'))
P
echo 'for i in 1 2 3; do python3 fit.py $i; done' >sweep.sh
check "a variable that a program asks for is part of its steps" \
	counts 2 1 0 env ALPHA=5 "$GG" run sh sweep.sh
check "and what they see" sh -c '[ "$(cat o2 o3)" = 55 ]'
check "with another value they are other steps" \
	eval 'counts 3 0 0 env ALPHA=6 "$GG" run sh sweep.sh && [ "$(cat o1 o3)" = 66 ]'
check "one that a program has begun to ask for is seen as well" eval '
	sed -i "s/ALPHA/BETA/" fit.py; BETA=7 "$GG" run sh sweep.sh; [ "$(cat o1 o3)" = 77 ]'
sed -i 's/BETA/MY_TOKEN/' fit.py
check "what may be a secret goes into no step: who asks for it runs for real" eval '
	says "it asks for MY_TOKEN, which may be a secret" 0 env MY_TOKEN=hush "$GG" run sh sweep.sh &&
	! "$GG" show o1 2>&1 | grep -q hush'
check "and is learned when there is none" counts 2 1 0 "$GG" run sh sweep.sh

# ---- a tool that prepares an environment and becomes the command

cd "$work" && mkdir -p tools wrapped && cd wrapped || exit
cat >../tools/pipenv <<'P'
#!/usr/bin/python3
import os, sys
for name in os.listdir('.'):
    os.path.isfile(name) and open(name).close()
os.execv('.venv/bin/python', ['.venv/bin/python'] + sys.argv[3:])
P
chmod +x ../tools/pipenv
python3 -m venv --without-pip .venv
echo 'import sys; open("o" + sys.argv[1], "w").write(sys.argv[1])' >train.py
echo 'for i in 1 2 3; do pipenv run python train.py $i; done' >sweep.sh
check "pipenv: what it runs is learned, not the tool" counts 2 1 0 \
	env PATH="$work/tools:$PATH" "$GG" run bash sweep.sh
check "pipenv: as it would have run, in an environment without packages" \
	eval '[ "$(cat o?)" = 123 ] && "$GG" models | grep -q "python3 train.py"'

# ---- what lies outside the project

project abroad
left=/tmp/gg-left.$$
far=$(mktemp -d /tmp/gg-far.XXXXXX)
trap 'rm -rf "$work" "$left" "$far"' EXIT
ln -s "$far" runs
mkdir out
echo one >in.txt
printf 'tr a-z A-Z <in.txt >%s; echo done >out/log\n' "$left" >prep.sh
printf 'cat %s >out/m-$1\n' "$left" >use.sh
echo './prep.sh; for i in 1 2; do ./use.sh $i; done' >all.sh
sed -i '1i #!/bin/sh' prep.sh use.sh
chmod +x prep.sh use.sh
check "a step that leaves a file below /tmp runs for real" \
	says "prep.sh runs for real: it writes $left, outside the project" 0 "$GG" run sh all.sh
echo two >in.txt
"$GG" run sh all.sh >/dev/null 2>&1
check "so what reads that file sees it as it is now" test "$(cat out/m-2)" = TWO
printf '#!/bin/sh\ntr a-z A-Z <in.txt >$1\n' >up.sh
chmod +x up.sh
check "an output that a link leads out of the project is made for real" \
	says "up.sh runs for real: it writes $far/a, outside the project" 0 "$GG" run sh -c "./up.sh runs/a"
check "and the same script is learned where its output lies within" \
	says "up.sh: reads in.txt; writes out/a" 0 "$GG" run sh -c "./up.sh out/a"
plan
