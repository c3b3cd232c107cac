#!/bin/bash
# A small CNN on Fashion-MNIST, three learning rates.
set -e
for lr in 0.05 0.02 0.1; do
	python3 train.py --lr "$lr" --seed 1 --epochs 1 --limit 512 --batch-size 64 \
		--output-dir "checkpoints/lr-$lr"
done
python3 test.py --limit 256 --checkpoints checkpoints --report report.json
