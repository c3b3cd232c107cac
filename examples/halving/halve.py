"""Successive halving: train all rates a little, drop the worse half, train the rest for longer.

Called with --rates it begins; called with --states it looks at the losses of one round. It never
trains: it returns the next round as thunks, or, when one rate is left, that rate.
"""
import argparse
import json
import os
import sys

import thunks


def begin(args):
    return {rate: None for rate in args.rates.split(",")}


def survivors(args):
    """The better half by loss: rate -> its state's file."""
    states = []
    for path in args.states:
        with open(path) as f:
            state = json.load(f)
        states.append((state["loss"], state["rate"], path))
    states.sort()
    print(f"{states[0][0]:.6f} at {args.epochs // 2} epochs, by rate {states[0][1]}, "
          f"is the best of {len(states)}", file=sys.stderr)
    return {str(rate): path for _, rate, path in states[: max(1, len(states) // 2)]}


def train(rate, state, epochs):
    args = ["python3", "train.py", "--rate", rate, "--epochs", str(epochs)]
    values = {"train.py": thunks.name_of_file("train.py")}
    if state:
        args += ["--resume", "before.json"]
        values["before.json"] = thunks.name_of_file(state)
    return thunks.thunk(args + ["--out", "state.json"], values=values,
                        outputs={"state": "state.json"})


def next_round(rates, epochs):
    """A thunk that looks at this round once all its training is done, and that training."""
    training = {f"state-{rate}.json": train(rate, state, epochs) for rate, state in rates.items()}
    paths = sorted(training, key=os.fsencode)
    look = thunks.thunk(
        ["python3", "halve.py", "--epochs", str(2 * epochs), "--out", "best.json",
         "--states", *paths],
        values={f: thunks.name_of_file(f) for f in ("halve.py", "thunks.py", "train.py")},
        thunks={path: (thunks.name(training[path]), "state") for path in paths},
        outputs={"best": "best.json"})
    return thunks.tail(look, "best", [training[path] for path in paths])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, required=True, help="of the round to come")
    p.add_argument("--rates", help="to begin with, commas between")
    p.add_argument("--states", nargs="+", help="what the round before has left")
    p.add_argument("--out", required=True)
    args = p.parse_args()
    if "GG_RUNTIME" not in os.environ:
        sys.exit("halve.py returns thunks: run it with gg")

    rates = begin(args) if args.rates else survivors(args)
    if args.rates or len(rates) > 1:
        answer = next_round(rates, args.epochs)
    else:
        (path,) = rates.values()
        with open(path, "rb") as f:
            answer = f.read()
    with open(args.out, "wb") as f:
        f.write(answer)


if __name__ == "__main__":
    main()
