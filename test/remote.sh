#!/bin/bash
# Two projects that share remotes: what one has made the other does not make again,
# whatever is done to the remote, and nobody is believed who is not trusted.
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/nginx.sh"
trap 'nginx_stop; umount "$work/small" 2>/dev/null; chmod -R u+w "$work"; rm -rf "$work"' EXIT
export HOME=$work/home
unset XDG_CONFIG_HOME GG_KEY GG_REMOTE
mkdir -p "$HOME"
"$GG" key new >"$work/own" 2>/dev/null

# sample NAME: a project with six steps, inferred; not forced.
sample()
{
	rm -rf "${work:?}/$1"
	project "$1"
	printf 'sh step.sh @in @out\n' >gg.models
	cat >step.sh <<-'END'
	cat $1 $1 >$2
	echo made of $1 >>$2
	seq 30000 >>$2
	END
	cat >run.sh <<-'END'
	for i in 1 2 3; do sh step.sh in$i.txt a$i; sh step.sh a$i b$i; done
	END
	for i in 1 2 3; do echo "input $i" >in$i.txt; done
	"$GG" infer sh run.sh >/dev/null 2>&1
}

outputs() { cat a1 a2 a3 b1 b2 b3 | sha256sum; }

same_outputs() { [ "$(outputs)" = "$want" ]; }

# n_lines N TEXT: the last command said TEXT in just N lines.
n_lines()
{
	[ "$(grep -c -- "$2" "$work/.log")" = "$1" ] && return 0
	cat "$work/.log"
	return 1
}

# shares FORCED CACHED COMMAND...: all that was cached came from remotes.
shares()
{
	local want="forced $1, cached $2 ($2 from remotes), failed 0,"

	shift 2
	"$@" >"$work/.log" 2>&1
	case $(tail -1 "$work/.log") in
	"$want"*) return 0 ;;
	esac
	echo "wanted \"$want\", got:"
	tail -5 "$work/.log"
	return 1
}

