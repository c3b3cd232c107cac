#!/bin/bash
# closure.sh - steps whose runtime is a closure: upgrades, why, gc
#
# Packages are installed into an /opt of the test's own, in a mount namespace.
if [ -z "${GG_TEST_OPT:-}" ]; then
	if unshare -rm sh -c 'mount -t tmpfs none /opt && mount -t tmpfs none /opt' 2>/dev/null; then
		GG_TEST_OPT=1 exec unshare -rm "$0"
	fi
	echo '1..0 # SKIP needs mount namespaces'
	echo '# needs mount namespaces'
	exit 77
fi
mount -t tmpfs none /opt || exit 1
. "$(dirname "$0")/lib.sh"

site=/opt/lib/python3.11/site-packages
mkdir -p $site/numb $site/other

# install PACKAGE VERSION: as pip does
install_pip()
{
	rm -rf "$site/$1-"*.dist-info
	mkdir -p "$site/$1-$2.dist-info"
	echo "version = '$2'" >"$site/$1/__init__.py"
	printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' "$1" "$2" >"$site/$1-$2.dist-info/METADATA"
	printf '%s\n' "$1/__init__.py,," "$1-$2.dist-info/METADATA,," "$1-$2.dist-info/RECORD,," \
		>"$site/$1-$2.dist-info/RECORD"
	sleep 0.05
}
install_pip numb 1.0
install_pip other 1.0

project closures
cat >step.py <<S
import sys
sys.path.insert(0, "$site")
name, out = sys.argv[1:]
open(out, "w").write(name + " " + __import__(name).version + "\n")
S
cat >gg.models <<M
python3 step.py numb @out
	uses	libc6 python3-minimal python3.11-minimal libpython3.11-minimal libpython3.11-stdlib
	uses	pip:$site/numb
python3 step.py other @out
	uses	libc6 python3-minimal python3.11-minimal libpython3.11-minimal libpython3.11-stdlib
	uses	pip:$site/other
M
echo 'python3 step.py numb n.txt; python3 step.py other o.txt' >all.sh

is() { [ "$(cat "$1")" = "$2" ]; }
closure() { "$GG" show "$1" | sed -n 's/^runtime closure //p'; }

check "steps that say what they use are made with it" counts 2 0 0 "$GG" run sh all.sh
check "and see it" is n.txt "numb 1.0"
id=$(closure n.txt)
check "the runtime is a closure" test ${#id} = 64
other_id=$(closure o.txt)
check "gg show shows it as a tree" sh -c "'$GG' show $id | grep -q '^tree .* usr\$'"
check "files of it are not in the store" test -z "$(find .gg/objects -type f)"
check "nothing has changed: nothing runs" counts 0 2 0 "$GG" run --fresh sh all.sh

check "gc takes nothing of it" "$GG" gc
check "the tree is still there" sh -c "'$GG' show $id | grep -q '^gg-tree 1'"
usr=$("$GG" show "$id" | sed -n 's/^tree \([0-9a-f]*\) usr$/\1/p')
check "so is what is below" sh -c "'$GG' show $usr | grep -q ' lib\$'"
check "the store is right, though file bytes are not in it" store_is_right
check "and nothing runs" counts 0 2 0 "$GG" run sh all.sh

install_pip numb 1.1
check "an upgrade makes anew what used the package and nothing else" counts 1 1 0 "$GG" run sh all.sh
check "with the new one" is n.txt "numb 1.1"
check "gg why names package and versions" says "pip:$site/numb 1.0 -> 1.1 (" 0 "$GG" why n.txt
check "and does so for nothing else" says "nothing has changed" 0 "$GG" why o.txt
check "the other closure is the same" test "$(closure o.txt)" = "$other_id"

install_pip numb 1.0
check "the old version back: known" counts 0 2 0 "$GG" run sh all.sh
check "and in its place" is n.txt "numb 1.0"

# Upgraded between inferring and forcing.
install_pip numb 2.0
check "inferred with 2.0" "$GG" infer sh all.sh
install_pip numb 3.0
check "a closure that this machine has no more is not run" says "$site/numb" 1 "$GG" force n.txt
check "and the remedy is told" grep -q "run gg infer again" "$work/.log"
check "which helps" counts 1 1 0 "$GG" run sh all.sh
check "and is right" is n.txt "numb 3.0"

# What a closure never holds cannot be what a step uses.
cp gg.models good.models
printf 'python3 step.py numb @out\n\tuses\t/etc/passwd\n' >gg.models
check "a use that is personal is refused, with the reason" says "uses /etc/passwd" 1 "$GG" infer --fresh python3 step.py numb p.txt
check "which is told" grep -q "users" "$work/.log"
cp good.models gg.models

# gc of what nobody names any more.
cat >all.sh <<S
python3 step.py other o.txt
S
rm -f n.txt
check "run without numb" "$GG" run sh all.sh
check "gc with no runs kept" "$GG" gc --keep-runs 0
check "other's closure is kept" sh -c "'$GG' show $other_id | grep -q '^gg-tree 1'"
check "a closure that was swept is made again" sh -c "echo 'python3 step.py numb n.txt' >>all.sh; '$GG' run sh all.sh && grep -q 'numb 3.0' n.txt"
check "whole" sh -c "'$GG' show $(closure n.txt) | grep -q '^tree .* usr\$'"
check "the store is right" store_is_right
plan
