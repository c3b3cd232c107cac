#!/bin/bash
# resume.sh - steps that are ended early go on from their checkpoint, and give what
# they give in one run
. "$(dirname "$0")/lib.sh"

pids=
trap 'kill $pids 2>/dev/null; wait 2>/dev/null; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

# A trainer.  --at A,B: it ends early of its own accord before these steps.
trainer()
{
	cat >train.py <<-'END'
	import hashlib, os, signal, sys, time
	opt = dict(zip(sys.argv[1::2], sys.argv[2::2]))
	told = False
	def tell(*_):
	    global told
	    told = True
	signal.signal(signal.SIGTERM, tell)
	at, h = 0, opt["--seed"]
	if "--resume" in opt:
	    at, h = open(opt["--resume"]).read().split()
	    at = int(at)
	    print("goes on at", at)
	stops = [int(s) for s in opt.get("--at", "").split(",") if s and int(s) > at]
	while at < int(opt["--steps"]):
	    if told or at in stops:
	        with open(opt["--out"] + ".ckpt", "w") as f:
	            f.write("%d %s" % (at, h))
	        sys.exit(75)
	    h = hashlib.sha256(h.encode()).hexdigest()
	    at += 1
	    print("step", at, flush=True)
	    time.sleep(float(opt.get("--pause", "0")))
	open(opt["--out"], "w").write(h)
	END
	cat >gg.models <<-'END'
	python3 train.py --seed=@ --steps=@ [--at=@] [--pause=@] [--resume=@in] --out=@out
	 resume {out}.ckpt --resume {out}.ckpt
	END
}

# What N steps from SEED give.
truth() # SEED N
{
	python3 -c 'import hashlib, sys
h = sys.argv[1]
for i in range(int(sys.argv[2])):
    h = hashlib.sha256(h.encode()).hexdigest()
sys.stdout.write(h)' "$1" "$2"
}

