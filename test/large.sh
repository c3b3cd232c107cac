#!/bin/bash
# large.sh - large files, many files, long arguments, and none at all
. "$(dirname "$0")/lib.sh"

# Files by the hundred thousand are best made and removed in memory.
if [ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -gt 6000000 ] &&
	mount -t tmpfs -o size=4g tmpfs "$work" 2>/dev/null; then
	trap 'cd /; umount "$work"; rmdir "$work"' EXIT
fi

project large
cat >gg.models <<'END'
sh first.sh @in @out
sh maketree.sh --n=@ @out/
sh parts.sh @out/
sh count.sh @in/ @out
sh big.sh @out
sh log.sh @out
sh cat.sh @out @in...
sh args.sh @out @...
sh empty.sh @in @in/ @out @out/
sh ok.sh @in @out
END
echo '{ stat -c "%s %b" "$1"; head -c 5 "$1"; tail -c 4 "$1"; } >"$2"' >first.sh
echo 'cd "$3" && seq -f f%05g "$2" | xargs -n 1000 touch && mkdir sub && echo 1 >sub/1' >maketree.sh
echo 'mkdir -p "$1" && cd "$1" && seq 3000000 | split -a 4 -b 4000' >parts.sh
echo 'find "$1" -type f | wc -l >"$2"' >count.sh
echo 'seq 25000000 | head -c 200000000 >"$1"' >big.sh
echo 'yes "a line of a long log" | head -c 10000000; echo the end of it; echo done >"$1"' >log.sh
echo 'out=$1; shift; cat "$@" | sort -n | tail -n 1 >"$out"' >cat.sh
echo 'out=$1; shift; for i; do echo ${#i}; done >"$out"' >args.sh
echo 'cat "$1" >"$3" && ls -A "$2" >>"$3" && mkdir "$4/within"' >empty.sh
echo 'cat "$1" >"$2"' >ok.sh

within() { local s=$1 from=$SECONDS; shift; "$@" && [ $((SECONDS - from)) -le "$s" ]; }
kib() { du -sk "$1" | cut -f 1; }

truncate -s 5G sparse
printf first | dd of=sparse conv=notrunc status=none
printf last | dd of=sparse bs=1 seek=5368709116 conv=notrunc status=none
if [ "$(kib sparse)" -lt 1000 ]; then
	check "a sparse file of 5 GiB is an input, in less than a minute" \
		within 60 counts 1 0 0 "$GG" run sh first.sh sparse first
	check "its size, its first and its last bytes are there" \
		eval 'head -1 first | grep -q "^5368709120 " && grep -q firstlast first'
	check "it stays sparse where the step sees it" \
		test "$(head -1 first | cut -d ' ' -f 2)" -lt 10000
	check "and in the store" test "$(kib .gg)" -lt 20000
	check "it is not read again" within 5 counts 0 1 0 "$GG" run --fresh sh first.sh sparse first
fi
rm -f sparse

check "50,000 files in one tree are an output" counts 1 0 0 "$GG" run sh maketree.sh --n 50000 tree
check "all of them" test "$(find tree -type f | wc -l)" = 50001
check "and an input" counts 1 1 0 "$GG" run sh count.sh tree count
check "all of them" test "$(cat count)" = 50001
check "known the next time" counts 0 2 0 "$GG" run --fresh sh -c 'sh maketree.sh --n 50000 tree; sh count.sh tree count'
mv tree own
check "and an input that is the user's own" counts 1 0 0 "$GG" run sh count.sh own count2
check "all of them" test "$(cat count2)" = 50001
echo more >own/sub/2
check "one more is noticed" eval 'counts 1 0 0 "$GG" run sh count.sh own count2 && [ "$(cat count2)" = 50002 ]'

check "5,700 small files with 22 MB in all are an output" \
	within 60 counts 1 0 0 "$GG" run sh parts.sh parts
check "with all they hold" test "$(cat parts/* | sha256sum)" = "$(seq 3000000 | sha256sum)"
check "an output of 200 MB" counts 1 0 0 "$GG" run sh big.sh big
check "is right" test "$(stat -c %s big) $(tail -c 30 big | sha256sum)" = \
	"200000000 $(seq 25000000 | head -c 200000000 | tail -c 30 | sha256sum)"
check "a log of 10 MB is taken" counts 1 0 0 "$GG" run sh log.sh logged
check "its end is kept" eval '"$GG" log logged | tail -1 | grep -q "the end of it$"'
check "and no more than 256 KiB of it" test "$("$GG" log logged | wc -c)" -le 263000
mkdir ins && seq 5000 | while read -r i; do echo "$i" >"ins/$i"; done
check "5,000 inputs" counts 1 0 0 "$GG" run sh -c 'sh cat.sh many ins/*'
check "are all read" test "$(cat many)" = 5000
long=$(head -c 3000 /dev/zero | tr '\0' y)
check "arguments of 3,000 bytes, and an empty one" \
	counts 1 0 0 "$GG" run sh args.sh args "$long" "${long}z" "" "$long"
check "arrive whole" test "$(tr '\n' ' ' <args)" = "3000 3001 0 3000 "
check "a change at the end of one counts" \
	counts 1 0 0 "$GG" run sh args.sh args "$long" "${long}x" "" "$long"
: >nothing
mkdir nobody
check "an empty file and an empty directory go in and come out" \
	counts 1 0 0 "$GG" run sh empty.sh nothing nobody out outdir
check "empty" test -f out -a ! -s out -a -d outdir/within

# A file that grows while it is hashed is read again, or said to be changing;
# whatever is inferred is one state of it.
seq 3000000 >growing
(for i in $(seq 200); do echo "$i" >>growing; done) &
"$GG" run --fresh sh ok.sh growing copy >"$work/.grow" 2>&1
rc=$?
wait $!
check "a file that changes while it is hashed: one state of it, or a message" eval \
	'if [ $rc = 0 ]; then cmp -n "$(stat -c %s copy)" copy growing; else grep -q growing "$work/.grow"; fi'
check "and when it has settled, that state" \
	eval '"$GG" run --fresh sh ok.sh growing copy && cmp copy growing'
check "gg gc finds its way through all of it" "$GG" gc
check "and every object is right" store_is_right
plan
