#!/bin/bash
# lint.sh - the rules of the house that a script can check
#
# Layers, outside libraries, silence outside tools/, no mutable globals there,
# lengths (where ctags is), white space, then cppcheck.  One line per breach;
# the exit status says whether there was any.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
breaches=$(mktemp)
symbols=$(mktemp)
trap 'rm -f "$breaches" "$symbols"' EXIT

lib=$(find src -name '*.[ch]' -o -name '*.cu' | sort)
headers=$(ls include/*.h)
tools=$(ls tools/*.[ch])

tell() { sed "s|\$|: $1|" >>"$breaches"; }

# A header's first lines name the folder behind it.  The tables of engines and of
# remotes are what exec is handed.
rank_of_folder()
{
	case $1 in
	src/thunk/*|src/kernels/*) echo 1 ;;
	src/exec/*) echo 2 ;;
	src/backends/*) echo 3 ;;
	*) echo 0 ;;
	esac
}
declare -A rank
for f in $headers; do
	rank[$f]=$(rank_of_folder "$(head -8 "$f" | grep -o 'src/[a-z]*/' | head -1)")
done
for f in $lib; do
	rank[$f]=$(rank_of_folder "$f")
done
for f in include/backend.h include/remote.h; do
	rank[$f]=2
done

for f in $lib $headers; do
	sed -n 's/^#include "\(.*\)"$/\1/p' "$f" | while read -r included; do
		if [ -e "include/$included" ]; then
			[ "${rank[include/$included]}" -le "${rank[$f]}" ] ||
				echo "$f" | tell "includes $included, which belongs to a later layer"
		elif ! [ -e "$(dirname "$f")/$included" ]; then
			echo "$f" | tell "includes $included, which is neither offered nor its own folder's"
		fi
	done
done

# Each outside library enters through one place.
only() # HEADER-PATTERN PLACE-PATTERN WHAT
{
	grep -lE "^#include <($1)" $lib $headers $tools | grep -vE "^($2)\$" | tell "knows $3"
}
only 'lmdb\.h' 'src/thunk/db\.c' 'the database'
only 'uv\.h' 'src/exec/loop\.c' 'the event loop'
only '(linux/)?seccomp\.h' 'src/thunk/(tracer|tracee|filter).*' 'seccomp'
only 'openssl/' '(src/thunk/id|src/exec/(keys|certificate)|src/backends/(sigv4|redis_stream))\.c' 'the hash library'
only 'microhttpd\.h' 'src/exec/httpd\.h' 'the HTTP server'
only 'hiredis/' 'src/backends/(remote_redis|redis_link)\.c' 'the Redis client'
only 'jansson\.h' '(tools/.*|src/backends/.*|src/exec/(oci|registry|message|worker_words|worker_whisk).*|src/kernels/safetensors\.c)' 'the JSON library'
only 'curl/' 'src/exec/curl\.h' 'HTTP'
only '(cuda|cublas).*' 'src/kernels/device_(cuda\.h|blas\.cu)' 'CUDA'
only 'zlib\.h' 'src/(exec/squeeze|kernels/gzip|backends/zip)\.c' 'the other compressor'
only 'expat\.h' 'src/backends/s3_words\.c' 'the XML parser'
only 'zstd\.h' 'src/(thunk/store|exec/(chunks|codec))\.c' 'the compressor'

# Only tools/ prints, exits or reads the environment.  A process that gg has
# just forked ends by _exit.
for f in $lib; do
	sed 's|/\*.*\*/||; s|"[^"]*"||g; s|^ \*.*||' "$f" |
		grep -nE '\<(printf|puts|putchar|perror|exit|getenv|secure_getenv|setenv|putenv)\(|\<(stdout|stderr)\>' |
		grep -vE '[.>](exit|stdout|stderr)|_exit\(' | sed "s|^\([0-9]*\):[[:space:]]*|$f:\1: |" |
		tell 'only tools/ prints, exits or reads the environment'
done

# No mutable variable with file scope, nor a static one in a function.
for f in $lib; do
	grep -nE '^[[:space:]]*(static|_Thread_local) ' "$f" |
		grep -E '(;|=.*|\{)$' | grep -vE '\<const\>|\(|\<inline\>' |
		sed "s|^\([0-9]*\):[[:space:]]*|$f:\1: |" | tell 'a mutable variable outside tools/'
done

for f in $lib $headers $tools; do
	n=$(wc -l <"$f")
	[ "$n" -le 600 ] || echo "$f" | tell "$n lines; at 600 it is two files"
	grep -nE '[[:space:]]+$' "$f" | sed "s|^\([0-9]*\):.*|$f:\1|" | tell 'white space at the end'
	expand -t8 "$f" | awk -v f="$f" 'length > 100 { print f ":" NR }' | tell 'over 100 columns'
done
for f in $lib; do
	case $f in *.c) head -1 "$f" | grep -q '^/\* ' || echo "$f" | tell 'opens without saying what it is for' ;; esac
done

if command -v ctags >/dev/null; then
	ctags -x --c-kinds=f --fields=+ne --_xformat='%N %F %n %e' $lib $tools 2>/dev/null >"$symbols"
	awk '$4 - $3 + 1 > 80 { print $2 ":" $3 ": " $1 }' "$symbols" | tell 'longer than 80 lines'
fi

# Whether a value is set or NULL is left to the compilers and sanitizers:
# cppcheck does not see that rc guards what a failed call left alone.
if command -v cppcheck >/dev/null; then
	mkdir -p "${BUILD:-build}/cppcheck"
	cppcheck --quiet -j2 --std=c11 --language=c -D_GNU_SOURCE -D__x86_64__ -Iinclude -Isrc/thunk -Isrc/exec \
		--enable=warning,portability --inline-suppr --suppress=missingIncludeSystem \
		--suppress=uninitvar --suppress=ctuuninitvar \
		--suppress=nullPointerRedundantCheck --suppress=ctunullpointer \
		--cppcheck-build-dir="${BUILD:-build}/cppcheck" \
		--template='{file}:{line}: {message} [{id}]' src tools 2>>"$breaches"
fi

n=$(wc -l <"$breaches")
cat "$breaches"
echo "lint: $n"
[ "$n" = 0 ]
