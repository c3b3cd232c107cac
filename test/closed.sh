#!/bin/bash
# A step runs only where its closure is, byte for byte
. "$(dirname "$0")/lib.sh"

system=$(mktemp -d /opt/gg-test.XXXXXX 2>/dev/null) || skip "needs write access to /opt"
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" "$system"' EXIT
project p
echo one >"$system/settings"
cat >gg.models <<M
sh step.sh @in @out
	uses	dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10
	uses	$system/settings
sh other.sh @in @out
	uses	dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10
M
echo "cat $system/settings \$1 >\$2; echo ran >&2" >step.sh
echo 'cat $1 >$2' >other.sh
for i in 1 2 3 4; do echo "data $i" >in$i; done
infer() { "$GG" infer sh -c "$1" >/dev/null; }
is() { [ "$(cat "$1" | tr '\n' ' ')" = "$2" ]; }

infer 'sh step.sh in1 out1; sh step.sh in2 out2; sh other.sh in3 out3'
check "a step runs where its closure is" counts 1 0 0 "$GG" force out1
check "and sees it" is out1 "one data 1 "

echo two >"$system/settings"
check "where a file of it has changed it does not, and that file is named" \
	says "$system/settings is another here now" 1 "$GG" force out2
"$GG" force out2 >"$work/.log" 2>&1
check "it has not been started" sh -c '! grep -qx ran "$1"' - "$work/.log"
check "what uses other files runs" counts 1 0 0 "$GG" force out3
rm "$system/settings"
check "where the file is gone likewise" \
	says "$system/settings is not on this machine" 1 "$GG" force out2
check "with --hermetic as well, since nobody has its bytes" \
	says "$system/settings: this machine does not hold" 1 "$GG" force --hermetic out2
check "the file as it was" sh -c 'echo one >"$1"' - "$system/settings"
check "is all that was missing" counts 1 0 0 "$GG" force out2
check "to the result that was meant" is out2 "one data 2 "

if unshare -rm true 2>/dev/null; then
	infer 'sh step.sh in3 out5; sh step.sh in4 out6'
	check "once a closure has been made a root" counts 1 0 0 "$GG" force --hermetic out5
	echo three >"$system/settings"
	check "it serves whatever becomes of the machine" counts 1 0 0 "$GG" force --hermetic out6
	check "as it was" is out6 "one data 4 "
fi
plan
