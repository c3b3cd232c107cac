import argparse
import os
import random

parser = argparse.ArgumentParser()
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--out", default="folds")
args = parser.parse_args()

rng = random.Random(3)
os.makedirs(args.out, exist_ok=True)
files = [open(os.path.join(args.out, f"{k}.csv"), "w") for k in range(args.folds)]
for i in range(400):
    x = [rng.uniform(-1, 1) for _ in range(3)]
    y = 2 * x[0] - x[1] + 0.5 * x[2] + rng.gauss(0, 0.1)
    files[i % args.folds].write(",".join(f"{v:.6f}" for v in x + [y]) + "\n")
for f in files:
    f.close()
