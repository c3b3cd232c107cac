#!/bin/bash
# gg force on several engines and with a remote: options, summaries, hints
. "$(dirname "$0")/lib.sh"
export HOME=$work/home
mkdir -p "$HOME"
unset GG_ENGINE GG_REMOTE GG_KEY

cat >"$work/gg.models" <<'EOF'
sh step.sh @ @out
	also	step.sh
sh big.sh @out
	also	big.sh
	gpus	2
sh fails.sh @out
	also	fails.sh
sh long.sh @out
	also	long.sh
EOF
fresh() # NAME: a project with twelve steps inferred
{
	project "$1" || return
	cp "$work/gg.models" .
	echo 'echo step $1 >$2' >step.sh
	echo 'echo big >$1' >big.sh
	echo 'exit 3' >fails.sh
	echo 'sleep 60; echo >$1' >long.sh
	printf 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sh step.sh $i out$i; done\n' >all.sh
	"$GG" infer -q sh all.sh >/dev/null
}
says() { grep -q -- "$1" "$work/.log"; }

fresh one
check "two engines share the work, and the summary says what ran where" \
	counts 12 0 0 "$GG" force --engine local:jobs=1 --engine local:jobs=2
check "the costless ones by name" says '; ran [0-9]* here'
check "one engine needs no such words" [ "$(last "$GG" force | cut -d, -f1-3)" = \
	'forced 0, cached 12, failed 0' ]
rm -rf .gg out*
fresh two
export GG_ENGINE='local:jobs=1 local:jobs=1'
check "GG_ENGINE is read where there is no --engine" counts 12 0 0 "$GG" force
check "and says what it ran" says '; ran '
unset GG_ENGINE

wrong() # TEXT COMMAND...
{
	local want=$1
	shift
	"$@" >"$work/.log" 2>&1
	[ $? = 2 ] && says "$want"
}
check "an engine that does not exist is told with those that do" \
	wrong 'no engine cloud, only .*local' "$GG" force --engine cloud:x=1
check "so is a word that an engine does not know" \
	wrong 'does not know "job", only: jobs, gpus, mem' "$GG" force --engine local:job=1
check "a scheme that no remote has too" wrong 'ftp' "$GG" force --remote ftp://x
"$GG" help engines >"$work/.log"
check "gg help engines prints each with its words" says '^  jobs='
"$GG" help remotes >"$work/.log"
check "gg help remotes prints how each is written" says 'dir'

fresh refused
echo 'for i in 1 2; do sh step.sh $i out$i; done; sh big.sh big' >all.sh
"$GG" infer -q sh all.sh >/dev/null
refuses()
{
	"$GG" force >"$work/.log" 2>&1
	[ $? = 1 ] && says 'needs 1 cpus, 2 gpus' && says '^forced 0, '
}
check "what fits nowhere is refused before anything runs" refuses
check "and runs where there are such" counts 13 0 0 "$GG" force --engine local --engine local:gpus=2
printf 'sh step.sh @ @out\n\talso step.sh\n\tdisk 3G\n' >gg.models
"$GG" infer -q sh -c 'for i in 21 22; do sh step.sh $i out$i; done' >/dev/null
check "disk that there is not for it is told of" eval \
	'! "$GG" force --engine local:disk=2G >"$work/.log" 2>&1 && says "MiB and 3072 MiB of disk; local:disk=2G: there are .* 2048 MiB of disk"'
check "and the plan says so too" eval '"$GG" plan --engine local:disk=2G >"$work/.log" 2>&1; says "3072 MiB of disk"'
check "where there is such, it runs" counts 2 13 0 "$GG" force --engine local:disk=4G

fresh tries
echo 'sh fails.sh bad; sh long.sh slow' >all.sh
"$GG" infer -q sh all.sh >/dev/null
rm -f out*
again() { "$GG" force --retries 2 -k --timeout 1s bad slow >"$work/.log" 2>&1; [ $? = 1 ]; }
check "--retries and --timeout end" again
check "the failure says how often it was tried" says 'tried 3 times: .*3'
check "and what took too long" says 'longer'
project lost
printf 'fake @ @out\n' >gg.models
mkdir bin && printf '#!/bin/sh\n' >bin/fake && chmod +x bin/fake
PATH=$PWD/bin:$PATH "$GG" infer -q fake exit=9 bad >/dev/null 2>&1
five_runs() { "$GG" force --retries 2 --engine "fake:lose=2,log=$PWD/runs" bad >"$work/.log" 2>&1; [ $? = 1 ] && [ "$(grep -c . runs)" = 5 ]; }
check "what its workers lose takes nothing from a step's --retries" five_runs

far=$work/far
"$GG" key new >/dev/null 2>&1
fresh made
check "what is made is at the remote when force ends" \
	counts 12 0 0 "$GG" force --remote "dir:$far"
fresh other
check "another machine makes nothing" counts 0 '12 (12 from remotes)' 0 \
	"$GG" force --remote "dir:$far"
check "and has the files" [ "$(cat out7)" = 'step 7' ]
fresh third
export GG_REMOTE=dir:$far
json() { "$GG" force --json 2>/dev/null | jq -e "$1"; }
check "the JSON counts them too, and each engine" json \
	'.remote == 12 and .cached == 12 and .forced == 0 and (.engines | length) == 1'
unset GG_REMOTE
fresh fourth
rm -rf "$far"
: >"$far"
check "a remote that is no folder any more stops nothing" \
	counts 12 0 0 "$GG" force --remote "dir:$far"

# A worker as a second engine, where one can be served.
if ldconfig -p | grep -q libmicrohttpd.so.12; then
	fresh mixed
	echo 'sleep 0.2; echo step $1 >$2' >step.sh
	"$GG" infer -q sh all.sh >/dev/null
	(while ! [ -s "$work/ticket" ]; do sleep 0.05; done
	exec "$GG" worker --connect "$work/ticket" --name w --patience 30s) \
		>"$work/worker.log" 2>&1 &
	worker=$!
	check "steps run here and on a worker in one force" counts 12 0 0 \
		timeout 300 "$GG" force --engine local:jobs=1 \
		--engine "connect:unix=$work/s,ticket=$work/ticket"
	check "which the summary says" says '; ran [0-9]* here, [0-9]* on connect'
	check "with the same values as here alone" [ "$(cat out11)" = 'step 11' ]
	kill "$worker" 2>/dev/null
	wait "$worker" 2>/dev/null
fi

plan
