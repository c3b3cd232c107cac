# lib.sh - for whole-program tests: a project in a fresh folder, and TAP
#
# Sourced by test/*.sh, which run.sh starts with GG and BUILD set.  A promise
# is checked by `check "promise" command...`; plan at the end prints 1..N.

GG=${GG:-$PWD/build/gg}
BUILD=${BUILD:-$(dirname "$GG")}
here=$(cd "$(dirname "$0")/.." && pwd)
n_checks=0
n_bad=0
work=$(mktemp -d "${TMPDIR:-/tmp}/gg-test.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
PATH=/usr/bin:$PATH
export LC_ALL=C.UTF-8
# What gg says does not depend on how long it takes here.
export GG_STATUS=0

# check PROMISE COMMAND...: the command ends with 0.
check()
{
	local promise=$1

	shift
	n_checks=$((n_checks + 1))
	if "$@" >"$work/.out" 2>&1; then
		echo "ok $n_checks - $promise"
	else
		n_bad=$((n_bad + 1))
		echo "not ok $n_checks - $promise"
		echo "# $*"
		sed 's/^/#   /' "$work/.out" | tail -20
	fi
}

plan()
{
	echo "1..$n_checks"
	[ "$n_bad" = 0 ]
	exit
}

# skip WHY: the whole file does not apply here.
skip()
{
	echo "1..0 # SKIP $1"
	echo "# $1"
	exit 77
}

# project NAME: an empty project to stand in.
project()
{
	mkdir -p "$work/$1" && cd "$work/$1" && "$GG" init >/dev/null
}

# last COMMAND...: the last line that it prints; ends as the command does.
last()
(
	set -o pipefail
	"$@" 2>&1 | tail -1
)

# counts FORCED CACHED FAILED COMMAND...: its summary says just that.
counts()
{
	local want="forced $1, cached $2, failed $3," got

	shift 3
	"$@" >"$work/.log" 2>&1
	got=$(tail -1 "$work/.log")
	case $got in
	"$want"*) return 0 ;;
	esac
	echo "wanted \"$want\", got:"
	tail -5 "$work/.log"
	return 1
}

# says TEXT STATUS COMMAND...: ends with that status and says that.
says()
{
	local text=$1 status=$2 rc

	shift 2
	"$@" >"$work/.log" 2>&1
	rc=$?
	[ "$rc" = "$status" ] && grep -qF -- "$text" "$work/.log" && return 0
	echo "wanted status $status and \"$text\", got $rc and:"
	tail -5 "$work/.log"
	return 1
}

# until_true SECONDS COMMAND...: again and again, until it ends with 0.
until_true()
{
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "waited in vain for: $*"; return 1; }
		sleep 0.1
	done
}

# A copy of gg, so that the processes of this test can be told from others.
own_gg()
{
	cp "$GG" "$work/gg" && GG=$work/gg
}

# The processes that own_gg's gg left: itself, or what its thunks run.
left_over()
{
	local p

	for p in /proc/[0-9]*; do
		[ "$p" = /proc/$$ ] && continue
		case $(readlink "$p/exe" 2>/dev/null) in
		"$work"/*) echo "${p#/proc/} $(tr '\0' ' ' <"$p/cmdline")" ;;
		*) grep -qsz -- "${work##*/}" "$p/cmdline" &&
			echo "${p#/proc/} $(tr '\0' ' ' <"$p/cmdline")" ;;
		esac
	done
}

# end_steps DIR: what a killed slurmd of the cluster in DIR has left.
end_steps()
{
	local p

	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		*/slurmstepd) grep -qzxF -- "SLURM_CONF=$1/slurm.conf" "$p/environ" &&
			kill -9 "${p#/proc/}" ;;
		esac
	done 2>/dev/null
	return 0
}

# Steps of a test that have to run on until it says so sleep for SECONDS that are
# nobody else's, such as 1000.$$: all_sleep SECONDS [N] waits until at least N of them do, and
# wake SECONDS lets them go on.
sleepers() { pgrep -cf "^sleep $1\$"; }
all_sleep() { until_true 60 eval "[ \"\$(sleepers $1)\" -ge ${2:-1} ]"; }
wake() { pkill -PIPE -f "^sleep $1\$"; }

# catches_term PATTERN: wait until a process whose command line is like that has said
# what it does at SIGTERM.
catches_term()
{
	local p caught end=$((SECONDS + 60))

	while [ $SECONDS -lt $end ]; do
		for p in $(pgrep -f -- "$1"); do
			caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null)
			[ $((0x${caught:-0} & 0x4000)) != 0 ] && return 0
		done
		sleep 0.1
	done
	return 1
}

# Ends with 0 once none is left, with 1 if that takes more than a minute.
none_left()
{
	until_true 60 eval '[ -z "$(left_over)" ]' && return
	left_over
	return 1
}

# Nothing temporary is in the project, in .gg/work or among the mounts.
nothing_temporary()
{
	find . -name '.gg-*' | grep . && return 1
	find .gg/work -mindepth 1 2>/dev/null | grep . && return 1
	grep "$work/.*\.gg" /proc/mounts && return 1
	return 0
}

# Every object of ./.gg is what its name says, every result is whole.
store_is_right()
{
	"$BUILD/test/check_store" .gg
}
