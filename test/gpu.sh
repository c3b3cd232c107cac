#!/bin/bash
# gpu.sh - the GPU's compiled code, run instruction by instruction, against the
# processor's bytes: gg-ml-cuda.so of $BUILD/test/gpu, which is made of the same
# sources but has the machine of test/gpu/machine.h in the place of CUDA's runtime
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null && [ -e "$BUILD/gg-ml-cuda.so" ] || skip 'built without nvcc'
make -s -C "$here" BUILD="$BUILD" "$BUILD/test/gpu/gg-ml-cuda.so" "$BUILD/test/t_cuda" || exit 1
cd "$work" || exit 1
mkdir test
cp "$BUILD/gg-ml" "$BUILD/test/gpu/gg-ml-cuda.so" .
cp "$BUILD/test/t_cuda" test

contract() { test/t_cuda >said; grep -q '^# PTX by instructions' said && ! grep -q '^not ok' said; }
check 'every kernel, product and rule: the bytes of the processor, and no fault' contract

./gg-ml data --kind blobs --examples 90 --features 48 --classes 5 --seed 3 -o d.st
# Told to end while it waits for somebody to read on: a pipe holds 60 lines.
told_to_end()
{
	/usr/bin/python3 - "$@" <<-'END'
	import fcntl, os, signal, subprocess, sys
	out, into = os.pipe()
	fcntl.fcntl(into, 1031, 4096)
	p = subprocess.Popen(sys.argv[1:], stdout=into)
	os.close(into)
	lines = os.fdopen(out, "rb")
	lines.readline()
	p.send_signal(signal.SIGTERM)
	lines.read()
	sys.exit(p.wait() != 75)
	END
}
# Fused and in two parts on the device; each member alone and in one go here.
whole_run()
{
	local i device="./gg-ml train --data d.st --device cuda --batch 20 --seed 6 --members 3"

	told_to_end $device "$@" --steps 160 --state s.st --json --every 1 -o 'x-{}.st' &&
		! [ -e x-0.st ] && $device "$@" --steps 160 --resume s.st -o 'g-{}.st' || return
	for i in 0 1 2; do
		./gg-ml train --data d.st --batch 20 "$@" --steps 160 --seed $((6 + i)) -o c.st &&
			cmp c.st g-$i.st || return
	done
}
check 'a run of an MLP, fused, stopped and continued' whole_run --model 'mlp 48-33-5 drop 0.1' \
	--rule adam --rate 0.01 --bag --smoothing 0.1
check 'a run of a CNN' whole_run --model 'net 4x4x3: conv 7 3x3 pad 1, norm relu, pool 2, fc 5' \
	--augment 'crop 1 flip' --momentum 0.8 --decay 0.001

# What is broken in the text is noticed, by the machine or by the bytes.
LC_ALL=C grep -az 'address_size' "$BUILD/test/gpu/device_cuda_ptx.o" | tr '\0' '\n' >true.ptx
# broken SED SAYS: with that edit in the text, the contract fails and says so.
broken()
{
	sed -E "$1" true.ptx >broken.ptx
	! cmp -s true.ptx broken.ptx && ! GG_PTX=broken.ptx timeout 300 test/t_cuda >said &&
		grep -E "$2" said
}
tiny='/^\.entry _Z12product_tiny/,/^}/'
check 'without barriers two threads race' \
	broken "$tiny{s/^bar\.sync.*//}" 'product_tiny, block .*may be (read|writ)ing'
check 'a store that is one off leaves its memory or meets another' \
	broken "$tiny{s/^(st\.global\.f32 \[%rd[0-9]+)\]/\1+4]/}" \
	'product_tiny, .*(may be writing|out of bounds)'
check 'shared memory that is not filled is not read' \
	broken "$tiny{s/^st\.shared.*//}" 'product_tiny, .*nobody has written'
check 'and a barrier that some threads pass by' \
	broken "$tiny{s/^bar\.sync/setp.eq.s32 %p1, %r1, 0; @%p1 &/}" \
	'product_tiny, .*(barrier that others wait at|may be (read|writ)ing)'
# As on a GPU, what a kernel did wrong is known when somebody waits for it.
ends()
{
	sed -E 's/^(st\.global\.f32 \[%rd[0-9]+)\]/\1+4]/' true.ptx >broken.ptx
	GG_PTX=broken.ptx ./gg-ml train --data d.st --batch 20 --model 'mlp 48-33-5' --steps 3 \
		--device cuda -o none.st 2>err
	[ $? = 1 ] && ! [ -e none.st ] && [ "$(wc -l <err)" = 1 ] &&
		grep -E 'device cuda: .*(out of bounds|may be writing)' err
}
check 'a kernel that fails ends the training with a line and no weights' ends
# few_steps TEXT: three steps with that text have the processor's bytes.
few_steps()
{
	local run="./gg-ml train --data d.st --batch 20 --model 'mlp 48-33-5' --steps 3"

	GG_PTX=$1 eval "$run --device cuda -o g.st" && eval "$run -o c.st" && cmp c.st g.st
}
two_roundings()
{
	local f='(%f[0-9]+)'

	sed -E "s/^fma(.rn.f32) $f, $f, $f, (.*);/mul\1 \2, \3, \4; add\1 \2, \2, \5;/" true.ptx >broken.ptx
	few_steps true.ptx && ! few_steps broken.ptx && cmp c.st g.st | grep differ
}
check 'products in two roundings have other bytes' two_roundings
plan
