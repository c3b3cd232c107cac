#!/bin/bash
# infer.sh - what is deferred, what runs for real, and that both are right
. "$(dirname "$0")/lib.sh"

project infer
cat >gg.models <<'END'
sh up.sh [@in] [--out=@out] [--list=@in]
sh many.sh --dir=@out/ --n=@
sh tree.sh @in/ @out
END
cat >up.sh <<'END'
out=
in=
while [ $# -gt 0 ]; do
	case $1 in
	--out) out=$2; shift ;;
	--out=*) out=${1#--out=} ;;
	*) in=$1 ;;
	esac
	shift
done
if [ -n "$in" ]; then text=$(cat "$in"); else text=$(cat); fi
text=$(echo "$text" | tr a-z A-Z)
if [ -n "$out" ]; then echo "$text" >"$out"; else echo "$text"; fi
END
cat >many.sh <<'END'
for i in $(seq $4); do echo $i >$2/$i.txt; done
mkdir $2/sub && echo '#!/bin/sh' >$2/sub/tool && chmod +x $2/sub/tool
ln -s ../1.txt $2/sub/one
END
echo 'cat $(find $1 -name "*.txt" | sort) >$2' >tree.sh
echo hello >a.txt
mkdir sub

deferred() { "$GG" infer --fresh --explain "$@" >"$work/.explain" 2>&1; grep -q '^deferred: sh ' "$work/.explain" || { cat "$work/.explain"; return 1; }; }
real() { "$GG" infer --fresh --explain "$@" >"$work/.explain" 2>&1; ! grep -q '^deferred: sh ' "$work/.explain" || { cat "$work/.explain"; return 1; }; }
forced() { "$GG" force "$1" >/dev/null 2>&1; [ "$(cat "$1")" = "$2" ]; }
is_placeholder() { head -1 "$1" | grep -q '^gg-placeholder 1$'; }

check "a modelled command is deferred" deferred sh up.sh a.txt --out b.txt
check "a placeholder stands there" is_placeholder b.txt
check "forcing makes it real" forced b.txt HELLO
check "standard output redirected to a file is an output" deferred sh -c 'sh up.sh a.txt >c.txt'
check "and is made" forced c.txt HELLO
check "standard input redirected from a file is an input" deferred sh -c 'sh up.sh <a.txt >d.txt'
check "and is read" forced d.txt HELLO
check "a command whose output somebody reads at once is one that is deferred" deferred sh -c 'sh up.sh a.txt | cat >e.txt'
check "and waited for: its result is there" test "$(cat e.txt)" = HELLO
check "appending runs for real" real sh -c 'echo x >f.txt; sh up.sh a.txt >>f.txt'
check "and appends" test "$(cat f.txt)" = "x
HELLO"
check "cwd below the root" deferred sh -c 'cd sub && sh ../up.sh ../a.txt --out g.txt'
check "and writes there" forced sub/g.txt HELLO
check "an option that the pattern lacks runs for real" real sh up.sh a.txt --lang=de
check "an input that is not there is the program's own to complain of" real sh up.sh nix --out n.txt
echo from >"$work/outside.txt"
check "a file outside the project may be read" deferred sh up.sh "$work/outside.txt" --out h.txt
check "by its content" forced h.txt FROM
check "writing outside the project is refused" \
	says "outside the project" 1 "$GG" run --fresh sh -c "sh up.sh a.txt --out $work/no.txt"
check "and nothing is written there" test ! -e "$work/no.txt"

rm -f b.txt
check "a command that reads a placeholder gets the real file" \
	test "$("$GG" run --quiet sh -c 'sh up.sh a.txt --out b2.txt; cat b2.txt' | head -1)" = HELLO
check "reading by another name of the folder too" \
	test "$("$GG" run --quiet sh -c "sh up.sh a.txt --out b3.txt; cat $PWD/sub/../b3.txt" | head -1)" = HELLO
check "a copy of a placeholder is a copy of the value" \
	test "$("$GG" run --quiet sh -c 'sh up.sh a.txt --out b4.txt; cp b4.txt b5.txt; cat b5.txt' | head -1)" = HELLO
"$GG" run sh -c 'sh up.sh a.txt --out b6.txt; mv b6.txt b7.txt' >/dev/null 2>&1
check "a renamed placeholder is forced under its new name" test "$(cat b7.txt)" = HELLO

cat >group.sh <<'END'
{ sh up.sh a.txt; echo then; sh up.sh a.txt; } >log.txt
END
for sh in dash bash; do
	"$GG" run --fresh $sh group.sh >/dev/null 2>&1
	check "$sh: a file that several commands write comes out whole" \
		test "$(cat log.txt)" = "HELLO
then
HELLO"
done
printf '{ sh up.sh a.txt; echo then; } >log2.txt; cat log2.txt\n' >group2.sh
check "also when the shell itself writes the rest" test \
	"$("$GG" run --quiet --fresh dash group2.sh | head -2)" = "HELLO
then"
check "a directory is an output" deferred sh many.sh --dir out --n 3
check "its placeholder is a directory" is_placeholder out/.gg-placeholder
check "a directory is an input, placeholder or not" deferred sh tree.sh out all.txt
check "and its files are read" forced all.txt "1
2
3"
"$GG" force out >/dev/null 2>&1
check "the executable bit is kept" test -x out/sub/tool
check "so is a link inside" test "$(readlink out/sub/one)" = ../1.txt
check "reading below a directory that is a placeholder" \
	test "$("$GG" run --quiet --fresh sh -c 'rm -rf out; sh many.sh --dir out --n 2; cat out/2.txt' | head -1)" = 2

echo 'n=$(cat "$1"); echo $((n + 1)) >"$2"' >inc.sh
echo 'sh inc.sh @in @out' >>gg.models
echo 0 >n
for i in 1 2 3; do "$GG" run sh -c 'sh inc.sh n n' >/dev/null 2>&1; done
check "a step that updates its input counts on each time" test "$(cat n)" = 3
check "parallel: xargs -P" counts 20 0 0 "$GG" run sh -c \
	'seq 20 | xargs -P4 -I{} sh up.sh a.txt --out x{}.txt --list a.txt'
plan
