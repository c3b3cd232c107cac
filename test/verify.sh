#!/bin/bash
# gg verify runs a thunk again and says where what it gives differs
. "$(dirname "$0")/lib.sh"

project p
cat >gg.models <<'EOF'
sh same.sh --in=@in --out=@out
sh random.sh --out=@out --keep=@out
sh folder.sh --out=@out/
sh joined.sh --in=@in --out=@out
sh broken.sh --out=@out
sh slow.sh --out=@out
sh exec.sh --out=@out
EOF
cat >same.sh <<'EOF'
cat "${1#--in=}" >"${2#--out=}"
EOF
cat >random.sh <<'EOF'
{ printf 'always the same: '; od -An -tx1 -N16 /dev/urandom; } >"${1#--out=}"
echo kept >"${2#--keep=}"
EOF
cat >folder.sh <<'EOF'
d=${1#--out=}
mkdir -p $d/sub
echo same >$d/a
echo same >$d/sub/b
od -An -tx1 -N16 /dev/urandom >$d/sub/c
EOF
cat >joined.sh <<'EOF'
{ cat "${1#--in=}"; echo more; } >"${2#--out=}"
EOF
cat >broken.sh <<'EOF'
exit 7
EOF
held=1000.$$
cat >slow.sh <<EOF
sleep $held; echo >"\${1#--out=}"
EOF
cat >script.sh <<'EOF'
sh same.sh --in=data --out=same.txt
sh random.sh --out=random.txt --keep=kept.txt
sh folder.sh --out=run
sh joined.sh --in=same.txt --out=joined.txt
EOF
echo data >data

"$GG" infer sh script.sh >/dev/null
verify() { "$GG" verify "$@"; }
unmade() { head -1 "$1" | grep -q gg-placeholder; }

# --- without a kept result: two runs
check "a thunk that was never forced runs twice" says "same 1, differ 0" 0 verify same.txt
check "and stays unforced: its path is a placeholder still" unmade same.txt
check "and its result is not kept" counts 1 0 0 "$GG" force same.txt
check "what it needs is made first" says "same 1, differ 0" 0 verify joined.txt
check "a step that differs is said to, with status 1" says "differs" 1 verify random.txt

# --- with one
"$GG" force >/dev/null 2>&1
before=$(sha256sum random.txt run/sub/c kept.txt)
check "a kept result is what a run is compared with" says "same 1, differ 0" 0 verify joined.txt
# The first digit that differs may be any, but it is after what is the same.
check "the byte is told" bash -c \
	'"$1" verify random.txt | grep -qE "differs at byte (1[789]|[2-6][0-9]) of 66"' - "$GG"
check "and the output" says "output out (random.txt)" 1 verify random.txt
check "of a folder also the file" says "sub/c differs at byte" 1 verify run
check "what stands in the project is left as it is" \
	[ "$(sha256sum random.txt run/sub/c kept.txt)" = "$before" ]
check "and what is kept: nothing is forced again" counts 0 4 0 "$GG" force

both() # OUTPUT PATH
{
	local at

	at=$(verify "$1" | sed -n 's/.*kept: \(.*\)\/a .*/\1/p')
	[ -e "$at/a/$2" ] && [ -e "$at/b/$2" ] && ! cmp -s "$at/a/$2" "$at/b/$2" &&
		cmp "$at/a/$2" "$2"
}
check "both are kept to look at, the first as the store has it" both random.txt random.txt
check "so are files of a folder" both run run/sub/c
check "outputs that are the same are not among them" \
	bash -c '! find .gg/verify -name kept.txt | grep .'

# --- many
check "several are verified at once" says "same 2, differ 2, failed 0" 1 \
	verify same.txt random.txt run joined.txt
check "--all adds what a target needs" says "same 2, differ 0" 0 verify --all joined.txt
check "--all alone is every output that gg knows" says "same 2, differ 2" 1 verify --all
check "--sample takes a part of all that is behind a target" says "same 1, differ 0" 0 \
	verify --sample 0.3 joined.txt
check "one that is no part is refused" says "say a part of all" 2 verify --sample 2 joined.txt
check "--runs says how many results are compared" bash -c \
	'"$1" verify --runs 5 --json same.txt | grep -q "\"results\":5"' - "$GG"
check "one result cannot be compared" says "two results at least" 2 verify --runs 1 same.txt
check "JSON names verdict, output, file and offset" bash -c \
	'"$1" verify --json run | python3 -c "
import json, sys
d = json.load(sys.stdin)
t = d[\"thunks\"][0]
assert d[\"differ\"] == 1 and t[\"verdict\"] == \"differs\" and t[\"compared_with_kept\"]
x = t[\"difference\"]
assert x[\"output\"] == \"out\" and x[\"file\"] == \"sub/c\" and x[\"offset\"] >= 0
assert len(x[\"sizes\"]) == 2 and x[\"kept\"]"' - "$GG"

# --- elsewhere
elsewhere() # WORD... : verify with a worker by hand and this machine
{
	local worker

	rm -f "$work/ticket"
	until_true 60 test -s "$work/ticket" && exec "$GG" worker --connect "$work/ticket" -j 2 >"$work/worker.log" 2>&1 &
	worker=$!
	timeout 300 "$GG" verify --json --engine local:jobs=2 \
		--engine "connect:unix=$work/pool,ticket=$work/ticket" "$@" >"$work/.json"
	kill $worker
	wait $worker 2>/dev/null
	cat "$work/.json"
}
ran_on() # PLACE N: N thunks of the last did
{
	[ "$(jq "[.thunks[] | select(.ran_on == \"$1\")] | length" "$work/.json")" = "$2" ]
}
elsewhere same.txt joined.txt random.txt >/dev/null 2>&1
check "with several engines what was made here runs elsewhere" ran_on connect 3
check "and is compared with what was made here" \
	[ "$(jq -c '[.same, .differ, .thunks[0].made_on]' "$work/.json")" = '[2,1,"local"]' ]
check "an engine alone is good enough" bash -c \
	'"$1" verify --json same.txt | jq -e ".same == 1 and .thunks[0].ran_on == \"local\""' - "$GG"

# --- what cannot be
echo 'sh broken.sh --out=broken.txt' >broken-script.sh
"$GG" infer sh broken-script.sh >/dev/null
check "a thunk that fails is told of, with status 1" says "exit status 7" 1 verify broken.txt

# --- folders
"$GG" infer sh -c 'sh same.sh --in=data --out=two/a.txt; sh joined.sh --in=data --out=two/b.txt' >/dev/null
check "a folder means the outputs in it" says "same 2, differ 0" 0 verify two
check "without a target there is a usage error" says "needs PATH or ID" 2 verify
check "so it is for what gg does not know" says "no output that gg knows" 2 verify data
echo 'sh joined.sh --in=broken.txt --out=above.txt' >above-script.sh
"$GG" infer sh -c '. ./broken-script.sh; . ./above-script.sh' >/dev/null
check "one whose input fails fails" says "could not be made" 1 verify above.txt

own_gg
echo 'sh slow.sh --out=slow.txt' >slow-script.sh
"$GG" infer sh slow-script.sh >/dev/null
interrupted()
{
	local rc

	"$GG" verify slow.txt >"$work/.log" 2>&1 &
	all_sleep $held
	kill -INT $!
	sleep 0.3
	kill -INT $!
	wait $!
	rc=$?
	cat "$work/.log"
	[ $rc = 1 ]
}
check "Ctrl-C ends it with status 1" interrupted
check "and leaves no process" none_left
check "nor anything in .gg/work or the project" nothing_temporary
check "the store is right" store_is_right
plan
