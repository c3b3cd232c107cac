#!/bin/bash
# bad_days.sh - steps that fail, Ctrl-C, a full or read-only disk, clocks
. "$(dirname "$0")/lib.sh"
own_gg

project failing
cat >gg.models <<'END'
sh missing.sh @in @out
sh undeclared.sh @in @out
sh outside.sh @in @out
sh wrote.sh @in @out
sh signal.sh @in @out
sh code.sh @in @out
sh full.sh @in @out
sh ok.sh @in @out
sh short.sh @in @out
sh long.sh @in @out
END
echo 'echo log of missing; cat "$1" >/dev/null' >missing.sh
echo 'cat other >"$2"' >undeclared.sh
echo 'echo x >/etc/gg-escaped && echo x >"$2"' >outside.sh
echo 'echo changed >>"$1"; echo x >"$2"' >wrote.sh
echo 'echo log of signal; kill -SEGV $$' >signal.sh
echo 'echo log of code; exit 7' >code.sh
echo 'echo log of full; cat "$1" >/dev/full' >full.sh
echo 'cp "$1" "$2"' >ok.sh
echo 'sleep 0.2; cp "$1" "$2"' >short.sh
echo "echo started; sleep 1000.$$ & sleep 1001.$$ # ${work##*/}" >long.sh
echo one >a
echo secret >other

# fails STEP TEXT [gone]: it says so, once; gg exits with 1 and leaves the
# placeholder, or none where the program itself has failed.
fails()
{
	rm -f "o-$1"
	says "$2" 1 "$GG" run --fresh sh "$1.sh" a "o-$1" || return 1
	[ "$(grep -cF -- "$2" "$work/.log")" = 1 ] && grep -q "^failed: sh $1.sh a o-$1" "$work/.log" &&
		[ "$(grep -c "log of $1" "$work/.log")" = "$(grep -c "log of" "$1.sh")" ] &&
		{ [ -n "${3:-}" ] && [ ! -e "o-$1" ] ||
			head -1 "o-$1" | grep -q '^gg-placeholder'; } && [ "$(cat a)" = one ]
}
check "an output that is missing" fails missing "missing.sh ended well but did not write its output o-missing"
check "a read that is not declared, and how to declare it" fails undeclared \
	'undeclared.sh needs other, which is in the project but not among its inputs: add `also other`'
check "a write outside the project" fails outside "tried to write /etc/gg-escaped, outside the project"
check "nothing is written there" test ! -e /etc/gg-escaped
check "a step that writes to its input" fails wrote "wrote.sh changed its input a"
check "one that dies by a signal" fails signal "killed by SIGSEGV (segmentation fault)" gone
check "words of a full disk where there is room" fails full \
	'full.sh says that it found no space left, yet where it writes there was some' gone
check "an exit status" fails code "gg: exit status 7" gone

"$GG" infer --fresh sh -c 'sh code.sh a k1; sh ok.sh k1 k2; for i in 1 2 3; do
	echo $i >s$i; sh ok.sh s$i t$i; done' >/dev/null
check "--keep-going runs what does not need the failed one" \
	counts 3 0 1 "$GG" force --keep-going k2 t1 t2 t3
check "and makes it real" test "$(cat t1 t2 t3)" = "1
2
3"
check "what was done well is known" counts 0 3 0 "$GG" force t1 t2 t3
check "the log of a failure can be read later" says "log of code" 0 "$GG" log k1

"$GG" infer --fresh sh -c 'sh code.sh a k1; sh ok.sh k1 k2; for i in 4 5 6 7 8; do
	echo $i >s$i; sh short.sh s$i v$i; sh ok.sh v$i w$i; done' >"$work/.log" 2>&1
check "what is only promised is not called cached" grep -q "^forced 0, cached 0, failed 0" "$work/.log"
"$GG" force -j2 k2 w4 w5 w6 w7 w8 >"$work/.log" 2>&1
check "nor is what was left out after a failure" grep -q ", cached 0, failed 1," "$work/.log"

# interrupt N COMMAND...: Ctrl-C, N times, once what waits runs and $first is made; so
# many seconds later it has $ended.
interrupt()
{
	local n=$1 pid rc

	shift
	set -m
	"$@" >"$work/.int" 2>&1 &
	pid=$!
	set +m
	until_true 60 eval "[ -n \"\$(pgrep -f '^sleep 100[01].$$')\" ] && grep -q one $first"
	ended=$SECONDS
	while [ "$n" -gt 0 ]; do
		kill -INT -- "-$pid"
		n=$((n - 1))
		sleep 0.2
	done
	wait "$pid"
	rc=$?
	ended=$((SECONDS - ended))
	[ $rc = 1 ] && return
	echo "ended with $rc"
	tail -5 "$work/.int"
	return 1
}
no_long_ones() { none_left && ! grep -qsz "^100[01].$$\$" /proc/[0-9]*/cmdline; }
"$GG" infer sh -c 'sh short.sh a f1; sh long.sh a f2; sh short.sh f1 f3' >/dev/null
first=f1
check "Ctrl-C ends a run within its grace" interrupt 1 "$GG" force -j2 f1 f2 f3
check "which is a few seconds" test $ended -le 30
check "it says so, in one line" test "$(grep -c 'stopping:' "$work/.int")" = 1
check "what never ran is not called cached" grep -q ", cached 0, failed" "$work/.int"
check "no process is left" no_long_ones
check "nothing half done either" nothing_temporary
check "what had finished is kept" test "$(cat f1)" = one
check "the rest still is a placeholder" grep -q gg-placeholder f2
# A slow machine may need as long for it once, but not each time.
at_once()
{
	for _ in 1 2 3 4; do
		interrupt 2 "$GG" force -j2 f1 f2 f3 || return
		[ $ended -le 2 ] && return
	done
	return 1
}
check "Ctrl-C twice ends it at once, without the grace" at_once
check "no process is left" no_long_ones
check "nothing half done either" nothing_temporary
first=a
check "Ctrl-C ends a script too" interrupt 2 "$GG" run --fresh sh -c 'sh short.sh a g1; sleep 1000.'$$'; sh ok.sh a g2'
check "no process is left" no_long_ones
check "and the store is right" store_is_right

