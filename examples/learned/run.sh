#!/bin/sh
# Twelve members, and the best of them.
set -e
mkdir -p out
for rate in 0.01 0.03 0.1; do
	for seed in 1 2 3 4; do
		python3 train.py --data data.csv --rate $rate --seed $seed --out out/$rate-$seed.json
	done
done
sort out/*.json | head -1 >best.txt
cat best.txt
