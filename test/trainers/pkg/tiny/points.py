def read(path):
    with open(path) as f:
        return [tuple(map(float, line.split())) for line in f]


def nearest(p, centers):
    return min(range(len(centers)), key=lambda i: sum((a - b) ** 2 for a, b in zip(p, centers[i])))
