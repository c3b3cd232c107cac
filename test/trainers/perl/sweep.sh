#!/bin/sh
set -e
for n in 1 2 3; do
	perl ngram.pl -n $n -o lm$n.txt corpus.txt
done
perl -ne '$n{length $_}++; END { print "$_ $n{$_}\n" for sort { $a <=> $b } keys %n }' corpus.txt >lengths.txt
perl perplexity.pl lm1.txt lm2.txt lm3.txt
