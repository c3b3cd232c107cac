#!/bin/sh
# gen_cat.sh N DIR - N independent steps, out/I from in/I, told in four ways:
# cmds.sh (one shell script; gg.models explains its commands), exits.sh (the
# same script, each command a program that exits at once, $EXITS),
# build.ninja and Makefile
set -eu
n=$1 dir=$2

mkdir -p "$dir/in" "$dir/out"
cd "$dir"
awk -v n="$n" -v q="'" 'BEGIN {
	print "rule cat\n command = cat $in > $out" >"build.ninja"
	printf "all:" >"Makefile"
	for (i = 1; i <= n; i++) {
		print "input " i >("in/" i)
		close("in/" i)
		print "sh -c " q "cat \"$0\" >\"$1\"" q " in/" i " out/" i >"cmds.sh"
		print "$EXITS -c " q "cat \"$0\" >\"$1\"" q " in/" i " out/" i >"exits.sh"
		print "build out/" i ": cat in/" i >"build.ninja"
		printf " out/%d", i >"Makefile"
	}
	print "\nout/%: in/%\n\tcat $< >$@" >"Makefile"
}'
printf 'sh -c @ @in @out\n' >gg.models
