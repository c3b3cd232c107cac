#!/bin/bash
# bad_input.sh - damaged texts, rings, what is gone: a clear message, or it works
. "$(dirname "$0")/lib.sh"

project bad
cat >gg.models <<'END'
sh step.sh @in @out
sh large.sh @in @out
sh tail.sh @in @out
sh self.sh @out --next=@
END
echo '{ cat "$1"; echo more; } >"$2"' >step.sh
echo 'cat "$1" "$1" >"$2"' >large.sh
echo 'cat "$1" >"$2"' >tail.sh
echo one >a

thunk_of() { sed -n 's/^thunk \([0-9a-f]*\) .*/\1/p' "$1"; }
# says_once TEXT STATUS COMMAND...: and no line of it comes twice.
says_once()
{
	says "$@" || return 1
	! sort "$work/.log" | uniq -d | grep .
}

infer_two() { "$GG" infer --fresh sh -c 'sh step.sh a b; sh step.sh b c' >/dev/null 2>&1; }
infer_two
b_id=$(thunk_of b)
cp c c.whole

# Placeholders.
head -c 50 c.whole >copy
check "a placeholder that is cut short is named, with the remedy" \
	says_once "copy begins as a placeholder, but is damaged" 3 "$GG" force copy
check "a command with a model does not read it as data" \
	says_once "copy begins as a placeholder, but is damaged" 1 "$GG" run sh step.sh copy d
check "nor does one without" \
	says_once "remove it and run gg infer again" 1 "$GG" run sh -c 'cat copy'
{ cat c.whole; echo more; } >copy
check "one that is too long is named" \
	says_once "copy begins as a placeholder, but is damaged" 3 "$GG" force copy
sed 's/^gg-placeholder 1/gg-placeholder 2/' c.whole >copy
check "one of a newer version is named" says_once "is not version 1" 3 "$GG" show copy
rm copy
head -c 50 c.whole >c
check "where gg had put it, it is known in spite of its damage" \
	says "placeholder c" 0 "$GG" status
check "and forced" counts 2 0 0 "$GG" force c
check "rightly" test "$(cat c)" = "one
more
more"
printf 'gg-placeholder 1\nthunk %064d out1\n' 7 >unknown
check "a placeholder of a thunk that is not there says how to get it" \
	says_once "is not in the store; run the command that made it under gg infer again" 1 \
	"$GG" force unknown
check "gg cat says so too" says_once "under gg infer again" 1 "$GG" cat unknown
check "gg show says so too" says_once "gone from the store" 3 "$GG" show unknown
check "a command that would read it fails" says "is not in the store" 1 "$GG" run sh -c 'cat unknown'
printf 'gg-placeholder 1\nthunk %s other\n' "$b_id" >unknown
check "an output that the thunk does not have is named" \
	says_once "gives no output called other" 1 "$GG" force unknown
rm unknown

# Tails.
"$GG" show "$b_id" | sed '/^# result/,$d; /^# /d' >b.text
check "gg show prints the text that the name is of" \
	test "$(sha256sum <b.text | cut -c 1-64)" = "$b_id"
# tail_says TEXT FORMAT...: the tail printf makes of it is refused so.
tail_says()
{
	local text=$1

	shift
	printf "$@" >t.in
	rm -f t
	"$GG" infer --fresh sh tail.sh t.in t >/dev/null 2>&1
	says_once "$text" 1 "$GG" force t && grep -Eq 'sh tail.sh t.in t|1 more could not run' "$work/.log" &&
		head -1 t | grep -q '^gg-placeholder'
}
check "a tail that is cut short" tail_says "line 2: an id" 'gg-tail 1\nthunk 1234'
check "a tail of a newer version" tail_says "is not version 1" 'gg-tail 2\nthunk %064d out1\n' 1
check "a tail with a line too many" tail_says "line 3: an empty line" \
	'gg-tail 1\nthunk %s out1\nthunk %s out1\n' "$b_id" "$b_id"
check "a tail whose thunk has its lines in another order" tail_says "line 4: this is no gg-thunk text" \
	'gg-tail 1\nthunk %s out1\n\n%s\n' "$b_id" "$(tac b.text)"
check "a tail whose thunk is cut short" tail_says "line 10: an id" \
	'gg-tail 1\nthunk %s out1\n\n%s' "$b_id" "$(head -c 120 b.text)"
check "a tail of 3 MB that is none" tail_says "must stand at" \
	'gg-tail 1\nthunk %s\n' "$(head -c 3000000 /dev/zero | tr '\0' x | fold -w 100000 | head -1)"
check "a tail of a thunk that is not there" tail_says "is not in the store" \
	'gg-tail 1\nthunk %064d out1\n' 3
check "a tail of an output that is not there" tail_says "it gives none of that name" \
	'gg-tail 1\nthunk %s nope\n' "$b_id"
printf 'gg-tail 1\nthunk %s out1\n\n' "$b_id" | cat - b.text >t.in
"$GG" infer --fresh sh tail.sh t.in t >/dev/null
check "a tail that is right is followed" "$GG" force t
check "to its value" test "$(cat t)" = "$(cat a; echo more)"

