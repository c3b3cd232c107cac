#!/usr/bin/env python3
"""Points on two noisy spirals, split into two halves."""
import argparse
import json
import math
import random

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--points", type=int, default=400)
p.add_argument("--noise", type=float, default=0.2)
p.add_argument("--seed", type=int, default=0)
p.add_argument("-o", "--out", required=True)
args = p.parse_args()

rng = random.Random(args.seed)
points = []
for i in range(args.points):
    turn = 1 + 5 * rng.random()
    side = i % 2
    points.append([turn * math.cos(turn + side * math.pi) + rng.gauss(0, args.noise),
                   turn * math.sin(turn + side * math.pi) + rng.gauss(0, args.noise), side])
half = len(points) // 2
with open(args.out, "w") as f:
    json.dump({"train": points[:half], "test": points[half:]}, f)
