# twin.py TRAIN TEST EPOCHS SEED - models/mlp-SEED of run.sh, in PyTorch
#
# Reads the same shards, trains the same network by the same recipe, and prints
# its accuracy on the test examples.
import json
import math
import sys

import numpy as np
import torch
from torch import nn


def read(path):
    b = open(path, 'rb').read()
    n = int.from_bytes(b[:8], 'little')
    types = {'F32': 'f4', 'I32': 'i4', 'U8': 'u1'}
    return {k: np.frombuffer(b[8 + n:][slice(*v['data_offsets'])], types[v['dtype']])
            .reshape(v['shape']) for k, v in json.loads(b[8:8 + n]).items()
            if k != '__metadata__'}


def examples(path):
    t = read(path)
    x = torch.from_numpy(t['x'].reshape(len(t['x']), -1).astype('f4') / 255)
    return x, torch.from_numpy(t['y'].astype('i8'))


x, y = examples(sys.argv[1])
epochs, batch, warm_up, peak = int(sys.argv[3]), 100, 50, 0.1
torch.manual_seed(int(sys.argv[4]))
net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
cost = nn.CrossEntropyLoss()
rule = torch.optim.SGD(net.parameters(), lr=peak, momentum=0.9)
steps = epochs * ((len(x) + batch - 1) // batch)
order = torch.cat([torch.randperm(len(x)) for _ in range(epochs + 1)])
for step in range(steps):
    rate = peak * (1 + math.cos(math.pi * step / steps)) / 2
    rule.param_groups[0]['lr'] = rate * min(1, (step + 1) / (warm_up + 1))
    at = order[step * batch:(step + 1) * batch]
    rule.zero_grad()
    cost(net(x[at]), y[at]).backward()
    rule.step()
x, y = examples(sys.argv[2])
with torch.no_grad():
    print('%.4f' % (net(x).argmax(1) == y).float().mean())
