import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("results", nargs="+")
parser.add_argument("--to", required=True)
args = parser.parse_args()
with open(args.to, "w") as out:
    out.write("| run | loss |\n|---|---|\n")
    for path in args.results:
        with open(path) as f:
            out.write(f"| {path} | {json.load(f)['loss']} |\n")
