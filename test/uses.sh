#!/bin/bash
# uses.sh - steps whose model names what they use: a closure is their runtime
. "$(dirname "$0")/lib.sh"

project uses
system=$(mktemp -d /opt/gg-test.XXXXXX 2>/dev/null) || skip "needs write access to /opt"
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" "$system"' EXIT
echo 1 >"$system/settings"
echo 1 >"$system/other"
cat >gg.models <<M
sort @in --out=@out
	uses	coreutils $system/settings
M
printf '#!/bin/sh\nexec /usr/bin/sort "$@"\n' >"$work/sort"
chmod +x "$work/sort"
printf 'b\na\n' >in.txt
printf '#!/bin/sh\nsort in.txt --out=one\nsort in.txt --out=two\n' >all.sh
chmod +x all.sh

runtime() { "$GG" show "$1" | sed -n 's/^runtime //p'; }
remembered() { "$GG" infer ./all.sh 2>&1 | grep -q "not run again"; }
inferred() { "$GG" infer ./all.sh >"$work/.log" 2>&1 && grep -q "^deferred 2" "$work/.log"; }

check "steps are deferred" inferred
check "their runtime is a closure" grep -q "^closure [0-9a-f]\{64\}$" <(runtime one)
check "the same for the same uses" test "$(runtime one)" = "$(runtime two)"
first=$(runtime one)
check "nothing has changed: not inferred again" remembered
echo 2 >"$system/other"
check "nor after a change of what it does not use" remembered
echo 2 >"$system/settings"
check "a file that it uses has changed: inferred again" inferred
check "and the closure is another" test "$(runtime one)" != "$first"
check "which is then remembered" remembered
echo 1 >"$system/settings"
check "changed back: inferred again" inferred
check "and it is the first closure" test "$(runtime one)" = "$first"
rm "$system/settings"
check "the file is gone: inferred again" inferred
check "and the closure is a third" test "$(runtime one)" != "$first"
echo 1 >"$system/settings"
check "it comes back: the first again" inferred
check "by its name" test "$(runtime one)" = "$first"
wrapped() { PATH=$work:$PATH "$GG" infer --fresh --explain sh -c 'sort in.txt --out=three' 2>&1; }
check "a wrapper runs, and what it runs is deferred" grep -q "deferred 1," <(wrapped)
check "by its own name" grep -q "^arg /usr/bin/sort" <("$GG" show three)
bad() { printf 'sort\n\tuses %s\n' "$1" >gg.models; says "gg.models:2:7: uses" 2 "$GG" infer true; }
check "what is neither package nor system path is refused" bad lib/x
check "nor a path that goes back" bad /usr/../etc/x
plan
