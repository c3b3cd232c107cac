#!/bin/bash
# journal.sh - what happened in a run: --json as it happens, gg history, gg diff
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || skip 'needs jq'

project j
cat >gg.models <<'END'
sh prep.sh @in @out
sh train.sh --rate=@ @in @out
sh bad.sh @in @out
sh long.sh @in @out
sh moody.sh @in @out
END
echo 'echo "sorting $1"; sort "$1" >"$2"' >prep.sh
echo '{ echo "$1"; cat "$2"; } >"$3"' >train.sh
echo 'echo oops >&2; exit 3' >bad.sh
echo "sleep 1003 # ${work##*/}" >long.sh
printf 'b\na\n' >data
train() { echo "sh prep.sh data prepared; sh train.sh --rate=$1 prepared model"; }

"$GG" run --json sh -c "$(train 0.1); echo all is done" >events 2>said || exit 1
event() { jq -es "map(select(.event == \"$1\")) | $2" events; }
check "each line is one event" jq -e .event events
check "what the script prints stands apart" grep -qx "all is done" said
check "the first says which command" event run '.[0].command[-1] | test("train.sh")'
check "each run begins" event start 'length == 2 and all(.slot == 0 and .engine == "local")'
check "and ends, with what it took" event ran 'all(.status == "ok" and .seconds > 0 and .rss > 0)'
check "the outputs that were wanted" event targets '.[0].paths | map(.[0]) == ["model", "prepared"] or map(.[0]) == ["prepared", "model"]'
check "the last line is the summary" sh -c 'tail -1 events | jq -e ".event == \"end\" and .forced == 2 and .failed == 0 and .status == 0"'
check "numbers are as JSON has them" event ran 'all((.t, .seconds, .cpu | type == "number") and .seconds < 600 and .cpu < 600 and .code == 0)'
check "times do not go back" jq -es 'map(select(.t).t) | . == sort' events
log=$(jq -r 'select(.event == "ran" and .log) | .log' events | head -1)
check "what a step printed can be read by its name" says "sorting data" 0 "$GG" cat "$log"
check "the journal holds the same" cmp events "$(ls .gg/runs/*.jsonl)"

"$GG" run --json sh -c 'sh prep.sh data "$0"' $'q"u\\o\xff\u00e9' >odd 2>/dev/null
check "a step whose name has quotes, backslashes and odd bytes is told as the run is" \
	jq -es '(map(select(.event == "run"))[0].command[-1] == "q\"u\\x5co\\xffé") and
		(map(select(.event == "start"))[0].label | contains("q\"u\\x5co") and contains("é"))' odd
rm ".gg/runs/$(ls .gg/runs | tail -1)"
"$GG" run --fresh --trace t.json sh -c "$(train 0.15)" >/dev/null
check "--trace writes a slice for each run" jq -e '.traceEvents | map(select(.ph == "X")) | length > 0 and all(.dur > 0 and .pid > 0)' t.json
check "with the command as its name" jq -e '.traceEvents | any(.name == "sh train.sh --rate=0.15 prepared model")' t.json
check "and engines and slots by name" jq -e '.traceEvents | map(select(.ph == "M").args.name) | contains(["local", "slot 0"])' t.json
rm ".gg/runs/$(ls .gg/runs | tail -1)"
"$GG" run --json sh -c "set -e; $(train 0.2); sh bad.sh model worse; sh prep.sh worse more" >events 2>/dev/null
check "a failure is an event, with its words" event failed 'any(.text == "exit status 3" and .cause == .thunk)'
check "so is what it keeps from running" event failed 'any(.cause != .thunk)'
check "the summary counts both" sh -c 'tail -1 events | jq -e ".failed == 1 and .unrun == 1 and .status == 1"'

