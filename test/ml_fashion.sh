#!/bin/bash
# ml_fashion.sh - how good networks are that gg-ml trains on Fashion-MNIST
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
images=/usr/share/datasets/fashion-mnist
[ -d $images ] || skip 'dataset-fashion-mnist is missing'
cd "$work" || exit 1

prep() { "$ML" prep $images/$1-images-idx3-ubyte.gz $images/$1-labels-idx1-ubyte.gz -o $1.st; }
check "the images are read" prep train
check "and those for testing" prep t10k
"$ML" train --data train.st --model 'mlp 784-128-10' --batch 100 --epochs 5 --members 8 \
	--rate 0.08 --schedule step --period 2500 --gamma 0.05 -o 'w-{}.st'
"$ML" eval --data t10k.st --json w-*.st >mlp.json
jq -c '{members: [.members[].metrics | [.accuracy, .nll]], mean}' mlp.json | sed 's/^/# /'
holds() { [ "$(jq "$1" "$2")" = true ]; }
check "MLP 784-128-10, 5 epochs of momentum: 87% a member at least" \
	holds '(.members | length) == 8 and ([.members[].metrics.accuracy] | min) >= 0.87' mlp.json
check "eight members' NLL is 5% below the mean member's at least" \
	holds '.mean.nll <= 0.95 * ([.members[].metrics.nll] | add / 8)' mlp.json
check "and the ensemble is better than each of them" \
	holds '.mean.accuracy > ([.members[].metrics.accuracy] | max)' mlp.json

"$ML" train --data train.st --epochs 5 --schedule cosine --warm-up 100 --rate 0.1 --model \
	'net 28x28x1: conv 16 5x5 stride 2 pad 2 relu, conv 32 3x3 stride 2 pad 1 relu, fc 128 relu, fc 10' \
	-o cnn.st
"$ML" eval --data t10k.st --json cnn.st >cnn.json
check "a network of two convolutions: 90.5%" holds '.mean.accuracy >= 0.905' cnn.json
plan
