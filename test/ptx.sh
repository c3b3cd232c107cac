#!/bin/bash
# ptx.sh - the GPU's code rounds each operation by itself, to the nearest
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/local/cuda/bin
[ -e "$BUILD/gg-ml-cuda.so" ] && command -v nvcc >/dev/null || skip 'built without nvcc'
ptx=$BUILD/src/kernels/device_cuda.ptx
rm -f "$ptx"
make -s -C "$here" BUILD="$BUILD" "$ptx" || exit 1

sums() { grep -oE '\<(add|sub|mul|fma|mad|div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)\.[a-z.]*f(32|64)' "$ptx"; }
many() { [ "$(sums | wc -l)" -gt 1000 ]; }
# What says no rounding may be made one with its neighbour; approximations and
# flushed small numbers are those of one chip.
only_nearest() { ! sums | grep -vE '^(add|sub|mul|fma|div|sqrt|rcp)\.rn\.f(32|64)$'; }
no_atomics() { ! grep -E '\<(atom|red)\.' "$ptx"; }
check 'the code is there' many
check 'every sum, product, quotient and root rounds to the nearest, none is fused unasked' only_nearest
check 'nothing is added in an order left to chance' no_atomics
plan
