#!/bin/bash
# odd_names.sh - file names of any bytes are carried, and shown harmlessly
. "$(dirname "$0")/lib.sh"

project odd
cat >gg.models <<'END'
sh step.sh @in @out
sh list.sh @in/ @out
sh tree.sh @in @out/
sh up.sh @in
sh fail.sh @in @out
END
echo 'tr a-z A-Z <"$1" >"$2"' >step.sh
echo 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 cat -- >"$OLDPWD/$2"' >list.sh
cat >tree.sh <<'END'
out=$2 xargs -0 -n 1 sh -c 'mkdir "$out/$0" && echo "in $0" >"$out/$0/$0"' <"$1"
END
echo 'tr a-z A-Z <"$1"' >up.sh
echo 'echo out of order; exit 3' >fail.sh

long=$(printf 'L%.0s' $(seq 200))
names=('with space' "quo'te" 'dou"ble' $'new\nline' 'back\slash' 'trail ' ' lead'
	$'caf\xe9' $'\xff\xfe' $'esc\x1b[31mred' $'tab\there' "$long" $'uni\xc3\xa9' '$HOME'
	'*' 'a;b' '#x' '@list' $'\x01\x7f' $'c1 \xc2\x9b31m' '-dash' '--' '-o' '\x41' '~'
	'%s%n' '{}' '...' 'a=b')
n=${#names[@]}

for i in "${!names[@]}"; do
	name=${names[i]}
	q=${name//\'/\'\\\'\'}
	echo "content $i" >"./$name"
	echo "sh step.sh './$q' 'out-$q'"
	echo "sh step.sh 'out-$q' 'two-$q'"
	echo "sh up.sh './$q' >'redirected-$q'"
	mkdir "dir-$name" && echo "inside $i" >"dir-$name/$name"
	echo "sh list.sh 'dir-$q' 'list-$q'"
done >run.sh
printf '%s\0' "${names[@]}" >names
echo "sh tree.sh names tree" >>run.sh
total=$((4 * n + 1))

contents()
{
	local i name

	for i in "${!names[@]}"; do
		name=${names[i]}
		[ "$(cat "out-$name")" = "CONTENT $i" ] &&
			[ "$(cat "two-$name")" = "CONTENT $i" ] &&
			[ "$(cat "redirected-$name")" = "CONTENT $i" ] &&
			[ "$(cat "list-$name")" = "inside $i" ] &&
			[ "$(cat "tree/$name/$name")" = "in $name" ] && continue
		printf '%q is wrong\n' "$name"
		return 1
	done
}

# A terminal gets no byte that it would obey, and no more lines than there
# are things to tell.
harmless()
{
	"$@" >"$work/.shown" 2>&1 || return 1
	LC_ALL=C grep -n $'[\x01-\x08\x0b-\x1f\x7f]' "$work/.shown" && return 1
	grep -naxv '.*' "$work/.shown" && return 1
	! LC_ALL=C grep -na $'\xc2[\x80-\x9f]' "$work/.shown"
}

lines() { [ "$("$@" 2>/dev/null | wc -l)" = "$want" ]; }

# COMMAND... prints JSON that holds $want things, as the expression counts.
is_json()
{
	local count=$1

	shift
	"$@" >"$work/.json" && python3 -c "
import json, sys
j = json.load(open('$work/.json', encoding='utf-8'))
sys.exit(not ($count))"
}

check "$total outputs of odd names are inferred" eval '"$GG" infer sh run.sh >/dev/null'
check "gg status of placeholders disturbs no terminal" harmless "$GG" status
check "and forced" counts $total 0 0 "$GG" force
check "all have the right content" contents
check "and nothing is left to do" counts 0 $total 0 "$GG" run --fresh sh run.sh
check "gg infer --explain disturbs no terminal" harmless "$GG" infer --fresh --explain sh run.sh
check "nor does gg status" harmless "$GG" status
want=$((total + 1))
check "it has one line for each" lines "$GG" status
check "gg status --json has them all" is_json "len(j) == $total" "$GG" status --json
check "a byte that is no UTF-8 is \\xHH there" is_json \
	"any(x['path'] == r'out-caf\\xe9' for x in j)" "$GG" status --json
check "a backslash is \\x5c, so that the two can be told apart" is_json \
	"any(x['path'] == r'out-\\x5cx41' for x in j)" "$GG" status --json
check "other characters stand as JSON has them" is_json \
	"any(x['path'] == 'out-new\nline' for x in j) and any(x['path'] == 'out-uni\u00e9' for x in j)" \
	"$GG" status --json
check "gg graph disturbs no terminal" harmless "$GG" graph
check "gg graph --json has all nodes and edges" is_json \
	"len(j['nodes']) == $total and len(j['edges']) == $n" "$GG" graph --json
command -v dot >/dev/null && check "and Graphviz can read it" eval '"$GG" graph | dot -Tsvg >/dev/null'

each_name()
{
	local i

	for i in "${!names[@]}"; do
		"$@" "two-${names[i]}" || { printf '%q\n' "${names[i]}"; return 1; }
	done
}
show_json() { is_json "len(j['result']) == 1" "$GG" show --json "$1"; }
cat_it() { [ "$("$GG" cat "$1")" = "$(cat "$1")" ]; }
check "gg show disturbs no terminal" each_name harmless "$GG" show
check "gg show --json" each_name show_json
check "gg cat" each_name cat_it
check "gg log" each_name "$GG" log
check "gg why disturbs no terminal" each_name harmless "$GG" why
for i in "${!names[@]}"; do echo "other $i" >"./${names[i]}"; done
check "nor does gg status of stale ones" harmless "$GG" status
check "nor gg infer" harmless "$GG" infer sh run.sh
check "nor gg why, of what has changed" each_name harmless "$GG" why
why_json() { is_json "sum('change' in x for x in j) == 1 and any('waits' in x for x in j)" "$GG" why --json "$1"; }
check "gg why --json tells of it" each_name why_json

each_fails()
{
	local i

	for i in "${!names[@]}"; do
		"$GG" run --fresh sh fail.sh "./${names[i]}" "bad-${names[i]}" >"$work/.failed" 2>&1
		[ $? = 1 ] && harmless cat "$work/.failed" && continue
		printf '%q\n' "${names[i]}"
		return 1
	done
}
check "nor does a failure's message" each_fails
check "nor a path that is not there" eval '! "$GG" force -- $'"'no\\x1b[31mne'"' 2>"$work/.no"; harmless cat "$work/.no"'
plan
