#!/bin/bash
# make.sh - C projects built by gg run make are those that make builds
. "$(dirname "$0")/lib.sh"

# same A B: the same files with the same bytes and modes, but for .gg.
same()
{
	(cd "$1" && find . -name .gg -prune -o -type f -printf '%m %p\n' | sort) >"$work/a.list"
	(cd "$2" && find . -name .gg -prune -o -type f -printf '%m %p\n' | sort) >"$work/b.list"
	diff "$work/a.list" "$work/b.list" && diff -r -x .gg "$1" "$2"
}

# twice NAME COMMAND...: build plain, keep, build with gg at the same place.
twice()
{
	local name=$1

	shift
	cp -a "$work/$name" "$work/$name.src"
	(cd "$work/$name" && "$@") >"$work/$name.log" 2>&1 || { tail -5 "$work/$name.log"; return 1; }
	mv "$work/$name" "$work/$name.plain"
	cp -a "$work/$name.src" "$work/$name"
	cd "$work/$name" || return 1
	"$GG" init >/dev/null
	"$GG" run "$@" >"$work/$name.log" 2>&1 || { tail -20 "$work/$name.log"; return 1; }
	grep -q '^forced [1-9]' "$work/$name.log" || { tail -3 "$work/$name.log"; return 1; }
	same "$work/$name.plain" "$work/$name"
}

idle()
{
	cd "$work/$1" || return 1
	shift
	"$GG" run "$@" >/dev/null 2>&1
	counts 0 '*' 0 "$GG" run "$@" || tail -1 "$work/.log" | grep -q '^forced 0,'
}

git -C "$here" ls-files -z 2>/dev/null | (cd "$here" && cpio -0pdm "$work/self") 2>/dev/null ||
	cp -a "$here" "$work/self"
check "this project, the same bytes as make gives" twice self make -j2
check "again: nothing to do" idle self make -j2

if grep -rqs '^Types:.*deb-src\|^deb-src' /etc/apt/sources.list /etc/apt/sources.list.d; then
	:
fi
plan
