#!/bin/sh
set -e
for seed in 1 2 3; do
	node train.js --seed $seed --rate 0.1 --out net-$seed.json
done
