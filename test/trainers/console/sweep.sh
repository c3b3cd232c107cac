#!/bin/bash
# The trainer is installed into a virtual environment (see setup.sh) and
# started in the three ways that people start it.
set -e
mkdir -p out
.venv/bin/mlkit-train --seed 1 --out out/1.json
.venv/bin/mlkit-train --seed 2 --out out/2.json
scripts/run mlkit-train --seed 3 --out out/3.json
scripts/run mlkit-train --seed 4 --out out/4.json
. .venv/bin/activate
python scripts/best.py out/1.json out/2.json --to best-12.json
python scripts/best.py out/3.json out/4.json --to best-34.json
