#!/bin/sh
# Each run has a folder of its own: its settings, metrics and checkpoints.
set -e
python3 train.py --name a --lr 0.3
python3 train.py --name b --lr 0.1
python3 train.py --name c --lr 0.03 --epochs 6
python3 summarize.py runs/a runs/b runs/c
