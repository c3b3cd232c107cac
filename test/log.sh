#!/bin/bash
# log.sh - gg log: what thunks printed, and print while they run
. "$(dirname "$0")/lib.sh"

project l
cat >gg.models <<'MODELS'
sh slow.sh @in @out
sh twice.sh @in @out
sh quick.sh @in @out
sh loud.sh @in @out
MODELS
held=1000.$$
echo "echo begin; sleep $held; "'echo "end of $1" >&2; cp "$1" "$2"' >slow.sh
echo 'echo quick; cp "$1" "$2"' >quick.sh
echo "echo trying; sleep $held; echo failing; exit 4" >twice.sh
echo 'i=0; while [ $i -lt 40 ]; do printf "%65535s\n" $i; i=$((i + 1)); done; sleep '"$held"'; echo done; cp "$1" "$2"' >loud.sh
echo data >data
started() { grep -q "\"start\".*$1" .gg/runs/*.jsonl 2>/dev/null; }

"$GG" infer sh -c 'sh slow.sh data slow; sh quick.sh data quick; sh loud.sh data loud' >/dev/null 2>&1
"$GG" infer sh -c 'sh twice.sh data twice' >/dev/null 2>&1
check "nothing has run yet" says "slow has not run here yet" 2 "$GG" log slow
echo 'rev "$1" >"$2"' >seen.sh
"$GG" learn sh seen.sh data seen >/dev/null 2>&1
check "nor is anything kept of what ran for real" says "seen was not forced here" 2 "$GG" log seen
"$GG" force slow >force.log 2>&1 &
force=$!
until_true 60 started slow.sh
"$GG" log -f slow >follow.log 2>&1 &
follow=$!
check "what a running step prints can be read" until_true 60 grep -q begin follow.log
check "while it runs" kill -0 $force
check "and not yet what comes later" sh -c '! grep -q end follow.log'
wake $held
wait $follow
check "the one who looks on ends with the step, with 0" test $? = 0
check "and has seen all of it, once" sh -c '[ "$(cat follow.log)" = "begin
end of data" ]'
wait $force
check "afterwards the log is what it was" sh -c '[ "$("$1" log slow)" = "begin
end of data" ]' - "$GG"
check "gg log -f prints it too" sh -c '[ "$("$1" log -f slow)" = "begin
end of data" ]' - "$GG"
check "nothing of it is left beside the journal" sh -c '! ls -d .gg/runs/*.live 2>/dev/null'

"$GG" force --retries 1 twice >force.log 2>&1 &
force=$!
until_true 60 sh -c 'ls .gg/runs | grep -q -- "-$1.jsonl"' - $force
"$GG" log -f twice >follow.log 2>&1 &
follow=$!
for i in 1 2; do
	until_true 60 eval '[ "$(grep -c trying follow.log)" = $i ]'
	all_sleep $held && wake $held
done
wait $follow
check "one that fails ends the looking on with 1" test $? = 1
wait $force
check "both attempts are shown" sh -c '[ "$(grep -c failing follow.log)" = 2 ]'
check "the first is marked as superseded" grep -q -- '-- it runs again, on local; what stands above is superseded --' follow.log

"$GG" force loud quick >force.log 2>&1 &
force=$!
until_true 60 sh -c 'ls .gg/runs | grep -q -- "-$1.jsonl"' - $force
"$GG" log -f quick >follow.log 2>&1
check "a step too short to be looked at is shown at its end" grep -qx quick follow.log
"$GG" log -f loud >follow.log 2>&1 &
follow=$!
until_true 60 grep -q ' 39$' follow.log
all_sleep $held && wake $held
wait $follow
check "of one that prints much the end is whole" sh -c 'tail -n 2 follow.log | tr -d " " | tr "\n" , | grep -qx 39,done,'
check "and no more of it than that" sh -c '[ "$(grep -c . follow.log)" -le 43 ]'
wait $force

"$GG" infer --fresh sh -c 'sh slow.sh slow slow2' >/dev/null 2>&1
"$GG" force slow2 >force.log 2>&1 &
force=$!
until_true 60 started 'slow.sh slow'
"$GG" log -f slow2 >follow.log 2>&1 &
follow=$!
until_true 60 grep -q begin follow.log
kill -9 $force
wait $force 2>/dev/null
wait $follow
check "when gg is killed it says so and ends" sh -c '[ "$1" = 1 ] && grep -q "the run was killed" follow.log' - $?
plan
