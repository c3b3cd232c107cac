#!/bin/bash
# learn_odd.sh - what trainers do besides reading --data and writing --out
#
# One promise for all of them: whatever is deferred, traced or run for real,
# what stands at the end is what a plain run leaves.
. "$(dirname "$0")/trainers/lib.sh"

sweep() { { echo '#!/bin/sh'; echo 'set -e'; cat; } >sweep.sh; chmod +x sweep.sh; }

# The folder made so far, named after what is odd about it; no store yet.
odd() { mkdir -p "$work/$1" && cd "$work/$1" || exit; }

# alike WHAT [FORCED TRACED]: gg leaves what the plain script leaves.  With
# $once it is one of those that count on, so that running it again is not asked.
once=
alike()
{
	local name=${PWD##*/}

	cp -a . "$work/$name.before"
	plain "$name.plain"
	cd "$work" && rm -rf "$name" && cp -a "$name.before" "$name" && cd "$name" || exit
	"$GG" init >/dev/null
	if [ $# = 3 ]; then
		check "$1" counts "$2" "$3" 0 "$GG" run ./sweep.sh
	else
		check "$1" says "failed 0," 0 "$GG" run ./sweep.sh
	fi
	check "... leaves what it does when plain" same "$name.plain"
	[ -z "$once" ] || return
	check "... and nothing is forced the second time" says "forced 0," 0 "$GG" run ./sweep.sh
	check "... and that is still there" same "$name.plain"
}

odd absolute
echo 'echo "$1" | cat - "$2" >"$3"' >train.sh
echo data >data.txt
mkdir out
sweep <<'END'
here=$(cd "$(dirname "$0")" && pwd)
for seed in 1 2 3; do sh $here/train.sh $seed $here/data.txt $here/out/$seed.txt; done
END
alike "absolute paths of the project" 2 1

odd spelled
echo 'echo "$1" | cat - "$2" >"$3"' >train.sh
echo data >data.txt
mkdir out
sweep <<'END'
sh ./train.sh 1 ./data.txt ./out/1.txt
sh train.sh 2 out/../data.txt out//2.txt
sh ./train.sh 3 ././data.txt out/3.txt
END
alike "one path spelled in several ways"

odd zeros
echo 'mkdir -p out; printf "%s\n" "$1" >out/model-$(printf %03d $1).txt' >train.sh
echo 'for seed in 7 8 10 11; do sh train.sh $seed; done' | sweep
alike "numbers with zeros before them"

odd sometimes
cat >train.sh <<'END'
echo "$1" >out-$1.txt
[ $(($1 % 2)) = 0 ] || echo odd >extra-$1.txt
END
echo 'for n in 2 1 4 3; do sh train.sh $n; done' | sweep
alike "an output that only some members have"

odd best
cat >train.sh <<'END'
score=$(((7 * $1) % 5))
echo $score >out-$1.txt
best=$(cat best.txt 2>/dev/null || echo -1)
[ $score -le $best ] || echo $score >best.txt
END
echo 'for n in 1 2 3 4; do sh train.sh $n; done' | sweep
once=yes alike "a record that each member may break"

odd cache
cat >train.sh <<'END'
[ -e cache.txt ] || tr a-z A-Z <data.txt >cache.txt
{ echo "$1"; cat cache.txt; } >out-$1.txt
END
echo data >data.txt
echo 'for n in 1 2 3; do sh train.sh $n; done' | sweep
alike "a cache that the first member makes"

odd resume
cat >train.sh <<'END'
steps=0
[ ! -e ckpt-$1.txt ] || steps=$(cat ckpt-$1.txt)
echo $((steps + 10)) >ckpt-$1.txt
END
echo 'for n in 1 2 3; do sh train.sh $n; done' | sweep
once=yes alike "a trainer that goes on from its own checkpoint"

odd folder
cat >train.sh <<'END'
mkdir -p "$2"
for f in data/*.txt; do tr a-z A-Z <"$f" >"$2/$(basename "$f")"; done
echo "$1" >"$2/seed"
END
mkdir data
for i in a b c; do echo $i >data/$i.txt; done
echo 'for n in 1 2 3; do sh train.sh $n runs/$n; done' | sweep
alike "a folder read, a folder written" 2 1
echo d >data/d.txt
check "one more file in the folder read: all are made anew" counts 3 0 0 "$GG" run ./sweep.sh
check "with it" grep -qx D runs/3/d.txt

odd link
mkdir "$work/dataset"
echo one >"$work/dataset/1.txt"
ln -s "$work/dataset" data
echo 'cat data/1.txt >out-$1.txt; ln -sf out-$1.txt latest-$1' >train.sh
echo 'for n in 1 2 3; do sh train.sh $n; done' | sweep
alike "data behind a link that leads outside"
echo two >"$work/dataset/1.txt"
check "other data there is seen" says "failed 0," 0 "$GG" run ./sweep.sh
check "and read" grep -qx two out-3.txt

odd stdin
sweep <<'END'
for n in 1 2 3; do
python3 - $n <<PY
import sys
open(f"out-{sys.argv[1]}.txt", "w").write("$n\n")
PY
done
END
alike "a program on standard input"

odd text
sweep <<'END'
for n in 1 2 3; do
	python3 -c "import sys; open('out-$n.txt', 'w').write('$n' * $n)"
	sh -c "echo $n >text-$n.txt"
	awk -v n=$n 'BEGIN { print n * n >("square-" n ".txt") }'
done
END
alike "programs as arguments"

odd response
cat >train.py <<'END'
import argparse
p = argparse.ArgumentParser(fromfile_prefix_chars="@")
p.add_argument("--seed")
p.add_argument("--out", nargs="+")
a = p.parse_args()
for path in a.out:
    with open(path, "w") as f:
        f.write(a.seed)
END
printf -- '--seed\n5\n' >args5
printf -- '--seed\n6\n' >args6
sweep <<'END'
python3 train.py --seed 1 --out a1.txt b1.txt
python3 train.py --seed=2 --out a2.txt b2.txt
python3 train.py --out a3.txt b3.txt c3.txt --seed 3
python3 train.py @args5 --out a5.txt
python3 train.py @args6 --out a6.txt
END
alike "several values, several spellings, a file of arguments"

odd inner
cat >train.py <<'END'
import subprocess, sys
with open(f"model-{sys.argv[1]}.txt", "w") as f:
    f.write(sys.argv[1])
subprocess.run([sys.executable, "score.py", f"model-{sys.argv[1]}.txt", f"score-{sys.argv[1]}.txt"], check=True)
END
cat >score.py <<'END'
import sys
with open(sys.argv[1]) as f, open(sys.argv[2], "w") as out:
    out.write(f.read() * 2)
END
echo 'for n in 1 2 3; do python3 train.py $n; done' | sweep
alike "a trainer that starts another"

odd places
cat >train.sh <<'END'
echo "$1" >/tmp/gg-odd.$$
mkdir -p deep/$1/er
mv /tmp/gg-odd.$$ deep/$1/er/out.txt
chmod 600 deep/$1/er/out.txt
echo tool >deep/$1/tool.sh; chmod +x deep/$1/tool.sh
END
echo 'for n in 1 2 3; do sh train.sh $n; done' | sweep
alike "temporaries in /tmp, folders made on the way, a program made" 2 1

odd updates
printf '1\n2\n3\n' >table.txt
cat >train.sh <<'END'
sed -i "$1s/\$/ done/" table.txt
END
echo 'for n in 1 2 3; do sh train.sh $n; done' | sweep
once=yes alike "a table that each member changes in place"

odd emptied
echo 'rm -f old-$1.txt; echo new >new-$1.txt' >train.sh
for n in 1 2 3; do echo old >old-$n.txt; done
echo 'for n in 1 2 3; do sh train.sh $n; done' | sweep
alike "a file that is removed"

odd sqlite
cat >train.py <<'END'
import sqlite3, sys
db = sqlite3.connect("runs.db")
db.execute("create table if not exists runs (seed, loss)")
db.execute("insert into runs values (?, ?)", (int(sys.argv[1]), 1 / int(sys.argv[1])))
db.commit()
with open(f"out-{sys.argv[1]}.txt", "w") as f:
    f.write(str(db.execute("select count(*) from runs").fetchone()[0] > 0))
END
cat >read.py <<'END'
import sqlite3
for row in sqlite3.connect("runs.db").execute("select * from runs order by seed"):
    print(*row)
END
sweep <<'END'
for n in 1 2 4; do python3 train.py $n; done
python3 read.py >all.txt
rm runs.db
END
once=yes alike "a database that all members write to"
odd renamed
echo 'mkdir -p out; printf "%s\n" "$1" >out/lr_$(awk -v v=$1 "BEGIN { printf \"%.1e\", v }").txt' >train.sh
echo 'for lr in 0.1 0.25 3; do sh train.sh $lr; done' | sweep
alike "a path that follows from a value by no rule"

odd many
cat >train.sh <<'END'
for k in $(seq "$1"); do echo "$1 $k" >ckpt-$1-$k.txt; done
END
echo 'for n in 2 3 1 4; do sh train.sh $n; done' | sweep
alike "as many outputs as the value says"

plan
