#!/bin/bash
# bootstrap.sh - what gg lambda deploy sends is a function: the zip, as the published
# model of the API takes it, is unpacked, and its bootstrap answers the invocations of a
# real serverless-offline
. "$(dirname "$0")/lib.sh"
test -e /usr/lib/python3/dist-packages/botocore/data/lambda/2015-03-31/service-2.json ||
	skip "python3-botocore, which holds the API's model, is not installed"
[ -x "$BUILD/gg-worker" ] || skip "needs $BUILD/gg-worker: make worker"

export HOME=$work AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=AKIDEXAMPLE
export AWS_SECRET_ACCESS_KEY='a secret/key' AWS_SESSION_TOKEN='a token'
unset AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_LAMBDA GG_ENGINE GG_REMOTE
own_gg
pids=
ended()
{
	kill $pids $(cat "$work/server/pid" 2>/dev/null) 2>/dev/null
	wait 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
trap ended EXIT
mkdir "$work/model" "$work/tmp" "$work/var"
echo '{}' >"$work/model/state"
: >"$work/model/log"
/usr/bin/python3 "$here/test/lambda_model.py" "$work/model" >"$work/port" 2>"$work/model.log" &
pids=$!
until_true 60 test -s "$work/port"
check "the static worker is deployed as a function" env \
	AWS_ENDPOINT_URL_LAMBDA="http://127.0.0.1:$(cat "$work/port")" \
	"$GG" lambda deploy gg-1 --worker "$BUILD/gg-worker" --role arn:aws:iam::123456789012:role/gg
check "its bootstrap is that worker, whole" cmp "$BUILD/gg-worker" "$work/model/bootstrap"

# Where Lambda unpacks it.
install -m 0755 "$work/model/bootstrap" "$work/var/bootstrap"
TMPDIR=$work/tmp "$here/test/servers/lambda.sh" "$work/server" "$work/var/bootstrap" \
	>"$work/start.log" 2>&1 || skip "without serverless-offline: $(tail -1 "$work/start.log")"
project p
mkdir in out
printf 'cp @in @out\nsort -o=@out @in...\n' >gg.models
for i in 1 2 3 4 5 6 7 8; do
	echo "$i" >in/$i
	echo "cp in/$i out/$i"
done >all.sh
echo 'sort -o all out/1 out/2 out/3 out/4 out/5 out/6 out/7 out/8' >>all.sh
"$GG" infer sh all.sh >/dev/null 2>&1
check "started without arguments it is a client of the Runtime API" counts 9 0 0 timeout 300 \
	"$GG" force --engine "lambda:endpoint=http://127.0.0.1:$(cat "$work/server/port"),function=gg-small:512M,jobs=2"
check "and gives the right bytes" [ "$(cat all)" = "$(seq 8)" ]
check "it was the bootstrap that ran" eval '[ -n "$(left_over | grep -F "$work/var/bootstrap")" ]'
kill $pids $(cat "$work/server/pid")
wait 2>/dev/null
check "and it ends with its function" none_left
plan
