#!/bin/bash
# What a step on a warm worker in a container costs beyond its own run time, beside
# podman exec for each.  Two forces of different lengths, so that making containers
# is in neither figure; the steps' own time is what the workers observed.
. "$(dirname "$0")/lib.sh"
few=${FEW:-200} many=${MANY:-1200}
for tool in podman runc; do
	command -v $tool >/dev/null || { echo "container: needs $tool" >&2; exit 0; }
done
dir=$(mktemp -d /tmp/gg-bench.XXXXXX)
trap '"$top/test/servers/podman.sh" "$dir/p" stop; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
"$top/test/servers/podman.sh" "$dir/p" || die 'podman cannot serve here'
export CONTAINERS_CONF=$dir/p/containers.conf XDG_CACHE_HOME=$dir/cache
pod() { podman --root "$dir/p/root" --runroot "$dir/p/run" "$@"; }

mean() { awk '{ s += $1 } END { print s / NR }'; }

# A project of N steps that have a closure.
steps() # N NAME
{
	fresh_cat "$1" "$dir/$2"
	cd "$dir/$2" || die "cannot enter $2"
	printf 'sh -c @ @in @out\n\tuses\tdash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10\n' >gg.models
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
}

force() # N NAME: its wall time in $seconds, the steps' own in $own
{
	steps "$1" "$2"
	timed "$gg" force -q --engine "container:workers=1,socket=$dir/p/s"
	[ "$(cat "out/$1")" = "input $1" ] || die "out/$1 is wrong"
	own=$(for i in $(seq 1 $(($1 / 50 + 1)) "$1"); do "$gg" show --json "out/$i"; done |
		sed -n 's/^ *"seconds": \([0-9.e-]*\),*/\1/p' | mean)
}

force 3 warm # the image
over= execs=
for ((i = 0; i < ROUNDS; i++)); do
	force "$few" few
	short=$seconds
	force "$many" many
	over="$over$(awk -v a="$short" -v b="$seconds" -v n=$((many - few)) -v o="$own" \
		'BEGIN { printf "%.3f", 1000 * ((b - a) / n - o) }') "
	if ((i == 0)); then
		image=$(pod images --noheading --format '{{.ID}}' | head -1)
		pod run -d --rm --name warm --entrypoint /bin/sleep "$image" 600 >/dev/null ||
			die 'cannot start a container'
	fi
	timed pod exec warm /bin/cat /dev/null
	execs="$execs$(awk -v s="$seconds" 'BEGIN { printf "%.3f", 1000 * s }') "
done
a=$(tr ' ' '\n' <<<"${over% }" | median)
b=$(tr ' ' '\n' <<<"${execs% }" | median)
tell container "$(printf '%.2f ms' "$a")" "$(printf '%.0f ms' "$b")" \
	"$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.3f", a / b }')" '<= 2 ms' \
	'a step on a warm worker beyond its own time; podman exec for each'
