#!/usr/bin/env python3
"""Load the handwritten digits, split them, scale them, save them once for all members."""
import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--test-size", type=float, default=0.3)
    p.add_argument("--noise", type=float, default=0.0, help="standard deviation of pixel noise")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", required=True)
    args = p.parse_args()

    digits = load_digits()
    pixels = digits.data
    if args.noise:
        rng = np.random.default_rng(args.seed)
        pixels = pixels + rng.normal(0.0, args.noise, pixels.shape)
    x_train, x_test, y_train, y_test = train_test_split(
        pixels, digits.target, test_size=args.test_size,
        stratify=digits.target, random_state=args.seed)
    scaler = StandardScaler().fit(x_train)
    np.savez(args.out,
             x_train=scaler.transform(x_train).astype(np.float32), y_train=y_train,
             x_test=scaler.transform(x_test).astype(np.float32), y_test=y_test)
    print(f"{args.out}: {len(y_train)} to train on, {len(y_test)} to test on")


if __name__ == "__main__":
    main()
