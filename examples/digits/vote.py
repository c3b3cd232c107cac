#!/usr/bin/env python3
"""Let the members vote; report the quality of each and of the ensemble."""
import argparse
import json
import os

import numpy as np
from sklearn.metrics import accuracy_score, log_loss


def quality(truth, proba):
    proba = proba / proba.sum(axis=1, keepdims=True)
    return {"accuracy": round(float(accuracy_score(truth, proba.argmax(axis=1))), 4),
            "log_loss": round(float(log_loss(truth, proba)), 4)}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--out", required=True, help="JSON for programs")
    p.add_argument("--report", required=True, help="the same as a table")
    p.add_argument("members", nargs="+")
    args = p.parse_args()

    truth = np.load(args.data)["y_test"]
    total, weights = 0.0, 0.0
    members = {}
    for path in args.members:
        member = np.load(path)
        name = os.path.splitext(os.path.basename(path))[0]
        members[name] = quality(truth, member["proba"])
        members[name]["validation"] = round(float(member["validation"]), 4)
        # A member counts for more the fewer mistakes it made in validation.
        weight = max(1.0 - float(member["validation"]), 1e-3) ** -2
        total = total + weight * np.log(member["proba"] + 1e-6)
        weights += weight
    ensemble = quality(truth, np.exp(total / weights))

    with open(args.out, "w") as f:
        json.dump({"members": members, "ensemble": ensemble}, f, indent=1, sort_keys=True)
        f.write("\n")
    with open(args.report, "w") as f:
        print(f"{'member':<14} {'validation':>10} {'accuracy':>9} {'log-loss':>9}", file=f)
        for name, m in sorted(members.items()):
            print(f"{name:<14} {m['validation']:>10.4f} {m['accuracy']:>9.4f} "
                  f"{m['log_loss']:>9.4f}", file=f)
        print(f"{'ENSEMBLE':<14} {'':>10} {ensemble['accuracy']:>9.4f} "
              f"{ensemble['log_loss']:>9.4f}", file=f)


if __name__ == "__main__":
    main()
