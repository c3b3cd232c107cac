#!/bin/bash
# learn_nasty.sh - commands that cannot be learned, or are not what they seem
. "$(dirname "$0")/trainers/lib.sh"

# Told for real with these words, and with no thunk made of it.
real() { says "$1" 0 "$GG" run --fresh ./sweep.sh && grep -q '^forced 0, cached 0, failed 0,' "$work/.log"; }
sweep() { { echo '#!/bin/sh'; echo 'set -e'; cat; } >sweep.sh; chmod +x sweep.sh; }
content() { [ "$(cat "$1")" = "$2" ] || { echo "$1:"; cat "$1"; return 1; }; }

# members SEED...: what the trainer below gives for each of these stands there.
members()
{
	local s

	for s; do
		content "out$s.txt" "seed $s
data" || return 1
	done
}

# A trainer in sh: options, a file read for some seeds only, an output.
trainer()
{
	cat >train.sh <<-'END'
	while [ $# -gt 0 ]; do
		case $1 in
		--seed) seed=$2; shift ;;
		--data) data=$2; shift ;;
		--extra) extra=$2; shift ;;
		--out) out=$2; shift ;;
		esac
		shift
	done
	{
		echo "seed $seed"
		[ -z "$data" ] || cat "$data"
		[ -z "$extra" ] || cat "$extra"
		[ "$seed" != 4 ] || cat special.txt
	} >"$out"
	END
	printf 'data\n' >data.txt
	printf 'special\n' >special.txt
	printf 'extra\n' >extra.txt
}

project undeclared
trainer
sweep <<'END'
for seed in 1 2 3 4 5; do
	sh train.sh --seed $seed --data data.txt --out out$seed.txt
done
END
check "a file that one seed alone reads is found out" says "failed 0," 0 "$GG" run ./sweep.sh
check "and read" content out4.txt "seed 4
data
special"
check "the others are right" members 1 2 3 5
check "again, nothing is done" counts 0 5 0 "$GG" run ./sweep.sh
echo other >special.txt
check "it changes: the run ends well" says "failed 0," 0 "$GG" run ./sweep.sh
check "and what read it is new" content out4.txt "seed 4
data
other"

project option
trainer
sweep <<'END'
sh train.sh --seed 1 --data data.txt --out out1.txt
sh train.sh --seed 2 --data data.txt --out out2.txt
sh train.sh --seed 3 --data data.txt --extra extra.txt --out out3.txt
sh train.sh --seed 5 --data data.txt --extra extra.txt --out out5.txt
sh train.sh --seed 6 --data data.txt --out out6.txt
END
check "a new option is traced too, what follows is deferred" counts 3 2 0 "$GG" run ./sweep.sh
check "its file is read" content out5.txt "seed 5
data
extra"
echo more >extra.txt
check "and belongs to those alone that were given it" counts 2 3 0 "$GG" run ./sweep.sh
check "which are new" content out3.txt "seed 3
data
more"

project parallel
trainer
sweep <<'END'
for seed in 1 2 3; do
	sh train.sh --seed $seed --data data.txt --out "out $seed.txt" &
done
wait
seq 5 8 | xargs -P 3 -I S sh train.sh --seed S --data data.txt --out out/S.txt
END
mkdir out
check "side by side, one is traced and the others wait for what it teaches" \
	counts 6 1 0 "$GG" run ./sweep.sh
check "names with blanks" content 'out 3.txt' "seed 3
data"
check "xargs" content out/8.txt "seed 8
data"

project below
trainer
mkdir sub
sweep <<'END'
cd sub
for seed in 1 2 3; do
	sh ../train.sh --seed $seed --data ../data.txt --out out$seed.txt
done
END
check "from a folder below the root" counts 2 1 0 "$GG" run ./sweep.sh
check "files land there" content sub/out3.txt "seed 3
data"

project streams
cat >upper.sh <<'END'
tr a-z A-Z
END
printf 'one\n' >1.txt
printf 'two\n' >2.txt
printf 'three\n' >3.txt
sweep <<'END'
for i in 1 2 3; do
	sh upper.sh <$i.txt >upper$i.txt
done
END
check "standard input and output that are files" counts 2 1 0 "$GG" run ./sweep.sh
check "are read and written" content upper3.txt THREE

project logs
trainer
mkdir logs
sweep <<'END'
for seed in 1 2 3; do
	sh train.sh --seed $seed --data data.txt --out out$seed.txt >logs/$seed.txt 2>&1
done
for seed in 5 6; do
	sh train.sh --seed $seed --data data.txt --out out$seed.txt 2>&1 | tee logs/$seed.txt
