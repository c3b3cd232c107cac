#!/bin/bash
# examples.sh - each example from a fresh folder, as its README tells it
. "$(dirname "$0")/lib.sh"

# example NAME: a copy of it as a fresh project, to stand in.
example()
{
	cp -r "$here/examples/$1" "$work/$1" && cd "$work/$1" && "$GG" init >/dev/null
}

# same_without_gg: run.sh gives the same files, byte for byte, without gg.
same_without_gg()
{
	cp -r "$here/examples/digits" "$work/plain" && (cd "$work/plain" && ./run.sh) &&
		for f in data.npz ensemble.json report.txt models/*.npz; do
			cmp "$f" "$work/plain/$f" || return 1
		done
}

# The sweep with its rate of 0.03 changed: files named by it are new ones.
other_rate() { sed -i 's/0.03/0.05/' run.sh; }

no_gg_in_it() { ! grep -liE '\bgg\b|thunk' run.sh prep.py train.py vote.py; }

# depth N: a step that returns itself with one less, down to nothing.
depth()
{
	project depth
	cat >down.sh <<-'END'
		if [ "$1" = 0 ]; then echo landed; exit; fi
		next=$(printf 'gg-thunk 1\narg sh\narg down.sh\narg %s\ncwd .\nin value %s down.sh\nout stdout value\nstdout value\nruntime %s\n.' \
			$(($1 - 1)) "$(sha256sum <down.sh | cut -c1-64)" "$GG_RUNTIME")
		next=${next%.}
		printf 'gg-tail 1\nthunk %s stdout\n\n%s' "$(printf %s "$next" | sha256sum | cut -c1-64)" "$next"
	END
	echo 'sh down.sh @' >gg.models
	echo "sh down.sh $1 >result.txt" >run.sh
	counts $(($1 + 1)) 0 0 "$GG" run sh run.sh && [ "$(cat result.txt)" = landed ]
}

example fibonacci
check "fib(30) costs 60 thunks" counts 60 0 0 "$GG" run ./run.sh
check "and is 832040" cmp result.txt expected.txt
check "the same again forces nothing" counts 0 60 0 "$GG" run ./run.sh
check "fib(31) needs three more" counts 3 2 0 "$GG" run ./run.sh 31
check "and is 1346269" grep -qx 1346269 result.txt
check "without gg it says that it needs gg" says "run it with gg" 2 sh fib.sh 5
check "a chain of 1,000 thunks that return thunks comes to its end" depth 1000

example halving
check "successive halving costs 35 thunks" counts 35 0 0 "$GG" run ./run.sh
check "and finds the rate that it should" cmp best.json expected.txt
check "the same again forces nothing" counts 0 35 0 "$GG" run ./run.sh

example learned
check "a learned sweep: one member is traced, eleven are deferred" counts 11 1 0 "$GG" run ./run.sh
check "and the best is the one that it should be" cmp best.txt expected.txt
check "the same again forces nothing" counts 0 12 0 "$GG" run ./run.sh
check "another rate forces its four members" eval 'other_rate; counts 4 8 0 "$GG" run ./run.sh'
check "gg models says what was learned" says "python3 train.py" 0 "$GG" models

# A copy of gg-ml stands in the project: a step sees nothing of /tmp, where BUILD
# may be.
with_ml() { mkdir bin && cp "$BUILD/gg-ml" bin/ && PATH=$PWD/bin:$PATH; }

example sweep
with_ml
check "a hundred settings are as many steps" counts 103 0 0 "$GG" run ./run.sh
# How they are parted depends on how long they take: one may be left alone.
check "in fewer processes" grep -qE "^gg: (9[0-9]|100) steps ran in [0-9]{1,2} process" "$work/.log"
check "and the best are those that they should be" cmp best.txt expected.txt
check "the same again forces nothing" counts 0 103 0 "$GG" run ./run.sh
check "alone or fused the files are the same" \
	eval 'PATH=$PATH:${GG%/*}; says "the files are the same" 0 ./times.sh'

# Sixteen members by gg-ml.
fashion()
{
	example fashion
	with_ml
	check "the fashion ensemble costs 20 thunks" counts 20 0 0 "$GG" run ./run.sh 1 20
	check "its report is the expected one, to the last digit" cmp report.txt expected.txt
	check "the same again forces nothing" counts 0 20 0 "$GG" run ./run.sh 1 20
	sed -i 's/^train deep 0.*/& --decay 0.0001/' run.sh
	check "one member changed: it and the two evaluations" counts 3 17 0 "$GG" run ./run.sh 1 20
	check "PyTorch's twin is as good as its member" like_twin
}

# Within three points of a hundred, after three epochs.
like_twin()
{
	local ours theirs

	[ -e /usr/lib/python3/dist-packages/torch/__init__.py ] || return 0
	gg-ml train --data data/train-0.st --model 'mlp 784-128-10' --epochs 3 \
		--schedule cosine --warm-up 50 --rate 0.1 -o twin.st
	ours=$(gg-ml eval --data data/test.st --json twin.st | jq .mean.accuracy)
	theirs=$(OMP_NUM_THREADS=1 /usr/bin/python3 twin.py data/train-0.st data/test.st 3 0)
	echo "ours $ours, theirs $theirs"
	awk -v a="$ours" -v b="$theirs" 'BEGIN { exit !(a > 0.6 && a - b < 0.03 && b - a < 0.03) }'
}

# The same without functions and containers; test/hetero_*.sh have those.
hetero()
{
	example hetero
	PATH=$BUILD:$PATH
	check "64 shards, eight members and their vote cost 82 thunks" \
		counts 82 0 0 "$GG" run ./run.sh 1
	check "the vote has the bytes that it should" sha256sum -c expected.txt
	check "the same again forces nothing" counts 0 82 0 "$GG" run ./run.sh 1
	printf '\1' | dd of=raw/labels-05 bs=1 seek=8 conv=notrunc 2>/dev/null
	check "one shard changed: it, its join, its member, the vote" \
		counts 4 78 0 "$GG" run ./run.sh 1
}

if [ -d /usr/share/datasets/fashion-mnist ]; then
	fashion
	hetero
else
	echo "ok $((++n_checks)) - the fashion example # SKIP dataset-fashion-mnist is missing"
fi

if ! python3 -c 'import sklearn' 2>/dev/null; then
	echo "ok $((++n_checks)) - the digits example # SKIP python3 has no scikit-learn"
	plan
fi
example digits
check "the digits scripts do not know gg" no_gg_in_it
check "the ensemble costs 14 thunks" counts 14 0 0 "$GG" run ./run.sh
check "its table is the expected one" cmp report.txt expected.txt
check "its files are those that plain ./run.sh writes" same_without_gg
check "the same again forces nothing" counts 0 14 0 "$GG" run ./run.sh
sed -i 's/--seed 5 --hidden 64/--seed 5 --hidden 16/' run.sh
check "one member changed: that member and the vote" counts 2 12 0 "$GG" run ./run.sh
sed -i 's/--seed 5 --hidden 16/--seed 5 --hidden 64/' run.sh
check "changed back: nothing is to be done" counts 0 14 0 "$GG" run ./run.sh
check "and the table is the expected one again" cmp report.txt expected.txt
plan
