"""A random graph as a script, and what its outputs are."""
import hashlib
import os

N_STEPS = 36
# In the store, in the project and with steps that run: the tmpfs has room for it.
MOST_BYTES = 17 << 20

MODELS = """sh small.sh @in @out
sh large.sh @in @out
sh many.sh @in @out/
sh pick.sh @in/ @out
sh tail.sh @in @out
\talso\tsmall.sh
sh flaky.sh @in @out
sh join.sh @out @in...
sh whole.sh @out @in/...
"""

# By itself, outside gg, the script must give the same without tails or failures.
# Each step tells of the first of its writes that fails, and of any of its programs that
# is killed: a pipe would forget those before its last.
SCRIPTS = {n: "set -e\n" + text for n, text in {
    "small": 'sleep 0.02\n{ cat "$1"; echo small; } >"$2"\n',
    "large": 'sleep 0.02\n{ cat "$1"; seq 1000000 1011249; } >"$2"\n',
    "many": 'for i in 1 2 3; do { echo "$i"; cat "$1"; } >"$2/$i"; done\n'
            'mkdir -p "$2/sub" && ln -sf ../1 "$2/sub/one" && cp /bin/true "$2/sub/true"\n',
    "pick": 'cat "$1/2" "$1/sub/one" >"$2"\n',
    "flaky": 'if [ -n "$GG_RUNTIME" ] && [ $(($(od -An -N1 -tu1 /dev/urandom) % 3)) = 0 ]; then\n'
             '\techo by chance >&2; exit 9\nfi\nsleep 0.01\n{ cat "$1"; echo flaky; } >"$2"\n',
    "join": 'out=$1; shift\ncat "$@" >"$out"\n',
    "whole": 'out=$1; shift\nfor d; do sha256sum "$d"/[123] "$d/sub/true"; done >"$out"\n',
    "tail": r"""if [ -z "$GG_RUNTIME" ]; then exec sh small.sh "$1" "$2"; fi
name()
{
	local all

	all=$(sha256sum)
	echo "${all%% *}"
}
a=$(name <"$1")
b=$(name <small.sh)
cat >"$2" <<END
gg-thunk 1
arg sh
arg small.sh
arg a
arg b
cwd .
in value $a a
in value $b small.sh
out out b
runtime $GG_RUNTIME
END
step=$(cat "$2")
thunk=$(name <"$2")
printf 'gg-tail 1\nthunk %s out\n\n%s\n' "$thunk" "$step" >"$2"
""",
}.items()}


def random_script(rng):
    """A line for each step, in an order that a shell can follow; the outputs."""
    while True:
        lines, outs, n_bytes = draw(rng)
        if n_bytes <= MOST_BYTES:
            return "\n".join(lines) + "\n", outs


def draw(rng):
    """Some graph, and about how much it makes: what is joined again and again grows."""
    files, folders, lines, size = ["seed"], [], ["set -e"], {"seed": 30}
    for i in range(N_STEPS):
        kind = rng.choice(["small", "large", "many", "pick", "tail", "flaky", "join", "small"])
        if kind == "pick" and not folders:
            kind = "many"
        out = f"o{i}"
        if kind == "join":
            words = [out] + rng.sample(files, min(len(files), 3))
        else:
            words = [rng.choice(folders if kind == "pick" else files[-8:]), out]
        if kind == "many":
            lines.append(f"mkdir -p {out}")
        lines.append(f"sh {kind}.sh {' '.join(words)}")
        (folders if kind == "many" else files).append(out)
        read = sum(size[w] for w in words if w != out)
        size[out] = read * (3 if kind == "many" else 1) + (90000 if kind in ("large", "many") else 6)
    outs = files[1:] + folders
    lines.append(f"sh join.sh joined {' '.join(sorted(files[1:]))}")
    outs.append("joined")
    size["joined"] = sum(size[f] for f in files)
    if folders:
        lines.append(f"sh whole.sh whole {' '.join(folders)}")
        outs.append("whole")
    return lines, outs, sum(size.values())


def hash_of(path):
    """What a person would compare: content, modes, links, names."""
    if os.path.islink(path):
        return "link " + os.readlink(path)
    if os.path.isdir(path):
        return "{" + ", ".join(f"{n}: {hash_of(os.path.join(path, n))}"
                               for n in sorted(os.listdir(path))) + "}"
    with open(path, "rb") as f:
        text = f.read()
    return hashlib.sha256(text).hexdigest() + (" x" if os.stat(path).st_mode & 0o100 else "")


def is_real(path):
    if os.path.isdir(path):
        names = os.listdir(path)
        return bool(names) and not any(n.startswith(".gg-placeholder") or n == ".gg"
                                       for n in names) and not any(
            starts_as_placeholder(os.path.join(path, n)) for n in names)
    return os.path.exists(path) and not starts_as_placeholder(path)


def starts_as_placeholder(path):
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as f:
        return f.read(14) == b"gg-placeholder"
