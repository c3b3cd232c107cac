#!/bin/bash
# gpus.sh - steps that run side by side get GPUs of their own
. "$(dirname "$0")/lib.sh"

export HOME=$work
unset GG_ENGINE GG_REMOTE CUDA_VISIBLE_DEVICES
project p
# What it was given is what it writes: only a test does that.
held=1000.$$
echo "sleep $held; "'echo "${CUDA_VISIBLE_DEVICES-none}" >"$3"' >step.sh
cat >gg.models <<'END'
sh step.sh whole @ @out
	gpus	1
sh step.sh two @ @out
	gpus	2
sh step.sh half @ @out
	gpus	0.5
sh step.sh cpu @ @out
sh step.sh own @ @out
	gpus	1
	env	CUDA_VISIBLE_DEVICES
END

# given WANTED KIND N ENGINE...: N such steps at once see these, in any order.
at_once=
given()
{
	local wanted=$1 kind=$2 n=$3 i waker rc

	shift 3
	rm -rf .gg out && mkdir out && "$GG" init >/dev/null || return
	for ((i = 1; i <= n; i++)); do echo "sh step.sh $kind $i out/$i"; done >s.sh
	(while all_sleep $held "${at_once:-$n}"; do wake $held; done) >/dev/null 2>&1 &
	waker=$!
	timeout 200 "$GG" run --engine "$@" sh s.sh >"$work/.log" 2>&1
	rc=$?
	kill $waker
	wait $waker 2>/dev/null
	[ $rc = 0 ] || { cat "$work/.log"; return 1; }
	[ "$(cat out/* | sort | tr '\n' ' ')" = "$wanted " ] && return
	cat out/* "$work/.log"
	return 1
}

check "each step has one of its own" given "0 1 2" whole 3 local:jobs=4,gpus=3
check "or as many as it wants" given "0,1 2,3" two 2 local:jobs=4,gpus=4
check "halves share one" given "0 0 1 1" half 4 local:jobs=4,gpus=2
check "one is used again when its step has ended" eval 'at_once=1; given "0 0 0" whole 3 local:jobs=4,gpus=1; rc=$?; at_once=; [ $rc = 0 ]'
check "without needing one a step is told of none" given "none none" cpu 2 local:jobs=4,gpus=2
export CUDA_VISIBLE_DEVICES=5,GPU-8f1
check "those that gg may see itself are given out, by their names" \
	given "5 GPU-8f1" whole 2 local:jobs=4
check "a step whose model passes on what the script has set gets that" \
	given "5,GPU-8f1 5,GPU-8f1" own 2 local:jobs=4
unset CUDA_VISIBLE_DEVICES

# A worker with two, and room for four steps.
at_worker()
{
	local pid rc

	rm -f ticket
	(until [ -s ticket ]; do sleep 0.1; done
		CUDA_VISIBLE_DEVICES=2,3 exec "$GG" worker --connect ticket --jobs 4 >"$work/worker.log" 2>&1) &
	pid=$!
	given "$@" connect:ticket=ticket
	rc=$?
	kill "$pid" 2>/dev/null
	wait "$pid"
	return $rc
}
if ldconfig -p | grep -q libmicrohttpd.so.12; then
	check "so do steps at a worker" at_worker "2 3" whole 2
	check "and halves" at_worker "2 2 3 3" half 4
fi
plan
