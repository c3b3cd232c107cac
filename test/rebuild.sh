#!/bin/bash
# rebuild.sh - what runs again, and what does not
. "$(dirname "$0")/lib.sh"

project rebuild
cat >step.sh <<'END'
in= out= mode=
while [ $# -gt 0 ]; do
	case $1 in
	--in) in=$2 ;;
	--out) out=$2 ;;
	--mode) mode=$2 ;;
	esac
	shift 2
done
echo "$mode of $(cat "$in")" >"$out"
echo run >>"$COUNT" 2>/dev/null || true
END
cat >gg.models <<'END'
sh step.sh --in=@in --out=@out --mode=@
END
cat >run.sh <<'END'
#!/bin/sh
set -e
sh step.sh --in a.txt --out b.txt --mode first
sh step.sh --in b.txt --out c.txt --mode second
sh step.sh --in b.txt --out d.txt --mode third
END
chmod +x run.sh
echo one >a.txt

check "a first run forces all" counts 3 0 0 "$GG" run ./run.sh
check "the outputs are what the script would have made" \
	test "$(cat c.txt d.txt)" = "second of first of one
third of first of one"
check "the same again forces nothing" counts 0 3 0 "$GG" run ./run.sh
check "and does not even run the script" says "not run again" 0 "$GG" run ./run.sh
check "nor does it the time after" says "not run again" 0 "$GG" run ./run.sh
check "--fresh runs it, and all is cached" counts 0 3 0 "$GG" run --fresh ./run.sh
touch a.txt
check "touched without change: nothing runs" counts 0 3 0 "$GG" run ./run.sh
touch -r a.txt .stamp
echo two >a.txt
touch -r .stamp a.txt
check "edited keeping the mtime: all runs" counts 3 0 0 "$GG" run ./run.sh
check "and the new content is there" test "$(cat b.txt)" = "first of two"
sed -i 's/third/fourth/' run.sh
check "a command changed: that one runs" counts 1 2 0 "$GG" run ./run.sh
check "gg why names the argument" says '"third" -> "fourth"' 0 "$GG" why d.txt
rm b.txt
check "an output removed comes back without a run" counts 0 3 0 "$GG" run ./run.sh
check "it is the same" test "$(cat b.txt)" = "first of two"
echo '# a comment' >>step.sh
check "a script changed: its steps run" counts 3 0 0 "$GG" run ./run.sh
echo one >a.txt
cp step.sh step.keep
sed -i '$d' step.sh
check "back to what it was: only what is new to this input runs" counts 1 2 0 "$GG" run ./run.sh
check "and stands in place" test "$(cat b.txt)" = "first of one"

project cutoff
cat >gg.models <<'END'
sh norm.sh @in @out
sh use.sh @in @out
END
echo 'tr a-z A-Z <"$1" >"$2"' >norm.sh
echo 'wc -c <"$1" >"$2"' >use.sh
echo 'sh norm.sh a b; sh use.sh b c' >run.sh
echo word >a
check "a chain is forced" counts 2 0 0 "$GG" run sh run.sh
echo WORD >a
check "an input that changes nothing downstream cuts off early" \
	counts 1 1 0 "$GG" run sh run.sh

plan
