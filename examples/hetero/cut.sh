#!/bin/sh
# cut.sh FROM TO N IMAGES - the first so many images and labels in FROM as N IDX
# files each in TO
set -e
from=$1 n=$3 images=$4
to=$2.part
each=$(((images + n - 1) / n))
rm -rf "$to"
mkdir "$to"

# Four bytes, the highest first.
number()
{
	printf '%b' "$(printf '\\0%03o\\0%03o\\0%03o\\0%03o' $(($1 >> 24)) $(($1 >> 16 & 255)) \
		$(($1 >> 8 & 255)) $(($1 & 255)))"
}

# cut KIND DIMENSIONS BYTES: the header of an IDX file is its kind, how many there
# are, and the size of one.
cut()
{
	gzip -dc "$from/train-$1-idx$2-ubyte.gz" | tail -c +$((5 + 4 * $2)) |
		head -c $((images * $3)) | split -d -a 2 -b $((each * $3)) - "$to/body-"
	for body in "$to"/body-*; do
		{
			number $((2048 + $2))
			number $(($(wc -c <"$body") / $3))
			[ "$2" = 1 ] || { number 28; number 28; }
			cat "$body"
		} >"$to/$1-${body##*-}"
		rm "$body"
	done
	gzip -dc "$from/t10k-$1-idx$2-ubyte.gz" >"$to/test-$1"
}

cut images 3 784
cut labels 1 1
mv "$to" "$2"
