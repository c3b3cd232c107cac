#!/bin/bash
# What learning costs: one command that is traced to learn from it, beside the
# same command plain; then 200 commands that a learned model explains, beside
# the same script with a program that exits at once in the trainer's place.
#
# A shape is learned once, so that each round has a program of another name.
# The system files that it uses are known from a round before, as they are in
# any project's second day: the row of closures tells what they cost at first.
. "$(dirname "$0")/lib.sh"
dir=$work/learn
export PATH=/usr/bin:$PATH OMP_NUM_THREADS=1
round=0

chmod -R u+w "$dir" 2>/dev/null
rm -rf "$dir"
mkdir -p "$dir/out"
cp -r "$top/test/trainers/torch/." "$dir/"
cp "$top/src/base.c" "$top"/include/*.h "$dir/"
cd "$dir" || die "no $dir"
${CC:-gcc} -O2 -static -o "$work/exits" "$rows/exits.c" || die 'cannot compile exits.c'
"$gg" init >/dev/null || die 'gg init failed'

# More than 17,000 calls with a path (strace -f -c -e trace=file).
cat >forest.py <<'END'
import sys
import numpy as np
import pandas
import matplotlib.pyplot
import logging.config, sqlite3
import scipy.cluster.hierarchy, scipy.integrate, scipy.interpolate, scipy.io
import scipy.ndimage, scipy.signal, scipy.stats
import sklearn.cluster, sklearn.datasets, sklearn.decomposition
import sklearn.feature_extraction.text, sklearn.feature_selection
import sklearn.gaussian_process, sklearn.inspection, sklearn.linear_model
import sklearn.manifold, sklearn.mixture, sklearn.model_selection
import sklearn.naive_bayes, sklearn.neural_network, sklearn.pipeline, sklearn.svm
import sympy
from sklearn.ensemble import RandomForestClassifier

rng = np.random.default_rng(0)
x = rng.normal(size=(2000, 20))
y = (x[:, 0] * x[:, 1] > 0).astype(int)
forest = RandomForestClassifier(300, random_state=int(sys.argv[1])).fit(x, y)
pandas.DataFrame({"importance": forest.feature_importances_}).to_csv(sys.argv[2])
END
cat >member.py <<'END'
import argparse
parser = argparse.ArgumentParser()
for name in ("--data", "--seed", "--rate", "--out"):
    parser.add_argument(name, required=True)
args = parser.parse_args()
with open(args.data) as f, open(args.out, "w") as out:
    out.write(f"{args.seed} {args.rate} {len(f.read())}\n")
END
seq 100 >data.txt

# Each way in two parts: what is not timed, and one script that is.
cnn()
{
	cp train.py "train$1.py"
	echo "python3 train$1.py --seed 1 --epochs 5 --limit 4096 --output-dir out/cnn$1"
}
forest()
{
	cp forest.py "forest$1.py"
	echo "python3 forest$1.py 1 out/forest$1.csv"
}
compiler()
{
	ln -sf /usr/bin/gcc "compile$1"
	echo "./compile$1 -O2 -I. -D_GNU_SOURCE -c base.c -o out/base$1.o"
}
learning()
{
	round=$((round + 1))
	$command "$round" >script.sh
	timed "$gg" run -q sh script.sh
	grep -q 'forced 0, cached 1, failed 0' "$work/said" ||
		die "not learned: $(cat script.sh): $(tail -1 "$work/said")"
}
plain()
{
	round=$((round + 1))
	$command "$round" >script.sh
	timed sh script.sh
}

# row NAME TARGET WHAT: $command learned, beside plain; no shapes of other rows
row()
{
	rm -rf .gg
	"$gg" init >/dev/null || die 'gg init failed'
	learning
	compare "$1" "$2" "$3" learning plain
}

# members FIRST COMMAND: a script with 200 of them
members()
{
	for ((i = $1; i < $1 + 200; i++)); do
		echo "$2 --data data.txt --seed $i --rate 0.$i --out out/$i.txt"
	done
}
sweeping()
{
	round=$((round + 1))
	members $((round * 1000)) 'python3 member.py' >sweep.sh
	timed "$gg" infer -q --learn sh sweep.sh
	[ "$(cat out/$((round * 1000)).txt | head -1)" = 'gg-placeholder 1' ] ||
		die 'a member was not deferred'
}
exiting()
{
	round=$((round + 1))
	members $((round * 1000)) "$work/exits" >sweep.sh
	timed sh sweep.sh
}

command=cnn row 'learn, cnn' '<= 1.05' 'PyTorch, two worker processes, traced / plain'
command=forest row 'learn, forest' '<= 1.15' 'scikit-learn, pandas, matplotlib, traced / plain'
command=compiler row 'learn, gcc' '<= 1.15' 'gcc -O2 of one file, traced / plain'
"$gg" learn -- python3 member.py --data data.txt --seed 1 --rate 1 --out out/1.txt \
	>"$work/said" 2>&1 || die 'the member was not learned'
compare 'learn, sweep' '<= 2.0' '200 members by a learned model, exits at once' sweeping exiting
