import argparse
import json
import os
import pathlib
import shutil

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--name", required=True)
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()

run = pathlib.Path("runs") / args.name
if run.exists():
    shutil.rmtree(run)
run.mkdir(parents=True)
(run / "config.json").write_text(json.dumps(vars(args)))

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 5))
y = (x @ np.arange(5) + rng.normal(size=300) > 0).astype(float)
w = np.zeros(5)
for epoch in range(args.epochs):
    p = 1 / (1 + np.exp(-x @ w))
    w -= args.lr * x.T @ (p - y) / len(y)
    loss = float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    with open(run / "metrics.csv", "a") as f:
        if f.tell() == 0:
            f.write("epoch,loss\n")
        f.write(f"{epoch},{loss:.6f}\n")
    np.savez(run / f"tmp-ckpt.npz", w=w)
    os.rename(run / "tmp-ckpt.npz", run / f"ckpt-{epoch}.npz")
os.symlink(f"ckpt-{epoch}.npz", run / "last.npz")
