#!/bin/bash
# Nothing to do for 100,000 steps ($BIG), beside a tenth of them.
. "$(dirname "$0")/lib.sh"
big=${BIG:-100000}
small=$((big / 10))
forced_cat $small "$work/gg-$small"
forced_cat $big "$work/gg-$big"

by_big() { cd "$work/gg-$big" && timed "$gg" $verb; }
by_small() { cd "$work/gg-$small" && timed "$gg" $verb; }

for verb in 'run -q -j2 sh cmds.sh' 'force -q -j2 out'; do
	compare scale '< 10' "no-op gg ${verb%% *}, $big steps, $small steps" by_big by_small
done
