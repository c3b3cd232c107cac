"""Lloyd's algorithm."""
import argparse

from .points import nearest, read

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("-k", type=int, default=2)
parser.add_argument("-o", "--output", required=True)
args = parser.parse_args()

points = read(args.data)
centers = points[:args.k]
for _ in range(15):
    groups = [[] for _ in centers]
    for p in points:
        groups[nearest(p, centers)].append(p)
    centers = [tuple(sum(c) / len(g) for c in zip(*g)) if g else old
               for g, old in zip(groups, centers)]
with open(args.output, "w") as f:
    for c in centers:
        f.write(" ".join(f"{v:.6f}" for v in c) + "\n")
