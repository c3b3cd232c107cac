#!/bin/bash
# runtime_api.sh - a worker of the AWS Lambda Runtime API: answers that are too large
# for it, and an end that is asked for twice
. "$(dirname "$0")/lib.sh"
request=$BUILD/test/worker_request
[ -x "$request" ] || skip "needs $request"
server=
worker=
trap 'kill $server $worker 2>/dev/null; wait; chmod -R u+w "$work"; rm -rf "$work"' EXIT
own_gg
project p
echo 'sh step.sh @ -o=@out' >gg.models
printf 'sleep ${1#*:}\nseq ${1%%:*} >${2#-o=}\n' >step.sh
mkdir "$work/events"
# An event for a step of its own: EVENT LINES:SECONDS [REMOTE]
event()
{
	"$GG" infer -q sh step.sh "$2" "-o=$1" >/dev/null 2>&1
	"$request" .gg "$("$GG" show "$1" | grep -oE '[0-9a-f]{64}' | head -1)" "$PWD" "${@:3}" \
		>"$work/events/$1"
}
event 1small 10:0
event 2remote 9000:0 "dir:$work/remote"
event 3nowhere 9001:0
event 4long "11:61.$$"
/usr/bin/python3 "$here/test/runtime_api.py" "$work" 20000 >"$work/port" &
server=$!
until_true 60 test -s "$work/port"
AWS_LAMBDA_RUNTIME_API=127.0.0.1:$(cat "$work/port") "$GG" worker >"$work/said" 2>&1 &
worker=$!
all_sleep 61.$$
answers=$work/answers
check 'a small answer is taken' eval '"$request" --read "$answers/1small.response" | grep -x 10'
check 'one that is too large is refused by the API' test -s "$answers/2remote.refused"
check 'and comes without what its outputs hold' test -s "$answers/2remote.response"
check 'which is at the remote' eval 'ls "$work/remote/cas" | grep -x "$(seq 9000 | sha256sum | cut -c1-64)"'
check 'without a remote it is an error in words' grep -q errorMessage "$answers/3nowhere.error"
kill -TERM $worker
sleep 1
check 'asked to end it finishes what runs' kill -0 $worker
from=$(date +%s)
kill -TERM $worker
wait $worker
rc=$?
check 'asked twice it ends at once, well' test $rc = 0 -a $(($(date +%s) - from)) -lt 45
check 'the step that it gave up was lost, and did not fail' \
	eval '"$request" --read "$answers/4long.response" | grep "ended together with its worker"'
worker=
plan
