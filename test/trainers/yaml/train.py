import argparse
import json
import os

import numpy as np
import yaml


def read_config(path):
    with open(path) as f:
        config = yaml.safe_load(f)
    if "base" in config:
        base = read_config(os.path.join(os.path.dirname(path), config.pop("base")))
        base.update(config)
        config = base
    return config


parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
args = parser.parse_args()
config = read_config(args.config)
name = os.path.splitext(os.path.basename(args.config))[0]

table = np.loadtxt(config["data"], delimiter=",")
x, y = table[:, :2], table[:, 2:]
rng = np.random.default_rng(config["seed"])
sizes = [2, *config["hidden"], 1]
weights = [rng.normal(0, 0.5, (a, b)) for a, b in zip(sizes, sizes[1:])]
for epoch in range(config["epochs"]):
    layers = [x]
    for w in weights[:-1]:
        layers.append(np.tanh(layers[-1] @ w))
    out = layers[-1] @ weights[-1]
    grad = 2 * (out - y) / len(y)
    for i in reversed(range(len(weights))):
        step = layers[i].T @ grad
        if i:
            grad = (grad @ weights[i].T) * (1 - layers[i] ** 2)
        weights[i] -= config["lr"] * step
loss = float(np.mean((out - y) ** 2))

os.makedirs("results", exist_ok=True)
with open(f"results/{name}.json", "w") as f:
    json.dump({"config": config, "loss": round(loss, 6)}, f, indent=2, sort_keys=True)