# infer WORDS...: one training becomes a thunk.
infer() { echo "python3 train.py $*" >run.sh && "$GG" infer sh run.sh >/dev/null 2>&1; }
name_of() { sed -n 's/^thunk \([0-9a-f]*\) .*/\1/p' "$1"; }
is_true() { [ "$(cat "$1")" = "$(truth "$2" "$3")" ]; }
last_run() { ls -t .gg/runs/*.jsonl | head -1; }
# stopped N: so many runs of the last gg ended early.
stopped() { [ "$(jq -c 'select(.event=="ran" and .status=="stopped")' "$(last_run)" | wc -l)" = "$1" ]; }
continued() { [ "$(jq -c 'select(.event=="start" and .continued)' "$(last_run)" | wc -l)" = "$1" ]; }
# printed TEXT PATH: wait until the step that runs has printed that.
printed()
{
	local follower= rc=1

	: >"$work/.follow"
	for ((i = 0; i < 600 && rc; i++)); do
		if [ -z "$follower" ] || ! kill -0 $follower 2>/dev/null; then
			"$GG" log -f "$2" >>"$work/.follow" 2>/dev/null &
			follower=$!
		fi
		sleep 0.1
		grep -q "$1" "$work/.follow" && rc=0
	done
	kill $follower 2>/dev/null
	wait $follower 2>/dev/null
	return $rc
}

# obeys SEED: wait until its trainer has said what it does at SIGTERM.
obeys() { catches_term "train.py --seed $1 "; }

# ---- of its own accord, at several points
project own
trainer
infer --seed 1 --steps 9 --at 2,3,7 --out m
thunk=$(name_of m)
check "a step that ends early thrice is no failure" counts 1 0 0 "$GG" force m
check "and gives what it gives in one run" is_true m 1 9
check "the journal says that it was ended and went on" eval 'stopped 3 && continued 3'
check "its log is that of all runs" eval '[ "$("$GG" log m | grep -c "^step")" = 9 ] &&
	[ "$("$GG" log m | grep -c "^goes on")" = 3 ]'
check "its name is the one that it was inferred as" eval \
	'"$GG" show m | grep -q "^# thunk $thunk" || "$GG" why m | grep -q "${thunk:0:12}"'
check "nothing is kept to go on from once the result is there" eval \
	'! "$GG" show "$thunk" | grep -q "ended early"'

# ---- no progress, and checkpoints of no use
project useless
trainer
sed -i 's/in stops/in stops or "--at" in opt and at == 4/' train.py
infer --seed 1 --steps 9 --at 4 --out m
check "one that ends early without any progress fails" counts 0 0 1 "$GG" force m
sed -i 's/ or "--at" in opt and at == 4//; s/at, h = open.*/sys.exit("a bad checkpoint")/' train.py
infer --seed 1 --steps 9 --at 4 --out n
check "after a checkpoint that it does not take it begins anew once" \
	says "it starts from the beginning" 1 "$GG" force n
check "and then fails as others do" eval 'stopped 2'

# ---- at the end of its turn, and asked by Ctrl-C
project turns
trainer
infer --seed 3 --steps 100 --pause 0.03 --out m
check "one whose place ends it in turns goes on each time" counts 1 0 0 \
	"$GG" force --engine local:turn=2s m
check "and gives what it gives in one run" is_true m 3 100
check "it was ended early" eval '! stopped 0'

infer --seed 4 --steps 80 --pause 0.05 --out k
"$GG" force k >"$work/force.log" 2>&1 &
forced=$!
pids=$forced
printed "step 5" k
kill -INT $forced
wait $forced
check "Ctrl-C lets a step leave its checkpoint" grep -q "it goes on from its checkpoint" \
	"$work/force.log"
check "which gg gc keeps" "$GG" gc
check "the next force goes on from it" eval 'counts 1 0 0 "$GG" force k && continued 1'
check "and gives what one run gives" is_true k 4 80

# ---- gg itself is killed: what was left before that is there
infer --seed 7 --steps 60 --at 3 --pause 0.05 --out q
"$GG" force q >/dev/null 2>&1 &
forced=$!
pids="$pids $forced"
printed "step 5" q
kill -9 $forced
wait $forced 2>/dev/null
check "after kill -9 of gg a step goes on from the checkpoint before" eval \
	'counts 1 0 0 "$GG" force q && continued 1 && stopped 0'
check "and gives what one run gives" is_true q 7 60

# ---- workers of a pool, one of which is told to go
worker() # NAME
{
	"$GG" worker --connect "$work/ticket" --name "$1" -j 1 --patience 30s \
		>"$work/$1.log" 2>&1 &
	last_worker=$!
	pids="$pids $last_worker"
}
if ldconfig -p | grep -q libmicrohttpd.so.12 && ldconfig -p | grep -q libcurl.so.4; then
	project pool
	trainer
	infer --seed 5 --steps 120 --pause 0.05 --out m
	"$GG" force --engine "connect:unix=$work/s,ticket=$work/ticket" m >"$work/force.log" 2>&1 &
	forced=$!
	pids="$pids $forced"
	until_true 60 test -s "$work/ticket"
	worker ann
	until_true 60 eval 'grep -q "\"start\"" .gg/runs/*.jsonl'
	check "a worker runs it" obeys 5
	kill -TERM $last_worker
	check "a worker that is told to go ends well" wait $last_worker
	worker bob
	check "and what it did is finished by another" wait $forced
	check "from its checkpoint" eval 'continued 1 && stopped 1'
	check "with the bytes of one run" is_true m 5 120
fi

# ---- a more urgent step gets the GPU
project urgent
trainer
cat >>gg.models <<-'END'
	 gpus 1
	sh prep.sh @in -o=@out
	 also prep.sh
	sh urgent.sh @in -o=@out
	 gpus 1
	 priority 1
END
echo 'sleep 3.5; cp $1 $3' >prep.sh
cp prep.sh urgent.sh && sed -i 's/sleep 3.5/true/' urgent.sh
sed -i 's/^sh urgent.sh.*/&\n also urgent.sh/' gg.models
echo data >raw
cat >run.sh <<-'END'
python3 train.py --seed 6 --steps 110 --pause 0.05 --out m
sh prep.sh raw -o ready
sh urgent.sh ready -o u
END
"$GG" infer sh run.sh >/dev/null 2>&1
check "with --preempt one that is more urgent is made" counts 3 0 0 \
	"$GG" force --preempt --engine local:gpus=1,jobs=2
ended() { jq -r 'select(.event=="ran") | .status' "$(last_run)" | tr '\n' ' '; }
check "before the other has ended, which makes room for it" eval \
	'[ "$(ended)" = "ok stopped ok ok " ] && continued 1'
check "and is what it would have been" is_true m 6 110

# ---- gg-ml, whose built-in model says how
project ml
mkdir bin && cp "$BUILD/gg-ml" bin/
cat >train.sh <<-'END'
gg-ml data --kind blobs --examples 2000 --features 20 --seed 5 -o all.st
gg-ml train --data all.st --model 'mlp 20-64-3' --steps 150000 --every 500 -o w.st --metrics m.json
END
check "gg-ml's training becomes a thunk" env PATH="$PWD/bin:$PATH" "$GG" infer sh train.sh
check "and is done in turns" counts 2 0 0 "$GG" force --engine local:turn=1s
cp w.st w1.st && cp m.json m1.json
check "which is seen" eval '! stopped 0'
PATH=$PWD/bin:$PATH sh train.sh >/dev/null 2>&1
check "with the bytes of one run, its metrics too" eval 'cmp w.st w1.st && cmp m.json m1.json'
plan
