#!/bin/bash
# ml_compilers.sh - gcc and clang at -O1, -O2, -O3 train to the same bits
#
# The kernels and a small trainer are compiled by each, the rest of the library
# is what make built; run on each instruction set there is.
. "$(dirname "$0")/lib.sh"
top=$here
command -v clang >/dev/null || skip 'clang is missing'
cd "$work" || exit 1

flags="-std=c17 -D_GNU_SOURCE -w -I$top/include -ffp-contract=off -fno-math-errno -fno-trapping-math"
# All that a training goes through; of the formats only its own.
sources=$(cd "$top/src/kernels" && ls *.c | grep -vE '^(csv|idx|npy|libsvm|gzip|combine|kmeans|metrics)\.c$')

# build CC LEVEL: a program of its own in ./CC-LEVEL
build()
{
	local dir=$1$2 objects= isa f

	mkdir "$dir"
	for f in $sources; do
		case $f in
		*_avx2.c) isa='-mavx2 -mfma' ;;
		*_avx512.c) isa='-mavx512f -mavx512dq -mavx512bw -mavx512vl' ;;
		*) isa= ;;
		esac
		$1 $flags "$2" $isa -c "$top/src/kernels/$f" -o "$dir/$f.o" || return 1
		objects="$objects $dir/$f.o"
	done
	$1 $flags "$2" "$top/test/hash_training.c" $objects "$BUILD/libgg.a" \
		-ljansson -lpthread -lm -o "$dir/hash"
}

same() { "./$1/hash" >said && cat said && cmp said first; }
for cc in gcc clang; do
	for level in -O1 -O2 -O3; do
		check "$cc $level builds the kernels" build $cc $level
		[ -e first ] || "./$cc$level/hash" >first
		check "$cc $level: the same bits on each instruction set" same $cc$level
	done
done
one_value() { [ "$(wc -l <first)" -ge 1 ] && [ "$(cut -d' ' -f2- first | sort -u | wc -l)" = 1 ]; }
check "all instruction sets give one value" one_value
plan
