"""Search the best setting of one kind of model, in worker processes."""
import argparse
import json

from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from common import load

KINDS = {
    "svm": (SVC(), {"C": [0.1, 1, 10]}),
    "knn": (KNeighborsClassifier(), {"n_neighbors": [3, 9]}),
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("kind", choices=KINDS)
parser.add_argument("--data", required=True)
parser.add_argument("--jobs", type=int, default=2)
args = parser.parse_args()

data = load(args.data)
search = GridSearchCV(*KINDS[args.kind], cv=3, n_jobs=args.jobs)
search.fit(data["X_train"], data["y_train"])
with open(f"grid-{args.kind}.json", "w") as f:
    json.dump({"best": search.best_params_, "score": round(search.best_score_, 6)}, f)
