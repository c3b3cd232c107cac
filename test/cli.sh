#!/bin/bash
# cli.sh - what gg says of itself: every verb and option is told of, mistakes say what to do
. "$(dirname "$0")/lib.sh"
unset GG_ENGINE GG_REMOTE GG_KEY XDG_CONFIG_HOME
export HOME=$work/home
mkdir "$HOME"
verbs=$("$GG" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
# The keys of the table of options, and those that verbs name.
sed -n 's/^	{ "\([a-z:-]*\)", .*/\1/p' "$here/tools/options.c" | sort >"$work/options"
gcc -E -P -I"$here/include" -I"$here/tools" "$here/tools/gg.c" | tr '\n' ' ' |
	grep -oE '\{ "[a-z]+", cmd_[a-z]+,[^"]*("[^"]*" *)+,' |
	sed -E 's/^[^"]*"[a-z]+"[^"]*//; s/" *"//g; s/[",]//g' | tr ' ' '\n' |
	grep . | sort -u >"$work/named"

every_verb() { for v in $verbs; do "$@" "$v" || { echo "$v"; return 1; }; done; }
has_help() { "$GG" "$1" --help >"$work/help" && head -1 "$work/help" | grep -q "^usage: gg $1" && [ "$(wc -l <"$work/help")" -gt 3 ]; }
fits() { ! "$GG" "$1" --help | grep -nE '^.{81}'; }
no_space_at_end() { ! "$GG" "$1" --help | grep -n ' $'; }
refuses_options() { says "gg $1 has no option --nonsense; see gg $1 --help" 2 "$GG" "$1" --nonsense; }
has_page() { test -s "$work/man/gg-$1.1"; }
completes() { grep -q "^	$1)" "$work/completion"; }
# Two options of one name (--timeout) are never of one verb.
names_once() { ! "$GG" "$1" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort | uniq -d | grep .; }
letters_differ() { ! "$GG" "$1" --help | grep -oE '^ +-., ' | sort | uniq -d | grep .; }
# Only --help goes without saying.
all_are_named()
{
	[ "$(wc -l <"$work/options")" -gt 50 ] && diff <(grep -vx help "$work/options") "$work/named"
}
columns_agree() { [ "$("$GG" help | sed -n 's/^  [a-z]*  *//p' | grep -c .)" -gt 20 ] && ! "$GG" help | grep -E '^  [a-z]+[^a-z ]|^  [a-z]{12}|^.{81}'; }

check "gg help names more than twenty commands, in columns" columns_agree
check "each has --help" every_verb has_help
check "of lines that fit a terminal" every_verb fits
check "with nothing at their ends" every_verb no_space_at_end
check "each refuses an option that it does not have, and says where to look" every_verb refuses_options
check "no command has two options of one name" every_verb names_once
check "nor one letter for two" every_verb letters_differ
check "each option belongs to some command, and commands name no others" all_are_named
"$GG" _man "$work/man"
check "each command has a manual page" every_verb has_page
check "so have gg, the models and the events" test -s "$work/man/gg.1" -a -s "$work/man/gg-models.5" -a -s "$work/man/gg-events.5"
"$GG" _completion >"$work/completion"
check "and completion" every_verb completes
for topic in models engines remotes events; do
	check "gg help $topic" sh -c '[ "$("$1" help "$2" | wc -l)" -gt 10 ]' - "$GG" "$topic"
	check "fits a terminal" sh -c '! "$1" help "$2" | grep -v "://[^ ]*$" | grep -nE "^.{81}"' - "$GG" "$topic"
done
check "an unknown command points to gg help" says 'there is no command "frce"; see gg help' 2 "$GG" frce
check "an unknown topic too" says 'see gg help' 2 "$GG" help frce

project cli
cat >gg.models <<'END'
sh step.sh @in @out
END
echo 'cat $1 >$2' >step.sh
echo 1 >data
"$GG" run sh step.sh data a >/dev/null 2>&1
# What a run writes is what the help says, event by event.
members_are_told()
{
	"$GG" help events | sed -n '/^EVENTS/,/^EXAMPLE/p' >"$work/events"
	jq -r '.event as $e | keys[] | "\($e) \(.)"' .gg/runs/*.jsonl | sort -u | grep -v ' event$' |
	while read -r event member; do
		awk -v e="$event" '/^  [a-z]/ { on = $1 == e } on' "$work/events" | grep -qw "$member" || echo "$event: $member"
	done >"$work/untold"
	! grep . "$work/untold"
}
check "events of a run have no member that gg help events does not tell of" members_are_told

once() { says "$@" && [ "$(wc -l <"$work/.log")" = 1 ]; }
check "an engine that is none: all that are" once "gg help engines" 2 "$GG" force --engine locl a
check "a word that an engine does not know" once "--engine local:jbs=2" 2 "$GG" force --engine local:jbs=2 a
check "a number that is none" once "jobs" 2 "$GG" force --engine local:jobs=two a
check "connect without a ticket" once "ticket=FILE" 2 "$GG" force --engine connect a
check "a remote that is none" once "begins with one of dir, http" 2 "$GG" push --remote ftp://x
check "a remote without a path" once "dir" 2 "$GG" push --remote dir:
check "no remote" once "GG_REMOTE" 2 "$GG" pull
check "gg remote without a word" once "list|check|gc" 2 "$GG" remote
check "gg remote with a wrong word" once "frob" 2 "$GG" remote frob
check "gg key without a word" once "gg key --help" 2 "$GG" key
check "gg key trust of what is no key" once "key" 2 "$GG" key trust zzzz
check "gg key trust without one" once "key" 2 "$GG" key trust
check "gg lambda without a name" once "takes one name" 2 "$GG" lambda deploy
check "gg lambda with a wrong word" once "frob" 2 "$GG" lambda frob
check "gg worker with a ticket that is not there" once "nowhere: cannot open" 3 "$GG" worker --connect nowhere
check "gg worker with a ticket that is none" once "data: this is no ticket" 3 "$GG" worker --connect data
check "gg worker with a request that is none" once "data: message, line 1" 3 "$GG" worker --once data
check "gg status of what is not there" once "gg status lists" 2 "$GG" status nowhere
check "gg graph of it" once "gg status lists" 2 "$GG" graph nowhere
check "gg status of a path outside the project" once "outside the project" 2 "$GG" status /etc
check "a GG_DIR that is not there" once "GG_DIR" 3 env GG_DIR=nowhere "$GG" status
check "a number that is too large is told with its option" once "--jobs" 2 "$GG" force -j 2000000
check "gg lock of what is no output" once "see gg status" 2 "$GG" lock data
check "--locked without gg.lock" once "gg lock writes it" 2 "$GG" force --locked a
check "gg history of a run that is none" once "see gg history" 2 "$GG" history 1999
check "gg diff of one run" once "gg diff" 2 "$GG" diff last
check "gg diff of a run before the first" once "see gg history" 2 "$GG" diff last last-7
check "gg provenance of what is no output" once "see gg status" 2 "$GG" provenance data
check "gg provenance without a path" once "needs PATH" 2 "$GG" provenance
check "gg verify of a share that is none" once "sample" 2 "$GG" verify --sample much a
check "gg report of a run that is none" once "see gg history" 2 "$GG" report 1999

# Less than stdio holds back, and more: then the last flush has nothing to do.
head -c 100000 /dev/zero >large
refused() { once "standard output" 3 sh -c '"$@" >/dev/full' sh "$@"; }
check "what standard output does not take is no success" refused "$GG" cat data
check "nor is it where most was refused before the end" refused "$GG" cat large
early()
{
	"$GG" cat large 2>err | head -c 1 >/dev/null
	case ${PIPESTATUS[0]} in 0|141) ! [ -s err ] ;; *) false ;; esac
}
check "a reader that has had enough is no failure" early
plan
