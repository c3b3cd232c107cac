#!/bin/bash
# gg-ml on Fashion-MNIST beside PyTorch with the same threads, and beside itself.
# Ours is always the whole command, from its start to weights on the disk; the
# peer's loop is told without its start unless the row says so.
. "$(dirname "$0")/lib.sh"
ML=$BUILD/gg-ml
dir=$work/ml.$$
data=/usr/share/datasets/fashion-mnist
mlp='mlp 784-128-10'
cnn='net 28x28x1: conv 8 5x5 relu, pool 2, conv 16 5x5 relu, pool 2, fc 10'
threads=$(nproc)
[ -e $data/train-images-idx3-ubyte.gz ] || die 'needs dataset-fashion-mnist'
mkdir -p "$dir" && cd "$dir" || die "cannot enter $dir"
trap 'rm -rf "$dir"' EXIT
"$ML" prep $data/train-images-idx3-ubyte.gz $data/train-labels-idx1-ubyte.gz -o d.st ||
	die 'gg-ml prep failed'

train() { timed "$ML" train --data d.st "$@"; }
torch() { timed /usr/bin/python3 "$rows/peer_fashion.py" "$@"; }
loop() { torch "$@"; seconds=$(tail -1 "$work/said"); }

mlp_1() { train --model "$mlp" --epochs 1 --threads 1 -o w.st; }
mlp_all() { train --model "$mlp" --epochs 1 --threads "$threads" -o w.st; }
cnn_1() { train --model "$cnn" --epochs 1 --threads 1 -o w.st; }
torch_mlp_1() { loop mlp 1 1 1; }
torch_mlp_all() { loop mlp 1 "$threads" 1; }
torch_cnn_1() { loop cnn 1 1 1; }
torch_whole() { torch mlp 1 1 1; }
compare ml-epoch '<= 0.6' 'MLP, an epoch, one thread / PyTorch' mlp_1 torch_mlp_1
compare ml-epoch-all '<= 0.6' "the same, $threads threads" mlp_all torch_mlp_all
compare ml-command '<= 0.25' 'MLP, an epoch, whole commands, one thread' mlp_1 torch_whole
compare ml-cnn '<= 1.0' 'CNN, an epoch, one thread / PyTorch' cnn_1 torch_cnn_1

fused() { train --model "$mlp" --steps 300 --members 16 -o 'w-{}.st'; }
apart()
{
	timed sh -c 'for i in $(seq 0 15); do
		"$0" train --data d.st --model "$1" --steps 300 --seed $i -o v-$i.st || exit 1
	done' "$ML" "$mlp"
}
fused_epoch() { train --model "$mlp" --epochs 1 --members 16 -o 'w-{}.st'; }
torch_apart() { loop mlp 1 "$threads" 16; }
compare ml-fused '<= 0.7' '16 members of 300 steps, fused / one after another' fused apart
for i in 0 7 15; do
	cmp -s w-$i.st v-$i.st || die "member $i differs, fused and alone"
done
ROUNDS=1 compare ml-fused-torch '<= 0.2' "16 members, an epoch, fused / PyTorch's in turn" \
	fused_epoch torch_apart

# A step more or less costs less than a millisecond.
times=
for ((i = 0; i < 4 * ROUNDS; i++)); do
	train --model "$mlp" --steps 1 -o w.st
	times="$times$seconds "
done
tell ml-start "$(tr ' ' '\n' <<<"${times% }" | median | awk '{ printf "%.1f ms", $1 * 1e3 }')" \
	- - '< 20 ms' 'from its start to the first step and weights on the disk'

# Weights, their momentum, a batch and its way through, the data.
/usr/bin/time -f %M "$ML" train --data d.st --model "$mlp" --epochs 1 --threads 1 -o w.st \
	2>"$work/said" || die 'gg-ml failed'
kib=$(tail -1 "$work/said")
size=$(stat -c %s d.st)
need=$(((2 * 101770 * 4 + 100 * (784 + 128 + 10) * 4 + size) / 1024))
tell ml-memory "$((kib / 1024)) MiB" "$((need / 1024)) MiB" \
	"$(awk -v a="$kib" -v b="$need" 'BEGIN { printf "%.2f", a / b }')" '<= 1.3' \
	'resident / weights, state, one batch and the data'
