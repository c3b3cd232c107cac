#!/bin/sh
# Boosted trees by xgboost's own command line.
set -e
python3 make.py
mkdir -p models
for eta in 0.1 0.3 1.0; do
	xgboost boost.conf eta=$eta model_out=models/eta-$eta.json
	xgboost boost.conf task=pred model_in=models/eta-$eta.json name_pred=pred-$eta.txt
done