check "gg history lists runs" sh -c '[ "$("$1" history | wc -l)" = 2 ]' - "$GG"
check "with their counts" says "forced 2, cached 0, failed 0" 0 "$GG" history
check "and their commands" grep -qF "run --json sh -c sh prep.sh data prepared" "$work/.log"
check "as JSON" sh -c '"$1" history --json | jq -e "length == 2 and .[1].failed == 1"' - "$GG"
check "one run step by step" says "exited" 0 "$GG" history last
check "with what each was" grep -qF "sh bad.sh model worse" "$work/.log"
check "the one before by its place" says "sh train.sh --rate=0.1 prepared model" 0 "$GG" history last-1
check "a run that is not there" says "there is no run 1999" 2 "$GG" history 1999
check "gg diff finds where two runs part" says 'model: arguments after train.sh: "--rate=0.1" -> "--rate=0.2"' 1 "$GG" diff last-1 last
check "and what only one has" grep -qF "worse: only in run" "$work/.log"
check "equal runs do not differ" says "0 of 3 outputs differ" 0 "$GG" diff last last
"$GG" run sh -c "$(train 0.3)" >/dev/null && "$GG" run sh -c "$(train 0.3)" >/dev/null 2>&1
check "a run that made nothing cannot be compared, which is said" \
	says "take the one that made them" 2 "$GG" diff last-1 last
rm .gg/runs/"$(ls .gg/runs | tail -1)" .gg/runs/"$(ls .gg/runs | tail -2 | head -1)"
check "one run cannot be compared" says "takes two runs" 2 "$GG" diff last

# What each run of a step printed outlives gg gc, for a while.
echo 'od -An -tx1 -N16 /dev/urandom; exit 3' >moody.sh
"$GG" run sh moody.sh data mood >/dev/null 2>&1
"$GG" run sh moody.sh data mood >/dev/null 2>&1
mood() { "$GG" history --json "$1" | jq -r 'select(.event == "ran").log'; }
first=$(mood last-1) second=$(mood last)
printed() { "$GG" cat "$1" | grep -qE '^( [0-9a-f]{2}){16}$'; }
"$GG" gc >/dev/null
check "gg gc keeps what a step printed, for the reports of all runs of it" \
	eval '[ "$first" != "$second" ] && printed "$first" && printed "$second"'
"$GG" gc --keep-runs 1 >/dev/null
check "with --keep-runs for so many runs" eval '! printed "$first" && printed "$second"'
check "after which the report says that it is gone" \
	eval '"$GG" report last-1 -o - | grep -q "\"gone\":true" && ! "$GG" report last -o - | grep -q "\"gone\":true"'

check "what -o names is there for whom the umask says" \
	eval '(umask 027; "$GG" report last -o page.html) && [ "$(stat -c %a page.html)" = 640 ]'
mkfifo pipe
timeout 100 cat pipe >got &
check "and a pipe stays one" eval 'timeout 100 "$GG" report last -o pipe && wait $! && [ -p pipe ] && cmp got page.html'

# A run that is killed leaves what had happened.
"$GG" run sh -c 'sh train.sh --rate=9 data quick; sh long.sh quick slow' >/dev/null 2>&1 &
pid=$!
check "the journal is written while the run goes on" until_true 60 eval "grep -q '\"start\".*long.sh' .gg/runs/*-$pid.jsonl"
kill -9 $pid
wait $pid 2>/dev/null
check "a killed run is listed as such" says "did not end" 0 "$GG" history
check "what it did can be looked at" says "sh train.sh --rate=9" 0 "$GG" history last
printf '{"event":"start","t":' >>"$(ls .gg/runs/*"-$pid.jsonl")"
check "half a line is passed over" says "sh train.sh --rate=9" 0 "$GG" history last
echo 'no JSON' >>"$(ls .gg/runs/*"-$pid.jsonl")"
check "a damaged journal is named with its line" says "is no event" 3 "$GG" history last
check "and does not hide the others" says "forced 2, cached 0" 0 "$GG" history

mkdir -p ../ro && cd ../ro && cp -r ../j/gg.models ../j/*.sh ../j/data . && "$GG" init >/dev/null
mkdir .gg/runs && mount -t tmpfs -o ro tmpfs .gg/runs 2>/dev/null && {
	check "a journal that cannot be written keeps nothing from running" \
		says "cannot be looked at later" 0 "$GG" run sh -c "$(train 0.1)"
	umount .gg/runs
}
plan
