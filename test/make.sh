#!/bin/bash
# make.sh - C projects built by gg run make are those that make builds
. "$(dirname "$0")/lib.sh"
# What the make that runs the tests would tell these.
unset BUILD MAKEFLAGS MFLAGS MAKELEVEL

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
	says 'forced 0, ' 0 "$GG" run "$@" && says 'not run again' 0 "$GG" run "$@"
}

# sources PACKAGE...: their upstream sources below $work, as Debian has them.
sources()
{
	local apt=$work/apt options p

	mkdir -p "$apt/lists/partial" "$apt/parts"
	for p in /etc/apt/sources.list.d/*.sources; do
		[ -f "$p" ] && sed 's/^Types:.*/Types: deb-src/' "$p" >"$apt/parts/${p##*/}"
	done
	[ -f /etc/apt/sources.list ] &&
		sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$apt/parts/main.list"
	options="-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$apt/parts
		-o Dir::State::lists=$apt/lists -o Dir::Cache::pkgcache=
		-o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=$(id -un)"
	apt-get $options update && cd "$apt" &&
		apt-get $options source --download-only "$@" || return 1
	for p; do
		mkdir "$work/$p" && tar xf "$apt/$p"_*.orig.tar.* -C "$work/$p" --strip-components=1
	done
}

mkdir "$work/self"
(cd "$here" && git ls-files -z | tar c --null -T - | tar x -C "$work/self")
check "this project, the same bytes as make gives" twice self make -j2
check "again: nothing to do" idle self make -j2
if sources tree bzip2 lua5.4 lz4 >"$work/apt.log" 2>&1; then
	check "tree, the same bytes as make gives" twice tree make
	check "bzip2, and its own tests pass" twice bzip2 make -j2
	check "lua" twice lua5.4 make -j2 linux
	check "lz4" twice lz4 make -j2
	check "nothing to do: tree" idle tree make
	check "nothing to do: lua" idle lua5.4 make -j2 linux
	touch "$work/tree/tree.h"
	check "a header touched: compiled again by make, not by gg" \
		says 'forced 0, ' 0 sh -c "cd $work/tree && $GG run make"
	echo '/* more */' >>"$work/tree/tree.h"
	check "a header changed: what includes it compiles again, linking is cut off" \
		says 'forced 11, cached 2, ' 0 sh -c "cd $work/tree && $GG run make"
else
	echo "# Debian source packages could not be fetched: $(tail -1 "$work/apt.log")"
fi
plan
