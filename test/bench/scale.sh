#!/bin/bash
# Nothing to do for 100,000 steps, beside 10,000.
. "$(dirname "$0")/lib.sh"
forced_cat 10000 "$work/gg-10000"
forced_cat 100000 "$work/gg-100000"

big() { cd "$work/gg-100000" && timed "$gg" $verb; }
small() { cd "$work/gg-10000" && timed "$gg" $verb; }

for verb in 'run -q -j2 sh cmds.sh' 'force -q -j2 out'; do
	compare scale '< 10' "no-op gg ${verb%% *}, 100,000 beside 10,000" big small
done
