#!/bin/bash
# plan.sh - gg plan: what forcing would run and take, before and after it has run
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || skip 'needs jq'

# A dozen members over one preparation, and a vote over them.
project p
cat >gg.models <<'END'
sh prep.sh @in @out
sh train.sh @ @in @out
sh vote.sh @out @in...
END
echo 'sleep 0.3; sort "$1" >"$2"' >prep.sh
echo 'sleep 0.4; { echo "$1"; cat "$2"; } >"$3"' >train.sh
echo 'sleep 0.2; out=$1; shift; cat "$@" >"$out"' >vote.sh
printf 'b\na\n' >data
{
	echo 'sh prep.sh data prepared'
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		echo "sh train.sh $i prepared model$i"
	done
	echo 'sh vote.sh voted model1 model2 model3 model4 model5 model6 model7 model8 model9 model10 model11 model12'
} >script
"$GG" infer -q sh script >.log 2>&1 || { cat .log; exit 1; }

plan_is() { "$GG" plan --json >plan.json && jq -e "$1" plan.json; }
row() { jq "[.engines[] | select(.cpus == $1).seconds][0]" plan.json; }
about() { awk -v a="$1" -v b="$2" -v f="$3" 'BEGIN { exit !(a > b / f && a < b * f) }'; }

check "before anything ran all would" says "14 thunks would run, 0 are known" 0 "$GG" plan
check "and says that it guesses" says "guessed: 100% of that: 14 thunks of shapes never seen" 0 "$GG" plan
check "which shapes, too" plan_is '.guessed.shapes == ["sh prep.sh", "sh train.sh", "sh vote.sh"]'
check "what one output needs is planned alone" says "2 thunks would run, 0 are known" 0 "$GG" plan model3
check "nothing ran for it" sh -c '! grep -qs "\"event\":\"start\"" .gg/runs/*.jsonl && grep -q gg-placeholder voted'
check "a target that nobody makes is an error" says "no output that gg knows" 2 "$GG" plan nowhere

