#!/bin/bash
# What gg remote gc leaves alone: what runs, pushes and gg.lock name; and what it does
# beside jobs that read and write there at the same time.
. "$(dirname "$0")/lib.sh"
export HOME=$work/home
unset XDG_CONFIG_HOME GG_KEY GG_REMOTE
mkdir -p "$HOME"
"$GG" key new >/dev/null 2>&1
far=$work/far

# sample NAME: a project of sixteen steps in chains of two, inferred; not forced.
sample()
{
	rm -rf "${work:?}/$1"
	project "$1"
	printf 'sh step.sh @in @out\n' >gg.models
	printf 'cat "$1" "$1" >"$2"\necho "made of $1" >>"$2"\n' >step.sh
	cat >run.sh <<-'END'
	for i in 1 2 3 4 5 6 7 8; do sh step.sh in$i.txt a$i; sh step.sh a$i b$i; done
	END
	for i in 1 2 3 4 5 6 7 8; do echo "input $i" >in$i.txt; done
	infer
}
infer() { "$GG" infer sh run.sh >/dev/null 2>&1; }
outputs() { cat a? b? | sha256sum; }
# What is there was written so many days ago.
age() { find "$far/$1" -type f -exec touch -d "-$2 days" {} +; }
gc() { "$GG" remote gc --remote "dir:$far" "$@"; }

# Each result there has the objects that it names.
whole()
{
	grep -h '^out value' "$far"/ac/* | while read -r _ _ id _; do
		[ -e "$far/cas/$id" ] || echo "lacks $id"
	done | grep . && return 1
	return 0
}

sample one
"$GG" force --remote "dir:$far" >/dev/null 2>&1
want=$(outputs)
age . 10
check "a run is enough for gc to keep what it has made" \
	says "removed 0 results and 0 objects" 0 gc
check "for one project" says "for 1 projects" 0 gc
"$GG" push --remote "dir:$far" >/dev/null
check "which has also pushed, and is one still" says "for 1 projects" 0 gc
name=$(ls "$far/refs" | grep -v '\.run$')
check "forgotten, it keeps nothing any more" says "for 0 projects" 0 gc --forget "$name"
check "neither has it a ref" test -z "$(ls "$far/refs")"

sample two
check "a run that only took from there keeps it, too" \
	says "forced 0, cached 16 (16 from remotes)" 0 "$GG" force --remote "dir:$far"
age . 10
check "(what it took)" says "removed 0 results and 0 objects" 0 gc
echo changed >in1.txt
infer
"$GG" force --remote "dir:$far" >/dev/null 2>&1
age . 10
check "what no output rests on since the last run goes" \
	says "removed 3 results and 2 objects" 0 gc
check "what is there is whole" whole
age refs 20
check "after weeks without a run it is kept" says "removed 0 results and 0 objects" 0 gc
cd "$work/two"
"$GG" lock >/dev/null
age refs 31
check "after a month without a run gg.lock keeps what it names" \
	says "kept 16 and 16" 0 gc
check "the run's ref is gone" test -z "$(ls "$far/refs")"
sample three
cp ../two/gg.lock ../two/in1.txt .
infer
check "all that it names can still be had" \
	says "forced 0, cached 16 (16 from remotes)" 0 "$GG" run --locked --remote "dir:$far" sh run.sh
echo broken >gg.lock
check "where gg.lock cannot be read nothing is removed" says "gg.lock" 3 gc
rm gg.lock
age . 31
cd "$work"
check "without it nobody keeps them" says "kept 0 and 0" 0 gc
check "and nothing is left there" test -z "$(find "$far" -type f)"

# ---- beside jobs

# All that is there is old and nobody's.  A job finds it, uses it, and adds to it,
# while it is being removed.
beside()
{
	local round=$1 job

	sample job
	"$GG" force --remote "dir:$far" >/dev/null 2>&1
	rm -f "$far"/refs/*
	age . 10
	sample job
	for i in 2 4 6 8; do echo "changed $round" >in$i.txt; done
	infer
	"$GG" force --remote "dir:$far" >"$work/job.log" 2>&1 &
	job=$!
	while kill -0 $job 2>/dev/null; do
		gc >"$work/gc.log" 2>&1 || { cat "$work/gc.log"; return 1; }
	done
	wait $job || { cat "$work/job.log"; return 1; }
	grep -q ' failed 0,' "$work/job.log" || return 1
	got=$(outputs)
	rm -rf .gg a? b?
	"$GG" init && infer && "$GG" force >/dev/null 2>&1
	[ "$got" = "$(outputs)" ] && whole
}
n_good=0
for round in 1 2 3 4; do
	beside $round >"$work/beside" 2>&1 && n_good=$((n_good + 1)) || cat "$work/beside"
done
check "beside jobs that find, use and write there, nothing breaks" [ $n_good = 4 ]
check "what the last job needs is kept from then on" says "removed" 0 gc
check "and is whole" whole
plan
