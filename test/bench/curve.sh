#!/bin/bash
# The sharded example on simulated functions of 80 ms a request and 65 MB/s (the
# published S3 figures), from 1 to 1,000 workers, beside the ideal: all work spread
# evenly, or the longest way through, whichever is more.
. "$(dirname "$0")/lib.sh"
[ -x "$BUILD/test/bench/b_sim" ] || die 'needs b_sim'
shards=${SHARDS:-2000}
"$BUILD/test/bench/b_sim" curve "$shards" 1 2 5 10 20 50 100 200 500 1000 >"$work/curve" ||
	die 'the simulation failed'
while read -r workers clock ideal up real; do
	tell curve "$(printf '%.1f s' "$clock")" "$(printf '%.1f s' "$ideal")" \
		"$(awk -v a="$clock" -v b="$ideal" 'BEGIN { printf "%.2f", a / b }')" '< 1.25' \
		"simulated, $shards shards, $workers workers: speed-up $up (really $real s)"
done <"$work/curve"

# The scheduler alone: as many thunks as it gets on as many workers, in this process.
thunks=${THUNKS:-1000000}
read -r n wall cpu mib clock < <("$BUILD/test/bench/b_sim" many "$thunks" 10000) ||
	die 'the simulation failed'
tell many "$(printf '%.1f s' "$wall")" - - "< $(awk -v n="$thunks" \
	'BEGIN { printf "%.0f s", n / 1e6 * 60 }')" \
	"$n thunks on 10,000 simulated workers, $cpu s of CPU"
tell many "$mib MiB" - - '< 2048 MiB' \
	"the most memory of that process, pages of the database in it: $(awk -v m="$mib" -v n="$n" \
		'BEGIN { printf "%.2f", m * 1024 / n }') KiB a thunk"
