#!/bin/bash
# learn_python.sh - trainers in Python, learned from one run of each shape
. "$(dirname "$0")/trainers/lib.sh"
for module in numpy sklearn joblib yaml omegaconf; do
	python3 -c "import $module" 2>/dev/null || skip "python3 has no $module"
done

# A bare word may be a subcommand, so that grid.py needs two runs.
learns sklearn 2 5 's/in 3 6 9/in 3 5 9/' 2 6
learns folds 3 3 's/PENALTY=0.5/PENALTY=0.7/' 5
check "folds: an optional file that appears later is read" eval '
	echo "{\"scale\": 2.0}" >settings.json
	counts 5 1 0 "$GG" run ./sweep.sh && grep -q "^4 folds" cv.txt && ! cmp cv.txt ../folds.edited/cv.txt'
check "folds: and when it is gone, all is as before" eval '
	rm settings.json
	counts 0 6 0 "$GG" run ./sweep.sh && same folds.edited'

# What a config names is no argument: one that names another file than the
# first one did is found out when it is forced.
fresh yaml
plain yaml.plain
fresh yaml
"$GG" init >/dev/null
check "yaml: each config is a member" says "failed 0," 0 "$GG" run ./sweep.sh
check "yaml: a file that only one config names is read" same yaml.plain
check "yaml: again, nothing is forced" says "forced 0," 0 "$GG" run ./sweep.sh
check "yaml: another value in one config: that member and the table" eval '
	sed -i "s/0.02/0.03/" configs/wide.yaml; counts 2 2 0 "$GG" run ./sweep.sh'
check "yaml: a value in the common one: all" eval '
	sed -i "s/40/41/" configs/base.yaml; counts 4 0 0 "$GG" run ./sweep.sh'
sed -i '1s/^/0.5,0.5,0.5\n/' data/b.csv
check "yaml: a line more in the data of one" says "failed 0," 0 "$GG" run ./sweep.sh
cp -a . ../yaml.now
check "yaml: and the files are those of a plain run" eval '
	(cd ../yaml.now && rm -rf .gg results compare.md && ./sweep.sh) && same yaml.now'

learns hydra 4 1 's/seed=4/seed=5/' 1
learns rundir 1 3 's/0.1$/0.2/' 2
# What always writes inertia.json is watched once more before that is believed.
learns pkg 2 3 's/2 3 5/2 3 6/;s/-5/-6/' 1
learns console 4 2 's/seed 3/seed 7/' 2
plan