# Change a byte of each object there.
spoil()
{
	local f

	for f in "$1"/cas/*; do
		printf X | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") / 2)) conv=notrunc 2>/dev/null
	done
}

shared=dir:$work/shared
sample one
check "the first project runs its steps" counts 6 0 0 "$GG" force --remote "$shared"
want=$(outputs)
sample two
check "the second one runs nothing" shares 0 6 "$GG" force --remote "$shared"
check "and has the same bytes" same_outputs
check "its store is right" store_is_right
check "again there is nothing to do" counts 0 6 0 "$GG" force --remote "$shared"
sample two
echo other >in2.txt
"$GG" infer sh run.sh >/dev/null 2>&1
check "of what differs only that is run" shares 2 4 "$GG" force --remote "$shared"
export GG_REMOTE=$shared
sample two
check "GG_REMOTE does the same" shares 0 6 "$GG" force
unset GG_REMOTE

# ---- who is believed

theirs=$work/theirs
mkdir -p "$theirs"
sample two
as_stranger() { XDG_CONFIG_HOME=$theirs "$@"; }
check "who does not trust the key runs all" counts 6 0 0 as_stranger "$GG" force --remote "$shared"
check "and is told so in one line" n_lines 1 "not trusted"
sample two
check "gg key trust takes the key" as_stranger "$GG" key trust "$(cat "$work/own")" ann
check "and then nothing is run" shares 0 6 as_stranger "$GG" force --remote "$shared"
as_stranger "$GG" key trust "$(cat "$work/own")" anna >/dev/null
check "a key that is trusted again has the new name, once" eval \
	'[ "$(as_stranger "$GG" key list | grep trusted | cut -d" " -f3)" = anna ]'
sample two
as_stranger "$GG" key distrust "$(cut -c1-12 "$work/own")"
check "distrusted again, all runs" counts 6 0 0 as_stranger "$GG" force --remote "$shared"
sample two
as_stranger "$GG" key trust --project "$(cat "$work/own")" ann >/dev/null
check "a project's own gg.keys counts as well" \
	shares 0 6 as_stranger "$GG" force --remote "$shared"
sed -i 's/^sig ..../sig 0000/' "$work"/shared/ac/*
sample two
check "a wrong signature is as good as none" counts 6 0 0 "$GG" force --remote "$shared"
check "told in one line" n_lines 1 "signature"
sample two
check "and was replaced" shares 0 6 "$GG" force --remote "$shared"

# ---- what is spoiled

spoil "$work/shared"
sample two
check "of objects that were damaged nothing is believed" counts 6 0 0 "$GG" force --remote "$shared"
check "the bytes are right all the same" same_outputs
check "it is told once" n_lines 1 "damaged"
sample two
check "and was mended" shares 0 6 "$GG" force --remote "$shared"
rm -f "$work"/shared/cas/*
sample two
check "results without objects are no trap" counts 6 0 0 "$GG" force --remote "$shared"
check "and the bytes are right" same_outputs

# ---- two remotes; one that is not there, one that is full

sample two
check "a nearer remote is filled" shares 0 6 \
	"$GG" force --remote "dir:$work/near" --remote "$shared"
sample two
check "and serves alone" shares 0 6 "$GG" force --remote "dir:$work/near"
sample two
check "without its remote everything runs here" counts 6 0 0 \
	"$GG" force --remote "http://127.0.0.1:1/gg"
check "with one line about it" n_lines 1 "going on without it"
sample two
check "one that is down does not hide another" shares 0 6 \
	"$GG" force --remote "http://127.0.0.1:1/gg" --remote "$shared"
mkdir -p "$work/small"
if mount -t tmpfs -o size=256k none "$work/small" 2>/dev/null; then
	head -c 250000 /dev/zero >"$work/small/filler"
	sample two
	check "a full remote does not stop the work" counts 6 0 0 \
		"$GG" force --remote "dir:$work/small/gg"
	check "and is told of" grep -q "No space left" "$work/.log"
	check "nothing half is left there" test -z "$(find "$work/small/gg" -type f -name '.gg*')"
	umount "$work/small"
fi

# ---- push, pull

sample two
"$GG" force >/dev/null 2>&1
check "gg push sends results and objects" "$GG" push --remote "dir:$work/pushed"
sample three
check "gg pull fetches without running" says "6 outputs placed" 0 \
	"$GG" pull --remote "dir:$work/pushed"
check "the same bytes" same_outputs
sample three
check "one output alone" says "1 outputs placed" 0 "$GG" pull --remote "dir:$work/pushed" b2
check "and no other" says "placeholder b1" 0 "$GG" status
rm "$work"/pushed/ac/*
sample three
check "what is not known stays a placeholder" says "6 outputs are not known" 0 \
	"$GG" pull --remote "dir:$work/pushed"
check "gg push without a key says what to do" says "gg key new" 2 \
	env XDG_CONFIG_HOME="$work/none" "$GG" push --remote "$shared"
check "without a remote, too" says "GG_REMOTE" 2 "$GG" push

# ---- what may go

cd "$work/two"
"$GG" push --remote "dir:$work/pushed" >/dev/null
old() { find "$work/pushed" -type f -exec touch -d '-10 days' {} +; }
echo stray >"$work/pushed/cas/$(echo stray | sha256sum | cut -c1-64)"
old
echo young >"$work/pushed/cas/$(echo young | sha256sum | cut -c1-64)"
check "gg remote gc -n says what would go" says "would remove 0 results and 1 objects" 0 \
	"$GG" remote gc -n --remote "dir:$work/pushed"
check "and removes nothing" test -e "$work/pushed/cas/$(echo stray | sha256sum | cut -c1-64)"
check "gg remote gc removes what nobody has pushed" says "removed 0 results and 1 objects" 0 \
	"$GG" remote gc --remote "dir:$work/pushed"
check "young ones stay" test -e "$work/pushed/cas/$(echo young | sha256sum | cut -c1-64)"
sample three
check "all that was pushed is still there" says "6 outputs placed" 0 \
	"$GG" pull --remote "dir:$work/pushed"
name=$(ls "$work"/pushed/refs)
check "gg remote list names who has pushed" says "  $name" 0 "$GG" remote list --remote "dir:$work/pushed"
check "who has not cannot be forgotten" says "no project nobody has pushed there" 3 \
	"$GG" remote gc --forget nobody --remote "dir:$work/pushed"
check "gg remote gc -n --forget says what would go" says "for 0 projects" 0 \
	"$GG" remote gc -n --forget "$name" --remote "dir:$work/pushed"
check "and removes nothing" test -e "$work/pushed/refs/$name"
check "it is for gc alone" says "gg remote gc" 2 "$GG" remote list --forget "$name" --remote "dir:$work/pushed"
check "gg remote gc --forget drops what a project keeps there" says "for 0 projects" 0 \
	"$GG" remote gc --forget "$name" --remote "dir:$work/pushed"
check "its ref is gone" test ! -e "$work/pushed/refs/$name"
"$GG" push --remote "dir:$work/pushed" >/dev/null
rm "$work"/pushed/refs/*
old
check "without refs all that is old goes" says "removed 9 results" 0 \
	"$GG" remote gc --remote "dir:$work/pushed"
check "objects too" test -z "$(ls "$work/pushed/cas")"

# ---- over HTTP

nginx_there || plan
nginx_start "$work/web" ann 'pass word' || plan
web="http://ann:pass%20word@127.0.0.1:$nginx_port/gg"
sample one
check "over HTTP the first project runs its steps" counts 6 0 0 "$GG" force --remote "$web"
sample two
check "the second one runs nothing" shares 0 6 "$GG" force --remote "$web"
check "and has the same bytes" same_outputs
check "blobs are plain, for others to read" \
	sh -c 'cd "$1" && for f in *; do echo "$f  $f"; done | sha256sum -c --quiet' - "$work/web/www/gg/cas"
check "gg remote check finds nothing wrong" says "fine" 0 "$GG" remote check --remote "$web"
check "the password is nowhere in the store" \
	sh -c '! grep -rqE "pass word|pass%20word" .gg' -
check "a wrong password is told in words, and not shown" says "user or password is wrong" 3 \
	"$GG" remote check --remote "http://ann:secret7@127.0.0.1:$nginx_port/gg"
check "(not shown)" sh -c '! grep -q secret7 "$1"' - "$work/.log"
check "none at all, too" says "GG_HTTP_USER" 3 \
	"$GG" remote check --remote "http://127.0.0.1:$nginx_port/gg"
check "a server that does not take anything" says "dav_methods" 3 \
	"$GG" remote check --remote "http://127.0.0.1:$nginx_port/readonly/gg"
check "one that is not there" says "nobody answers" 3 \
	"$GG" remote check --remote "http://127.0.0.1:1/gg"
check "gc over HTTP says where to do it" says "dir:PATH" 2 "$GG" remote gc --remote "$web"
spoil "$work/web/www/gg"
sample two
check "damaged there, it is made here" counts 6 0 0 "$GG" force --remote "$web"
sample two
check "and mended there" shares 0 6 "$GG" force --remote "$web"
nginx_stop
sample two
check "while the server is gone everything runs here" counts 6 0 0 "$GG" force --remote "$web"
check "with one line" n_lines 1 "going on without it"
check "the bytes are right" same_outputs
plan
