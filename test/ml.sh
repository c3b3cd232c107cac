#!/bin/bash
# ml.sh - gg-ml: the same bytes however a member is trained
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
cd "$work" || exit 1

train() { "$ML" train --data d.st --batch 20 "$@" 2>err; }
same() { cmp "$1" "$2"; }

"$ML" data --kind rings --examples 500 --features 12 --classes 4 --seed 1 -o d.st
mlp='mlp 12-24-4'
cnn='net 2x6x1: conv 5 2x3 pad 1 relu, norm, pool 2, drop 0.2, fc 4'

for rule in sgd momentum nesterov adam adamw; do
	train --model "$mlp" --rule $rule --steps 60 --rate 0.01 --decay 0.001 --seed 3 -o alone.st
	train --model "$mlp" --rule $rule --steps 60 --rate 0.01 --decay 0.001 --seed 0 \
		--members 5 -o 'f-{}.st'
	check "$rule: a member among five ends with the bytes of one alone" same alone.st f-3.st
	train --model "$mlp" --rule $rule --steps 60 --rate 0.01 --decay 0.001 --seed 3 \
		--threads 1 -o one.st
	check "$rule: one thread gives the same bytes" same alone.st one.st
done

fewer_than_threads()
{
	train --model "$mlp" --steps 60 --seed 3 -o alone.st || return
	for threads in 3 4 8; do
		train --model "$mlp" --steps 60 --seed 2 --members 2 --threads $threads \
			-o 'f-{}.st' && cmp alone.st f-1.st || return 1
	done
}
check "fewer members than threads: the same bytes" fewer_than_threads

train --model "$cnn" --steps 40 --seed 7 -o alone.st --schedule cosine --warm-up 5
train --model "$cnn" --steps 40 --seed 4,7,1 --members 3 -o 'f-{}.st' --schedule cosine --warm-up 5
check "a network with all kinds of layers, fused" same alone.st f-1.st
train --model "$mlp" --steps 30 --rate 0.1,0.01 --members 2 -o 'f-{}.st'
train --model "$mlp" --steps 30 --rate 0.01 --seed 1 -o alone.st
check "members may differ in their coefficients" same alone.st f-1.st

# Ended by a signal at some moment, and continued to the same bytes.
train --model "$cnn" --steps 3000 --seed 2 -o whole.st
mkfifo lines
# told_to_end N OPTION...: after N lines of the losses that it tells, as no pipe takes
# them all before somebody reads: so it is never too early or too late.
told_to_end()
{
	local lines=$1 pid
	shift
	rm -f part.st s.st
	"$ML" train --data d.st --batch 20 -o part.st --state s.st --json --every 1 "$@" \
		>lines 2>err &
	pid=$!
	exec 3<lines
	head -n "$lines" <&3 >/dev/null
	kill -TERM $pid
	cat <&3 >/dev/null
	exec 3<&-
	wait $pid
	[ $? = 75 ] && ! [ -e part.st ] && [ -e s.st ]
}
stopped()
{
	told_to_end "$1" --model "$cnn" --steps 3000 --seed 2 &&
		train --model "$cnn" --steps 3000 --seed 2 -o part.st --resume s.st &&
		cmp part.st whole.st
}
for n in 1 400; do
	check "told to end it exits with 75, and goes on to the same bytes ($n)" stopped $n
done

# A killed trainer leaves nothing under the final name.
killed()
{
	rm -f k.st
	"$ML" train --data d.st --batch 20 --model "$cnn" --steps 100000 -o k.st &
	pid=$!
	sleep 0.2
	kill -9 $pid
	wait $pid 2>/dev/null
	! [ -e k.st ]
}
check "killed, it leaves no file under the final name" killed

# Images moved and mirrored: fused, alone, one thread; and other bytes than without.
augmented()
{
	train --model "$cnn" --steps 40 --augment 'crop 1 flip' --seed 7 -o a.st &&
		train --model "$cnn" --steps 40 --augment 'crop 1 flip' --seed 6 --members 3 -o 'a-{}.st' &&
		cmp a.st a-1.st &&
		train --model "$cnn" --steps 40 --augment 'crop 1 flip' --seed 7 --threads 1 -o a1.st &&
		cmp a.st a1.st && train --model "$cnn" --steps 40 --seed 7 -o plain.st &&
		! cmp -s a.st plain.st && train --model "$cnn" --steps 40 --augment flip --seed 7 -o f.st &&
		! cmp -s a.st f.st
}
check "augmented: fused, alone and by one thread the same bytes" augmented

