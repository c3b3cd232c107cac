#!/bin/bash
# fallback.sh - a deferred command that fails, and a script that answers to that:
# whatever it does in a plain shell it does below gg run
. "$(dirname "$0")/lib.sh"

# Each script is run plainly and by gg run, in folders of the same content.
mkdir "$work/base" && cd "$work/base" || exit 1
cat >train.sh <<'END'
# --seed N --out F: prints, writes a part, and all of it unless N is in bad
echo "training $2"
echo "part of $2" >"$4"
if grep -qx "$2" bad; then echo "$2 diverged" >&2; exit 3; fi
echo "model $2" >"$4"
END
cp train.sh other.sh
cat >folder.sh <<'END'
# --seed N --dir D
mkdir -p "$4" && echo half >"$4/ckpt"
grep -qx "$2" bad && exit 4
echo whole >"$4/ckpt"
END
echo 'kill -SEGV $$' >dies.sh
echo 'cat "$@"' >vote.sh
cat >by-hand <<'END'
sh train.sh --seed=@ --out=@out
	also	train.sh bad
sh other.sh --seed=@ --out=@out
	also	other.sh bad
sh folder.sh --seed=@ --dir=@out/
	also	folder.sh bad
sh dies.sh --out=@out
	also	dies.sh
sh vote.sh @in...
	also	vote.sh
END
printf '2\n4\n' >bad

tree_of()
{
	(cd "$1" && find . -path ./.gg -prune -o -type f ! -name gg.models -print | LC_ALL=C sort |
		while read -r f; do echo "== $f"; cat "$f"; done)
}

# alike FAILED COMMAND...: what stands after it and what it prints (each time that
# it is run) are those of the plain command; gg says that FAILED steps failed,
# and ends with 1 where the script does not end well.
alike()
{
	local failed=$1 rc_plain rc

	shift
	rm -rf plain && cp -r "$work/base" plain && rm plain/by-hand
	(cd plain && "$@") >plain.out 2>plain.err </dev/null
	rc_plain=$?
	(cd gg && "$GG" run $flags "$@") >gg.out 2>gg.err </dev/null
	rc=$?
	[ $rc_plain = 0 ] || rc_plain=1
	tree_of plain >plain.tree
	tree_of gg >gg.tree
	[ $rc = $rc_plain ] && diff -a plain.tree gg.tree && ! grep -rl gg-placeholder gg --exclude-dir=.gg &&
		tail -1 gg.out | grep -q ", failed $failed," && return 0
	echo "plain ended with $rc_plain, gg with $rc"
	tail -n 20 gg.out gg.err
	return 1
}

# kind hand|learned: the scripts come anew, with gg.models or with what is learned
# from seed 1.
kind=
begin()
{
	rm -rf gg && cp -r "$work/base" gg && rm gg/by-hand
	(cd gg && "$GG" init >/dev/null && if [ $kind = hand ]; then
		cp "$work/base/by-hand" gg.models
	else
		mkdir gone && for s in train other; do
			"$GG" learn sh $s.sh --seed 1 --out gone/$s
		done && "$GG" learn sh folder.sh --seed 1 --dir gone/d
		rm -r gone
	fi) >/dev/null 2>&1
}

