#!/bin/sh
# run.sh - two spirals, four members, a vote
set -e
mkdir -p members
python3 prep.py --points 400 --noise 1.1 --seed 7 -o data.json
for seed in 1 2 3 4; do
	python3 train.py --data data.json --seed $seed --rate 0.05 -o members/$seed.json
done
python3 vote.py --data data.json -o report.txt members/[1-4].json
