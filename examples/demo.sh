#!/bin/sh
# demo.sh - the digits ensemble from nothing: run, run again, change one member
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
gg=$(realpath "$BUILD")/gg

# Another python3 may stand before the one that Debian's modules belong to.
python3 -c 'import sklearn' 2>/dev/null || PATH=/usr/bin:$PATH
export PATH

headline() { printf '\n== %s\n\n' "$*"; }

chmod -R u+w "$BUILD/demo" 2>/dev/null || true
rm -rf "$BUILD/demo"
cp -r examples/digits "$BUILD/demo"
cd "$BUILD/demo"

headline 'gg init: a store beside an ordinary training script'
"$gg" init

headline 'gg run ./run.sh: prepared once, members side by side, then the vote'
"$gg" run ./run.sh
cmp report.txt expected.txt || echo '(other versions of numpy or scikit-learn: other figures)'

headline 'gg run ./run.sh, again: all is known'
"$gg" run ./run.sh

headline 'one member with another hyper-parameter: that member and the vote'
sed -i 's/--seed 5 --hidden 64/--seed 5 --hidden 96/' run.sh
"$gg" run ./run.sh

printf '\nThe demo is in %s: try gg status, gg graph, gg why report.txt there.\n' "$PWD"
