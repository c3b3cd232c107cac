#!/bin/sh
# Every experiment is a file in configs/.
set -e
for name in small wide deep; do
	python3 train.py --config configs/$name.yaml
done
python3 compare.py results/small.json results/wide.json results/deep.json --to compare.md
