#!/bin/bash
# ml_run.sh - gg run defers gg-ml's commands, and gives the files they give alone
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
SHOW=$BUILD/test/t_ml

# Every option that a command takes is one that the model knows.
options_known()
{
	local command option value args

	for command in prep train eval predict combine prune show data; do
		case $command in
		prep | prune | show) args=x ;;
		combine) args='average x' ;;
		eval | predict) args='x --data d' ;;
		train) args='--data d' ;;
		data) args= ;;
		esac
		for option in $("$ML" $command --help | sed -n 's/^  \(--[a-z0-9-]*\) [A-Z][A-Z.,]*  .*/\1=1/p
			s/^  \(--[a-z0-9-]*\)  .*/\1/p' | grep -v -- --help); do
			"$SHOW" gg-ml $command -o out $args "$option" || return 1
		done
	done
}
n_options() { [ "$("$ML" train --help | grep -c '^  --')" -gt 20 ]; }
if [ -x "$SHOW" ]; then
	check "the model knows every option of every command" options_known
	check "and there are many" n_options
fi

# A pipeline with everything that writes more than one file.
write_script()
{
	cat >run.sh <<-'END'
	set -e
	mlp='mlp 6-8-3'
	gg-ml data --kind blobs --examples 300 --features 6 --seed 5 -o all.st
	gg-ml prep raw.csv --split 0.7,0.3 --normalise standard -o 'part-{}.st'
	gg-ml prep raw.csv --shards 2 -o 'shard-{}.st'
	gg-ml train --data all.st --model "$mlp" --steps 40 --members 3 -o 'w-{}.st' \
		--metrics 'm-{}.json'
	gg-ml train --data all.st --model "$mlp" --steps 40 --snapshots 2 -o 's-{}.st'
	gg-ml train --data all.st --model "$mlp" --steps 40 --init w-1.st -o i.st --state i.state
	gg-ml train --data all.st --model "$mlp" --steps 40 --init w-1.st -o r.st \
		--resume i.state
	gg-ml train --data part-0.st --model 'linear 6-3' --steps 50 -o p.st
	gg-ml combine average w-0.st w-1.st w-2.st -o mean.st
	gg-ml predict --data part-1.st p.st -o classes.csv
	gg-ml eval --data all.st --json w-*.st mean.st s-0.st s-1.st >eval.json
	gg-ml show --json mean.st >show.json
	gg-ml prune --keep 0.5 w-0.st -o half.st --mask stay.st --free free.st
	gg-ml train --data all.st --model "$mlp" --steps 40 --init half.st --owned stay.st -o again.st
	gg-ml prune --keep 0.5 --by filters again.st -o small.st
	gg-ml prune --without free.st again.st -o alone.st
	END
	for i in $(seq 90); do
		echo "$((i * 7 % 13)),$((i * 5 % 11)),$((i * 3 % 7)),$i,$((i * i % 17)),1,$((i % 3))"
	done >raw.csv
}

# The program stands in the project: a step sees nothing of /tmp, where BUILD may be.
project deferred
mkdir bin && cp "$ML" bin/gg-ml
PATH=$PWD/bin:$PATH
write_script
cp -r . "$work/plain"
check "the script runs for real without gg" sh -c "cd '$work/plain' && sh run.sh"

all_deferred() { [ "$("$GG" infer --explain sh run.sh 2>&1 | grep -c '^deferred: gg-ml')" = 16 ]; }
check "each of its commands is deferred" all_deferred
check "what they write is a placeholder" grep -qx 'gg-placeholder 1' w-2.st
check "all numbered files are" sh -c 'grep -lx "gg-placeholder 1" part-1.st shard-1.st s-1.st m-2.json i.state eval.json'
check "forcing does what is needed" counts 16 0 0 "$GG" run sh run.sh
same_files()
{
	local f n=0

	for f in *.st *.json *.csv *.state; do
		cmp "$f" "$work/plain/$f" || return 1
		n=$((n + 1))
	done
	[ $n = 28 ] || { echo "$n files"; return 1; }
}
check "every file is the one that the plain script wrote" same_files
check "the same again forces nothing" counts 0 16 0 "$GG" run sh run.sh
sed -i 's/--steps 50/--steps 60/' run.sh
check "one step changed: it and what reads it" counts 2 14 0 "$GG" run sh run.sh
check "a wrong option is told by gg-ml itself" says "no option --lr" 1 "$GG" run gg-ml train --lr 3
plan
