#!/bin/bash
# lock.sh - gg.lock: a run that makes anything else than what is locked fails, and says what
. "$(dirname "$0")/lib.sh"

project lock
cat >gg.models <<'END'
sh prep.sh @in @out
sh train.sh --seed=@ @in @out
sh dir.sh @in @out/
sh dice.sh @in @out
END
echo 'sort "$1" >"$2"' >prep.sh
echo '{ echo "$1"; cat "$2"; } >"$3"' >train.sh
echo 'mkdir -p "$2" && cp "$1" "$2/x y"' >dir.sh
echo 'date +%s.%N >"$2"' >dice.sh
printf 'b\na\n' >data
cat >all.sh <<'END'
sh prep.sh data prepared
for s in 1 2; do sh train.sh --seed=$s prepared "out/m $s"; done
sh dir.sh prepared folder
END
check "without a result there is nothing to lock" says "no output to lock" 2 "$GG" lock
check "--locked without gg.lock says what to do" says "gg lock writes it" 2 "$GG" run --locked sh all.sh
"$GG" infer sh all.sh >/dev/null
check "a placeholder cannot be locked" says "gg force" 2 "$GG" lock
"$GG" run sh all.sh >/dev/null
check "what was forced can" says "gg.lock: 4 outputs" 0 "$GG" lock
check "the text is sorted, one line an output" \
	sh -c '[ "$(head -1 gg.lock)" = "gg-lock 1" ] && tail -n +2 gg.lock | sort -c && [ $(wc -l <gg.lock) = 5 ]'
check "a value's name is what sha256sum says" \
	grep -q "^out prepared value $(sha256sum prepared | cut -c1-64) " gg.lock
cp gg.lock first
"$GG" lock -q
check "again it is the same" cmp gg.lock first
check "the same run passes" counts 0 4 0 "$GG" run --locked sh all.sh
check "from nothing too" sh -c 'rm -rf .gg prepared out folder && "$1" init >/dev/null && "$1" run --locked sh all.sh' - "$GG"
check "and locks the same" sh -c '"$1" lock -q && cmp gg.lock first' - "$GG"
check "gg force of what is there passes" says "forced 0" 0 "$GG" force --locked "out/m 1"

echo c >>data
check "another input: it fails" says "prepared: locked to thunk" 1 "$GG" run --locked sh all.sh
check "and says which input" grep -q "input data: " "$work/.log"
check "nothing of it ran" grep -q "^forced 0," "$work/.log"
printf 'b\na\n' >data
check "back again it passes" says "failed 0" 0 "$GG" run --locked sh all.sh
sed 's/seed=$s/seed=${s}0/' all.sh >other.sh
check "another argument: it fails" says 'arguments after train.sh: "--seed=1" -> "--seed=10"' 1 \
	"$GG" run --locked sh other.sh
grep -v dir.sh all.sh >fewer.sh
check "what the script makes no more is told" says "folder: it is in gg.lock, but" 1 "$GG" run --locked sh fewer.sh
"$GG" run sh all.sh >/dev/null
{ cat all.sh; echo 'sh prep.sh prepared more'; } >more.sh
check "what is not locked is told" says "more: it is not in gg.lock" 1 "$GG" run --locked sh more.sh
"$GG" run sh more.sh >/dev/null
check "one line can be added" sh -c '"$1" lock -q more && [ $(wc -l <gg.lock) = 6 ]' - "$GG"
check "then it passes" says "failed 0" 0 "$GG" run --locked sh more.sh

"$GG" run sh dice.sh data dice >/dev/null
"$GG" lock -q dice
rm -rf .gg dice prepared out folder more
"$GG" init >/dev/null
check "a thunk that gives other bytes is told of as such" says "it is not reproducible" 1 \
	"$GG" run --locked sh -c 'sh dice.sh data dice; sh more.sh'
echo edited >prepared
check "bytes of somebody else are not locked" says "written by somebody else" 2 "$GG" lock
rm -f prepared

sed '2s/^/x/' first >gg.lock
check "a damaged gg.lock names the line" says "gg.lock: line 2" 3 "$GG" run --locked sh all.sh
{ head -1 first; sed -n 3p first; sed -n 2p first; } >gg.lock
check "so does one out of order" says "line 3: " 3 "$GG" run --locked sh all.sh
plan
