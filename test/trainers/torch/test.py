import argparse
import glob
import json
import os

import torch
from torch.utils.data import DataLoader

from fashion import Fashion
from models import CNN

p = argparse.ArgumentParser()
p.add_argument("--limit", type=int)
p.add_argument("--checkpoints", required=True)
p.add_argument("--report", required=True)
args = p.parse_args()

torch.set_num_threads(1)
loader = DataLoader(Fashion("t10k", args.limit), batch_size=128)
report = {}
for path in sorted(glob.glob(os.path.join(args.checkpoints, "*", "model.pt"))):
    model = CNN()
    model.load_state_dict(torch.load(path)["model"])
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    report[path] = hits / len(loader.dataset)
with open(args.report, "w") as f:
    json.dump(report, f, indent=1)
