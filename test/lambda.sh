#!/bin/bash
# --engine lambda on serverless-offline, whose functions are the real worker: thousands
# of invocations, of which some throw, hang, lose their worker, answer with half
# an answer, with other bytes or for another step, are throttled or cut off.
. "$(dirname "$0")/lib.sh"
N=${LAMBDA_STEPS:-2000}

export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY='a secret/key' HOME=$work
unset AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_LAMBDA AWS_SESSION_TOKEN GG_ENGINE GG_REMOTE
own_gg
mkdir "$work/faults" "$work/tmp"
echo '{}' >"$work/faults/faults.json"
: >"$work/faults/log"
: >"$work/faults/pids"

ended()
{
	# The workers are the server's; they end a while after it has.
	kill "$proxy" $(cat "$work/server/pid" "$work/faults/pids" 2>/dev/null) 2>/dev/null
	wait 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
proxy=
trap ended EXIT

TMPDIR=$work/tmp BUILD=$BUILD "$here/test/servers/lambda.sh" "$work/server" "$GG worker" \
	"$work/faults" >"$work/why" 2>&1
case $? in
0) ;;
77) skip "$(tail -1 "$work/why")" ;;
*) cat "$work/why"; exit 1 ;;
esac
real=http://127.0.0.1:$(cat "$work/server/port")
node "$here/test/servers/lambda_proxy.js" "$(cat "$work/server/port")" 4 "$work/faults" \
	>"$work/proxy.port" 2>"$work/proxy.log" &
proxy=$!
until_true 60 test -s "$work/proxy.port"
through=http://127.0.0.1:$(cat "$work/proxy.port")

# N inputs, a step for each, and one that reads them all.
steps() # NAME N
{
	project "$1"
	printf 'cp @in @out\nsort -o=@out @in...\n' >gg.models
	mkdir in out
	seq "$2" | split -d -l 1 -a 4 - in/
	cat >all.sh <<-'END'
		for f in in/*; do cp "$f" "out/${f#in/}"; done
		sort -o root out/*
	END
	"$GG" infer sh all.sh >/dev/null 2>&1
}
force() # ENDPOINT WORDS ARG...
{
	local endpoint=$1 words=$2

	shift 2
	"$GG" force --engine "lambda:endpoint=$endpoint,$words" "$@"
}
# Each of these is in FILE.
all_of() # FILE FORMAT WORD...
{
	local file=$1 format=$2 word

	shift 2
	for word; do
		grep -q -- "$(printf "$format" "$word")" "$file" ||
			{ echo "no $word in:"; cat "$file"; return 1; }
	done
}
# It ends before the steps could.
ends() { until_true 60 eval "! kill -0 $1"; }
some_ran() { until_true 60 eval 'grep -q "\"ran\"" .gg/runs/*.jsonl'; }
values() { cat root out/* | sha256sum; sha256sum root out/* | sha256sum; }

steps home "$N"
"$GG" force -q >/dev/null 2>&1
values >"$work/home.values"

steps few 20
check "steps run on functions" counts 21 0 0 force "$real" function=gg-small:512M,jobs=4
check "what is known is not asked for again" counts 0 1 0 \
	force "$real" function=gg-small:512M,jobs=4 root
check "a placeholder is left nowhere" eval '! grep -rl gg-placeholder root out'
check "a function that is not there is told of, with what to do" eval '
	echo x >y && "$GG" infer cp y z >/dev/null 2>&1
	says "gg lambda deploy makes one" 1 force "$real" function=gg-none z'
check "nobody at the endpoint is told of" \
	says "nobody answers there" 1 force http://127.0.0.1:9 function=gg-small z
check "a step that outlasts the function twice is not sent a third time" \
	says "twice: function gg-hung" 1 force "$real" function=gg-hung,limit=5s z

head -c 9000000 /dev/urandom >big
"$GG" infer cp big big2 >/dev/null 2>&1
check "what is too large for a request wants a remote, and that is said" \
	says "--remote s3://" 1 force "$real" function=gg-large:1769M big2
mkdir "$work/remote"
check "with one it goes that way, and comes back" eval '
	counts 1 0 0 force "$real" function=gg-large:1769M --remote "dir:$work/remote" big2 &&
	cmp big big2'

steps faulty "$N"
echo '{ "throw": [0, 7], "timeout": [8, 12], "kill": [13, 20], "truncate": [21, 28],
	"corrupt": [29, 36], "swap": [37, 44], "memory": 1 }' >"$work/faults/faults.json"
begun=$SECONDS
check "$N invocations with errors of all kinds: each step ends well, once" \
	counts $((N + 1)) 0 0 force "$through" function=gg-small:512M,function=gg-large:1769M,jobs=8
cp "$work/.log" "$work/faulty.log"
echo "# $((SECONDS - begun)) s"
check "nothing is lost, nothing wrong: all is as at home" eval '
	values | cmp - "$work/home.values"'
check "every kind of error has happened" all_of "$work/faults/log" "^%s$" \
	throw timeout kill truncate corrupt swap memory throttle cut
check "they are told apart and counted" all_of "$work/faulty.log" "lambda:.* [0-9]* %s" \
	throttled "timed out" "out of memory" "ended early" "function errors" "cut off" \
	"cold starts"
# number KIND-IN-LOG NAME-IN-NOTICE
number()
{
	local n=$(grep -cx "$1" "$work/faults/log")

	grep -q "[^0-9]$n $2" "$work/faulty.log" || { echo "$n $1"; cat "$work/faulty.log"; return 1; }
}
check "as many of a kind as there were" eval '
	number timeout "timed out" && number memory "out of memory" && number cut "cut off" &&
	number throw "function errors" && number throttle throttled'
check "the store is right" store_is_right
check "no secret is in what is kept or printed" eval '
	! grep -rqF "a secret/key" .gg "$work/faulty.log"'

echo '{}' >"$work/faults/faults.json"
steps broken_off 300
"$GG" force --engine "lambda:endpoint=$real,function=gg-small:512M,jobs=4" >"$work/.log" 2>&1 &
g=$!
some_ran
kill -KILL $g
wait $g 2>/dev/null
check "a gg that was killed in the middle goes on where it was" eval '
	"$GG" force --engine "lambda:endpoint=$real,function=gg-small:512M,jobs=4" \
		>"$work/.log" 2>&1 && (cat in/* | sort) | cmp - root'
steps stopped 300
"$GG" force --engine "lambda:endpoint=$real,function=gg-small:512M,jobs=4" >"$work/.log" 2>&1 &
g=$!
some_ran
kill -INT $g
sleep 0.1
kill -INT $g 2>/dev/null
check "interrupted twice it drops what is in flight and ends" ends $g
wait $g 2>/dev/null
check "and late answers do no harm" eval '
	"$GG" force --engine "lambda:endpoint=$real,function=gg-small:512M,jobs=4" \
		>"$work/.log" 2>&1 && (cat in/* | sort) | cmp - root'
plan
