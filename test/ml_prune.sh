#!/bin/bash
# ml_prune.sh - gg-ml: weights that are owned, pruned and frozen
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
cd "$work" || exit 1

train() { "$ML" train --data d.st --batch 20 "$@"; }
refused() { local want=$1; shift; "$ML" "$@" 2>err; [ $? != 0 ] && grep -q -- "$want" err; }

"$ML" data --kind rings --examples 400 --features 12 --classes 4 --seed 1 -o d.st
mlp='mlp 12-24-4'
cnn='net 2x6x1: conv 5 2x3 pad 1 relu, norm, pool 2, drop 0.2, fc 4'

# ---- what is owned

cat >tensors.py <<'END2'
import json, struct
import numpy as np
types = {'F32': 'f4', 'I32': 'i4', 'U8': 'u1', 'BOOL': '?'}
def read(path):
    b = open(path, 'rb').read()
    n = int.from_bytes(b[:8], 'little')
    return {k: np.frombuffer(b[8 + n:][slice(*v['data_offsets'])], types[v['dtype']]).reshape(v['shape'])
            for k, v in json.loads(b[8:8 + n]).items() if k != '__metadata__'}
def write(path, t, text=None):
    h, data = {'__metadata__': {'network': text}} if text else {}, b''
    for k, v in sorted(t.items(), key=lambda kv: -kv[1].itemsize):
        h[k] = {'dtype': next(n for n, c in types.items() if np.dtype(c) == v.dtype), 'shape': v.shape,
                'data_offsets': [len(data), len(data) + v.nbytes]}
        data += v.tobytes()
    h = json.dumps(h).encode()
    h += b' ' * (-(len(h) + 8) % 64)
    open(path, 'wb').write(struct.pack('<Q', len(h)) + h + data)
END2
cat >masks.py <<'END2'
from tensors import *
for name, of in ('m', 'start.st'), ('c', 'cstart.st'):
    w = read(of)
    for i in range(3):
        dice = np.random.RandomState(i)
        write(f'{name}-{i}.st', {k: (dice.rand(*v.shape) < 0.5).astype('?' if i else 'u1') for k, v in w.items()})
w = read('start.st')
one = np.ones((12, 24), 'u1')
write('name.st', {'fc1.wieght': one})
write('shape.st', {'fc1.weight': one[:, :3].copy()})
write('floats.st', {'fc1.weight': one.astype('f4')})
two = one.copy()
two[3, 5] = 2
write('two.st', {'fc1.weight': two})
write('none.st', {})
write('some.st', {'fc1.weight': one * 0})
END2
train --model "$mlp" --steps 3 --seed 5 -o start.st
train --model "$cnn" --steps 3 --seed 5 -o cstart.st
/usr/bin/python3 masks.py

cat >kept.py <<'END2'
import sys
from tensors import *
a, b, m = map(read, sys.argv[1:])
moved = 0
for k in a:
    was, now, mask = a[k].view('u4'), b[k].view('u4'), m[k].astype(bool)
    assert (was[~mask] == now[~mask]).all(), k
    moved += (was[mask] != now[mask]).sum()
assert moved > sum(m[k].sum() for k in m) / 3, moved
END2
kept() { /usr/bin/python3 kept.py "$@"; }

