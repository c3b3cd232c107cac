#!/bin/sh
set -e
for c in 0.1 1 10; do
	liblinear-train -q -s 0 -c $c train.svm linear-$c.model
	liblinear-predict -b 1 test.svm linear-$c.model linear-$c.out >linear-$c.log
done
cat linear-*.log >all.log