# Each image of the first part stands before one that is the same but for its place.
prep_augments()
{
	/usr/bin/python3 - <<-'END' && "$ML" prep im.npy im-y.npy --split 0.75,0.25 --seed 4 \
		--augment 'crop 2 flip' --normalise minmax -o 'im-{}.st' || return
	import numpy as np
	np.save('im.npy', np.arange(1, 81)[:, None, None] + np.arange(35).reshape(5, 7) * 5 % 171)
	np.save('im-y.npy', np.arange(80) % 3)
	END
	/usr/bin/python3 - <<-'END'
	exec(open('heads.py').read().split('d = read')[0])
	t, v, x = read('im-0.st'), read('im-1.st'), np.load('im.npy').astype('f4')
	assert len(t['x']) == 120 and len(v['x']) == 20
	firsts = [int(i) for i in np.r_[t['x'][::2, 0, 0], v['x'][:, 0, 0]] - 1]
	assert sorted(firsts) == list(range(80)) and (t['x'][::2] == x[firsts[:60]]).all()
	assert (t['y'][::2] == t['y'][1::2]).all() and (t['y'][::2] == np.array(firsts[:60]) % 3).all()
	assert (t['x.mean'] == t['x'][::2].min(0).ravel()).all()
	def moved(i):
	    p = np.pad(i, 2)
	    all = [p[a:a + 5, b:b + 7] for a in range(5) for b in range(5)]
	    return all + [w[:, ::-1] for w in all]
	found = [[(w == m).all() for w in moved(i)].index(True) for i, m in zip(t['x'][::2], t['x'][1::2])]
	assert len(set(found)) > 20 and 10 < sum(f >= 25 for f in found) < 50, found
	END
}