try() # FAILED PROMISE SCRIPT [COMMAND...]
{
	local failed=$1 promise=$2

	printf '%s\n' "$3" >"$work/base/s.sh"
	shift 3
	[ $# = 0 ] && set -- sh s.sh
	begin
	check "$kind: $promise" alike "$failed" "$@"
}

flags=
cd "$work" || exit 1
for kind in hand learned; do
	try 1 "|| takes the other way" 'sh train.sh --seed 2 --out m || sh other.sh --seed 3 --out m
cat m'
	check "$kind: and again" sh -c 'cd gg && "$1" run sh s.sh 2>&1 | grep "^gg: 1 step that it let fail is not tried again either" && grep -q "model 3" m' - "$GG"
	check "$kind: once what the step reads is another it is run" sh -c 'cd gg && echo 4 >bad && "$1" run sh s.sh && grep -q "model 2" m' - "$GG"
	try 1 "\$? is its own" 'sh train.sh --seed 2 --out m; rc=$?
echo "ended with $rc" >said; exit $((rc + 4))'
	try 2 "a loop goes on without the members that fail" 'mkdir out
for s in 1 2 3 4 5; do
	sh train.sh --seed $s --out out/$s || { rm -f out/$s; echo "$s failed" >>failed; }
done
cat out/* >all'
	try 1 "set -e stops at it, and nothing that follows is left" 'set -e
mkdir out; echo begun >log
for s in 1 2 3; do sh train.sh --seed $s --out out/$s; done
echo done >log'
	try 1 "if, in bash, and a folder of which a part was written" 'if sh folder.sh --seed 2 --dir run; then
	echo fine >said
else
	echo "$? $(cat run/ckpt)" >said
fi' bash s.sh
	try 1 "what it printed into a file is there" 'sh train.sh --seed 2 --out m >log 2>&1 || { echo no; tail -1 log; } >>log'
	try 2 "seeds are tried until one does it" 'for s in 2 4 5; do sh train.sh --seed $s --out m && break; done; cat m >best'
	try 1 "a script that cares for what is there already" 'for s in 1 2 3; do
	[ -e m$s ] || sh train.sh --seed $s --out m$s || echo "not $s" >not$s
done'
done

# Names that come, or go, only when something is learned again.
cat >base/more.sh <<'END'
# --seed N --out F: one seed leaves another file beside it, once the folder was listed
echo "$2" >"$4"
[ "$2" != 3 ] || { [ -z "$GG_RUNTIME" ] || sleep 3; echo "$2" >"${4%/*}/extra"; }
END
try 0 "who lists a folder sees what learning again has added" 'mkdir out
for s in 1 2 3 4; do sh more.sh --seed $s --out out/$s; done
ls out >names'
check "learned: for which the script was run again" grep -q "is run again: what is beside out/[1-4] was listed" gg.err
rm base/more.sh

kind=hand
try 1 "a signal" 'sh dies.sh --out m; echo $? >said'
try 1 "Python hears of it" 'import subprocess
r = [subprocess.run(["sh", "train.sh", "--seed", str(s), "--out", f"m{s}"]).returncode
     for s in (1, 2, 3)]
open("said", "w").write(repr(r))' /usr/bin/python3 s.sh
try 1 "what was read in between is what was written by then" 'sh train.sh --seed 2 --out m; cat m >copy; [ -s copy ] && echo $? >said'
begin
check "who never looks how a step ends: 1, and why" sh -c 'cd gg && "$1" run sh -c "sh train.sh --seed 2 --out m; echo on >said" >../loose 2>&1; [ $? = 1 ] &&
	grep -q "does not look at how its steps end" ../loose && grep -q on said' - "$GG"
flags=--keep-going
try 2 "--keep-going, and set -e" 'set -e
sh train.sh --seed 1 --out m1; sh train.sh --seed 2 --out m2; sh train.sh --seed 4 --out m4'
flags=

cat >base/Makefile <<'END'
all: m1 m2 m3 m5
	cat m1 m2 m3 m5 >$@
m%: train.sh
	sh train.sh --seed $* --out $@
END
try 1 "make stops at the member that fails" '' make
printf '.DELETE_ON_ERROR:\n' >>base/Makefile
try 1 "make -k goes on, and deletes what it is to delete" '' make -k
check "once it is right, make makes it" sh -c 'cd gg && echo none >bad && "$1" run make >/dev/null 2>&1 && grep -q "model 2" all' - "$GG"
rm base/Makefile

echo precious >base/data
try 1 "what commands make is made once more, from nothing" 'set -eC
mkdir d; echo a >log; echo b >>log; ln -s log link; cp data d/copy
sh train.sh --seed 2 --out m || echo no >d/said
test -h link; wc -l <log >lines'
try 1 "a file that they move is not lost" 'mv data d.old && gzip -n d.old
sh train.sh --seed 2 --out m || echo no >said'
check "it is there" sh -c '[ "$(gunzip -c gg/d.old.gz)" = precious ]'
rm base/data

# What stood there before stays, or comes back.
try 0 "a script that ends well" 'set -e; for s in 1 3 5; do sh train.sh --seed $s --out m$s; done'
echo 3 >gg/bad
check "a failure before them leaves what earlier runs have made" \
	sh -c 'cd gg && ! "$1" run sh s.sh >/dev/null 2>&1 && [ "$(cat m5)" = "model 5" ] && ! grep -l placeholder m*' - "$GG"
check "it is not remembered" sh -c 'cd gg && "$1" run sh s.sh 2>&1 | grep -q "failed 1,"' - "$GG"
check "the log of it can be read" sh -c 'cd gg && "$1" log m3 | grep -q "3 diverged"' - "$GG"
check "gg status names it" sh -c 'cd gg && "$1" status | grep -q "^failed  *m3"' - "$GG"
echo 2 >gg/bad
check "gg run makes it once it can" sh -c 'cd gg && "$1" run sh s.sh | grep "^forced 3, cached 0, failed 0,"' - "$GG"
plan
