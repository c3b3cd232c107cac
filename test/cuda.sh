#!/bin/bash
# cuda.sh - gg-ml on a GPU: the files that the processor writes, byte for byte
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
cd "$work" || exit 1

"$ML" data --kind rings --examples 3000 --features 784 --classes 10 --seed 1 -o d.st
"$ML" train --data d.st --model 'linear 784-10' --steps 1 --device cuda -o w.st 2>err ||
	skip "$(tail -1 err)"

on() { "$ML" train --data d.st --device "$@" 2>err || { cat err; return 1; }; }

# Alone on the processor, and as one of several on the GPU.
whole_run() # MODEL OPTION...
{
	rm -f c.st c.json g-*
	on cpu --model "$1" --seed 5 --metrics c.json -o c.st "${@:2}" &&
		on cuda --model "$1" --seed 2 --members 5 --metrics 'g-{}.json' -o 'g-{}.st' \
			"${@:2}" && cmp c.st g-3.st && cmp c.json g-3.json
}
mlp='mlp 784-128-10'
cnn='net 28x28x1: conv 8 5x5 relu, pool 2, conv 16 5x5 relu, pool 2, fc 10'
all='net 28x28x1: conv 6 3x3 pad 1 stride 2, norm relu, a=conv 6 3x3 pad 1 tanh, drop 0.2,
conv 6 3x3 pad 1, add a sigmoid, avgpool 2, scale of 2, conv 9 3x3 relu, pool 3 stride 1,
global, fc 10'
all=$(tr '\n' ' ' <<<"$all")
for rule in sgd momentum nesterov adam adamw; do
	check "$rule: a run of 1500 steps of an MLP" whole_run "$mlp" --rule $rule --rate 0.003 \
		--decay 0.001 --steps 1500 --schedule cosine --warm-up 50
done
for loss in logistic hinge; do
	check "$loss: the same" whole_run "$mlp" --loss $loss --rate 0.003 --steps 300
done
check 'a run of a CNN' whole_run "$cnn" --rate 0.01 --steps 300 --augment 'crop 2 flip'
check 'a run of a network with all layers' whole_run "$all" --rate 0.01 --steps 200 --bag
check 'a batch that no tile divides' whole_run 'mlp 784-77-33-10 tanh drop 0.1' --batch 37 \
	--rate 0.01 --steps 400

# How a state goes on elsewhere is ml.sh's to show.
stopped()
{
	rm -f s.st p.st
	"$ML" train --data d.st --model "$mlp" --steps 900000 --device cuda --state s.st -o p.st \
		2>err &
	pid=$!
	sleep 3
	kill -TERM $pid
	wait $pid
	[ $? = 75 ] && [ -e s.st ] && ! [ -e p.st ]
}
check 'told to end, a run on the GPU leaves a state and no weights' stopped

# cuBLAS: the same bytes again, and the profile in the weights.
again()
{
	on cuda --profile "$1" --model "$cnn" --rate 0.01 --steps 200 --members 4 -o 'a-{}.st' &&
		on cuda --profile "$1" --model "$cnn" --rate 0.01 --steps 200 --members 4 -o 'b-{}.st' &&
		for i in 0 1 2 3; do cmp a-$i.st b-$i.st || return 1; done
	head -c 2000 a-0.st | grep -a -o "\"profile\": *\"$1, CUDA [^\"]*, 4 members\""
}
if on cuda --profile cublas --model "$mlp" --steps 1 -o x.st >/dev/null; then
	check 'cublas gives the same bytes again and is named in the weights' again cublas
	check 'so does fast' again fast
else
	echo "# $(tail -1 err)"
fi
plan
