import json
import sys

from .points import nearest, read

points = read("points.txt")
report = {}
for path in sys.argv[1:]:
    centers = read(path)
    report[path] = round(sum(
        sum((a - b) ** 2 for a, b in zip(p, centers[nearest(p, centers)])) for p in points), 6)
with open("inertia.json", "w") as f:
    json.dump(report, f)
