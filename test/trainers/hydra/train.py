import os
import sys

import numpy as np
from omegaconf import OmegaConf

config = OmegaConf.load("conf/config.yaml")
given = OmegaConf.from_dotlist(sys.argv[1:])
config.model = OmegaConf.load(f"conf/model/{given.pop('model', config.model)}.yaml")
config = OmegaConf.merge(config, given)

rng = np.random.default_rng(config.seed)
x = rng.uniform(-1, 1, 200)
y = np.sin(3 * x) + rng.normal(0, 0.1, 200)
features = np.stack([x ** d for d in range(config.model.degree + 1)], 1)
w = np.zeros(features.shape[1])
losses = []
for step in range(config.optimizer.steps):
    error = features @ w - y
    w -= config.optimizer.lr * 2 * features.T @ error / len(y)
    losses.append(float(np.mean(error ** 2)))

os.makedirs(config.out + "/.hydra", exist_ok=True)
OmegaConf.save(config, config.out + "/.hydra/config.yaml", resolve=True)
with open(config.out + "/.hydra/overrides.yaml", "w") as f:
    f.write("".join(f"- {a}\n" for a in sys.argv[1:]))
np.save(config.out + "/w.npy", w)
with open(config.out + "/loss.txt", "w") as f:
    f.write("".join(f"{v:.6f}\n" for v in losses[::20]))
