#!/bin/bash
# cc_truth.sh - what the compilers' models say, held against the compilers
#
# Each command runs for real in a copy of a small project.  The files that
# appear or change must be exactly those that the model names.  Then it runs
# once more where nothing stands but what the model and its scan say is read,
# and must give the same bytes; the scan itself must leave nothing behind.

set -u
export LC_ALL=C
B=${BUILD:-build}
SHOW=$(realpath "$B/test/t_cc")
SYSTEM=$(realpath "$B/test/t_system")
T=$(mktemp -d /tmp/gg-cc-truth-XXXXXX)
W=$T/work/p
trap 'rm -rf "$T"' EXIT
n=0 bad=0

command -v gcc >/dev/null && command -v ar >/dev/null ||
	{ echo "# no gcc or no ar here"; exit 77; }

say()
{
	n=$((n + 1))
	if [ "$1" = ok ]; then
		echo "ok $n - $2"
	else
		bad=$((bad + 1))
		echo "not ok $n - $2"
	fi
}

make_project()
{
	mkdir -p "$T/tmpl" && cd "$T/tmpl" || exit 1
	mkdir -p inc "inc dir" sub/deep lib obj d.x
	echo 'int f(int);' >inc/f.h
	echo '#define ODD 3' >"inc dir/odd.h"
	echo '#define PRE 1' >pre.h
	printf '#include <stdio.h>\n#include "inc/f.h"\nint main(void) { printf("%%d", f(1)); return 0; }\n' >a.c
	printf '#include "inc/f.h"\nint f(int x) { return x + 1; }\n' >b.c
	cp b.c b.2.c
	sed 's,"inc,"../inc,' b.c >sub/b.c
	cp b.c odd
	printf '#include "../inc/f.h"\nint f(int x) { return x + 2; }\n' >sub/c.c
	printf '#include <odd.h>\nint odd(void) { return ODD; }\n' >o.c
	printf '#include <vector>\nint g() { std::vector<int> v(3); return (int)v.size(); }\n' >v.cc
	printf 'int g();\nint main() { return g(); }\n' >m.cpp
	printf '.globl f\nf: ret\n' >s.s
	printf '#include "pre.h"\n.globl f\nf: mov $PRE, %%eax\n ret\n' >S.S
	echo 'int f(int x) { return x; }' >i.i
	echo '{ global: f; local: *; };' >v.map
	printf -- '-I "inc dir"\n-c o.c -o '"'obj/o o.o'" >o.rsp
	printf -- '-Map\nout.map\n' >wl.rsp
	printf 'a.o b.o\n' >members
	gcc -c a.c && gcc -c b.c && gcc -fPIC -shared b.c -o lib/libf.so &&
		gcc -g -O -c b.c -o sub/b.o &&
		gcc -c sub/c.c -o c.o && ar rc lib/libg.a b.o &&
		ar rcS lib/noindex.a b.o && ar rc old.a c.o &&
		gcc -g -o prog a.o sub/b.o
	printf 'int h(void); int f(int x) { return h() + x; }\n' >need.c
	echo 'int h(void) { return 1; }' >h.c
	gcc -fPIC -shared h.c -o lib/libh.so
	gcc -fPIC -shared need.c -Llib -lh -o lib/libneed.so
	touch -d '2 hours ago' lib/*.a old.a
}

fresh()
{
	cd "$T" && rm -rf work && mkdir work && cp -a tmpl "$W" && cd "$W"
}

# Files of the work folder, with what changes when they are written.
state()
{
	find . \( -type f -o -type l \) -printf '%P\t%i\t%T@\t%C@\n' | sort
}

changed()
{
	comm -13 "$1" "$2" | cut -f1 | sort -u
}

tidy()
{
	local f

	while IFS= read -r f; do realpath -sm --relative-to=. "$f"; done | sort -u
}

# A rule's prerequisites that lie in the project.
scan_files()
{
	sed -e 's/\\ /\x01/g' -e 's/\\$//' | tr ' ' '\n' | tr '\001' ' ' |
		grep -v -e ':$' -e '^/' -e '^$'
}

# Lay down what is said to be read, and folders for what is written.
lay()
{
	local f

	cd "$T" && rm -rf work && mkdir -p "$W" && cd "$W" || return 1
	while IFS= read -r f; do
		[ -e "$T/tmpl/$f" ] || continue
		mkdir -p "$(dirname "$f")"
		cp -a "$T/tmpl/$f" "$f"
	done <"$T/reads"
	while IFS= read -r f; do mkdir -p "$(dirname "$f")"; done <"$T/writes"
}

run_scan()
{
	local scan=()

	mapfile -t scan < <(sed -n 's/^scan //p' "$T/said")
	[ ${#scan[@]} = 0 ] && return 0
	state >"$T/before"
	"${scan[@]}" >"$T/rules" 2>"$T/log" || { echo "# its scan fails"; return 1; }
	scan_files <"$T/rules" | tidy >>"$T/reads"
	state >"$T/after"
	changed "$T/before" "$T/after" | sed 's/^/# the scan leaves /' | grep . && return 1
	return 0
}

same_bytes()
{
	local f

	while IFS= read -r f; do
		cmp -s "$f" "$T/first/$f" || { echo "# $f has other bytes"; return 1; }
	done <"$T/writes"
}

# yes COMMAND: the model is true.  LOOSE=1: bytes differ from run to run.
yes()
{
	local f

	fresh
	"$SHOW" show "$@" >"$T/said"
	if ! grep -q '^>' "$T/said"; then
		sed 's/^/# /' "$T/said"
		say bad "$*"
		return
	fi
	sed -n 's/^<\(.*[^?]\)?*$/\1/p' "$T/said" | tidy >"$T/reads"
	sed -n 's/^>[a-z0-9]*=\(.*[^*]\)\**$/\1/p' "$T/said" | tidy >"$T/writes"
	run_scan || { say bad "$*"; return; }
	state >"$T/before"
	"$@" >"$T/log" 2>&1 || { sed 's/^/# /' "$T/log"; say bad "$* (fails)"; return; }
	state >"$T/after"
	changed "$T/before" "$T/after" >"$T/did"
	if ! diff "$T/writes" "$T/did" >"$T/log"; then
		sed 's/^/# said and did: /' "$T/log"
		say bad "$*"
		return
	fi
	rm -rf "$T/first"
	cp -a "$W" "$T/first"
	lay
	if ! "$@" >"$T/log" 2>&1; then
		sed 's/^/# with only what it reads: /' "$T/log"
		say bad "$*"
		return
	fi
	[ "${LOOSE:-0}" = 1 ] || same_bytes || { say bad "$*"; return; }
	say ok "$*"
}

# no COMMAND: the model leaves it alone.
no()
{
	fresh
	"$SHOW" show "$@" >"$T/said"
	if grep -q '^real' "$T/said"; then say ok "real: $*"; else say bad "real: $*"; fi
}

# Files that a program may open and that shape no object here: the loader's
# cache, locales, headers (the scan's business), what clang looks at to learn
# about this machine.
ORDINARY='^/(proc|dev|etc|tmp|sys)(/|$)|/locale/|/gconv/|^/usr/share/|/include/|os-release$'

# parts COMMAND: each file of the system that it opens is one that the probe
# leads to, or one that the model or the scan names.
parts()
{
	local probe=()

	fresh
	"$SHOW" show "$@" >"$T/said"
	mapfile -t probe < <(sed -n 's/^probe //p' "$T/said")
	if [ ${#probe[@]} = 0 ]; then
		: >"$T/probe"
	else
		"${probe[@]}" >"$T/probe" 2>&1 || { say bad "parts: $* (probe)"; return; }
	fi
	"$SYSTEM" show "$(command -v "$1")" <"$T/probe" |
		while IFS= read -r f; do realpath "$f"; done >"$T/known"
	# What a plugin that claims nothing brings along does not count.
	ldd /usr/lib/bfd-plugins/*.so 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' |
		while IFS= read -r f; do realpath "$f"; done >>"$T/known"
	sort -u -o "$T/known" "$T/known"
	[ -s "$T/known" ] || { say bad "parts: $*"; return; }
	strace -f -qq -o "$T/trace" -e trace=open,openat,execve "$@" >/dev/null 2>&1
	grep -vE 'ENOENT|O_DIRECTORY|ENOTDIR|EACCES| = -1 ' "$T/trace" |
		grep -o '"/[^"]*"' | tr -d '"' | while IFS= read -r f; do
			[ -f "$f" ] && realpath "$f"
		done | grep -vE "$ORDINARY" | sort -u >"$T/opened"
	[ -s "$T/opened" ] || { say bad "parts: $* (strace)"; return; }
	if comm -13 "$T/known" "$T/opened" | sed 's/^/# unknown part: /' | grep .; then
		say bad "parts: $*"
	else
		say ok "parts: $*"
	fi
}

make_project
for cc in gcc clang; do
	command -v $cc >/dev/null || continue
	yes $cc -c a.c
	yes $cc -c sub/b.c
	yes $cc -c sub/c.c -o obj/c.o
	yes $cc -c b.2.c
	yes $cc -O2 -g -c a.c -o obj/a.o
	yes $cc -g3 -Wall -std=c11 -D X=1 -c a.c
	yes $cc -S b.c
	yes $cc -E a.c -o a.i
	yes $cc -c a.c b.c
	yes $cc -c -x c odd
	yes $cc -c s.s
	yes $cc -c S.S
	yes $cc -c i.i
	yes $cc -I"inc dir" -c o.c
	yes $cc -isystem "inc dir" -c o.c
	yes $cc -include pre.h -c b.c
	yes $cc -imacros pre.h -c b.c
	yes $cc -MD -c a.c
	yes $cc -MMD -MP -MF obj/k.d -MT x -c a.c -o obj/a.o
	yes $cc -MD -c a.c -o d.x/x
	yes $cc -MD -c a.c -o sub/x.y.o
	yes $cc -MMD -c a.c b.c
	yes $cc -Wp,-MMD,obj/.a.d -c a.c
	yes $cc -MMD a.c b.c -o obj/prog
	yes $cc -MMD a.c b.c
	yes $cc -MM a.c -MF k.d
	yes $cc -E -MMD -MF k.d a.c -o a.ii
	yes $cc a.c b.c -o obj/prog.exe
	yes $cc a.c b.c
	yes $cc a.c s.s
	yes $cc a.o b.o -o obj/prog
	yes $cc a.o -Llib -lf -o obj/prog
	yes $cc a.o -static -Llib -lg -o obj/prog
	yes $cc a.o -lg -lm -Llib -o obj/prog
	yes $cc a.o -Llib -l:libg.a -o obj/prog
	yes $cc a.o lib/libf.so -Wl,-rpath,lib -o obj/prog
	yes $cc a.o lib/libneed.so -Wl,-rpath-link,lib -o obj/prog
	yes $cc -shared b.c -fPIC -o lib/libb.so
	yes $cc -shared -fPIC b.c -Wl,--version-script=v.map -Wl,-soname,libb.so.1 -o libb.so.1
	yes $cc a.o b.o -Wl,-Map=obj/out.map -o obj/prog
	yes $cc a.o b.o -Wl,@wl.rsp -o obj/prog
	yes $cc a.o b.o -Xlinker -Map -Xlinker obj/out.map -o obj/prog
	yes $cc a.o b.o -Wl,--dependency-file=obj/link.d -o obj/prog
	yes $cc -r a.o b.o -o obj/ab.o
	yes $cc -pthread -fopenmp a.c b.c -o obj/prog
	LOOSE=1 yes $cc --coverage -c a.c
	LOOSE=1 yes $cc --coverage -c a.c -o obj/x.y.o
	yes $cc -fstack-usage -c a.c -o obj/a.o
	yes $cc -fstack-usage -c sub/b.c
	yes $cc -g -gsplit-dwarf -c a.c
	yes $cc -g -gsplit-dwarf -c a.c -o obj/x.y.o
	no $cc -E a.c
	no $cc --version
	no $cc pre.h
	no $cc -save-temps -c a.c
done
yes gcc @o.rsp
LOOSE=1 yes gcc --coverage a.c b.c -o obj/prog
LOOSE=1 yes gcc --coverage a.c b.c
LOOSE=1 yes gcc --coverage a.c b.c -o obj/prog.exe
LOOSE=1 yes gcc --coverage a.c b.c -o obj/a.out
LOOSE=1 yes gcc --coverage a.c b.c -o obj/prog.out
LOOSE=1 yes gcc --coverage a.c -o obj/prog b.o
yes gcc -g -gsplit-dwarf a.c s.s -o obj/prog
yes gcc -fstack-usage a.c b.c -o obj/prog
LOOSE=1 yes gcc -flto -O2 a.c b.c -o obj/prog
LOOSE=1 yes gcc -flto -O2 -c a.c
yes g++ -c v.cc
yes g++ -MMD v.cc m.cpp -o obj/v
yes g++ -x c++ b.c -c
yes x86_64-linux-gnu-gcc-12 -c a.c
yes ar rcs new.a a.o b.o
yes ar rcs old.a a.o b.o
yes ar cr new.a
yes ar -q -c new.a a.o
yes ar d old.a c.o
yes ar rc new.a @members
yes ar s lib/noindex.a
yes gcc-ar rcs new.a a.o
yes ranlib lib/noindex.a
yes gcc-ranlib lib/noindex.a
yes strip prog
yes strip -g prog sub/b.o
yes strip -o obj/prog prog
yes strip --strip-debug -o obj/b.o sub/b.o
yes objcopy --only-keep-debug prog prog.debug
yes objcopy --strip-debug prog
yes objcopy --add-gnu-debuglink=c.o prog obj/p2
yes ld -r a.o b.o -o obj/ab.o
yes ld -shared b.o -o obj/b.so
yes ld -e f b.o
yes ld b.o -Map obj/m.map -e f -o obj/x
no ar t old.a
no ar x old.a
no ld a.o -lc
no strip --version
if command -v strace >/dev/null && strace true 2>/dev/null; then
	for cc in gcc clang; do
		command -v $cc >/dev/null || continue
		parts $cc -O2 -c a.c
		parts $cc -c S.S s.s
		parts $cc a.c b.c -o obj/prog
		parts $cc a.o b.o -lm -lpthread -o obj/prog
		parts $cc a.o b.o -static -lm -o obj/prog
		parts $cc -shared -fPIC b.c -o obj/b.so
		parts $cc -Ofast a.o b.o -o obj/prog
	done
	parts gcc -flto -O2 a.c b.c -o obj/prog
	parts gcc -fopenmp a.c b.c -o obj/prog
	parts gcc -fsanitize=address,undefined a.c b.c -o obj/prog
	parts g++ v.cc m.cpp -o obj/v
	parts g++ -static-libstdc++ v.cc m.cpp -o obj/v
	parts ar rcs new.a a.o b.o
	parts strip prog
	parts ld -r a.o b.o -o ab.o
else
	say ok "the system's files that a compiler opens # SKIP no strace"
fi
echo "1..$n"
[ $bad = 0 ]
