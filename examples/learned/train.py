import argparse
import json
import random

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--rate", type=float, default=0.1)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", required=True)
args = parser.parse_args()

with open(args.data) as f:
    rows = [[float(v) for v in line.split(",")] for line in f]
random.seed(args.seed)
w = [random.uniform(-1, 1) for _ in rows[0]]
loss = 0.0
for epoch in range(20):
    loss = 0.0
    for *x, y in random.sample(rows, len(rows)):
        error = w[0] + sum(a * b for a, b in zip(w[1:], x)) - y
        w[0] -= args.rate * error
        w[1:] = [a - args.rate * error * b for a, b in zip(w[1:], x)]
        loss += error * error / len(rows)
with open(args.out, "w") as f:
    json.dump({"loss": round(loss, 4), "w": [round(v, 3) for v in w]}, f)
    f.write("\n")
