import gzip
import os

import numpy as np
import torch
from torch.utils.data import Dataset

ROOT = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")


def read_idx(path):
    with gzip.open(path) as f:
        data = f.read()
    dims = data[3]
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(dims)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)


class Fashion(Dataset):
    def __init__(self, kind, limit):
        self.x = read_idx(f"{ROOT}/{kind}-images-idx3-ubyte.gz")[:limit].copy()
        self.y = read_idx(f"{ROOT}/{kind}-labels-idx1-ubyte.gz")[:limit].astype(np.int64)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return torch.from_numpy(self.x[i]).float().div(255).unsqueeze(0), self.y[i]
