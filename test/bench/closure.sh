#!/bin/bash
# The closure of a PyTorch command, whole packages, in a store that is new: all
# files are hashed.  Its peer is sha256sum over the same files on one core; once
# gg has all cores and once that one.  Then again, where nothing has changed.
. "$(dirname "$0")/lib.sh"
tool=$BUILD/test/bench/b_closure
st=$work/closure.$$
[ -e /usr/lib/python3/dist-packages/torch/__init__.py ] || die 'needs python3-torch'

# What was touched: modules and where they are looked for, and, as the loader
# tells, libraries.
LD_DEBUG=files PATH=/usr/bin:/bin /usr/bin/python3 -c '
import sys, torch
torch.nn.Linear(4, 2)(torch.rand(3, 4)).sum().backward()
for m in list(sys.modules.values()):
    print(getattr(m, "__file__", None))
print(sys.executable, *sys.path, sep="\n")' >"$work/said" 2>&1 || die 'python3 failed'
{ grep '^/' "$work/said"; sed -n 's/.*calling init: \(\/.*\)/\1/p' "$work/said"; } |
	sort -u >"$work/paths"
"$tool" uses <"$work/paths" >"$work/uses" || die 'no uses'
id=$("$tool" make "$st" <"$work/uses") || die 'no closure'
"$tool" files "$st" "$id" | grep -v '^/\.gg-names$' >"$work/files" || die 'no files'
rm -rf "$st"
what="$(wc -l <"$work/files") files, $(tr '\n' '\0' <"$work/files" |
	du -cbL --files0-from=- | awk 'END { printf "%d MB", $1 / 1e6 }')"

make_it() { "$tool" make "$st" <"$work/uses"; }
alone() { taskset -c 0 "$tool" make "$st" <"$work/uses"; }
peer() { taskset -c 0 xargs -a "$work/files" -d '\n' sha256sum; }
first() { rm -rf "$st"; timed make_it; }
first_alone() { rm -rf "$st"; timed alone; }
sums() { timed peer; }

sums
compare closure-first '<= 1.5' "$what, all cores / sha256sum on one" first sums
compare closure-core '<= 1.5' "the same on one core" first_alone sums
again=
for ((i = 0; i < ROUNDS; i++)); do
	timed make_it
	again="$again$seconds "
done
again=$(tr ' ' '\n' <<<"${again% }" | median)
tell closure-again "$(printf '%.3f s' "$again")" - - '< 0.1 s' 'nothing has changed, a process of its own'
rm -rf "$st"
