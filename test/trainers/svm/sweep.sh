#!/bin/sh
# LIBSVM: scale, a small grid, predictions.
set -e
svm-scale -l -1 -u 1 -s range.txt train.svm >train.scale
svm-scale -r range.txt test.svm >test.scale
for c in 0.5 2 8; do
	svm-train -q -c $c -g 0.1 train.scale model-$c
	svm-predict test.scale model-$c pred-$c.txt
done
svm-train -q -t 0 -c 1 train.scale
svm-predict -q test.scale train.scale.model linear.txt
