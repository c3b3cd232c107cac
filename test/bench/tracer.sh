#!/bin/bash
# Commands that run for real under the tracer, beside the same without it: a
# C project's make -j2, an import-heavy Python, 1,000 tiny processes.
. "$(dirname "$0")/lib.sh"
dir=$work/tracer
python=/usr/bin/python3

rm -rf "$dir"
mkdir -p "$dir"
cp -r "$top/src" "$top/include" "$top/tools" "$top/Makefile" "$dir/"
mkdir "$dir/test"
cd "$dir" || die "no $dir"
for program in gcc cc ar ld as ranlib cc1 collect2; do
	printf '%s ...\n\tnever\n' "$program"
done >gg.models
printf '#!/bin/sh\ni=0\nwhile [ $i -lt 1000 ]; do /bin/true; i=$((i + 1)); done\n' >tiny.sh
printf 'import numpy, sklearn.ensemble, sklearn.svm\n' >imports.py
make BUILD=out out/deps.mk >/dev/null || die 'make failed'

clean() { rm -rf out/src out/tools out/gg out/libgg.a; }
under_gg()
{
	rm -rf .gg
	"$gg" init >/dev/null || die 'gg init failed'
	clean
	timed "$gg" infer -q $cmd
}
plain() { clean; timed $cmd; }

cmd='make -j2 BUILD=out CFLAGS=-O1'
compare 'tracer, make' '<= 1.15' 'make -j2 of this project, no models' under_gg plain
[ -x out/gg ] || die 'make made no program'
cmd="$python imports.py"
compare 'tracer, python' '<= 1.10' 'import of numpy and scikit-learn' under_gg plain
cmd='sh tiny.sh'
compare 'tracer, tiny' '<= 2.0' '1,000 tiny processes' under_gg plain
