#!/bin/bash
# provenance.sh - gg provenance: all that led to an output's bytes, for people and as SLSA
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || skip 'needs jq'

project p
cat >gg.models <<'END'
sh prep.sh @in @out
sh split.sh @in @out/
	env	RATE
END
echo 'sort "$1" >"$2"' >prep.sh
echo 'mkdir -p "$2/a" && cp "$1" "$2/a/x y" && cp "$1" "$2/z"' >split.sh
printf 'b\na\n' >data
"$GG" run sh -c 'sh prep.sh data prepared; RATE=0.1 sh split.sh prepared parts' >/dev/null || exit 1

check "for people: steps" says "sh split.sh prepared parts" 0 "$GG" provenance parts
check "their environment" grep -q "env RATE=0.1" "$work/.log"
check "when and where they ran" grep -q "ran 20.* on local" "$work/.log"
check "files that no step made, by name and content" \
	grep -q "^input *data  $(sha256sum data | cut -c1-64)" "$work/.log"
check "and programs" grep -q "^runtime  host [0-9a-f]\{64\}" "$work/.log"

"$GG" provenance parts -o p.json || exit 1
has() { jq -e "$1" p.json; }
check "as an in-toto statement" has '._type == "https://in-toto.io/Statement/v1"'
check "of SLSA provenance v1" has '.predicateType == "https://slsa.dev/provenance/v1"'
check "whose subjects are the files of a folder" \
	has '[.subject[].name] == ["parts/a/x y", "parts/z"]'
check "by their digests" has ".subject[0].digest.sha256 == \"$(sha256sum <'parts/a/x y' | cut -c1-64)\""
check "with each step once" has '.predicate.buildDefinition.internalParameters.steps | length == 2'
check "its command" has '.predicate.buildDefinition.internalParameters.steps[0].command == ["sh", "split.sh", "prepared", "parts"]'
check "what it was made from" has ".predicate.buildDefinition.resolvedDependencies | map(select(.name == \"data\" and .digest.sha256 == \"$(sha256sum data | cut -c1-64)\")) | length == 1"
check "when it began and ended" has '.predicate.runDetails.metadata | (.startedOn <= .finishedOn and (.startedOn | fromdate) > 0)'
check "--json prints the same" sh -c '"$1" provenance parts --json | cmp - p.json' - "$GG"
all_of_folder() { "$GG" provenance . -o p.json && has '[.subject[].name] | sort == ["parts/a/x y", "parts/z", "prepared"]'; }
check "of a folder, that of all outputs in it" all_of_folder

"$GG" infer sh -c 'sh prep.sh data later' >/dev/null
check "of what was not forced there is none" says "gg force later first" 2 "$GG" provenance later
check "nor of what nobody made" says "no output that gg knows" 2 "$GG" provenance data

mkdir ../learned && cd ../learned || exit 1
printf 'import csv, sys\nopen(sys.argv[1], "w").write("1")\n' >one.py
"$GG" run -q /usr/bin/python3 one.py out >/dev/null 2>&1 || exit 1
check "a learned step names the packages it used" says "python3.11-minimal 3.11." 0 "$GG" provenance out
plan
