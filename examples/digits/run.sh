#!/bin/sh
# Train twelve members on the handwritten digits and let them vote.
set -e
export OMP_NUM_THREADS=1   # the same sums on every machine

mkdir -p models
python3 prep.py --test-size 0.4 --noise 2.5 --seed 7 --out data.npz

python3 train.py --data data.npz --kind logistic --c 0.1 --out models/logistic.npz
python3 train.py --data data.npz --kind svm-linear --c 0.02 --out models/svm-linear.npz
python3 train.py --data data.npz --kind svm-rbf --c 5 --out models/svm-rbf.npz
python3 train.py --data data.npz --kind knn --k 5 --out models/knn.npz
python3 train.py --data data.npz --kind mlp --seed 8 --hidden 256 --alpha 0.1 --out models/mlp-8.npz
python3 train.py --data data.npz --kind forest --seed 1 --trees 300 --out models/forest-1.npz
python3 train.py --data data.npz --kind svm-rbf --c 20 --gamma 0.01 --out models/svm-rbf-2.npz
python3 train.py --data data.npz --kind extra --seed 3 --trees 400 --out models/extra-3.npz
python3 train.py --data data.npz --kind boost --seed 4 --trees 60 --out models/boost-4.npz
python3 train.py --data data.npz --kind mlp --seed 5 --hidden 64 --out models/mlp-5.npz
python3 train.py --data data.npz --kind mlp --seed 6 --hidden 128 --out models/mlp-6.npz
python3 train.py --data data.npz --kind mlp --seed 7 --hidden 128 --alpha 1 --out models/mlp-7.npz

python3 vote.py --data data.npz --out ensemble.json --report report.txt models/*.npz
cat report.txt
