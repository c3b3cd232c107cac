import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("runs", nargs="+")
parser.add_argument("--to", required=True)
args = parser.parse_args()
runs = []
for path in args.runs:
    with open(path) as f:
        runs.append(json.load(f))
with open(args.to, "w") as f:
    json.dump(min(runs, key=lambda r: r["loss"]), f)
