"""Train a linear model by stochastic gradient descent, from the start or from where it stopped."""
import argparse
import json
import random

FEATURES, ROWS = 12, 400


def make_data():
    """Features of very different sizes, so that the learning rate matters."""
    rng = random.Random(7)
    truth = [rng.uniform(-1.0, 1.0) for _ in range(FEATURES)]
    rows = []
    for _ in range(ROWS):
        x = [rng.uniform(-1.0, 1.0) * (0.2 + 0.15 * i) for i in range(FEATURES)]
        y = sum(a * b for a, b in zip(x, truth)) + rng.uniform(-0.1, 0.1)
        rows.append((x, y))
    return rows[: ROWS // 2], rows[ROWS // 2 :]


def predict(weights, x):
    return sum(w * v for w, v in zip(weights, x))


def loss(weights, rows):
    return sum((predict(weights, x) - y) ** 2 for x, y in rows) / len(rows)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--rate", type=float, required=True)
    p.add_argument("--epochs", type=int, required=True, help="in all, those done before included")
    p.add_argument("--resume", help="a state to go on from")
    p.add_argument("--out", required=True)
    args = p.parse_args()

    state = {"rate": args.rate, "epochs": 0, "weights": [0.0] * FEATURES}
    if args.resume:
        with open(args.resume) as f:
            state = json.load(f)
    train_rows, test_rows = make_data()
    weights = state["weights"]
    for epoch in range(state["epochs"], args.epochs):
        order = list(range(len(train_rows)))
        random.Random(epoch).shuffle(order)
        for i in order:
            x, y = train_rows[i]
            step = args.rate * (predict(weights, x) - y)
            # One that flies off to infinity stays where it is: it has lost anyway.
            if abs(step) > 1e6:
                break
            weights = [w - step * v for w, v in zip(weights, x)]
    with open(args.out, "w") as f:
        json.dump({"rate": args.rate, "epochs": args.epochs, "weights": weights,
                   "loss": loss(weights, test_rows)}, f)
        f.write("\n")


if __name__ == "__main__":
    main()
