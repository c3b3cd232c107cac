#!/bin/bash
# metrics.sh - --metrics: a real Prometheus takes the counts of a run, others do not
. "$(dirname "$0")/lib.sh"
command -v promtool >/dev/null && command -v prometheus >/dev/null || skip 'needs prometheus'
command -v jq >/dev/null && command -v curl >/dev/null || skip 'needs jq and curl'

project m
cat >gg.models <<'MODELS'
sh ok.sh @in @out
sh bad.sh @in @out
sh slow.sh @in @out
MODELS
echo 'cp "$1" "$2"' >ok.sh
echo 'exit 3' >bad.sh
echo 'while [ ! -e /go ]; do sleep 20; done' >slow.sh
echo data >data
server=
trap 'kill $force $server 2>/dev/null; wait; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

"$GG" run -k --metrics 127.0.0.1:0 sh -c 'sh ok.sh data a; sh bad.sh data b; sh slow.sh data c' >run.log 2>&1 &
force=$!
url() { sed -n 's/^gg: metrics at \([^;]*\);.*/\1/p' run.log; }
check "a run says where its counts are" until_true 60 grep -q '^- {job_name' run.log
get() { curl -sk -o answer -w '%{http_code}' -H "Authorization: Bearer $(cat .gg/metrics-token)" "$(url)$1"; }
has() { [ "$(get)" = 200 ] && grep -qxF "$1" answer; }
check "the counts of thunks" until_true 60 has 'gg_thunks{state="forced"} 1'
check "of those that failed" until_true 60 has 'gg_thunks{state="failed"} 1'
check "what runs" until_true 60 has 'gg_thunks{state="running"} 1'
check "runs by engine and end" has 'gg_runs_total{engine="local",status="exited"} 1'
check "promtool finds no fault with them" sh -c 'promtool check metrics <answer'
check "another path is not there" test "$(get x)" = 404
check "without the token nothing is told" test "$(curl -sk -o none -w '%{http_code}' "$(url)")" = 401
check "the token is in a file of its owner" test "$(stat -c %a .gg/metrics-token)" = 600
check "and in nothing that was printed" sh -c '! grep -qF "$(cat .gg/metrics-token)" run.log'
check "it listens on this machine only" sh -c 'case $1 in https://127.0.0.1:*) ;; *) exit 1 ;; esac' - "$(url)"
check "a port that is taken is an error before anything runs" says "metrics" 3 \
	"$GG" force --metrics "$(url | sed 's|https://\(.*\)/metrics|\1|')" c

port=$(/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{ printf 'global: {scrape_interval: 1s}\nscrape_configs:\n'; grep '^- {job_name' run.log; } >prometheus.yml
prometheus --config.file=prometheus.yml --storage.tsdb.path="$work/tsdb" \
	--web.listen-address="127.0.0.1:$port" >prometheus.log 2>&1 &
server=$!
taken() { curl -s "http://127.0.0.1:$port/api/v1/query?query=gg_thunks" | jq -e '.data.result | any(.metric.state == "running" and .value[1] == "1")' >/dev/null; }
check "Prometheus takes them with the lines that were printed" until_true 60 taken
kill $server && wait $server 2>/dev/null
server=
kill -INT $force
until_true 60 grep -q stopping: run.log
kill -INT $force
wait $force 2>/dev/null
force=
check "nobody listens after the run" sh -c '! curl -sk "$1"' - "$(url)"

"$GG" run --metrics 127.0.0.1:0 sh -c 'n=0; until [ -e go ] || [ $((n += 1)) = 2000 ]; do sleep 0.05; done; [ -e go ]' >run.log 2>&1 &
force=$!
until_true 60 grep -q '^- {job_name' run.log
answers() { curl -sk -m 5 -o answer -H "Authorization: Bearer $(cat .gg/metrics-token)" "$(url)" && grep -qxF 'gg_thunks{state="running"} 0' answer; }
check "while the script is busy by itself it is told as well" until_true 60 answers
touch go
check "and goes on" wait $force
force=
plan
