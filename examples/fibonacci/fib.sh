# fib.sh N - print the N-th Fibonacci number, or the thunk that will print it
#
# For N < 2 the answer is known.  For others it is add(fib(N - 1), fib(N - 2)):
# this prints that thunk, not its value, and the two thunks it needs.  Their
# names follow from their texts, so that equal steps meet without being told.
set -eu

n=$1
if [ "$n" -lt 2 ]; then
	echo "$n"
	exit
fi
: "${GG_RUNTIME:?fib.sh writes thunks: run it with gg}"

name() { sha256sum | cut -c1-64; }

fib_sh=$(name <fib.sh)
add_sh=$(name <add.sh)

fib()
{
	cat <<END
gg-thunk 1
arg sh
arg fib.sh
arg $1
cwd .
in value $add_sh add.sh
in value $fib_sh fib.sh
out stdout value
stdout value
runtime $GG_RUNTIME
END
}

add()
{
	cat <<END
gg-thunk 1
arg sh
arg add.sh
arg a
arg b
cwd .
in thunk $1 stdout a
in value $add_sh add.sh
in thunk $2 stdout b
out stdout value
stdout value
runtime $GG_RUNTIME
END
}

one=$(fib $((n - 1)) | name)
two=$(fib $((n - 2)) | name)

echo gg-tail 1
echo "thunk $(add "$one" "$two" | name) stdout"
echo
add "$one" "$two"
echo
fib $((n - 1))
echo
fib $((n - 2))
