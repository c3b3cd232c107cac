#!/bin/bash
# What gg adds to an invocation of a function, beyond a bare libcurl loop that
# posts the same requests to the same serverless-offline, in turn with it.  The
# function answers what the real worker answered before.
. "$(dirname "$0")/lib.sh"
n=${N:-500}
server=$work/lambda.$$
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y AWS_REGION=us-east-1

BUILD=$BUILD "$top/test/servers/lambda.sh" "$server" "$gg worker" >"$work/said" 2>&1 || {
	[ $? = 77 ] && { echo "lambda: skipped: $(tail -1 "$work/said")" >&2; rm -rf "$server"; exit 0; }
	die "$(tail -1 "$work/said")"
}
trap 'kill "$(cat "$server/pid")"; rm -rf "$server"' EXIT
new_cat "$n" lambda
"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
read -r gg50 gg99 curl50 curl99 < <("$BUILD/test/bench/b_lambda" \
	"http://127.0.0.1:$(cat "$server/port")" gg-recall "$PWD/.gg" "$n") || die 'b_lambda failed'
tell lambda "$gg50 ms" "$curl50 ms" "$(awk -v a="$gg50" -v b="$curl50" 'BEGIN { printf "%+.2f", a - b }')" \
	'< +1 ms' "p50 of $n invocations, gg and bare libcurl; p99 $gg99 and $curl99 ms"
drop_new
