import argparse
import json
import os

import torch
from torch import nn
from torch.utils.data import DataLoader

from fashion import Fashion
from models import CNN


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--limit", type=int, default=None)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--output-dir", default="checkpoints")
    args = p.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    os.makedirs(args.output_dir, exist_ok=True)
    loader = DataLoader(Fashion("train", args.limit), batch_size=args.batch_size,
                        shuffle=True, num_workers=2)
    model = CNN()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    log = []
    for epoch in range(args.epochs):
        total = 0.0
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        log.append({"epoch": epoch, "loss": round(total / len(loader.dataset), 6)})
        print(f"lr {args.lr} epoch {epoch} loss {log[-1]['loss']:.4f}", flush=True)
    torch.save({"model": model.state_dict(), "args": vars(args)},
               os.path.join(args.output_dir, "model.pt"))
    with open(os.path.join(args.output_dir, "log.json"), "w") as f:
        json.dump(log, f)


if __name__ == "__main__":
    main()
