#!/bin/bash
# old_kernel.sh - kernels that lack what newer ones have: the same bytes, or a word about it
. "$(dirname "$0")/lib.sh"
old=$BUILD/test/old_kernel
[ -x "$old" ] || skip "$old is not built"

project plain
mkdir in
echo one >in/a
ln -s a in/link
cat >gg.models <<'END'
sh join.sh @in/ @out
sh out.sh @in @out/
END
echo 'cat "$1"/* >"$2"' >join.sh
echo 'mkdir -p "$2/deep" && cp "$1" "$2/deep/x" && ln -s x "$2/deep/y"' >out.sh
both='sh join.sh in b; sh out.sh b c'
"$GG" run sh -c "$both" >/dev/null || exit 1
(cd c/deep && sha256sum x y) >../want

# forced CALLS: with a store of its own, where these calls are not known.
forced()
{
	cd "$work/plain" && rm -rf ../old && mkdir ../old && cp -r in gg.models ./*.sh ../old &&
		cd ../old &&
		"$old" "$1" "$GG" run sh -c "$both" >.log 2>&1 ||
		{ cat .log; return 1; }
	(cd c/deep && sha256sum x y) | diff - ../want && [ -L c/deep/y ]
}
check "without openat2 outputs are the same" forced openat2
check "without mount_setattr too" forced mount_setattr
check "without both, close_range and copy_file_range" \
	forced openat2,mount_setattr,close_range,copy_file_range
check "without statx and faccessat2" forced statx,faccessat2
# The rest of the machine is out of reach there too.
cd "$work/plain" || exit 1
echo 'echo x >/etc/gg-escaped; cp "$1" "$2"' >outside.sh
echo 'sh outside.sh @in @out' >>gg.models
check "without mount_setattr nothing outside can be written" \
	says "/etc/gg-escaped: Read-only file system" 0 \
	"$old" mount_setattr "$GG" run sh outside.sh in/a e
check "nor was it" test ! -e /etc/gg-escaped

# A kernel that cannot tell of looks at files cannot infer: that is said.
cd ../plain || exit 1
rm -rf ../none && mkdir ../none && cp -r in gg.models ./*.sh ../none && cd ../none || exit 1
check "without seccomp: one clear error" says "seccomp" 3 "$old" seccomp "$GG" run sh -c "$both"
plan
