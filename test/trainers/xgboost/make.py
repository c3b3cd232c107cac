import random

rng = random.Random(11)
for name, n in (("train", 300), ("test", 100)):
    with open(name + ".svm", "w") as f:
        for _ in range(n):
            x = [rng.gauss(0, 1) for _ in range(5)]
            label = int(x[0] * x[1] + x[2] > 0)
            f.write(f"{label} " + " ".join(f"{i}:{v:.5f}" for i, v in enumerate(x)) + "\n")
