# lib.sh - for tests that learn from the trainers beside this file
#
# Each folder here is a pipeline as people write them, begun by sweep.sh;
# nothing in it knows gg.  It is run plain first, then by gg in a fresh copy at
# the same path, so that what is compared differs in nothing else.
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# fresh NAME: a new copy of that pipeline, to stand in.
fresh()
{
	cd "$work" || exit
	rm -rf "$1"
	cp -r "$here/test/trainers/$1" "$1" && cd "$1" || exit
	[ ! -e setup.sh ] || ./setup.sh
}

# plain KEPT: run it without gg, where we stand, and keep all of that as KEPT.
plain()
{
	if ! ./sweep.sh >"$work/plain.log" 2>&1 </dev/null; then
		echo "Bail out! ${PWD##*/} does not run without gg:"
		tail -5 "$work/plain.log"
		exit 1
	fi
	cp -a . "$work/$1"
}

# same KEPT: the files of this project are those of the plain run, no more, no
# less.  Python's caches tell when they were made, so that they never agree.
same()
{
	diff -r --exclude=.gg --exclude=__pycache__ --exclude=gg.models "$work/$1" .
}

no_gg_in_it() { ! grep -rliE '\bgg\b|thunk|placeholder' "$here/test/trainers/$1"; }

# learns NAME FORCED TRACED [EDIT FORCED [CACHED]]: NAME's first command of each
# shape is traced and the others are forced; then again; then with EDIT in its
# sweep.sh.
learns()
{
	local name=$1 forced=$2 traced=$3

	check "$name: nothing in it knows gg" no_gg_in_it "$name"
	fresh "$name"
	plain "$name.plain"
	if [ $# -gt 3 ]; then
		sed -i "$4" sweep.sh
		plain "$name.edited"
	fi
	fresh "$name"
	"$GG" init >/dev/null
	check "$name: $traced commands are traced, the other $forced deferred and forced" \
		counts "$forced" "$traced" 0 "$GG" run ./sweep.sh
	check "$name: the files are those of a plain run" same "$name.plain"
	check "$name: again, nothing is done" \
		counts 0 $((forced + traced)) 0 "$GG" run ./sweep.sh
	check "$name: nor when the script runs again" \
		counts 0 $((forced + traced)) 0 "$GG" run --fresh ./sweep.sh
	check "$name: and the files are still right" same "$name.plain"
	if [ $# -gt 3 ]; then
		sed -i "$4" sweep.sh
		check "$name: one value changed: $5 forced" \
			counts "$5" "${6:-$((forced + traced - $5))}" 0 "$GG" run ./sweep.sh
		check "$name: the files are those of a plain run with it" same "$name.edited"
	fi
}

# The processors that these may use: some count them.
export OMP_NUM_THREADS=1
