#!/bin/sh
# run.sh - twenty learning rates at each of five widths, and the best of the hundred
set -e
mkdir -p data models
gg-ml data --kind rings --examples 4000 --features 32 --classes 4 --seed 1 -o data/train.st
gg-ml data --kind rings --examples 2000 --features 32 --classes 4 --seed 2 -o data/valid.st

for width in 16 24 32 48 64; do
	for rate in 0.005 0.01 0.015 0.02 0.025 0.03 0.035 0.04 0.045 0.05 \
		0.06 0.07 0.08 0.09 0.1 0.12 0.14 0.16 0.18 0.2; do
		gg-ml train --data data/train.st --model "mlp 32-$width-4" --rate $rate --seed 7 \
			--batch 20 --steps 400 --schedule cosine -o models/$width-$rate.st
	done
done

gg-ml eval --data data/valid.st models/*.st >report.txt
grep '^models' report.txt | sort -k3,3n -k1,1 | head -5 >best.txt
cat best.txt
