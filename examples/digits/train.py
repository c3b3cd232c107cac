#!/usr/bin/env python3
"""Train one member of the ensemble; save its probabilities for the test digits."""
import argparse
import warnings

import numpy as np
from sklearn.ensemble import (ExtraTreesClassifier, GradientBoostingClassifier,
                              RandomForestClassifier)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC


def build(args):
    seed = args.seed
    return {
        "logistic": lambda: LogisticRegression(C=args.c, max_iter=300),
        "svm-linear": lambda: SVC(kernel="linear", C=args.c, probability=True, random_state=seed),
        "svm-rbf": lambda: SVC(kernel="rbf", C=args.c, gamma=args.gamma or "scale",
                               probability=True, random_state=seed),
        "knn": lambda: KNeighborsClassifier(n_neighbors=args.k, weights="distance"),
        "forest": lambda: RandomForestClassifier(n_estimators=args.trees, random_state=seed),
        "extra": lambda: ExtraTreesClassifier(n_estimators=args.trees, random_state=seed),
        "boost": lambda: GradientBoostingClassifier(n_estimators=args.trees, subsample=0.7,
                                                    max_features="sqrt", random_state=seed),
        "mlp": lambda: MLPClassifier(hidden_layer_sizes=(args.hidden,), alpha=args.alpha,
                                     max_iter=args.epochs, random_state=seed),
    }[args.kind]()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--kind", required=True)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--c", type=float, default=1.0, help="inverse regularisation")
    p.add_argument("--gamma", type=float, default=0.0, help="0: from the data")
    p.add_argument("--k", type=int, default=3, help="neighbours")
    p.add_argument("--trees", type=int, default=200)
    p.add_argument("--hidden", type=int, default=64)
    p.add_argument("--alpha", type=float, default=1e-4)
    p.add_argument("--epochs", type=int, default=60)
    p.add_argument("--folds", type=int, default=5, help="for the validation score")
    p.add_argument("-o", "--out", required=True)
    args = p.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    data = np.load(args.data)
    x, y = data["x_train"], data["y_train"]
    validation = cross_val_score(build(args), x, y, cv=args.folds).mean()
    model = build(args).fit(x, y)
    proba = model.predict_proba(data["x_test"])
    accuracy = accuracy_score(data["y_test"], proba.argmax(axis=1))
    np.savez(args.out, proba=proba, validation=validation)
    print(f"{args.out}: validation {validation:.4f}, test {accuracy:.4f}")


if __name__ == "__main__":
    main()
