import numpy as np


def load(path):
    with np.load(path) as f:
        return {k: f[k] for k in f.files}
