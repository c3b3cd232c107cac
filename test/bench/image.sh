#!/bin/bash
# The image of a scikit-learn step beside tar and zstd -3 over the same files.
# gg compresses by one thread for each core, and names each layer before and
# after on the way; zstd works by itself with one thread, or with all (-T0).
. "$(dirname "$0")/lib.sh"
PATH=/usr/bin:$PATH
dir=$work/image.$$
trap 'rm -rf "$dir"' EXIT

# What such a step uses on Debian.
sklearn_models()
{
	local python v p

	python=$(readlink -f /usr/bin/python3)
	v=${python##*python}
	echo 'python3 fit.py -o=@out'
	for p in python3-minimal "python$v-minimal" "libpython$v-minimal" "libpython$v-stdlib" \
		libc6 zlib1g libexpat1 python3-sklearn python3-sklearn-lib python3-scipy \
		python3-numpy python3-joblib python3-threadpoolctl libgfortran5 libquadmath0 \
		libstdc++6 libgcc-s1 libgomp1 libblas3 liblapack3 liblbfgsb0; do
		printf '\tuses\t%s\n' "$p"
	done
	for p in libblas.so.3 liblapack.so.3; do
		printf '\tuses\t/usr/lib/x86_64-linux-gnu/%s\n' "$p"
	done
}

mkdir -p "$dir/root" && cd "$dir" && "$gg" init >/dev/null || die 'cannot begin'
sklearn_models >gg.models
echo >fit.py
"$gg" infer python3 fit.py -o model.bin >"$work/said" 2>&1 || die "$(tail -1 "$work/said")"
"$gg" image model.bin -o image.tar -q >"$work/said" 2>&1 || die "$(tail -1 "$work/said")"
tar -xf image.tar
jq -r '.layers[].digest' "blobs/sha256/$(jq -r '.manifests[0].digest' index.json | cut -d: -f2)" |
	while IFS=: read -r _ blob; do
		zstd -dcq "blobs/sha256/$blob" | tar -C root -xp || die 'a layer is broken'
	done
files=$(find root -type f | wc -l)
bytes=$(du -sm root | cut -f1)

by_gg() { timed "$gg" image model.bin -o again.tar -q; }
by_one() { timed sh -c 'tar -C root -cf - . | zstd -q -3 -f -o peer.zst'; }
by_all() { timed sh -c 'tar -C root -cf - . | zstd -q -3 -T0 -f -o peer.zst'; }

# The same in seconds of all processors, which others on the machine disturb less.
cpu()
{
	local TIMEFORMAT='%U %S' used

	used=$({ time "$@" >"$work/said" 2>&1; } 2>&1) || die "failed: $*"
	seconds=$(awk '{ print $1 + $2 }' <<<"$used")
}
cpu_gg() { cpu "$gg" image model.bin -o again.tar -q; }
cpu_one() { cpu sh -c 'tar -C root -cf - . | zstd -q -3 -f -o peer.zst'; }

by_gg && by_one
compare image '<= 1.0' "sklearn closure and gg, $files files, $bytes MB / tar | zstd -3" by_gg by_one
compare 'image, CPU' '' 'the same, seconds of CPU' cpu_gg cpu_one
compare 'image, -T0' '' "the same / tar | zstd -3 -T0" by_gg by_all
cmp -s image.tar again.tar || die 'the same closure gave two images'