# One observation of each shape.
counts 3 0 0 "$GG" force model1 >/dev/null 2>&1
"$GG" force model1 >/dev/null 2>&1
check "what has run is known" plan_is '.run == 12 and .cached == 2'
check "the vote alone is a guess still" plan_is '.guessed.thunks == 1 and .guessed.shapes == ["sh vote.sh"]'
check "the critical path is by name" plan_is '.critical_path.thunks | map(.label | split(" ")[1]) == ["train.sh", "vote.sh"]'
seen=$(jq -s 'map(select(.event == "ran").seconds) | .[1]' .gg/runs/*.jsonl)
check "core-seconds are those of one observation ($seen s)" plan_is \
	".core_seconds > $seen * 11 + 0.9 and .core_seconds < $seen * 11 + 1.1 and $seen > 0.4"
"$GG" plan -j4 --json >plan.json
check "more cpus take less time" jq -e '[.engines[].seconds] as $s | $s[0] > 1.5 * $s[1] and $s[1] > 1.2 * $s[2]' plan.json
check "one cpu takes all of the work" jq -e '(.engines[0].seconds - .core_seconds) | fabs < 0.01' plan.json
predicted=$(row 4)
check "a dry run says the same" sh -c '"$1" force --dry-run -j4 --json | jq -e "(.engines[2].seconds - $2) | fabs < 0.01"' - "$GG" "$predicted"
check "and lists what it would force" says "voted" 0 sh -c '"$1" force --dry-run | grep "^voted$"' - "$GG"
check "another policy is for plans too" says "12 thunks would run" 0 "$GG" plan --policy=fifo
check "an unknown one is refused" says "only longest, fifo, widest, shortest" 2 "$GG" plan --policy=best

check "an engine that takes none of it is told of" says "takes none of them" 0 "$GG" plan --engine local --engine sim:workers=4

echo 'slurm * cpu-hour 3600' >gg.prices
echo 'local * cpu-hour 7200' >>gg.prices
check "prices are those of gg.prices" plan_is '.core_seconds as $s | .engines | all((.dollars - 2 * $s) | fabs < 0.01)'
echo 'local * cpu-hour much' >gg.prices
check "a price that is none is told with its line" says "line 1" 3 "$GG" plan
check "once" [ "$(grep -c 'line 1' "$work/.log")" = 1 ]
check "and keeps nothing from running" says "costs are not counted by it" 0 "$GG" force model1
echo 'local * cpu-hour 7200' >gg.prices

from=$EPOCHREALTIME
check "the rest runs" counts 12 2 0 "$GG" force -v -j4
took=$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
check "it took about what was predicted ($predicted s, $took s)" about "$took" "$predicted" 4
end=$(tail -1 "$(ls .gg/runs/*.jsonl | tail -1)")
check "what it cost goes by gg.prices" jq -e '.engines[0] | (.dollars - 2 * .seconds) | fabs < 0.001' <<<"$end"
check "and is said" grep -qE '^forced 12, .*; ran 12 here \(\$[0-9.]+\)' "$work/.log"
rm gg.prices
check "both are kept with the run" jq -e '.predicted.seconds > 0.5 and .predicted.took > 0.5 and .predicted.guessed < 0.5' <<<"$end"
check "and near each other" about "$(jq .predicted.seconds <<<"$end")" "$(jq .predicted.took <<<"$end")" 4
check "and said" grep -q '^gg: predicted .* s, took .* s$' "$work/.log"
check "afterwards nothing would run" says "0 thunks would run, 14 are known" 0 "$GG" plan
rm model4
check "what was taken away would be put back, not run" says "0 thunks would run" 0 "$GG" plan model4

# A step that fits nowhere is told of before anything runs.
printf 'sh train.sh @ @in @out\n\tcpus 1000\n' >gg.models
"$GG" infer -q sh -c 'sh train.sh 99 prepared wide' >/dev/null 2>&1
check "a step that fits nowhere is told of" says "it can never run: it needs 1000 cpus" 1 "$GG" plan wide

# Inputs of several sizes: 0.05 s for each 64 KiB.
project sizes
printf 'sh grow.sh @in @out\n' >gg.models
echo 'sleep $(awk -v n="$(wc -c <"$1")" "BEGIN { print n / 65536 * 0.05 }"); wc -c <"$1" >"$2"' >grow.sh
for i in 1 2 8 4 16 6 3 12 40; do
	head -c $((i * 65536)) /dev/zero >in$i
done
for i in 1 2 8 4 16 6 3 12; do
	"$GG" run -q sh -c "sh grow.sh in$i out$i" >/dev/null 2>&1
done
"$GG" infer -q sh -c 'sh grow.sh in40 out40' >/dev/null 2>&1
check "a large input is expected to take longer than its like did" plan_is '.run == 1 and .guessed.thunks == 0 and .critical_path.seconds > 1 and .critical_path.seconds < 20'

# The first command of a kind runs for real, and its time is what is known of the others.
project learned
cat >train.py <<'P'
import sys, time
time.sleep(1)
open(sys.argv[2], 'w').write(sys.argv[1])
P
echo 'import sys; open(sys.argv[1], "w").write("".join(open(p).read() for p in sys.argv[2:]))' >vote.py
cat >script <<'S'
for i in 1 2 3; do python3 train.py $i model$i; done
python3 vote.py vote model1 model2 model3
python3 train.py 4 model4
python3 vote.py votes model4 vote
S
"$GG" infer -q -j1 --learn sh script >.log 2>&1 || cat .log
check "what ran for real once is no guess" plan_is '.run == 2 and .guessed.thunks == 0'
took() { "$GG" show --json "$1" | jq '.observation.seconds // .[0].observation.seconds'; }
check "its time is kept" about "$(took model1)" 1.5 3
check "without what it waited for gg to make" test "$(took vote | cut -d. -f1)" -lt 2
check "who looks for its log is told where that went" says "was not forced here" 2 "$GG" log model1

plan
