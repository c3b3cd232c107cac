#!/bin/bash
# run.sh SECONDS FUZZER... - fuzz each for so long, three at a time
#
# Seeds are the golden texts; what is found stays beside the fuzzer in
# corpus/, and a text that breaks something is named.  TAP, so that the last
# line can be that of test/run.sh.
set -u
each=$1
shift
golden=$(cd "$(dirname "$0")/../golden" && pwd)
n=0 bad=0

one() # SECONDS FUZZER GOLDEN
{
	local name dir
	name=$(basename "$2")
	dir=$(dirname "$(realpath "$2")")
	mkdir -p "$dir/corpus/$name"
	(cd "$dir" && "$dir/$name" -max_total_time="$1" -timeout=25 -rss_limit_mb=1024 -max_len=8192 \
		-print_final_stats=1 -artifact_prefix="$dir/$name-" \
		"corpus/$name" "$3" >"$name.log" 2>&1)
}
export -f one

printf '%s\0' "$@" | xargs -0 -P3 -I{} bash -c 'one "$1" "$2" "$3"; echo $? >"$2.rc"' - "$each" {} "$golden"

for f; do
	n=$((n + 1))
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$f.log" 2>/dev/null)
	if [ "$(cat "$f.rc" 2>/dev/null)" = 0 ] && [ -n "$runs" ]; then
		echo "ok $n - $(basename "$f") stands $runs inputs in $each s"
	else
		bad=$((bad + 1))
		tail -30 "$f.log" | sed 's/^/# /'
		echo "not ok $n - $(basename "$f"); see $f.log"
	fi
done
echo "1..$n"
[ "$bad" = 0 ]
