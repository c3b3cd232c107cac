#!/usr/bin/env python3
"""One member: a logistic model over random waves of the two coordinates."""
import argparse
import json
import math
import random

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--data", required=True)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--waves", type=int, default=40)
p.add_argument("--rate", type=float, default=0.05)
p.add_argument("--epochs", type=int, default=20)
p.add_argument("-o", "--out", required=True)
args = p.parse_args()

rng = random.Random(args.seed)
waves = [(rng.gauss(0, 0.8), rng.gauss(0, 0.8), rng.uniform(0, 2 * math.pi))
         for _ in range(args.waves)]
weights = [0.0] * args.waves


def features(x, y):
    return [math.cos(a * x + b * y + c) for a, b, c in waves]


def chance(phi):
    return 1 / (1 + math.exp(-sum(w * v for w, v in zip(weights, phi))))


with open(args.data) as f:
    data = json.load(f)
train = [(features(x, y), side) for x, y, side in data["train"]]
for _ in range(args.epochs):
    for phi, side in train:
        miss = args.rate * (side - chance(phi))
        weights = [w + miss * v for w, v in zip(weights, phi)]
chances = [round(chance(features(x, y)), 9) for x, y, _ in data["test"]]
right = sum((c > 0.5) == (side == 1) for c, (_, _, side) in zip(chances, data["test"]))
with open(args.out, "w") as f:
    json.dump({"accuracy": right / len(chances), "chances": chances}, f)
