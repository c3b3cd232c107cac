#!/bin/bash
# Forests of several sizes and two grids on made-up data, then one table.
set -euo pipefail
mkdir -p models
python3 make_data.py --n 600 --features 12 --seed 0 --out data.npz
for depth in 3 6 9; do
	python3 train_forest.py --data data.npz --n-estimators 30 --max-depth $depth \
		--seed 1 --out models/forest-$depth.joblib
done
for kind in svm knn; do
	python3 grid.py $kind --data data.npz
done
python3 evaluate.py --data data.npz --csv scores.csv models/*.joblib
