#!/bin/bash
# Objects to and from a real radosgw on loopback: gg's remote beside a client as
# bare as can be (requests signed beforehand, epoll, kept connections), the same
# number in flight.  Server and client share the machine.
. "$(dirname "$0")/lib.sh"
tool=$BUILD/test/bench/b_remote
dir=$work/remote.$$
small=${N:-3000}
large=48
trap 'kill $(cat "$dir/pids") 2>/dev/null; rm -rf "$dir"' EXIT

if ! "$top/test/servers/radosgw.sh" "$dir" >"$work/said" 2>&1; then
	echo "remote: $(tail -1 "$work/said")"
	exit 0
fi
. "$dir/env"
cd "$dir"
uri="s3://bucket/bench?endpoint=$S3_ENDPOINT"

# once WHO VERB N BYTES ABREAST: seconds, and CPU an object in $cpu.
once()
{
	local said

	said=$("$tool" "$1" "$2" "$uri" "$3" "$4" "$5") || die "b_remote $* failed"
	read -r seconds cpu <<<"$said"
}

middle() { tr ' ' '\n' <<<"${1% }" | median; }

# row NAME TARGET NOTE VERB N BYTES ABREAST: rates, interleaved, medians; the ratio is the
# median of those of neighbours.
row()
{
	local name=$1 target=$2 note=$3 a= b= ca= cb= r= i mine unit=$5 what=/s

	shift 3
	[ "$3" -gt 65536 ] && unit=$(awk -v n="$2" -v s="$3" 'BEGIN { print n * s / 1e6 }') what=' MB/s'
	for ((i = 0; i < ROUNDS; i++)); do
		once gg "$@"
		mine=$seconds
		a="$a$seconds " ca="$ca$cpu "
		once bare "$@"
		b="$b$seconds " cb="$cb$cpu "
		r="$r$(awk -v a="$mine" -v b="$seconds" 'BEGIN { print b / a }') "
	done
	a=$(middle "$a") b=$(middle "$b") ca=$(middle "$ca") cb=$(middle "$cb")
	tell "$name" "$(awk -v s="$a" -v u="$unit" 'BEGIN { printf "%.0f", u / s }')$what" \
		"$(awk -v s="$b" -v u="$unit" 'BEGIN { printf "%.0f", u / s }')$what" \
		"$(printf %.2f "$(middle "$r")")" "$target" "$note"
	tell "$name, CPU" "$ca us" "$cb us" \
		"$(awk -v c="$ca" -v s="$a" -v n="$2" 'BEGIN { printf "%.0f%%", c * n / s / 1e4 }')" \
		'' "an object; beside, the share of a core that gg used"
}

once bare put "$small" 4096 32
row remote-put '>= 0.90' "$small objects of 4 KiB, 32 in flight / bare client" \
	put "$small" 4096 32
row remote-get '>= 0.90' 'the same, fetched' get "$small" 4096 32
row remote-large '>= 0.90' "$large objects of 8 MiB, 4 in flight / bare client" \
	put "$large" 8388608 4
row remote-large-get '>= 0.90' 'the same, fetched into memory' get "$large" 8388608 4
row remote-large-file '>= 0.90' 'the same, into files' fetch "$large" 8388608 4