# Time.
project clock
cp ../failing/*.sh ../failing/gg.models .
echo one >a
"$GG" run sh -c 'sh ok.sh a b; sh ok.sh b c' >/dev/null
touch -d '2001-01-01' a b c ok.sh
check "a clock that was set back: nothing runs" counts 0 2 0 "$GG" run sh -c 'sh ok.sh a b; sh ok.sh b c'
touch -d '2101-01-01' a b c ok.sh
check "a time in the future: nothing runs" counts 0 2 0 "$GG" run sh -c 'sh ok.sh a b; sh ok.sh b c'
echo two >a
touch -d '2001-01-01' a
check "changed, with a time of long ago: all runs" counts 2 0 0 "$GG" run sh -c 'sh ok.sh a b; sh ok.sh b c'
check "rightly" test "$(cat c)" = two
echo six >a
touch -d '2101-01-01' a
check "changed, with a time in the future" counts 2 0 0 "$GG" run sh -c 'sh ok.sh a b; sh ok.sh b c'
check "rightly" test "$(cat c)" = six

# Disks.  The rest needs a file system of its own.
mkdir "$work/small"
if ! mount -t tmpfs -o size=6m tmpfs "$work/small" 2>/dev/null; then
	echo "ok $((n_checks += 1)) - a full disk # SKIP mounting one needs root"
	plan
fi
trap 'cd /; umount "$work/small" 2>/dev/null; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/small/p" && cd "$work/small/p" && "$GG" init >/dev/null
cat >gg.models <<'END'
sh ok.sh @in @out
sh big.sh @out --mb=@
END
cp ../../failing/ok.sh .
echo 'head -c "${3}000000" /dev/zero | tr "\0" x >"$1"' >big.sh
echo one >a
fill() { head -c 20000000 /dev/zero >../fill 2>/dev/null; true; }
# full COMMAND...: fails, says that the disk is full, each thing once.
full()
{
	"$@" >"$work/.log" 2>&1 && return 1
	grep -qi "no space left" "$work/.log" && ! grep '^gg:' "$work/.log" | sort | uniq -d | grep .
}
two='sh ok.sh a b; sh ok.sh b c'
"$GG" run sh ok.sh a z >/dev/null
check "an output larger than the disk" full "$GG" run sh big.sh big --mb 9
check "what its model can say is told" grep -q 'let .disk 10G. in its model say' "$work/.log"
check "leaves no part of it, and may be forced later" grep -q '^gg-placeholder' big
ways() { "$@" --json 2>/dev/null | jq -r 'select(.event == "ran").status' | sort | uniq -c | xargs; }
check "it is a failure of a kind of its own, and tried twice" \
	test "$(ways "$GG" force big)" = "2 disk-full"
check "and nothing else" nothing_temporary
"$GG" infer sh -c "$two" >/dev/null
fill
check "a disk that is full while forcing" full "$GG" force c
rm -f ../fill
check "once there is room it goes on" "$GG" force c
check "rightly" test "$(cat c)" = one
echo two >a
fill
check "a disk that is full while inferring" full "$GG" run sh -c "$two"
check "gg status works all the same" "$GG" status
rm -f ../fill
check "once there is room it goes on" "$GG" run sh -c "$two"
check "rightly" test "$(cat c)" = two
fill
check "gg init on a full disk" eval 'mkdir -p ../q; full "$GG" init ../q'
rm -f ../fill
"$GG" run sh -c 'sh big.sh b1 --mb 1; sh ok.sh b1 b2' >/dev/null 2>&1
rm -f b1 b2 && "$GG" run sh ok.sh a z >/dev/null
fill
check "gg gc works on a full disk" "$GG" gc --keep-runs=1
rm -f ../fill
check "the store is right after all that" store_is_right
check "nothing temporary is left" nothing_temporary

echo three >a
"$GG" infer sh -c "$two" >/dev/null
mount -o remount,ro "$work/small"
check "a read-only file system is named, with the remedy" \
	says "the file system is read-only; mount it for writing" 3 "$GG" force
check "by gg run too" says "the file system is read-only; mount it for writing" 3 "$GG" run sh -c "$two"
check "looking needs no writing" eval 'for i in status graph "show c" "why c"; do "$GG" $i || exit 1; done'
mount -o remount,rw "$work/small"
check "then it goes on" counts 2 0 0 "$GG" force c b
check "no process is left" none_left

if command -v setpriv >/dev/null; then
	chmod 755 "$work" && chown -R 65534:65534 "$work/small/p"
	nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$GG" "$@"; }
	chmod -R a-w .gg
	check "a store that may not be written is named, with the remedy" \
		says ".gg/db: permission denied; give yourself access" 3 nobody run --fresh sh ok.sh a d
	chmod -R u+w .gg
	chmod a-w .
	check "so is a folder" says "d: cannot make a file there: Permission denied; give yourself write access" \
		1 nobody run --fresh sh ok.sh a d
	chmod u+w .
	check "then it goes on" nobody run --fresh sh ok.sh a d
fi
plan
