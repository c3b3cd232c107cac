#!/bin/bash
# learn_closure.sh - files of the system that a learned command uses
. "$(dirname "$0")/trainers/lib.sh"

sweep() { { echo '#!/bin/sh'; echo 'set -e'; cat; } >sweep.sh; chmod +x sweep.sh; }

# A library that lies outside the project and that no package owns.  What lies in
# /tmp or at home is no part of a system, so that this test needs another place.
for base in "$(realpath "$BUILD")" /opt /srv /var/lib; do
	case $base in /tmp/* | /var/tmp/* | /root/* | /home/*) continue ;; esac
	site=$(mktemp -d "$base/gg-test-site.XXXXXX" 2>/dev/null) && break
done
[ -n "$site" ] || skip 'no place outside /tmp and home can be written to'
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" "$site"' EXIT
mkdir -p "$site/mylib"
echo 'RATE = 0.1' >"$site/mylib/__init__.py"
echo 'NAME = "unused"' >"$site/mylib/other.py"
project closure
cat >train.py <<'END'
import sys
import mylib
open(sys.argv[2], "w").write(f"{sys.argv[1]} {mylib.RATE}\n")
END
cat >plain.py <<'END'
import sys
open(sys.argv[2], "w").write(f"{sys.argv[1]} plain\n")
END
sweep <<END
export PYTHONPATH=$site
for i in 1 2 3; do python3 train.py \$i with\$i.txt; done
for i in 1 2 3; do python3 plain.py \$i without\$i.txt; done
END
check "commands that use a library outside are learned" counts 4 2 0 "$GG" run ./sweep.sh
check "and use it" grep -qx '3 0.1' with3.txt
sed -i 's/0.1/0.25/' "$site/mylib/__init__.py"
check "it is upgraded: what used it is made again, and nothing else" \
	counts 3 3 0 "$GG" run ./sweep.sh
check "with the new one" grep -qx '2 0.25' with2.txt
check "gg why names the file" eval '"$GG" why with2.txt | grep mylib/__init__.py'

project changing
held=1000.$$
cat >train.py <<END
import subprocess, sys
import mylib
subprocess.call(["sleep", "$held"])
open(sys.argv[2], "w").write(f"{sys.argv[1]} {mylib.RATE}\n")
END
sweep <<END
export PYTHONPATH=$site
for i in 1 2; do python3 train.py \$i out\$i.txt; done
END
go_on() { while :; do wake $held; sleep 0.05; done; }
change()
{
	(all_sleep $held; sed -i 's/0.25/0.5/' "$site/mylib/__init__.py"; go_on) >/dev/null &
	"$GG" run ./sweep.sh >"$work/.log" 2>&1
	kill $!
	cat "$work/.log"
	grep -q mylib/__init__.py "$work/.log"
}
check "a file of the system that changes while it is used is noticed" change
check "no result of then stands for now" eval 'go_on >/dev/null &
	"$GG" run ./sweep.sh; kill $!; grep -qx "1 0.5" out1.txt && grep -qx "2 0.5" out2.txt'
plan
