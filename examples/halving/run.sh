#!/bin/sh
# Which of sixteen learning rates is best?  Rounds of 2, 4, 8 and 16 epochs.
set -e
python3 halve.py --epochs 2 --out best.json \
	--rates 0.0001,0.0002,0.0005,0.001,0.002,0.005,0.01,0.02,0.03,0.05,0.08,0.1,0.15,0.2,0.3,0.5
cat best.json
