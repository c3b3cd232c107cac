#!/bin/bash
# Text classifiers, one thread so that they come out alike.
set -e
awk -f corpus.awk -v seed=1 -v n=600 >train.txt
awk -f corpus.awk -v seed=2 -v n=200 >test.txt
for lr in 0.1 0.5 1.0; do
	fasttext supervised -input train.txt -output ft-$lr -lr $lr -dim 10 -epoch 5 \
		-bucket 1000 -thread 1 -verbose 0
	fasttext test ft-$lr.bin test.txt >score-$lr.txt
done