done
END
check "output and errors into one log, another through tee" says "failed 0," 0 "$GG" run ./sweep.sh
check "all is there" eval 'members 1 2 3 5 6 && ls logs/[12356].txt | grep -c . | grep -qx 5'
check "again, nothing is forced" says "forced 0," 0 "$GG" run ./sweep.sh

project wrapped
trainer
sweep <<'END'
env LEVEL=3 sh train.sh --seed 1 --data data.txt --out out1.txt
env LEVEL=3 sh train.sh --seed 2 --data data.txt --out out2.txt
timeout 60 sh train.sh --seed 3 --data data.txt --out out3.txt
nice -n 1 sh train.sh --seed 5 --data data.txt --out out5.txt
nohup sh train.sh --seed 6 --data data.txt --out out6.txt >/dev/null
bash -c 'exec sh train.sh --seed 7 --data data.txt --out out7.txt'
END
check "env, timeout, nice, nohup and bash -c before the trainer" says "failed 0," 0 "$GG" run ./sweep.sh
check "all are right" members 1 2 3 5 6 7
check "and nothing is forced again" says "forced 0," 0 "$GG" run ./sweep.sh

project made
trainer
cat >Makefile <<'END'
all: best.txt
out%.txt: data.txt
	sh train.sh --seed $* --data data.txt --out $@
best.txt: out1.txt out2.txt out3.txt
	cat $^ >$@
END
printf 'make -s -j2\n' | sweep
check "under make -j2" counts 2 1 0 "$GG" run ./sweep.sh
check "what make made is right" content best.txt "seed 1
data
seed 2
data
seed 3
data"

project appends
cat >train.sh <<'END'
echo "weights $1" >model-$1.txt
echo "$1,0.5" >>log.csv
END
sweep <<'END'
echo seed,loss >log.csv
for seed in 1 2 3; do sh train.sh $seed; done
END
check "a log that each member adds to" says "failed 0," 0 "$GG" run ./sweep.sh
check "has each member once" content log.csv "seed,loss
1,0.5
2,0.5
3,0.5"
check "and so it has when all that runs again" says "failed 0," 0 "$GG" run --fresh ./sweep.sh
check "each member once" content log.csv "seed,loss
1,0.5
2,0.5
3,0.5"

project environment
cat >train.sh <<'END'
echo "$1 $RATE ${DEPTH:-none}" >out$1.txt
END
sweep <<'END'
export RATE=0.1
for seed in 1 2 3; do sh train.sh $seed; done
END
check "a variable that the script sets" counts 2 1 0 "$GG" run ./sweep.sh
sed -i 's/0.1/0.2/' sweep.sh
check "and changes" counts 3 0 0 "$GG" run ./sweep.sh
check "reaches the command" content out3.txt "3 0.2 none"
sed -i 's/sh train.sh/DEPTH=2 sh train.sh/' sweep.sh
check "one more of them" says "failed 0," 0 "$GG" run ./sweep.sh
check "does too" content out2.txt "2 0.2 2"

# ---- for real, each with one line that says why

project network
cat >server.py <<'END'
import http.server
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open("port", "w").write(str(s.server_port))
s.serve_forever()
END
cat >fetch.py <<'END'
import sys, urllib.request
url = f"http://127.0.0.1:{open('port').read()}/{sys.argv[1]}"
open(sys.argv[2], "wb").write(urllib.request.urlopen(url).read())
END
echo payload >payload.txt
python3 server.py >/dev/null 2>&1 &
server=$!
until_true 60 test -s port
printf 'python3 fetch.py payload.txt got1.txt\npython3 fetch.py payload.txt got2.txt\n' | sweep
check "a command that uses the network runs for real" real "runs for real: it connects to"
check "once is said why" eval 'test "$(grep -c "connects to" "$work/.log")" = 1'
check "each of them" cmp got2.txt payload.txt
kill $server

project outside
echo 'echo model >"$2"; echo log >"$1"' >train.sh
printf 'sh train.sh %s a.txt\nsh train.sh %s b.txt\n' "$work/o1.txt" "$work/o2.txt" | sweep
check "a command that writes outside the project runs for real" real outside
check "each of them" content "$work/o2.txt" log

project sibling
echo 'seq $1' >make.sh
echo 'cat >"$1"' >take.sh
printf 'sh make.sh 3 | sh take.sh a.txt\nsh make.sh 4 | sh take.sh b.txt\n' | sweep
check "who reads a pipe runs for real, and one line says why" eval '
	says "sh take.sh runs for real: its standard input is a pipe" 0 "$GG" run --fresh ./sweep.sh'
check "who prints into it is a step" grep -q "^forced 1, cached 1, failed 0," "$work/.log"
check "both of both" content b.txt "1
2
3
4"

