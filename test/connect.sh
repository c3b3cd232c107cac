#!/bin/bash
# connect.sh - workers started by hand, by socket and by TLS, and what befalls them
. "$(dirname "$0")/lib.sh"

ldconfig -p | grep -q libmicrohttpd.so.12 || skip "needs libmicrohttpd12"
ldconfig -p | grep -q libcurl.so.4 || skip "needs libcurl4"

pids=
trap 'kill $pids 2>/dev/null; wait 2>/dev/null; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

# A project whose steps are $2 in number and take $3 seconds each, then one that
# joins them; inputs and outputs are too large to travel inside messages.
make_project() # NAME N SECONDS
{
	project "$1"
	cat >gg.models <<-END
		sh part.sh @in @ -o=@out
			also	part.sh
		sh join.sh -o=@out @in...
			also	join.sh
	END
	printf 'sleep %s || true; (cat "$1"; echo part "$2") >"$4"\n' "$3" >part.sh
	printf 'shift; out=$1; shift; cat "$@" >"$out"\n' >join.sh
	head -c 300000 /dev/zero | tr '\0' x >large
	{
		for ((i = 1; i <= $2; i++)); do
			echo "sh part.sh large $i -o p$i"
		done
		echo "sh join.sh -o all $(seq -f 'p%g' -s ' ' "$2")"
	} >script.sh
	"$GG" infer sh script.sh >"$work/.infer" 2>&1 || { cat "$work/.infer"; exit 1; }
}

# Force in the background with workers to come; its pid in $forced.
begin_force() # ENGINE
{
	"$GG" force --engine "$1" >"$work/force.log" 2>&1 &
	forced=$!
	pids="$pids $forced"
	until_true 60 test -s "$work/ticket" && return
	cat "$work/force.log"
	exit 1
}

worker() # NAME [OPTION...]
{
	local name=$1
	shift

	"$GG" worker --connect "$work/ticket" --name "$name" --patience 20s "$@" \
		>"$work/$name.log" 2>&1 &
	last_worker=$!
	pids="$pids $last_worker"
}

ends_well() # PID
{
	wait "$1" || { cat "$work/force.log"; return 1; }
}

# What the machine itself makes of 6 and of 12.
for n in 6 12; do
	make_project local$n $n 0.05
	"$GG" force -q >/dev/null 2>&1
	sha256sum <all >"$work/sum$n"
done

same_result() # N
{
	[ "$(sha256sum <all)" = "$(cat "$work/sum$1")" ] || { cat "$work/force.log"; return 1; }
}

# ---- by socket
make_project sock 6 0.05
begin_force "connect:unix=$work/s,ticket=$work/ticket"
check "while no worker is here, that is said, and how to start one" until_true 60 \
	grep -q "no worker is here: start some with gg worker --connect $work/ticket" "$work/force.log"
check "the ticket is for its owner alone" [ "$(stat -c %a "$work/ticket")" = 600 ]
check "so is the socket" [ "$(stat -c %a "$work/s")" = 600 ]
worker ann -j 2
first=$last_worker
check "a worker started by hand does the work" ends_well $forced
check "the result is that of the machine itself" same_result 6
check "the worker ends when there is no more use for it" wait $first
check "neither ticket nor socket is left" [ ! -e "$work/ticket" -a ! -e "$work/s" ]

# ---- by TLS, two workers, one killed in the middle
held=1000.$$
make_project tls 12 $held
begin_force "connect:listen=127.0.0.1:0,ticket=$work/ticket,lease=4s"
cp "$work/ticket" "$work/old"
check "a place on the network has a key" grep -q '^key sha256//' "$work/ticket"
worker bob -j 2
bob=$last_worker
worker cid -j 2
check "two workers with room for two have four steps" all_sleep $held 4
kill -9 "$bob"
(while kill -0 $forced; do wake $held; sleep 0.05; done) 2>/dev/null &
pids="$pids $!"
check "with a worker killed in the middle all ends well" ends_well $forced
check "and the result is the same" same_result 12
token=$(sed -n 's/^token //p' "$work/old")
check "the token is in no log" [ -z "$(grep -rl "$token" "$work"/*.log)" ]

