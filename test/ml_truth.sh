#!/bin/bash
# ml_truth.sh - convex problems solved by gg-ml and by scikit-learn agree
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
[ -e /usr/lib/python3/dist-packages/sklearn/__init__.py ] || skip 'python3-sklearn is missing'
cd "$work" || exit 1
data=/usr/lib/python3/dist-packages/sklearn/datasets/data

# Both write what the solution says of the examples: probabilities or numbers.
cat >peer.py <<'END'
import json, sys
import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine, load_digits, load_iris, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

def read(path):
    b = open(path, 'rb').read()
    n = int.from_bytes(b[:8], 'little')
    h = json.loads(b[8:8 + n])
    return {k: np.frombuffer(b[8 + n + v['data_offsets'][0]:8 + n + v['data_offsets'][1]],
            {'F32': 'f4', 'I32': 'i4', 'U8': 'u1'}[v['dtype']]).reshape(v['shape'])
            for k, v in h.items() if k != '__metadata__'}

kind, data, weights, strength = sys.argv[1], read(sys.argv[2]), read(sys.argv[3]), float(sys.argv[4])
x, y = data['x'].astype('f8'), data['y']
if 'x.mean' in data:
    x = (x - data['x.mean']) * data['x.factor']
w, b = weights['fc1.weight'].astype('f8'), weights['fc1.bias'].astype('f8')
n = len(x)
ours = x @ w + b
if kind == 'ridge':
    theirs = Ridge(alpha=strength * n / 2, solver='cholesky').fit(x, y.ravel()).predict(x)[:, None]
    scale = np.abs(theirs).max()
else:
    m = LogisticRegression(C=1 / (strength * n), tol=1e-10, max_iter=1000, solver='newton-cg',
                           multi_class='multinomial' if kind == 'softmax' else 'ovr')
    m.fit(x, y)
    if kind == 'softmax':
        e = np.exp(ours - ours.max(1, keepdims=True))
        ours, theirs = e / e.sum(1, keepdims=True), m.predict_proba(x)
    else:
        ours, theirs = 1 / (1 + np.exp(-ours)), m.predict_proba(x)[:, 1:]
    scale = 1
worst = np.abs(ours - theirs).max() / scale
print(kind, 'worst difference', worst)
sys.exit(int(worst > 1e-4))
END

# agrees KIND NETWORK EXAMPLES STRENGTH RATE STEPS
agrees()
{
	"$ML" train --data d.st --model "$2" --loss "$1" --batch "$3" --steps "$6" --rate "$5" \
		--rule nesterov --momentum 0.99 --decay "$4" --schedule cosine -o w.st || return
	case $1 in
	mse) kind=ridge ;;
	*) kind=$1 ;;
	esac
	/usr/bin/python3 peer.py $kind d.st w.st "$4"
}

"$ML" prep --skip 1 "$data/breast_cancer.csv" --normalise standard -o d.st
check "breast_cancer: logistic regression" agrees logistic 'linear 30-1' 569 0.01 0.05 6000
"$ML" prep --skip 1 "$data/wine_data.csv" --normalise standard -o d.st
check "wine: softmax regression" agrees softmax 'linear 13-3' 178 0.01 0.05 6000
"$ML" prep --skip 1 "$data/iris.csv" --normalise standard -o d.st
check "iris: softmax regression" agrees softmax 'linear 4-3' 150 0.01 0.05 8000
"$ML" prep "$data/digits.csv.gz" --normalise minmax -o d.st
check "digits: softmax regression" agrees softmax 'linear 64-10' 1797 0.01 0.3 3000
/usr/bin/python3 - <<'END'
import numpy as np
from sklearn.datasets import load_diabetes
x, y = load_diabetes(return_X_y=True, scaled=False)
np.savetxt('diabetes.csv', np.c_[x, (y - y.mean()) / y.std()], delimiter=',', fmt='%.9g')
END
"$ML" prep diabetes.csv --targets --normalise standard -o d.st
check "diabetes: ridge regression" agrees mse 'linear 10-1' 442 0.02 0.01 8000

# From our middles scikit-learn's k-means moves nowhere.
cat >clusters.py <<'END'
import json
import numpy as np
from sklearn.cluster import KMeans
def read(path):
    b = open(path, 'rb').read()
    n = int.from_bytes(b[:8], 'little')
    return {k: np.frombuffer(b[8 + n:][slice(*v['data_offsets'])], {'F32': 'f4', 'I32': 'i4'}[v['dtype']]).reshape(v['shape'])
            for k, v in json.loads(b[8:8 + n]).items() if k != '__metadata__'}
d, m = read('d.st'), read('k.st')['middles']
x = (d['x'].astype('f8') - d['x.mean']) * d['x.factor']
k = KMeans(10, init=m, n_init=1, tol=0, algorithm='lloyd').fit(x)
ours = json.load(open('k.json'))['cost']
best = KMeans(10, n_init=10, random_state=0).fit(x).inertia_ / len(x)
print(np.abs(k.cluster_centers_ - m).max(), ours, best)
assert np.abs(k.cluster_centers_ - m).max() < 1e-5
assert abs(k.inertia_ / len(x) - ours) < 1e-4 * ours and ours < 1.1 * best
END
clusters()
{
	"$ML" prep "$data/digits.csv.gz" --normalise minmax -o d.st &&
		"$ML" train --data d.st --model 'kmeans 64-10' --metrics k.json -o k.st &&
		/usr/bin/python3 clusters.py
}
check "digits: k-means ends where scikit-learn's does" clusters
plan
