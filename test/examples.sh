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

example sweep
check "the sweep: one member is traced, eleven are deferred" counts 11 1 0 "$GG" run ./run.sh
check "and the best is the one that it should be" cmp best.txt expected.txt
check "the same again forces nothing" counts 0 12 0 "$GG" run ./run.sh
check "another rate forces its four members" eval 'other_rate; counts 4 8 0 "$GG" run ./run.sh'
check "gg models says what was learned" says "python3 train.py" 0 "$GG" models

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