# ---- the dispatcher is killed and starts anew
make_project again 12 $held
begin_force "connect:unix=$work/s,ticket=$work/ticket"
cp "$work/ticket" "$work/old"
worker dan -j 2 --patience 3s
dan=$last_worker
n_ran() { cat .gg/runs/*.jsonl | grep -c '"event":"ran".*"status":"ok"'; }
all_sleep $held 2 && wake $held && until_true 60 eval '[ "$(n_ran)" -ge 2 ]' && all_sleep $held 2
kill -9 "$forced"
wait "$forced" 2>/dev/null
check "a worker whose dispatcher is gone ends by itself" \
	until_true 60 eval '! kill -0 $dan'
rm "$work/ticket"
begin_force "connect:unix=$work/s,ticket=$work/ticket"
old_is_refused()
{
	"$GG" worker --connect "$work/old" --patience 2s >"$work/old.log" 2>&1 && return 1
	! grep -q "$token" "$work/old.log"
}
check "the ticket of a run before is refused" old_is_refused
worker eve -j 4
(while kill -0 $forced; do wake $held; sleep 0.05; done) 2>/dev/null &
pids="$pids $!"
check "the run goes on where it was" ends_well $forced
check "with the same result" same_result 12
check "and what had been done was not done again" \
	sh -c "n=\$(sed -n 's/^forced \([0-9]*\),.*/\1/p' '$work/force.log'); [ \"\$n\" -lt 13 ] && [ \"\$n\" -gt 0 ]"

# ---- closures with folders of which the names are used, as Python's are
project names
cat >gg.models <<'END'
sh look.sh @ -o=@out
	also	look.sh
	uses	dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10 /usr/lib/dpkg
END
echo 'echo $1 >$3; ls /usr/lib/dpkg >>$3' >look.sh
"$GG" infer sh -c 'sh look.sh 1 -o l1; sh look.sh 2 -o l2' >"$work/.infer" 2>&1 || cat "$work/.infer"
rm -f "$work/ticket"
begin_force "connect:unix=$work/s,ticket=$work/ticket"
worker fay
check "a worker fetches what a closure says of folders" ends_well $forced
check "and holds it against what is there" cmp l1 <(echo 1; ls /usr/lib/dpkg)

# ---- what a step runs on is taken from below it
if [ "$(id -u)" = 0 ] && shared=$(mktemp -d /srv/gg-test-XXXXXX 2>/dev/null); then
	trap 'rm -rf "$shared"; kill $pids 2>/dev/null; wait 2>/dev/null
		chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
	chmod 755 "$shared"; echo here >"$shared/f"
	printf 'sh lean.sh @ -o=@out\n\talso\tlean.sh\n\tuses\tdash coreutils libc6 %s\n' \
		"libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10 $shared/f" >gg.models
	echo "cat $shared/f >\$3; while [ -e $shared/f ]; do sleep 0.05; done; exit 4" >lean.sh
	"$GG" infer sh -c "sh lean.sh $$ -o l3" >"$work/.infer" 2>&1 || cat "$work/.infer"
	rm -f "$work/ticket"
	begin_force "connect:unix=$work/s,ticket=$work/ticket"
	worker gil
	until_true 60 eval 'pgrep -f "^sh lean.sh $$ -o l3"'
	rm "$shared/f"
	wait "$forced"
	check "then it has not failed by itself" grep -q \
		'"lost-worker".*'"$shared/f, which it ran on, was removed" .gg/runs/*-"$forced".jsonl
	rm -rf "$shared"
fi

# ---- words
cd "$work/local6" || exit 1
check "a ticket has to be named" says "ticket=FILE" 2 "$GG" force --engine connect:unix=/tmp/x
check "an address that is none is told" says "no address" 2 \
	"$GG" force --engine "connect:listen=nowhere,ticket=$work/t"
check "a word that is none is told" says "only: listen" 2 "$GG" force --engine connect:x=1
plan
