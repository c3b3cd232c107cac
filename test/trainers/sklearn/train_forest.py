#!/usr/bin/env python3
"""Train one random forest."""
import argparse
import os

import joblib
from sklearn.ensemble import RandomForestClassifier

from common import load


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--n-estimators", type=int, default=100)
    parser.add_argument("--max-depth", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", required=True)
    args = parser.parse_args()

    data = load(args.data)
    model = RandomForestClassifier(
        n_estimators=args.n_estimators, max_depth=args.max_depth,
        random_state=args.seed, n_jobs=2)
    model.fit(data["X_train"], data["y_train"])
    model.n_jobs = None
    os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
    joblib.dump(model, args.out, compress=3)
    print(f"{args.out}: train accuracy {model.score(data['X_train'], data['y_train']):.3f}")


if __name__ == "__main__":
    main()
