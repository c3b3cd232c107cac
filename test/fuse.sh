#!/bin/bash
# fuse.sh - commands that can be one process are, and nobody can tell
. "$(dirname "$0")/lib.sh"

# A step sees nothing of /tmp, where BUILD may be.
fresh() # NAME
{
	project "$1"
	mkdir bin && cp "$BUILD/gg-ml" bin/ && PATH=$PWD/bin:$PATH
}

said() { grep "$1" "$work/.log"; }
kept() { find models -type f -exec sha256sum {} + | sort -k2; }

sweep() # RATE...
{
	cat >run.sh <<-END
		mkdir -p models
		gg-ml data --kind rings --examples 300 --features 6 --seed 1 -o d.st
		for width in 4 8; do for rate in $*; do
			gg-ml train --data d.st --model "mlp 6-\$width-3" --rate \$rate --steps 40 \\
				--seed 5 --metrics models/\$width-\$rate.json -o models/\$width-\$rate.st
		done; done
		gg-ml train --data d.st --model "mlp 6-4-3" --steps 40 --state s.st -o models/s.st
	END
}

fresh alone
sweep 0.1 0.2 0.3 0.4 0.5
check "each in its own process" counts 12 0 0 "$GG" run --no-fuse sh run.sh
check "and none is told to be otherwise" eval '! grep "processes" "$work/.log"'
kept >"$work/alone.txt"

fresh fused
sweep 0.1 0.2 0.3 0.4 0.5
check "fused they are as many steps" counts 12 0 0 "$GG" run -j 1 sh run.sh
check "but few processes, one for each width" said '^gg: 10 steps ran in 2 processes'
kept >"$work/fused.txt"
check "every file has the bytes that it has alone" cmp "$work/alone.txt" "$work/fused.txt"
check "each is kept under its own name" counts 0 12 0 "$GG" run --fresh --no-fuse sh run.sh
check "run again alone they are the same, says gg verify" says "" 0 "$GG" verify -q models/4-0.1.st models/8-0.5.json
check "the journal says who went with whom" \
	eval '[ "$("$GG" history last-1 --json | jq -s "[.[] | select(.event == \"ran\" and .with)] | length")" = 8 ]'
sweep 0.2 0.3 0.6
check "what is known is left out of it" counts 2 6 0 "$GG" run sh run.sh

# A rate with which one of them alone goes wrong.
fresh wrong
sweep 0.1 1e30 0.2
check "one that fails does not take the others with it" counts 6 0 2 "$GG" run -k -j 1 sh run.sh
check "and that they ran alone then is told" said 'as one process failed .*runs alone now'
check "the others are what they should be" \
	eval 'for f in models/*-0.[12].*; do grep -q "$(sha256sum $f | cut -c1-64)  $f" "$work/alone.txt" || exit 1; done'

# How many threads is no part of a name, and is heeded all the same.
fresh aside
thread() { echo "gg-ml data --examples 300 --features 6 -o d.st; gg-ml train --data d.st \
	--model 'mlp 6-4-3' --steps 40 $1 -o w.st" >run.sh; }
thread "--threads 1"
check "with one thread" counts 2 0 0 "$GG" run sh run.sh
thread "--threads=2"
check "two threads are the same step" counts 0 2 0 "$GG" run sh run.sh
check "gg show tells of them" says "# aside: --threads=2" 0 "$GG" show w.st
printf 'sh own.sh -j=@ @out\n\taside -j\n' >gg.models
printf 'echo "$@" >seen.txt; [ "$#" = 3 ] && echo made >"$1"\n' >own.sh
echo 'sh own.sh -j 3 out.txt' >run.sh
check "so it is of any program whose model says so" counts 1 0 0 "$GG" run sh run.sh
sed -i 's/3/4/' run.sh
check "gg verify runs it with them too" says "same 1, differ 0, failed 0" 0 "$GG" verify out.txt
check "with another number it is known" counts 0 1 0 "$GG" run sh run.sh

# Told to end, one process leaves for each step what that would have left alone.
fresh stopped
many=$((1000000000 + $$))
for rate in 0.1 0.2 0.3; do
	echo "gg-ml train --data d.st --model 'mlp 6-4-3' --rate $rate --steps $many -o $rate.st"
done >run.sh
gg-ml data --kind rings --examples 300 --features 6 -o d.st
of() { gg-ml train --data d.st --model 'mlp 6-4-3' --steps 40 --rule adam --rate "$@" >/dev/null; }
check "the state of one of several is the one that it has alone" eval '
	of 0.1,0.2 --seed 3,4 --members 2 --state both-{} -o w-{} &&
	of 0.2 --seed 4 --state alone -o w && cmp both-1 alone'
"$GG" infer sh run.sh >/dev/null 2>&1
ctrl_c() # PATTERN
{
	"$GG" force -j 1 >"$work/.log" 2>&1 &
	catches_term "$1" && kill -INT $!
	wait $!
}
ctrl_c "--steps $many .*--members=3"
check "at Ctrl-C each leaves its checkpoint" \
	eval '[ "$(grep -c "it goes on from its checkpoint" "$work/.log")" = 3 ]'
ctrl_c "--steps $many .*--resume"
check "from which it goes on, alone" \
	eval '"$GG" history last --json | jq -se "[.[] | select(.continued)] | length > 0"'

# A program that is anybody's: what it may take together stands in gg.models.
project own
printf 'sh square.sh --of=@ --add=@=0 -o=@out\n\tfuse --of=, --add=,0 -o={}\n' >gg.models
cat >square.sh <<-'END'
	add=0
	for a; do case $1 in --of=*) of=${1#*=};; --add=*) add=${1#*=};; -o) out=$2; shift;; esac; shift; [ $# -gt 0 ] || break; done
	echo "$of" | tr , '\n' >.of; echo "$add" | tr , '\n' >.add
	n=0
	while read -r x && read -r y <&3; do
		mkdir -p "$(dirname "$out")"
		echo $((x * x + y)) >"$(echo "$out" | sed "s/{}/$n/")"
		n=$((n + 1))
	done <.of 3<.add
	rm .of .add
END
printf 'for i in 1 2 3 4 5; do sh square.sh --of=$i -o out/$i.txt; done\nsh square.sh --of=6 --add=1 -o out/6.txt\n' >run.sh
check "any program's steps can" counts 6 0 0 "$GG" run -j 1 sh run.sh
check "if its model says so" said '^gg: 6 steps ran in 1 process '
check "each gets what is its" eval '[ "$(cat out/[1-6].txt | tr "\n" " ")" = "1 4 9 16 25 37 " ]'
check "a model that says it wrongly is told so" \
	eval 'sed -i s/-o={}// gg.models; says "gg.models:2:7: fuse: one word" 2 "$GG" run sh run.sh'
plan
