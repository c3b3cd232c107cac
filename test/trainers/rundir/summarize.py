import pathlib
import sys

import numpy as np

with open("summary.tsv", "w") as out:
    for run in map(pathlib.Path, sys.argv[1:]):
        last = (run / "metrics.csv").read_text().splitlines()[-1]
        norm = float(np.linalg.norm(np.load(run / "last.npz")["w"]))
        out.write(f"{run.name}\t{last}\t{norm:.6f}\n")
