#!/bin/bash
# The GPU: exact products beside cuBLAS, fused members beside PyTorch, which must be
# one that knows CUDA (PYTHON names its python3).  Says what is missing elsewhere.
. "$(dirname "$0")/lib.sh"
library=$BUILD/gg-ml-cuda.so
python=${PYTHON:-python3}
out=$work/cuda.$$
trap 'rm -f "$out" "$out.why"' EXIT
line() { echo "$*"; }

[ -e "$library" ] || { line 'cuda: no GPU: built without nvcc'; exit 0; }
if ! "$BUILD/test/bench/b_cuda" "$library" mlp 1 >"$out" 2>"$out.why"; then
	line "cuda: no GPU: $(tail -1 "$out.why")"
	exit 0
fi
"$BUILD/test/bench/b_cuda" "$library" || die 'b_cuda failed'

has_torch=
if "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
	has_torch=1
else
	line "cuda: $python has no torch that knows CUDA: its columns are empty"
fi

# Seconds a step of PyTorch; nothing where it has no such way or no memory for it.
torch_step() # KIND B HOW
{
	[ -n "$has_torch" ] || return
	timeout 120 "$python" "$rows/peer_cuda.py" "$@" 2>"$out.why" | tail -1
}

for kind in mlp cnn; do
	for n in 1 4 16 64 256; do
		"$BUILD/test/bench/b_cuda" "$library" $kind $n >"$out" 2>"$out.why" ||
			{ line "cuda-$kind-$n: $(tail -1 "$out.why")"; continue; }
		read -r seconds flops <"$out"
		for how in eager vmap graph; do
			# A loop of so many members only takes long.
			[ "$how" != vmap ] && [ $n = 256 ] && [ -z "${ALL:-}" ] && continue
			peer=$(torch_step $kind $n $how)
			tell "cuda-$kind-$n" "$(awk -v a="$seconds" 'BEGIN { printf "%.1f us", a * 1e6 }')" \
				"$(awk -v a="$peer" 'BEGIN { if (a) printf "%.1f us", a * 1e6; else print "-" }')" \
				"$(awk -v a="$seconds" -v b="$peer" 'BEGIN { if (b) printf "%.2f", a / b; else print "-" }')" \
				"$([ $n -ge 4 ] && echo '< 1' || echo -)" \
				"a step of $n members ($flops TF/s) / PyTorch $how"
		done
	done
done
