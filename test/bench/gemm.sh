#!/bin/bash
# Exact products of matrices beside OpenBLAS: square ones, and those of training.
# An OpenBLAS older than the processor takes slower kernels than it has.
. "$(dirname "$0")/lib.sh"
export OPENBLAS_NUM_THREADS=1
grep -qw avx512f /proc/cpuinfo && export OPENBLAS_CORETYPE=SkylakeX
"$BUILD/test/bench/b_gemm" || die 'b_gemm failed'