stays()
{
	local rule

	for rule in sgd momentum nesterov adam adamw; do
		train --model "$mlp" --init start.st --owned m-1.st --rule $rule --rate 0.01 \
			--decay 0.01 --l1 0.001 --steps 40 -o $rule.st && kept start.st $rule.st m-1.st || return 1
	done
}
check "what is not owned stays, bit for bit, by every rule with decay" stays
everywhere()
{
	local rule=$1

	train --model "$cnn" --init cstart.st --owned c-2.st --rule "$rule" --rate 0.01 --decay 0.01 \
		--steps 40 --seed 2 -o alone.st && kept cstart.st alone.st c-2.st &&
		train --model "$cnn" --init cstart.st --owned 'c-{}.st' --rule "$rule" --rate 0.01 \
		--decay 0.01 --steps 40 --members 3 -o 'f-{}.st' && cmp alone.st f-2.st &&
		train --model "$cnn" --init cstart.st --owned c-2.st --rule "$rule" --rate 0.01 --decay 0.01 \
		--steps 40 --seed 2 --threads 1 -o one.st && cmp alone.st one.st &&
		train --model "$cnn" --init cstart.st --owned 'c-{}.st' --rule "$rule" --rate 0.01 \
		--decay 0.01 --steps 40 --members 3 --device loops -o 'l-{}.st' && cmp alone.st l-2.st &&
		train --model "$cnn" --init cstart.st --owned c-2.st --rule "$rule" --rate 0.01 \
		--decay 0.01 --steps 40 --seed 1 --members 2 --device loops -o 'l-{}.st' && cmp alone.st l-1.st
}
check "alone, fused with masks of each, by one thread, on a device: the same bytes" everywhere adamw
check "kept means of norm layers are owned like weights" everywhere momentum
# Told to end after a line of losses: no pipe takes them all before somebody reads.
mkfifo lines
told_to_end()
{
	local pid

	"$ML" train --data d.st --batch 20 --model "$mlp" "$@" -o part.st --state s.st --json --every 1 \
		>lines 2>err &
	pid=$!
	exec 3<lines
	head -n 1 <&3 >/dev/null
	kill -TERM $pid
	cat <&3 >/dev/null
	exec 3<&-
	wait $pid
	[ $? = 75 ] && ! [ -e part.st ]
}
resumed()
{
	local how="--init start.st --owned m-0.st --steps 3000 --rate 0.001"

	train --model "$mlp" $how -o whole.st && told_to_end $how &&
		! train --model "$mlp" ${how/m-0/m-1} -o x --resume s.st 2>err &&
		grep -q 'another training' err && train --model "$mlp" $how -o part.st --resume s.st &&
		cmp whole.st part.st
}
check "a state goes on by the mask it was begun with, and by no other" resumed
part()
{
	train --model "$mlp" --init start.st --owned some.st --steps 20 -o p.st && /usr/bin/python3 -c '
from tensors import *
a, b = read("start.st"), read("p.st")
assert (a["fc1.weight"] == b["fc1.weight"]).all() and (a["fc1.bias"] != b["fc1.bias"]).any()'
}
check "what a mask does not name is owned whole" part
check "a name that the network has not is told of" refused 'name.st: the network has no weights called fc1.wieght' \
	train --data d.st --model "$mlp" --owned name.st -o x
check "another shape" refused 'shape.st: fc1.weight has another shape' train --data d.st --model "$mlp" --owned shape.st -o x
check "another type" refused 'floats.st: fc1.weight is no mask' train --data d.st --model "$mlp" --owned floats.st -o x
check "a number that is neither 0 nor 1" refused 'two.st: fc1.weight: number 77 is 2' \
	train --data d.st --model "$mlp" --owned two.st -o x
check "a file without masks" refused 'none.st: it holds no masks' train --data d.st --model "$mlp" --owned none.st -o x
check "k-means owns nothing" refused 'kmeans has no weights to own' train --data d.st --model 'kmeans 12-3' --owned m-0.st -o x
check "and nothing was written by these" [ ! -e x ]

# ---- what goes

