#!/bin/sh
# run.sh [EPOCHS [SHARDS]] - sixteen members on Fashion-MNIST, and their ensemble
#
# Each member learns from one of four shards of the training data (the first four
# of SHARDS), so that no two of a kind have seen the same.
set -e
epochs=${1:-5}
shards=${2:-4}
images=/usr/share/datasets/fashion-mnist

mkdir -p data models
gg-ml prep $images/train-images-idx3-ubyte.gz $images/train-labels-idx1-ubyte.gz \
	--shards "$shards" -o 'data/train-{}.st'
gg-ml prep $images/t10k-images-idx3-ubyte.gz $images/t10k-labels-idx1-ubyte.gz -o data/test.st

train() # NAME SHARD MODEL OPTION...
{
	out=models/$1-$2.st data=data/train-$2.st seed=$2 model=$3
	shift 3
	gg-ml train --data "$data" --model "$model" --seed "$seed" --epochs "$epochs" \
		--schedule cosine --warm-up 50 "$@" -o "$out"
}

for i in 0 1 2 3; do
	train small $i 'net 28x28x1: conv 8 5x5 stride 2 pad 2 relu, conv 16 3x3 pad 1 relu, pool 2, fc 10' \
		--rate 0.1
	train large $i 'net 28x28x1: conv 16 5x5 stride 2 pad 2 relu, conv 32 3x3 stride 2 pad 1 relu, fc 64 relu, fc 10' \
		--rate 0.1
	train mlp $i 'mlp 784-128-10' --rate 0.1
done
train deep 0 'mlp 784-256-64-10 drop 0.1' --rule adam --rate 0.001
train deep 1 'mlp 784-256-64-10 tanh' --rule adamw --rate 0.001 --decay 0.01
train linear 2 'linear 784-10' --rate 0.02
train linear 3 'linear 784-10' --rate 0.02 --smoothing 0.1

gg-ml eval --data data/test.st --json models/*.st >ensemble.json
gg-ml eval --data data/test.st --bins models/*.st >report.txt
cat report.txt
