import json
import sys

errors = []
for path in sys.argv[1:]:
    with open(path) as f:
        errors.append(json.load(f)["mse"])
print(f"{len(errors)} folds, mean squared error {sum(errors) / len(errors):.6f}")
