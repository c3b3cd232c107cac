#!/bin/sh
# What `python -m venv` and `pip install -e .` leave, without a network.
set -e
/usr/bin/python3 -m venv --without-pip --system-site-packages .venv
site=$(echo .venv/lib/python3*/site-packages)
echo "$PWD/src" >"$site/mlkit.pth"
cat >.venv/bin/mlkit-train <<END
#!$PWD/.venv/bin/python3
import sys
from mlkit.cli import train
if __name__ == "__main__":
    sys.exit(train())
END
chmod +x .venv/bin/mlkit-train
