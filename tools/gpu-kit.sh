#!/bin/bash
# gpu-kit.sh DIR - what proves and measures gg-ml on a machine that has only a GPU
#
# Gathers the built programs, the libraries that they open, tests and bench rows.
# There, DIR/run says which promises hold, then how fast; nothing is installed.
set -eu
cd "$(dirname "$0")/.."
BUILD=$(realpath "${BUILD:-build}")
kit=$1
mkdir -p "$kit"/build/{lib,test/bench} "$kit/test/bench"
for f in gg-ml gg-ml-cuda.so test/t_cuda test/t_fused test/bench/b_cuda; do
	install -s "$BUILD/$f" "$kit/build/$f"
	ldd "$BUILD/$f" | awk '$3 ~ "^/" { print $3 }'
done | sort -u | grep -vE '/lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s)\.so' | xargs -I{} cp -L {} "$kit/build/lib"
cp test/{run,lib,cuda}.sh "$kit/test"
cp test/bench/{run.sh,lib.sh,cuda.sh,peer_cuda.py} "$kit/test/bench"
cat >"$kit/run" <<'END'
#!/bin/bash
# run [SECONDS]: the promises, the sanitizers if there are any, the figures.
cd "$(dirname "$0")" || exit 1
blas=$(find /usr/local /opt /usr/lib -name 'libcublas.so.[0-9]*' 2>/dev/null | head -1)
export BUILD=$PWD/build LD_LIBRARY_PATH=$PWD/build/lib:$(dirname "$blas"):${LD_LIBRARY_PATH:-}
until=$((SECONDS + ${1:-540}))
rc=0
nvidia-smi -L
test/run.sh build/test/t_fused build/test/t_cuda test/cuda.sh || rc=1
timeout $((until - SECONDS)) test/bench/run.sh cuda || rc=1
for tool in memcheck racecheck; do
	command -v compute-sanitizer >/dev/null && [ $((until - SECONDS)) -gt 30 ] || break
	echo "compute-sanitizer $tool:"
	timeout $((until - SECONDS)) compute-sanitizer --tool $tool build/test/t_cuda | tail -4
done
exit $rc
END
chmod +x "$kit/run"
