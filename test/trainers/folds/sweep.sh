#!/bin/sh
# Cross-validation: one model for each fold, then the mean.
set -e
python3 split.py --folds 4 --out folds
mkdir -p out
export RIDGE_PENALTY=0.5
for k in 0 1 2 3; do
	python3 fit.py --fold $k
done
python3 mean.py out/fold0.json out/fold1.json out/fold2.json out/fold3.json >cv.txt
cat cv.txt
