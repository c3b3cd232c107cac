#!/bin/bash
# The trainer is a package, started with -m; the data by a one-liner.
set -e
python3 -c 'import random; random.seed(5)
with open("points.txt", "w") as f:
    for _ in range(200): f.write(f"{random.random():.5f} {random.random():.5f}\n")'
for k in 2 3 5; do
	python3 -m tiny.train -k $k points.txt -o centers-$k.txt
done
python3 -m tiny centers-2.txt centers-3.txt centers-5.txt