# A thunk can compute its own name, and so return itself.
cat >self.sh <<'END'
printf 'gg-thunk 1\narg sh\narg self.sh\narg %s\narg --next\narg %s\ncwd .\nin value %s self.sh\nout out1 %s\nruntime %s\n' \
	"$3" "$1" $(sha256sum <self.sh | cut -c 1-64) "$3" "$GG_RUNTIME" >$TMPDIR/next
{ printf 'gg-tail 1\nthunk %s out1\n\n' $(sha256sum <$TMPDIR/next | cut -c 1-64); cat $TMPDIR/next; } >$1
END
check "a thunk that returns itself is told from one that takes long" \
	says_once "it never ends" 1 timeout 200 "$GG" run sh self.sh o --next o
check "so are two that return each other" \
	says_once "it never ends" 1 timeout 200 "$GG" run sh self.sh p --next q
check "and again, now that both results are known" \
	says_once "it never ends" 1 timeout 200 "$GG" force -k p
rm -f o p

# Objects that are gone.
project gone
cp ../bad/*.sh ../bad/gg.models .
head -c 200000 /dev/urandom >a
cat a a a a >want
script='sh large.sh a b; sh large.sh b c'
"$GG" run sh -c "$script" >/dev/null 2>&1
lose() { chmod -R u+w .gg/objects && find .gg/objects -type f -exec rm {} +; }
rm -f b c
lose
check "values that are gone are made again by their thunks" counts 2 0 0 "$GG" force c
check "rightly" cmp c want
rm -f b c
lose
"$GG" force c >/dev/null 2>&1
find .gg/objects -type f -exec sh -c 'chmod u+w "$1"; echo x >>"$1"' - {} \;
rm -f b c
check "objects that somebody wrote to are made again" counts 2 0 0 "$GG" force c
check "rightly" cmp c want
find .gg/objects -type f -exec touch {} +
rm -f b c
check "those that were only touched are read again, and serve" counts 0 1 0 "$GG" force c
check "rightly" cmp c want
rm -f b c
lose
cp a a.old
echo other >a
check "a source that is gone, with other content now, is named" \
	says "a: what \"sh large.sh a b\" was inferred to read there is gone" 1 "$GG" force c
check "once" test "$(grep -c '^gg: a: ' "$work/.log")" = 1
check "and the remedy" grep -q "run gg infer again" "$work/.log"
cp a.old a
check "with its old content there it is taken from the project" counts 2 0 0 "$GG" force c
check "rightly" cmp c want
rm -f b c
check "every object is right" store_is_right
rm -f a b c a.old
for i in $(seq 3); do echo $i >e; "$GG" run sh step.sh e f >/dev/null; done
check "gg gc removes what nothing refers to" says "removed" 0 "$GG" gc --keep-runs=1
check "and nothing that is needed: what stands here still comes back" \
	eval 'rm f; "$GG" force f && [ "$(cat f)" = "3
more" ]'

# The store itself.
project newer
chmod u+w .gg/version && sed -i 's/[0-9][0-9]*/99/' .gg/version
check "a store of a newer version is left alone, and says so" says "newer" 3 "$GG" status
check "by gg run too" says_once "newer" 3 "$GG" run true
check "by gg init too" says "newer" 3 "$GG" init
project damaged
cp ../bad/*.sh ../bad/gg.models . && echo one >a
run() { "$GG" run sh -c 'sh step.sh a b; sh step.sh b c'; }
run >/dev/null
db=$(find .gg -maxdepth 1 -name 'db*' ! -name '*lock*' -type f | head -1)
whole=$(stat -c %s "$db")
cp "$db" "$work/db.whole"
gone='is not in the store; run the command that made it under gg infer again'
# harmed HOW: gg says what to do, or works; never a crash, a hang, wrong bytes.
harmed()
{
	local rc

	"$@"
	rm -f b c
	timeout 200 "$GG" run sh -c 'sh step.sh a b; sh step.sh b c' >"$work/.log" 2>&1
	rc=$?
	if [ $rc = 0 ]; then
		[ "$(cat c)" = "$(printf 'one\nmore\nmore')" ]
		return
	fi
	[ $rc = 3 ] || [ $rc = 1 ] || { echo "ended with $rc"; tail -3 "$work/.log"; return 1; }
	# A page may hold no more than what one key leads to, which is then not there.
	[[ $1 = page_db ]] && grep -q "$gone" "$work/.log" && return
	grep -Eq '(\.gg|/db).*(damaged|not a database|cut short).*(move|gg init)' "$work/.log" ||
		{ tail -3 "$work/.log"; return 1; }
}
fresh_db() { chmod u+w "$db"; cp "$work/db.whole" "$db"; }
cut_db() { fresh_db; truncate -s "$1" "$db"; }
noise() { openssl enc -aes-128-ctr -K "$(printf %032x "$1")" -iv 0 -nosalt </dev/zero 2>/dev/null; }
page_db() { fresh_db; "${@:2}" | dd of="$db" bs=4096 seek="$1" count=1 conv=notrunc iflag=fullblock status=none; }
text_db() { fresh_db; echo 'this is no database' >"$db"; }
check "a database that is empty" harmed cut_db 0
check "one that is cut short to a page" harmed cut_db 4096
check "one that lacks its second half" harmed cut_db $((whole / 2))
check "one that lacks its last byte" harmed cut_db $((whole - 1))
check "one that is a text" harmed text_db
for i in 0 1 2 3 4 5; do
	check "one with page $i all zeros" harmed page_db $i cat /dev/zero
	check "one with page $i full of noise" harmed page_db $i noise $i
done
mv "$db" "$work/db.gone"
check "moved away, as the message says, gg starts a new one" run
check "and makes it all again" test "$(cat c)" = "$(printf 'one\nmore\nmore')"
plan
