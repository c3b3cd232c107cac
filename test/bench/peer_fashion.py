# peer_fashion.py KIND EPOCHS THREADS MEMBERS [TRAIN] - the rows' networks in PyTorch
#
# An ordinary loop: data in memory, a random order, SGD with momentum.  Prints the
# seconds that the loops took, without the start.
import gzip
import sys
import time

import numpy as np
import torch
from torch import nn

kind, epochs, threads, members = sys.argv[1], *map(int, sys.argv[2:5])
folder = '/usr/share/datasets/fashion-mnist/train-'
torch.set_num_threads(threads)
torch.set_num_interop_threads(1)
x = np.frombuffer(gzip.open(folder + 'images-idx3-ubyte.gz').read(), 'u1', offset=16)
y = np.frombuffer(gzip.open(folder + 'labels-idx1-ubyte.gz').read(), 'u1', offset=8)
x = torch.from_numpy(x.reshape(-1, 784).astype('f4') / 255)
y = torch.from_numpy(y.astype('i8'))


def network():
    if kind == 'mlp':
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(nn.Unflatten(1, (1, 28, 28)),
                         nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(256, 10))


start = time.perf_counter()
for member in range(members):
    torch.manual_seed(member)
    net = network()
    rule = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    cost = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        for i in range(0, len(x), 100):
            at = order[i:i + 100]
            rule.zero_grad(set_to_none=True)
            loss = cost(net(x[at]), y[at])
            loss.backward()
            rule.step()
    torch.save(net.state_dict(), '/dev/null')
print('%.6f' % (time.perf_counter() - start))
