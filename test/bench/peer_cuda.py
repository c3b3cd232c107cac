# peer_cuda.py KIND B HOW [DEVICE] - B members of the rows' networks in PyTorch
#
# HOW is eager (one member after another), vmap (torch.func, all at once) or graph
# (the eager loop recorded as a CUDA graph).  Prints the least seconds that a step of
# all members took.  Data lies on the device; SGD with momentum, batches of 100.
import sys
import time

import torch
from torch import nn

kind, members, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
device = sys.argv[4] if len(sys.argv) > 4 else 'cuda'
steps, batch, rate, momentum = 20, 100, 0.01, 0.9
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
x = (torch.arange(60000 * 784, device=device) * 40503 % 251).reshape(60000, 784).float() / 255
y = torch.arange(60000, device=device) * 7 % 10
cost = nn.CrossEntropyLoss()


def network():
    if kind == 'mlp':
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(nn.Unflatten(1, (1, 28, 28)),
                         nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(256, 10))


nets = [network().to(device) for _ in range(members)]
at = torch.randint(0, 60000, (members, batch), device=device)


def eager():
    rules = [torch.optim.SGD(n.parameters(), lr=rate, momentum=momentum) for n in nets]

    def step():
        for i, (net, rule) in enumerate(zip(nets, rules)):
            rule.zero_grad(set_to_none=how == 'eager')
            cost(net(x[at[i]]), y[at[i]]).backward()
            rule.step()
    return step


def graph():
    step = eager()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        step()
    return recorded.replay


def vmap():
    from torch.func import functional_call, grad, stack_module_state
    from torch.func import vmap as over

    weights, buffers = stack_module_state(nets)
    weights = {k: v.detach() for k, v in weights.items()}
    base = network().to('meta')
    moments = {k: torch.zeros_like(v) for k, v in weights.items()}

    def loss(w, xs, ys):
        return cost(functional_call(base, (w, {}), (xs,)), ys)
    slopes = over(grad(loss))

    def step():
        g = slopes(weights, x[at], y[at])
        for k in weights:
            moments[k].mul_(momentum).add_(g[k])
            weights[k].sub_(moments[k], alpha=rate)
    return step


def done():
    if device == 'cuda':
        torch.cuda.synchronize()


step = {'eager': eager, 'graph': graph, 'vmap': vmap}[how]()
least = 1e9
for turn in range(-2, 5):
    done()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    done()
    if turn >= 0:
        least = min(least, (time.perf_counter() - start) / steps)
print('%.9f' % least)