# A batch ensemble: members share weights and differ in sets of scales.
batch_ensemble()
{
	train --model "$mlp fast 3" --steps 600 --seed 7 -o b.st &&
		train --model "$mlp fast 3" --steps 600 --seed 6 --members 3 -o 'b-{}.st' &&
		cmp b.st b-1.st && train --model "$mlp fast 3" --steps 600 --seed 7 --threads 1 -o b1.st &&
		cmp b.st b1.st && "$ML" eval --data d.st --json b.st >b.json && jq . b.json &&
		[ "$(jq '[.members[].weights] == ["b.st#0", "b.st#1", "b.st#2"] and
			([.members[].metrics.nll] | unique | length) == 3 and
			.mean.accuracy > 0.6 and .mean.nll <= ([.members[].metrics.nll] | add / 3)' b.json)" = true ]
}
check "a batch ensemble: same bytes, three members in one file, better together" batch_ensemble

large_seeds()
{
	train --model "$mlp" --steps 3 --seed 9007199254740992 -o low.st &&
		train --model "$mlp" --steps 3 --seed 9007199254740993 -o high.st &&
		! cmp -s low.st high.st && ! train --model "$mlp" --steps 3 --seed -1 -o no.st 2>err &&
		grep -q 'whole number of 64 bits, .* not -1' err
}
check "a seed has all its 64 bits, and no other number is taken for one" large_seeds
as_json()
{
	train --model "$mlp" --steps 40 --every 20 --members 2 --json --metrics 'j-{}.json' \
		-o 'j-{}.st' >told &&
		[ "$(jq -c '[.step, .steps]' told | xargs)" = '[20,40] [40,40]' ] &&
		[ "$(jq -c .loss[1] told)" = "$(jq -c .[].loss j-1.json)" ]
}
check "--json tells the losses as they come, a line each" as_json
into_devices()
{
	ln -sf /dev/full full && mkfifo pipe || return
	! train --model "$mlp" --steps 3 -o full 2>err && grep -q 'full: .*No space left' err &&
		[ -c full ] || return
	cat pipe >piped &
	train --model "$mlp" --steps 3 -o pipe && wait $! &&
		train --model "$mlp" --steps 3 -o plain.st && cmp piped plain.st && [ -p pipe ] &&
		ln -sf plain.st latest.st && train --model "$mlp" --steps 4 -o latest.st &&
		[ -L latest.st ] && ! cmp -s piped plain.st
}
check "a device or pipe that is named is written into, what a link names is replaced" into_devices

# A device ends with the processor's bytes; here the GPU's source runs as loops.
on_device()
{
	train --model "$cnn" --steps 40 --seed 7 --augment 'crop 1 flip' --every 7 --metrics c.json \
		-o c.st && train --model "$cnn" --steps 40 --seed 5 --augment 'crop 1 flip' \
		--every 7 --metrics 'l-{}.json' --members 3 --device loops -o 'l-{}.st' &&
		cmp c.st l-2.st && cmp c.json l-2.json
}
check "by a device: weights and metrics of the same bytes" on_device
snapshots_on_device()
{
	train --model "$mlp" --snapshots 3 --steps 90 -o 's-{}.st' &&
		train --model "$mlp" --snapshots 3 --steps 90 --device loops -o 'S-{}.st' &&
		for i in 0 1 2; do cmp s-$i.st S-$i.st || return 1; done
}
check "and snapshots" snapshots_on_device
stopped_on_device()
{
	set -- --model "$mlp" --rule adam --rate 0.001 --steps 3000
	told_to_end 1 "$@" --device loops && train "$@" -o part.st --resume s.st &&
		train "$@" -o whole-mlp.st && cmp part.st whole-mlp.st
}
check "told to end on a device, it goes on on the processor to the same bytes" stopped_on_device

# Several heads, a column of labels and a loss each.
cat >heads.py <<'END'
import json, struct
import numpy as np
def read(path):
    b = open(path, 'rb').read()
    n = int.from_bytes(b[:8], 'little')
    return {k: np.frombuffer(b[8 + n:][slice(*v['data_offsets'])], {'F32': 'f4', 'I32': 'i4'}[v['dtype']]).reshape(v['shape'])
            for k, v in json.loads(b[8:8 + n]).items() if k != '__metadata__'}
def write(path, **t):
    h, data = {}, b''
    for k, v in t.items():
        h[k] = {'dtype': {'f': 'F32', 'i': 'I32'}[v.dtype.kind], 'shape': v.shape, 'data_offsets': [len(data), len(data) + v.nbytes]}
        data += v.tobytes()
    h = json.dumps(h).encode()
    h += b' ' * (-(len(h) + 8) % 64)
    open(path, 'wb').write(struct.pack('<Q', len(h)) + h + data)
d = read('d.st')
write('two.st', x=d['x'], y=np.stack([d['y'], (d['x'][:, 0] > 0).astype('i4')], 1))
write('bare.st', x=d['x'])
x = d['x'].copy()
x[77, 3] = np.nan
write('nan.st', x=x, y=d['y'])
END
/usr/bin/python3 heads.py
two='net 12: body=fc 32 relu, fc 4, head shell, from body, fc 1, head side'
on_two() { "$ML" train --data two.st --model "$two" --loss softmax,logistic --batch 20 --steps 800 "$@"; }
two_heads()
{
	on_two --seed 3 -o t.st && on_two --seed 2 --members 3 -o 't-{}.st' && cmp t.st t-1.st &&
		on_two --seed 3 --threads 1 -o t1.st && cmp t.st t1.st
}
learned() { [ "$("$ML" eval --data two.st --json "$@" t.st | jq '.mean.accuracy > 0.93')" = true ]; }
check "two heads, fused, alone and by one thread: the same bytes" two_heads
check "the first head has learned" learned
check "the second head has learned" learned --head side
check "prep --augment: each image is there once more, moved and mirrored" prep_augments

# What was trained to give numbers gives them, and is not taken for classes.
numbers()
{
	"$ML" data --kind line --examples 200 --features 3 --seed 2 -o line.st &&
		"$ML" train --data line.st --model 'linear 3-1' --loss mse --steps 300 --members 2 \
			-o 'n-{}.st' && "$ML" predict --data line.st n-0.st n-1.st >said || return
	/usr/bin/python3 - <<-'END'
	exec(open('heads.py').read().split('d = read')[0])
	d, said = read('line.st'), np.loadtxt('said')
	w = [read('n-%d.st' % i) for i in (0, 1)]
	b = bytearray(open('n-0.st', 'rb').read())
	for name, bad in ('nan-w.st', np.float32('nan')), ('far-w.st', np.float32(3e38)):
	    open(name, 'wb').write(b[:-12] + bad.tobytes() * 3)
	ours = np.mean([d['x'].astype('f8') @ v['fc1.weight'] + v['fc1.bias'] for v in w], 0)[:, 0]
	assert np.abs(said - ours).max() < 1e-5 and np.corrcoef(said, d['y'].ravel())[0, 1] > 0.9
	END
}
check "a regression's predictions are its numbers, and the mean of members' ones" numbers

# k-means: the same middles by any threads, with others or alone, and settled.
clusters() { "$ML" train --data bare.st --model 'kmeans 12-7' "$@"; }
kmeans_same()
{
	clusters --seed 4 -o k.st --metrics k.json && clusters --seed 3 --members 2 -o 'k-{}.st' &&
		cmp k.st k-1.st && clusters --seed 4 --threads 1 -o k1.st && cmp k.st k1.st &&
		[ "$(jq '.settled and .cost > 0' k.json)" = true ] && clusters --init k.st -o k2.st && cmp k.st k2.st
}
check "k-means: fused, alone, one thread, and begun at its own end" kmeans_same
check "predict tells the cluster of each example" sh -c \
	"'$ML' predict --data bare.st k.st | sort -un | tr '\n' ' ' | grep -qx '0 1 2 3 4 5 6 '"

# Where floats have few digits left the nearest middle is still the one that is told.
far_from_0()
{
	/usr/bin/python3 - <<-'END' && "$ML" train --data far.st --model 'kmeans 3-3' -o far-k.st &&
	exec(open('heads.py').read().split('d = read')[0])
	rng = np.random.default_rng(1)
	c = np.array([[1000, 1000, 1000], [1001, 1000, 1000], [1000, 1001, 1000]])
	write('far.st', x=(c[rng.integers(0, 3, 300)] + rng.normal(size=(300, 3)) * .15).astype('f4'))
	END
		"$ML" predict --data far.st far-k.st >said && /usr/bin/python3 - <<-'END'
	exec(open('heads.py').read().split('d = read')[0])
	x, m = read('far.st')['x'].astype('f8'), read('far-k.st')['middles'].astype('f8')
	assert (((x[:, None] - m) ** 2).sum(2).argmin(1) == np.loadtxt('said')).all()
	END
}
check "far from 0 as well" far_from_0

train --model "$mlp" --snapshots 3 --steps 90 -o 's-{}.st'
check "a cyclic run gives its snapshots as members" [ -e s-0.st -a -e s-2.st ]
check "eval tells of members and their ensemble" sh -c \
	"'$ML' eval --data d.st --json s-*.st >e.json && jq -e '(.members|length) == 3 and
	.mean.accuracy >= 0 and .mean.ece <= 1 and ([.bins[].examples]|add) == 500' e.json"
check "predict writes a class for each example" sh -c \
	"'$ML' predict --data d.st s-*.st -o p.csv && [ \$(wc -l <p.csv) = 500 ]"
full_disk() { says "$1" 1 sh -c '"$@" >/dev/full' sh "$ML" predict --proba --data d.st s-*.st "${@:2}"; }
check "what a full disk does not take of it is told" full_disk 'cannot write' -o /dev/full
check "on standard output too" full_disk 'cannot write all of it to standard output'
three_lines()
{
	grep -A2 "^    b = open('w.safetensors'" "$here/README.md" | sed 's/^    //' >three.py
	[ "$(wc -l <three.py)" = 3 ] && cp alone.st w.safetensors || return 1
	{
		echo 'import json, numpy'
		cat three.py
		echo "assert w['fc1.weight'].shape == (12, 24) and numpy.isfinite(w['fc1.weight']).all()"
	} >open.py
	/usr/bin/python3 open.py
}
check "numpy opens weights in the three lines of the README" three_lines

# The manual has every command and option that the help has.
manual()
{
	local c o

	"$ML" _man >gg-ml.1 || return
	for c in $("$ML" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
		grep -q "^\.SS gg.-ml $c " gg-ml.1 || return
		for o in $("$ML" "$c" --help | sed -n 's/^  --\([a-z0-9-]*\) .*/\1/p'); do
			grep -qE "^\.B .-.-$(sed 's/-/.-/g' <<<"$o")( |\$)" gg-ml.1 || { echo "$c $o"; return 1; }
		done
	done
	[ "$(grep -c '^\.B' gg-ml.1)" -gt 40 ]
}
check "the manual tells of every command and option" manual

latin_1()
{
	printf '1,2,caf\xe9\n3,4,tea\n5,6,caf\xe9\n' >latin.csv && "$ML" prep latin.csv -o latin.st &&
		[ "$("$ML" show --json latin.st | jq -r .metadata.classes)" = '["café","tea"]' ] &&
		"$ML" train --data c3.st --model 'linear 3-2' --steps 1 -o $'caf\xe9.st' &&
		[ "$("$ML" eval --data c3.st --json $'caf\xe9.st' | jq -r .members[].weights)" = café.st ]
}
"$ML" data --examples 200 --features 3 --classes 2 -o c3.st
check "words and names that are no UTF-8 are left out nowhere" latin_1

# Of every type the zeros are counted.
zeros()
{
	printf '1,0,0\n0,0,1\n' >zeros.csv && "$ML" prep zeros.csv -o zeros.st &&
		[ "$("$ML" show --json zeros.st | jq -c '[.tensors[].zeros]')" = '[0.75,0.5]' ]
}
check "show tells the share of zeros" zeros

# A terminal obeys control characters, wherever they come from.
odd_name()
{
	python3 -c 'import json,struct,sys
h = json.dumps({"__metadata__": {"k": "a\x1b[2Jb"}, "\x1b]0;w\x07": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
h += b" " * (-len(h) % 8)
sys.stdout.buffer.write(struct.pack("<Q", len(h)) + h + bytes(4))' >odd.st && "$ML" show odd.st >out &&
		grep -qF 'a\x1b[2Jb' out && grep -qF '\x1b]0;w\x07' out && ! grep -q $'[\x1b\x07]' out &&
		! "$ML" show $'\e[2J.st' 2>err && grep -qF '\x1b[2J.st' err
}
check "what a file calls its tensors is not obeyed by the terminal" odd_name

refused() { local want=$1; shift; "$ML" "$@" 2>err; [ $? != 0 ] && grep -q -- "$want" err; }
check "a missing file is named" refused 'nowhere.st is not there' train --data nowhere.st --model "$mlp" -o x
check "another shape is told of" refused '--model reads 13' train --data d.st --model 'mlp 13-4' -o x
check "too few outputs are told of" refused 'labels up to 3' train --data d.st --model 'mlp 12-3' -o x
check "a column too many is told of" refused 'y has 2 columns' train --data two.st --model "$mlp" -o x
check "a head that is not there is told of" refused 'no head tail' eval --data two.st --head tail t.st
check "losses that do not fit are told of" refused 'wants y as targets' train --data two.st \
	--model "$two" --loss softmax,mse -o x
check "no labels are told of" refused 'wants y as classes' train --data bare.st --model "$mlp" -o x
check "NaN in data is told of, with its place" refused 'example 77, feature 3' train \
	--data nan.st --model "$mlp" -o x
check "more clusters than examples are refused" refused '501 clusters' train --data bare.st \
	--model 'kmeans 12-501' -o x
check "k-means of another shape is refused" refused 'kmeans of --model reads 13' train --data bare.st \
	--model 'kmeans 13-3' -o x
check "a flat network has no images to move" refused 'wants images' train --data d.st \
	--model "$mlp" --augment flip -o x
check "nor has a table" refused 'wants images' prep zeros.csv --augment flip -o x
check "an unknown way of augmenting is told of" refused 'not .crop' train --data d.st \
	--model "$cnn" --augment 'crop flip' -o x
# (A sanitizer needs more than that for itself.)
too_little()
{
	(ulimit -v 500000 && exec "$ML" train --data d.st -o 'x{}' "$@" 2>err)
	[ $? = 1 ] && grep 'MB of memory' err
}
if (ulimit -v 500000 && "$ML" --help) >/dev/null 2>&1; then
	check "too little memory is told of" too_little --model 'mlp 12-60000-4' --members 60
	check "for members alone as well" too_little --model 'linear 12-4' --members 1000000000
fi
no_memory()
{
	/usr/bin/python3 -c 'import sys; sys.stdout.write("1,2,0\n" * 2000000)' >long.csv
	sh -c "ulimit -v 60000; exec '$ML' prep long.csv -o x" 2>err
	[ $? != 0 ] && [ "$(cat err)" = 'gg-ml: there is not enough memory for that' ] && ! [ -e x ]
}
sh -c "ulimit -v 60000; '$ML' --help" >/dev/null 2>&1 && check "anywhere" no_memory
check "an unknown option is told of" refused 'no option --lr' train --lr 3
check "a state of another training is refused" refused 'another training' train --data d.st \
	--batch 20 --model "$cnn" --steps 3001 --seed 2 -o x --resume s.st
"$ML" data --kind rings --examples 500 --features 12 --classes 4 --seed 2 -o other.st
check "a state of a training on other examples is refused" refused 'another training' train \
	--data other.st --batch 20 --model "$mlp" --rule adam --rate 0.001 --steps 3000 -o x --resume s.st
[ -e /dev/nvidiactl ] || check "a GPU that is not there is refused" refused 'device cuda' \
	train --data d.st --model "$mlp" -o x --device cuda
head -c 300 d.st >cut.st
check "cuBLAS without a GPU is refused" refused 'profile cublas wants' train --data d.st \
	--model "$mlp" -o x --profile cublas
check "a device nobody knows is refused" refused '--device is cpu, cuda or loops, not .tpu.' train --data d.st \
	--model "$mlp" -o x --device tpu
check "a cut file is refused" refused 'no safetensors file' train --data cut.st --model "$mlp" -o x
check "a loss that is no number any more ends the run" refused 'no finite number' train \
	--data d.st --model "$mlp" --rate 1e30 --steps 50 -o x
check "numbers are not judged as classes" refused 'gives numbers, not classes' eval \
	--data line.st n-0.st
"$ML" train --data c3.st --model 'linear 3-2' --steps 1 -o lc.st
check "classes and numbers have no mean" refused 'the members before it' predict --data line.st \
	n-0.st lc.st
check "weights that are no numbers are refused" refused 'fc1.weight: number 0 is not finite' \
	predict --data line.st nan-w.st
/usr/bin/python3 - <<'END'
import json, struct
h = json.dumps({'__metadata__': {'network': 'net 2: ' + ', '.join(['fc 60000'] * 30)}}).encode()
open('long-w.st', 'wb').write(struct.pack('<Q', len(h)) + h)
END
check "weights that are fewer than they say are" refused 'long-w.st: is shorter than' predict \
	--data line.st long-w.st
check "outputs that are none are" refused 'is no finite number: its weights' eval --data line.st \
	far-w.st
check "more values than members are refused" refused 'rate has 2 values, --members is 1' train \
	--data d.st --model "$mlp" --rate 0.1,0.2 -o x
check "one file for the metrics of two members is" refused '--metrics wants {}' train \
	--data d.st --model "$mlp" --members 2 --steps 3 -o 'x{}' --metrics x
check "one file for weights and state is" refused 'x cannot be both' train --data d.st \
	--model "$mlp" --steps 3 -o x --state x
check "one file for what stays and what is left is" refused 'residual: x cannot be both' combine topk \
	--keep 3 t.st -o x --residual x
check "a coefficient that has no sense is" refused 'momentum goes from 0 to below 1' train \
	--data d.st --model "$mlp" --momentum 1.5 -o x
check "a linear model of three sizes is" refused 'linear wants sizes' train --data d.st \
	--model 'linear 12-8-4' -o x
printf 'by whom\n\n1,2,0\n3,four,1\n' >bad.csv
check "lines left out are counted" refused 'bad.csv:4: column 2' prep --skip 1 bad.csv -o x
printf '1,2,0\n3,4,1\n' >two.csv
check "a table has its labels within" refused 'two.csv is a table' prep two.csv two.csv -o x
check "no part stays empty" refused 'part 1 of 2 examples is empty' prep two.csv --split 0.9,0.1 -o 'x{}'
check "and nothing was written by all these" [ ! -e x ]
plan