pruned()
{
	train --model "$cnn" --steps 60 -o w.st && "$ML" prune --keep 0.3 w.st -o p.st --mask stay.st --free went.st &&
		/usr/bin/python3 -c '
import math
from tensors import *
w, p, m, f = map(read, ("w.st", "p.st", "stay.st", "went.st"))
for k in w:
    stays = m[k].astype(bool)
    assert (p[k] == np.where(stays, w[k], 0)).all() and (m[k] + f[k] == 1).all()
    n = w[k].size
    assert stays.sum() == (math.ceil(0.3 * n) if w[k].ndim > 1 else n), k
    if not stays.all():
        assert abs(w[k][stays]).min() >= abs(w[k][~stays]).max()'
}
check "the largest weights of each layer stay, biases and norms whole; masks say which" pruned
owned_choice()
{
	"$ML" prune --keep 0.5 w.st -o q.st --owned went.st --mask stay2.st --free went2.st &&
		/usr/bin/python3 -c '
import math
from tensors import *
w, q, o, m, f = map(read, ("w.st", "q.st", "went.st", "stay2.st", "went2.st"))
for k in w:
    mine = o[k].astype(bool)
    assert (w[k][~mine] == q[k][~mine]).all() and not m[k][~mine].any() and not f[k][~mine].any()
    assert m[k].sum() == math.ceil(0.5 * mine.sum()) and (m[k] + f[k] == o[k]).all()
    assert (q[k][f[k].astype(bool)] == 0).all()'
}
check "only of what is owned some goes" owned_choice
whole()
{
	"$ML" prune --keep 0.25 --whole w.st -o p.st && "$ML" show --json p.st | jq -e '
		[.tensors[] | select(.shape | length > 1)] | length > 1' >/dev/null &&
		/usr/bin/python3 -c '
import math
from tensors import *
w, p = read("w.st"), read("p.st")
all = np.concatenate([w[k].ravel() for k in w if w[k].ndim > 1])
left = np.concatenate([p[k].ravel() for k in w if w[k].ndim > 1])
assert (left != 0).sum() == math.ceil(all.size / 4)
assert (np.sort(abs(left))[-len(all) // 4:] == np.sort(abs(all))[-len(all) // 4:]).all()'
}
check "--whole chooses among all layers at once" whole
smaller()
{
	"$ML" prune --keep 0.4 --by filters w.st -o small.st 2>said && grep -q '^gg-ml: fc1 stays whole' said &&
		! grep -q conv said && "$ML" show small.st | grep -q 'network: net 2x6x1: conv 2 2x3 pad 1' &&
		"$ML" eval --data d.st --json small.st | jq -e '.mean.accuracy > 0.2' &&
		train --model 'net 2x6x1: conv 2 2x3 pad 1 relu, norm, pool 2, drop 0.2, fc 4' --init small.st \
		--steps 10 -o x2.st && train --init small.st --steps 10 -o x3.st && cmp x2.st x3.st
}
check "by filters a smaller network is left, that is trained on, also without saying which it is" smaller
check "what says no network has to be told" refused 'm-0.st: does not say which network' train --data d.st --init m-0.st -o x
by_fisher()
{
	"$ML" prune --keep 0.3 --by fisher --data d.st w.st -o p.st --mask stay.st --threads 1 &&
		"$ML" prune --keep 0.3 --by fisher --data d.st w.st -o p2.st --mask stay2.st --threads 2 &&
		cmp p.st p2.st && cmp stay.st stay2.st && ! cmp -s p.st <("$ML" prune --keep 0.3 w.st -o /dev/stdout) &&
		/usr/bin/python3 -c '
import math
from tensors import *
w, p, m = map(read, ("w.st", "p.st", "stay.st"))
for k in w:
    assert (p[k] == np.where(m[k], w[k], 0)).all()
    assert m[k].sum() == (math.ceil(0.3 * w[k].size) if w[k].ndim > 1 else w[k].size), k'
}
check "by Fisher's information on examples others stay, as many" by_fisher
check "data is for nothing else" refused 'data and --loss are for --by fisher' prune --keep 0.3 --data d.st w.st -o x
check "Fisher's information wants data" refused 'data wants a file' prune --keep 0.3 --by fisher w.st -o x
/usr/bin/python3 -c '
from tensors import *
w = {k: v.copy() for k, v in read("w.st").items()}
w["fc1.weight"][3, 1] = np.nan
write("nan.st", w, "'"$cnn"'")'
check "a NaN is told of with its place" refused 'nan.st: fc1.weight: number 13 is not finite' prune --keep 0.5 nan.st -o x
check "also by filters" refused 'nan.st: fc1.weight: number 13 is not finite' prune --keep 0.5 --by filters nan.st -o x
check "another network's mask is refused" refused 'start.st: fc1.bias is no mask' prune --keep 0.5 w.st --owned start.st -o x
check "one name for two files is refused" refused 'mask and --free: y cannot be both' \
	prune --keep 0.5 w.st -o x --mask y --free y
check "a share above 1 is refused" refused 'keep wants the share' prune --keep 50 w.st -o x
check "middles of clusters are not pruned" sh -c "'$ML' train --data d.st --model 'kmeans 12-3' -o k.st &&
	! '$ML' prune --keep 0.5 k.st -o x 2>err && grep 'middles of clusters' err"
check "nor are they a network to begin with" refused 'middles of clusters: give --model' train --data d.st --init k.st -o x
check "nor is anything written then" [ ! -e x ]

# ---- three tasks in one network (PackNet), each the first with its features in another
# order

"$ML" data --kind blobs --examples 1200 --features 24 --classes 6 --seed 11 -o all.st
"$ML" data --kind rings --examples 1200 --features 24 --classes 6 --seed 11 -o rings.st
cat >tasks.py <<'END2'
from tensors import *
def parts(x, y, name):
    for part, rows in ('train', slice(0, 900)), ('test', slice(900, None)):
        write(f'{part}-{name}.st', {'x': x[rows].copy(), 'y': y[rows].copy()})
d = read('all.st')
for task in range(3):
    order = np.random.RandomState(task).permutation(24) if task else np.arange(24)
    parts(d['x'][:, order], d['y'], task)
d = read('rings.st')
parts(d['x'], d['y'], 'rings')
END2
/usr/bin/python3 tasks.py
learn() # TASK OPTION...
{
	"$ML" train --data "train-$1.st" --model 'mlp 24-48-6' --batch 50 --steps 600 "${@:2}"
}
accuracy() { "$ML" eval --data "test-$1.st" --json "$2" | jq .mean.accuracy; }
above() { jq -ne "$1 > $2" || { echo "$1 is not above $2"; return 1; }; }
says_of() { "$ML" predict --data "test-$1.st" --proba "$2"; }

three_tasks()
{
	learn 0 -o w0.st && "$ML" prune --keep 0.4 w0.st -o p0.st --mask m0.st --free f0.st &&
		learn 0 --init p0.st --owned m0.st -o r0.st && says_of 0 r0.st >said0 &&
		learn 1 --init r0.st --owned f0.st -o w1.st &&
		"$ML" prune --keep 0.5 w1.st --owned f0.st -o p1.st --mask m1.st --free f1.st &&
		learn 1 --init p1.st --owned m1.st -o r1.st && says_of 1 r1.st >said1 &&
		learn 2 --init r1.st --owned f1.st -o r2.st || return
	"$ML" prune --without f0.st r2.st -o t0.st && "$ML" prune --without f1.st r2.st -o t1.st &&
		cmp t0.st r0.st && cmp t1.st r1.st && says_of 0 t0.st | cmp - said0 && says_of 1 t1.st | cmp - said1
}
check "two more tasks in the same network change nothing of what the first say" three_tasks
all_learned()
{
	above "$(accuracy 0 t0.st)" 0.95 && above "$(accuracy 1 t1.st)" 0.95 &&
		above "$(accuracy 2 r2.st)" 0.95
}
check "and all three are learned" all_learned
forgets()
{
	learn 1 --init w0.st -o n1.st && learn 2 --init n1.st -o n2.st &&
		above 0.6 "$(accuracy 0 n2.st)" && above 0.6 "$(accuracy 1 n2.st)"
}
check "while training on forgets them" forgets
regains()
{
	learn rings -o whole.st && "$ML" prune --keep 0.5 whole.st -o half.st --mask half-mask.st &&
		learn rings --init half.st --owned half-mask.st --seed 1 -o again.st || return
	above "$(accuracy rings again.st)" "$(accuracy rings whole.st) - 0.05" &&
		"$ML" show --json again.st | jq -e '[.tensors[] | select(.name == "fc1.weight").zeros] == [0.5]'
}
check "half of the weights pruned, what is left learns to do with that" regains
keeps_more()
{
	local way

	for way in weights fisher; do
		"$ML" prune --keep 0.7 --whole --by $way $([ $way = weights ] || echo --data train-rings.st) whole.st -o $way.st &&
			"$ML" eval --data train-rings.st --json $way.st | jq .mean.nll >$way.nll || return
	done
	above "$(cat weights.nll)" "$(cat fisher.nll)"
}
check "of all layers those that Fisher's information chooses say more" keeps_more
check "examples of another shape are refused" refused 'examples have 24 numbers, the network reads 12' \
	prune --keep 0.3 --by fisher --data train-0.st w.st -o x

# ---- a teacher

/usr/bin/python3 -c '
from tensors import *
write("bare-0.st", {"x": read("train-0.st")["x"]})'
by() # TEACHER OPTION...
{
	"$ML" train --data bare-0.st --batch 50 --teacher "$@"
}
taught()
{
	by w0.st --model 'mlp 24-12-6' --rate 0.001 --steps 600 --seed 4 -o student.st &&
		above "$(accuracy 0 student.st)" 0.95
}
check "a smaller network learns from a larger one, without labels" taught
everywhere_taught()
{
	by w0.st --model 'mlp 24-12-6' --rate 0.001 --steps 600 --seed 3 --members 2 -o 's-{}.st' && cmp s-1.st student.st &&
		by w0.st --model 'mlp 24-12-6' --rate 0.001 --steps 600 --seed 4 --threads 1 -o s.st && cmp s.st student.st &&
		by w0.st --model 'mlp 24-12-6' --rate 0.001 --steps 600 --seed 4 --device loops -o s.st && cmp s.st student.st
}
check "fused, by one thread, on a device: the same bytes" everywhere_taught
itself()
{
	by w0.st --model 'mlp 24-48-6' --init w0.st --steps 20 --every 1 --metrics m.json -o same.st &&
		cmp same.st w0.st && jq -e 'all(.[]; .loss == 0)' m.json &&
		by w0.st --teacher-layer fc1 --model 'net 24: fc 48 relu' --init w0.st --steps 20 --every 1 \
		--metrics m.json -o fc1.st && jq -e 'all(.[]; .loss == 0)' m.json
}
check "who begins as the teacher has nothing to learn of it, nor of one of its layers" itself
layer()
{
	by w0.st --teacher-layer fc1 --model 'net 24: fc 48 relu' --steps 600 --every 50 --metrics m.json \
		-o fc1.st && jq -e '.[-1].loss < .[0].loss / 4' m.json
}
check "a layer's outputs are learned" layer
as_data()
{
	"$ML" data --kind line --examples 300 --features 5 --seed 2 -o line.st &&
		"$ML" train --data line.st --model 'mlp 5-9-1 tanh' --loss mse --steps 50 --rate 0.01 -o big.st &&
		"$ML" predict --data line.st big.st >said || return
	/usr/bin/python3 -c '
from tensors import *
d = read("line.st")
write("said.st", {"x": d["x"], "y": np.loadtxt("said", dtype="f4").reshape(-1, 1)})'
	"$ML" train --data said.st --model 'mlp 5-3-1' --loss mse --steps 50 --rate 0.01 -o a.st &&
		"$ML" train --data line.st --teacher big.st --model 'mlp 5-3-1' --steps 50 --rate 0.01 -o b.st && cmp a.st b.st
}
check "the same bytes as by a file of what the teacher predicts" as_data
other_teacher()
{
	by w0.st --model 'mlp 24-12-6' --rate 0.001 --steps 60 -o s.st --state t.state &&
		by w0.st --model 'mlp 24-12-6' --rate 0.001 --steps 60 -o s2.st --resume t.state && cmp s.st s2.st &&
		! by r0.st --model 'mlp 24-12-6' --rate 0.001 --steps 60 -o s2.st --resume t.state 2>err &&
		grep 'another training' err
}
check "a state is not gone on from by another teacher" other_teacher
wrong() { refused "$1" train --data bare-0.st --teacher "${@:2}" -o x; }
check "a layer that is not there is told of" wrong 'w0.st has no layer fc9' w0.st --teacher-layer fc9 --model 'mlp 24-3-6'
check "other outputs" wrong 'has 6 outputs where head out of --model has 5' w0.st --model 'mlp 24-3-5'
check "other inputs" wrong 'the teacher reads 12 numbers' start.st --model 'mlp 24-3-4'
check "another loss" wrong 'loss with --teacher is mse' w0.st --model 'mlp 24-3-6' --loss softmax
check "images that are moved" wrong 'augment: a teacher is asked once' w0.st --model 'net 4x6x1: fc 6' --augment flip
check "a layer of no teacher" refused 'teacher-layer wants' train --data d.st --teacher-layer fc1 --model "$mlp" -o x
check "and nothing is written" [ ! -e x ]
plan
