#!/bin/bash
# run.sh [ROW...] - run the rows and print one table; a row is a script here
set -u
BUILD=$(realpath "${BUILD:-build}")
export BUILD
cd "$(dirname "$0")" || exit 1
all='cold status noop scale infer tracer learn store image memory closure gemm ml cuda curve pool container remote slurm lambda worker policy fleet'
rc=0

table()
{
	printf '%-16s %12s %12s %7s %11s  %s\n' row gg peer ratio target what
	while IFS=$'\t' read -r row gg peer ratio target what; do
		# A row may print a line of its own making.
		[ -n "$gg" ] || { echo "$row"; continue; }
		printf '%-16s %12s %12s %7s %11s  %s\n' "$row" "$gg" "$peer" "$ratio" "$target" "$what"
	done
}

{
for row in ${*:-$all}; do
	if [ -x "$row.sh" ]; then
		"./$row.sh" || { echo "row $row did not finish" >&2; rc=1; }
	else
		echo "there is no row $row" >&2
		rc=1
	fi
done
exit $rc
} | table
exit "${PIPESTATUS[0]}"
