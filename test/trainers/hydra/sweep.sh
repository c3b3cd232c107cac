#!/bin/bash
# A sweep the Hydra way: key=value, one folder for each combination.
set -e
for model in linear poly; do
	for lr in 0.1 0.01; do
		python3 train.py model=$model optimizer.lr=$lr seed=3
	done
done
python3 train.py model=poly optimizer.lr=0.1 seed=4
