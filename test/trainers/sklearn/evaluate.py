import argparse
import csv

import joblib

from common import load

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--csv", required=True)
parser.add_argument("models", nargs="+")
args = parser.parse_args()

data = load(args.data)
with open(args.csv, "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(["model", "accuracy"])
    for path in args.models:
        model = joblib.load(path)
        out.writerow([path, round(model.score(data["X_test"], data["y_test"]), 4)])
