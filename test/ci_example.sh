#!/bin/bash
# ci_example.sh - examples/ci: its steps, as GitHub and GitLab would run them, twice
. "$(dirname "$0")/lib.sh"
unset GG_ENGINE GG_REMOTE GG_KEY XDG_CONFIG_HOME
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
mkdir "$work/bin" && ln -s "$(realpath "$GG")" "$work/bin/gg"
PATH=$work/bin:$PATH
# A runner has a home of its own, without keys.
export HOME=$work/home
mkdir "$HOME"

# What is done once, by hand, in the repository.
GG_KEY=$work/ci.key gg key new >"$work/public" 2>/dev/null
cp -r "$here/examples/ci" "$work/repository" && cd "$work/repository"
gg init >/dev/null
check "the pipeline is six steps" counts 6 0 0 gg run ./run.sh
cp report.txt "$work/want"
check "and gives what expected.txt says" cmp report.txt expected.txt
gg lock >/dev/null
gg key trust --project "$(cat "$work/public")" ci >/dev/null 2>&1
rm -rf .gg data.json members report.txt
ls -A >"$work/files"
check "what is to be committed is small: the lock and the trusted key" \
	sh -c 'test -s gg.lock && test -s gg.keys && ! test -e .gg'

# fresh: a new runner with a new checkout, to stand in.
fresh()
{
	rm -rf "$work/job" "$work/temp"
	mkdir "$work/temp"
	cp -r "$work/repository" "$work/job" && cd "$work/job"
}

# job SERVICE FILE REMOTE: run there; the output is in $work/out.
job()
{
	CI_TEMP=$work/temp CI_SECRET_GG_IMAGE=image CI_SECRET_GG_REMOTE=$3 \
		CI_SECRET_GG_SIGNING_KEY=$key /usr/bin/python3 "$here/test/ci_steps.py" "$1" "$2" \
		>"$work/out" 2>&1
}

passes() { job "$@" && return 0; cat "$work/out"; return 1; }
fails() { ! job "$@"; }
said() { grep -qE -- "$1" "$work/out" && return 0; cat "$work/out"; return 1; }
same_report() { cmp report.txt "$work/want"; }
html() { grep -qi '</html>' report.html; }
journal() { jq -e 'select(.event == "end") | '"$1" run.jsonl; }
statement() { jq -e '._type == "https://in-toto.io/Statement/v1"' provenance.json; }
# The key is in no output, no artifact and not at the remote.
kept_secret()
{
	local secret=$(grep -v -- ----- "$work/ci.key")

	[ "${#secret}" -gt 40 ] && ! grep -rlF "$secret" "$work/out" "$work/job" "$work/remote-$1"
}
at_remote() { (cd "$work/remote-$1" && find . -type f | sort | sha256sum); }

service()
{
	local remote=dir:$work/remote-$1

	key=$(cat "$work/ci.key")
	fresh
	check "$1: the first run passes" passes "$1" "$2" "$remote"
	check "$1: it makes all six" journal '.forced == 6 and .status == 0'
	check "$1: and verifies some" said '^same [1-9][0-9]*, differ 0, failed 0'
	check "$1: the outputs are right" same_report
	check "$1: the report is a page" html
	check "$1: the provenance is an in-toto statement" statement
	check "$1: the key is nowhere to be read" kept_secret "$1"
	fresh
	check "$1: the second run, on a new runner, passes" passes "$1" "$2" "$remote"
	check "$1: it makes nothing" journal '.forced == 0 and .cached == 6'
	check "$1: all comes from the remote" said '6 outputs placed'
	check "$1: the outputs are right" same_report
	key=
	fresh
	had=$(at_remote "$1")
	check "$1: without the key it uses what is there" passes "$1" "$2" "$remote"
	check "$1: and makes nothing" journal '.forced == 0 and .cached == 6'
	check "$1: and gives nothing" test "$(at_remote "$1")" = "$had"
	fresh
	check "$1: without the remote too it makes all itself" passes "$1" "$2" ""
	check "$1: to the same bytes" same_report
	key=$(cat "$work/ci.key")
	fresh
	sed -i 's/--rate 0.05/--rate 0.06/' run.sh
	check "$1: with another rate that nobody locked the job fails" fails "$1" "$2" "$remote"
	check "$1: and says which argument" said 'members/1.json: .*--rate 0.05 .* -> .*--rate 0.06'
	check "$1: nothing of it ran" journal '.forced == 0 and .status == 1'
	check "$1: the report is kept all the same" html
}

service github .github/workflows/train.yml
service gitlab .gitlab-ci.yml
plan
