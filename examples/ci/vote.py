#!/usr/bin/env python3
"""What each member gets right, and what they get right together."""
import argparse
import json

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--data", required=True)
p.add_argument("-o", "--out", required=True)
p.add_argument("members", nargs="+")
args = p.parse_args()

with open(args.data) as f:
    truth = [side for _, _, side in json.load(f)["test"]]
total = [0.0] * len(truth)
with open(args.out, "w") as out:
    for path in args.members:
        with open(path) as f:
            member = json.load(f)
        total = [t + c for t, c in zip(total, member["chances"])]
        print(f"{path:<20} {member['accuracy']:.3f}", file=out)
    right = sum((t > len(args.members) / 2) == (side == 1) for t, side in zip(total, truth))
    print(f"{'together':<20} {right / len(truth):.3f}", file=out)
