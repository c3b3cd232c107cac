"""join.py -o OUT PART... - examples of several safetensors files in one, in order"""
import json
import struct
import sys


def read(name):
    with open(name, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(n))
        return head, f.read()


def main():
    out, names = sys.argv[2], sys.argv[3:]
    parts = [read(name) for name in names]
    first = parts[0][0]
    head, bodies, at = {}, [], 0
    for key, tensor in first.items():
        if key == "__metadata__":
            head[key] = tensor
            continue
        shape = [sum(p[0][key]["shape"][0] for p in parts)] + tensor["shape"][1:]
        start = at
        for h, body in parts:
            a, b = h[key]["data_offsets"]
            bodies.append(body[a:b])
            at += b - a
        head[key] = {"dtype": tensor["dtype"], "shape": shape, "data_offsets": [start, at]}
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(out, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(bodies))


main()