project device
echo 'read x </dev/tty && echo "$x" >"$1"' >ask.sh
printf 'sh ask.sh a.txt\nsh ask.sh b.txt\n' | sweep
ask() { printf 'yes\nno\n' | script -qec "$GG run ./sweep.sh" "$work/typed" >"$work/.log" 2>&1; }
check "a command that asks at the terminal runs for real" eval 'ask; content a.txt yes && content b.txt no'
check "and is told why" grep -q terminal "$work/.log"

project killer
echo 'sleep 60 & echo $! >pid' >start.sh
echo 'kill -0 "$(cat pid)" && kill "$(cat pid)" && echo killed >"$1"' >stop.sh
printf 'sh start.sh >/dev/null 2>&1\nsh stop.sh a.txt\n' | sweep
check "a command that signals another's process runs for real" says "failed 0," 0 "$GG" run ./sweep.sh
check "and does" content a.txt killed

# ---- trainers that fail

project failing
cat >train.sh <<'END'
echo partial >out$1.txt
[ ! -e broken ] || exit 3
echo whole >out$1.txt
END
touch broken
printf 'sh train.sh 1\nsh train.sh 2\n' | sweep
check "a trainer that fails is told of as failing" says "exit status 3" 1 "$GG" run ./sweep.sh
check "and teaches nothing" eval '! "$GG" models | grep train.sh'
rm broken
check "once it is right, it is learned" counts 1 1 0 "$GG" run ./sweep.sh
check "and right" content out2.txt whole
cat >crash.sh <<'END'
echo partial >out.txt
kill -SEGV $$
END
echo 'sh crash.sh' | sweep
check "a trainer that dies of a signal is told of as failing" says "status 139" 1 "$GG" run ./sweep.sh
check "and teaches nothing either" eval '! "$GG" models | grep crash.sh'

# ---- what is kept, and the hand-written

project kept
trainer
sweep <<'END'
for seed in 1 2 3; do
	sh train.sh --seed $seed --data data.txt --out out$seed.txt
done
END
check "--no-learn learns nothing" eval 'counts 0 0 0 "$GG" run --no-learn ./sweep.sh && ! "$GG" models | grep train.sh'
check "gg infer --learn defers" eval '
	rm out?.txt; "$GG" infer --fresh --learn ./sweep.sh && head -1 out3.txt | grep -q "^gg-placeholder 1$"'
check "gg force makes it" eval '"$GG" force out3.txt && content out3.txt "seed 3
data"'
check "gg models tells what was learned and from what" eval '"$GG" models | grep train.sh'
check "gg models --write writes it down" eval '"$GG" models --write && grep -q "^sh train.sh" gg.models'
check "which then explains the same commands" eval '
	rm -rf .gg out?.txt && "$GG" init && counts 3 0 0 "$GG" run ./sweep.sh && content out2.txt "seed 2
data"'
rm -rf .gg out?.txt
echo 'sh train.sh --seed=@ --data=@in --out=@out' >gg.models
"$GG" init >/dev/null
check "a hand-written model wins" counts 3 0 0 "$GG" run ./sweep.sh
check "and nothing is learned beside it" eval '! "$GG" models | grep learned'
check "gg learn tells of one command what it understood" eval '
	rm gg.models; "$GG" learn -- sh train.sh --seed 9 --data data.txt --out out9.txt && content out9.txt "seed 9
data"'

# ---- kill -9 in the middle

own_gg
project killed
cat >train.sh <<'END'
echo begun >out$1.txt
sleep 0.4
echo whole $1 >out$1.txt
END
printf 'sh train.sh 1\nsh train.sh 2\nsh train.sh 3\n' | sweep
# nobody_in DIR: no process stands there; looked at from elsewhere.
nobody_in()
{
	local i

	cd / || return
	for i in $(seq 600); do
		find /proc/[0-9]*/cwd -maxdepth 0 ! -path "/proc/$$/*" -lname "$1" 2>/dev/null |
			grep . >"$work/here" || return 0
		sleep 0.1
	done
	cat "$work/here"
	return 1
}
kill_at()
{
	"$GG" run ./sweep.sh >/dev/null 2>&1 &
	sleep "$1"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
	none_left && (nobody_in "$PWD")
}
check "killed while a command is traced, nothing of it goes on" kill_at 0.2
check "it has taught nothing" eval '! "$GG" models | grep train.sh'
check "the store is right" store_is_right
for t in 0.5 0.7 0.9; do
	check "killed after $t s, nothing goes on" kill_at $t
done
check "the next run goes to its end" says "failed 0," 0 "$GG" run ./sweep.sh
check "with the right files" eval 'content out1.txt "whole 1" && content out2.txt "whole 2" && content out3.txt "whole 3"'
check "nothing temporary is left" nothing_temporary
check "the store is right again" store_is_right
plan
