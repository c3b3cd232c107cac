#!/bin/sh
# run.sh [EPOCHS [IMAGES]] - the first IMAGES of Fashion-MNIST are prepared in 64
# shards, eight members learn from eight shards each, and vote
set -e
epochs=${1:-5}
images=${2:-60000}
mnist=/usr/share/datasets/fashion-mnist
device=
[ ! -c /dev/nvidia0 ] || device="--device cuda"
PATH=$PWD/bin:$PATH

mkdir -p bin shards data models
[ -x bin/gg-ml ] || cp "$(command -v gg-ml)" bin/
[ -d raw ] || sh cut.sh $mnist raw 64 "$images"

for shard in $(seq -w 0 63); do
	gg-ml prep "raw/images-$shard" "raw/labels-$shard" -o "shards/$shard.st"
done
gg-ml prep raw/test-images raw/test-labels -o data/test.st

for member in 0 1 2 3 4 5 6 7; do
	mine=
	for shard in $(seq -w $((member * 8)) $((member * 8 + 7))); do
		mine="$mine shards/$(printf %02d "${shard#0}").st"
	done
	python3 join.py -o "data/$member.st" $mine
	gg-ml train --data "data/$member.st" --seed "$member" --epochs "$epochs" \
		--rate 0.1 --schedule cosine --warm-up 20 $device \
		--model 'net 28x28x1: conv 16 5x5 stride 2 pad 2 relu, conv 32 3x3 stride 2 pad 1 relu, fc 64 relu, fc 10' \
		-o "models/$member.st"
done

gg-ml eval --data data/test.st --json models/[0-7].st >ensemble.json
