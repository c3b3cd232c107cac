import argparse

import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int, default=1000)
parser.add_argument("--features", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", required=True)
args = parser.parse_args()

X, y = make_classification(args.n, args.features, n_informative=6, random_state=args.seed)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=args.seed)
np.savez(args.out, X_train=X_train, X_test=X_test, y_train=y_train, y_test=y_test)
