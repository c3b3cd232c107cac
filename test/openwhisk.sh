#!/bin/bash
# --engine openwhisk: requests and answers in the shapes of the published API.
# No OpenWhisk server could be had: what is behind them is the worker that serves an
# action's container.
. "$(dirname "$0")/lib.sh"
export HOME=$work WSK_AUTH=23bc46b1-71f6:123zO3xZCLrMN6v2
unset WSK_CONFIG_FILE GG_ENGINE GG_REMOTE
mkdir "$work/shapes"
: >"$work/shapes/log"
command -v curl >/dev/null || skip "needs curl"
free_port() { /usr/bin/python3 -c 'import socket as s; a = s.socket(); a.bind(("127.0.0.1", 0)); print(a.getsockname()[1])'; }
# What curl gives for PATH: its body, then its status.
asks() { curl -s -m 20 -w ' %{http_code}' "$container$1" "${@:2}"; }
# The container of an action: PROGRAM [ARG...]
start_container()
{
	container=http://127.0.0.1:$(free_port)
	"$@" --serve openwhisk --listen "${container#http://}" >"$work/out" 2>"$work/err" &
	worker=$!
	until_true 60 eval '[ -n "$(asks / -d "")" ] && [ "$(asks /)" != " 000" ]'
}
ends() { kill -TERM $worker; wait $worker; }
start_container "$GG" worker
check "an action's container is initialized" test "$(asks /init -d '{"value":{"main":"main"}}')" = '{"ok":true} 200'
check "once" test "$(asks /init -d '{}' | tail -c 3)" = 403
check "a run that is no request of gg is an error in words" \
	eval 'asks /run -d "{\"value\":{\"x\":1}}" | grep "\"error\".* 502"'
check "as is one without a value" eval 'asks /run -d "{" | grep "without a value.* 502"'
check "nothing else is served" eval '[ "$(asks /gg/1/hello -d "" | tail -c 3)" = 404 ] && [ "$(asks /run | tail -c 3)" = 405 ]'
check "two cannot have one port" says "cannot listen" 3 "$GG" worker --serve openwhisk --listen "${container#http://}"
check "no other protocol is served" says "--serve openwhisk is all" 2 "$GG" worker --serve lambda
check "help says that there is no token" eval '"$GG" worker --help; "$GG" _man "$work" && grep -h "no place for a token" "$work"/gg-worker.1'
/usr/bin/python3 "$here/test/whisk_shapes.py" "$work/shapes" "$container" >"$work/port" 2>"$work/server.log" &
server=$!
trap 'kill $server $worker 2>/dev/null; wait $server $worker 2>/dev/null; chmod -R u+w "$work"; rm -rf "$work"' EXIT
until_true 60 test -s "$work/port"
url=http://127.0.0.1:$(cat "$work/port")

project p
printf 'cp @in @out\nsort -o=@out @in...\n' >gg.models
mkdir in out
seq 20 | split -d -l 1 -a 2 - in/
for f in in/*; do echo "cp $f out/${f#in/}"; done >all.sh
echo "sort -o root out/*" >>all.sh
"$GG" infer sh all.sh >/dev/null 2>&1
force() { "$GG" force --engine "openwhisk:endpoint=$url,$1" "${@:2}"; }

check "steps run as actions, whether they are waited for or asked for, throttled or lost" \
	counts 21 0 0 force action=gg,jobs=3
cp "$work/.log" "$work/first.log"
check "and give what they give at home" eval '(cat in/* | sort) | cmp - root'
check "each kind of answer came" eval '
	for k in 200 202 429 502 time polled 404; do
		grep -qx $k "$work/shapes/log" || echo "no $k"
	done | { ! grep .; }'
check "ways to fail are told apart" \
	grep "openwhisk:.*throttled.*timed out.*lost.*cold starts" "$work/first.log"
check "every request was of the API's shape" eval '! grep WRONG "$work/shapes/log"'
echo x >y
"$GG" infer cp y z >/dev/null 2>&1
check "an action that is not there is told of" \
	says "wsk action list" 1 force action=none z
check "wrong credentials are told of, and not shown" eval '
	WSK_AUTH=who:wrongkey says WSK_AUTH 1 force action=gg z &&
	! grep -rq wrongkey "$work/.log" .gg'
check "without credentials it says where they come from" eval '
	WSK_AUTH= says "wsk property set --auth" 2 force action=gg z ||
	WSK_AUTH= says "wsk property set --auth" 3 force action=gg z'
printf 'AUTH=%s\nAPIHOST=%s\n' "$WSK_AUTH" "$url" >"$work/.wskprops"
check "both come from ~/.wskprops too" eval '
	WSK_AUTH= counts 1 0 0 "$GG" force --engine openwhisk:action=gg z'
head -c 2000000 /dev/urandom >big
"$GG" infer cp big big2 >/dev/null 2>&1
check "what is too large for an action wants a remote" \
	says "--remote s3://" 1 force action=gg big2
check "after each run a line on both outputs ends its log" eval '
	n=$(grep -cx XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX "$work/out")
	[ "$n" -ge 21 ] && [ "$n" = "$(grep -cx XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX "$work/err")" ]'
check "asked to end the container's worker ends well" ends
if [ -x "$BUILD/gg-worker" ]; then
	start_container "$BUILD/gg-worker"
	check "the worker that needs no library serves too" test "$(asks /init -d '{}')" = '{"ok":true} 200'
	check "and ends" ends
fi
plan
