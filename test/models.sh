#!/bin/bash
# models.sh - what gg.models can say, through the program itself
. "$(dirname "$0")/lib.sh"

project models
cat >train.py <<'S'
import argparse, os, sys
p = argparse.ArgumentParser(fromfile_prefix_chars="@")
p.add_argument("-d", "--data")
p.add_argument("-s", "--seed", default="0")
p.add_argument("-o", "--out", default="model.out")
p.add_argument("-v", "--verbose", action="store_true")
p.add_argument("-q", "--quick", action="store_true")
p.add_argument("--more", action="append", default=[])
p.add_argument("rest", nargs="*")
a = p.parse_args()
with open(a.out, "w") as f:
    f.write("seed %s%s%s\n" % (a.seed, " loud" * a.verbose, " quick" * a.quick))
    for n in [a.data] * bool(a.data) + a.more + a.rest:
        f.write(open(n).read())
    f.write(os.environ.get("SHAPE", "") + "\n")
S
models()
{
	cat >gg.models <<'M'
python3 train.py [-d,--data=@in] -s,--seed=@=0 -o,--out=@out=model.out [-v,--verbose] [-q,--quick] [--more=@in] [@in...]
	lists	yes
	env	SHAPE
M
}
models
for i in a b c; do echo "file $i" >$i.txt; done
echo "file d" >-d.txt
printf -- '--seed\n5\n--data=b.txt\n' >args
mkdir sub

# plain ARGS...: what the program itself makes of them.
plain() { (cd "${in:-.}" && python3 "${py:-train.py}" "$@"); mv "$made" "$work/plain.out"; }

# spelled PROMISE ARGS...: one thunk, and the bytes that the program gives.
spelled()
{
	local promise=$1

	shift
	check "$promise" as_plain "$@"
}

as_plain()
{
	made=${made:-o}
	rm -f "$made"
	plain "$@" || return 1
	(cd "${in:-.}" && "$GG" run --fresh python3 "${py:-train.py}" "$@") >"$work/.log" 2>&1
	grep -Eq "^(forced 1, cached 0|forced 0, cached 1), failed 0" "$work/.log" &&
		cmp "$made" "$work/plain.out" && "$GG" status "$made" | grep -q "^real" && return 0
	cat "$work/.log"
	return 1
}

made=o
spelled "--o v" --data a.txt --seed 1 --out o
spelled "--o=v" --data=a.txt --seed=2 --out=o
spelled "-o v" -d a.txt -s 3 -o o
spelled "-ov" -da.txt -s4 -oo
spelled "flags in one word, and a value behind them" -vqs 5 -o o
spelled "flags and an option's value in one word" -vqoo a.txt
spelled "long options shortened" --da a.txt --se 6 --ou o
spelled "-- and then a name with a dash" -o o -- -d.txt a.txt
spelled "an option given twice" -o o --more a.txt --more=b.txt
spelled "the last of two values counts" -o o -d a.txt -d b.txt -s 1 -s 2
spelled "options after positional ones" a.txt b.txt -o o --seed 7
spelled "a list file" @args -o o
spelled "a negative number as a value" -s -3 -o o
spelled "an empty value" --seed= -o o
spelled "an absolute path" -o "$PWD/o" -d "$PWD/a.txt"
made=model.out
spelled "the default of an output" -d a.txt
in=sub py=../train.py made=sub/o
spelled "from a folder below the root" -d ../a.txt -o o
made=o
spelled "an output above that folder" -d ../a.txt -o ../o
in= py= made=o
SHAPE=round spelled "a variable that the model names" -o o
echo outside >"$work/outside.txt"
spelled "an input outside the project" -o o -d "$work/outside.txt"

reruns() { "$GG" run python3 train.py -o o -d "$work/outside.txt" >/dev/null 2>&1; echo other >"$work/outside.txt"; counts 1 0 0 "$GG" run python3 train.py -o o -d "$work/outside.txt" && grep -q other o; }
check "by content: changed, the step is run again" reruns
check "an output outside the project is refused" says "outside the project" 1 "$GG" run --fresh python3 train.py -o "$work/no"
check "and nothing is written there" test ! -e "$work/no"
check "not even when the script goes on" says "outside the project" 1 "$GG" run --fresh sh -c "python3 train.py -o $work/no; true"
check "each time anew" says "outside the project" 1 "$GG" run sh -c "python3 train.py -o $work/no; true"

# also, optional, makes, hints, network.
cat >side.sh <<'S'
cat common.txt "sets/$1.csv" >out.txt
cat "maybe-$1.txt" >>out.txt 2>/dev/null
echo log >"log-$1.txt"; mkdir -p "ckpt-$1/deep"; echo c >"ckpt-$1/deep/c"; exit 0
S
mkdir sets; echo common >common.txt; echo set >sets/7.csv
cat >>gg.models <<'M'
sh side.sh @
	also	common.txt sets/{1}.csv
	optional	maybe-{1}.txt
	makes	out.txt log-{1}.txt ckpt-{1}/
sh net.sh @out
	network	yes
sh nonet.sh @out
sh slow.sh @out
	time	1s
sh big.sh @out
	mem	64M
	cpus	1
sh never.sh @out
	never
M
check "also and makes, files and a folder" counts 1 0 0 "$GG" run sh side.sh 7
check "they are there" test "$(cat out.txt log-7.txt ckpt-7/deep/c)" = "common
set
log
c"
echo common2 >common.txt
check "what it reads besides: changed, it runs again" counts 1 0 0 "$GG" run sh side.sh 7
echo perhaps >maybe-7.txt
check "an optional one appears: it runs again" counts 1 0 0 "$GG" run sh side.sh 7
check "and is used" grep -q perhaps out.txt

python3 - "$work/port" <<'S' &
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
open(sys.argv[1] + ".tmp", "w").write(str(s.getsockname()[1]))
import os; os.rename(sys.argv[1] + ".tmp", sys.argv[1])
while True:
    c, _ = s.accept(); c.sendall(b"served\n"); c.close()
S
server=$!
trap 'kill $server 2>/dev/null; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
until_true 60 test -s "$work/port"
cat >net.sh <<S
exec /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/$(cat "$work/port") && head -1 <&3 >"\$1"' net "\$1"
S
cp net.sh nonet.sh
check "network yes: it reaches a server" counts 1 0 0 "$GG" run sh net.sh n1
check "and says what came" test "$(cat n1)" = served
check "no network: it does not" counts 0 0 1 "$GG" run sh nonet.sh n2
echo 'sleep 30; echo x >"$1"' >slow.sh
limit() { local t=$SECONDS; says "time" 1 "$GG" run sh slow.sh s && [ $((SECONDS - t)) -lt 15 ]; }
check "a limit of time ends it" limit
check "and its word is the limit" grep -Eq "1 ?s" "$work/.log"
cat >big.sh <<'S'
python3 -c 'x = bytearray(600 << 20); print(len(x))' >"$1"
S
check "hints are no part of a thunk's name" counts 0 1 0 bash -c "sed -i 's/cpus.*/cpus 2/; s/mem.*/mem 4G/' gg.models; '$GG' run sh net.sh n1"
echo 'echo x >"$1"' >never.sh
check "never: it runs for real" counts 0 0 0 "$GG" run sh never.sh nv
check "and did" test "$(cat nv)" = x

# Bad models name file and line.
bad() { printf '%s\n' "python3 train.py --out=@out" "$1" >gg.models; says "gg.models:2" 2 "$GG" run true; }
for line in 'sh x.sh [--out=@out' 'sh x.sh @out... @in...' '	colour	blue' '	mem	many' '	time	5 parsecs' 'sh x.sh "@out' '	also' '	network maybe' '	also	{nothing}.txt' 'sh x.sh --a=@in --a=@out'; do
	check "a bad line is told with its place: $line" bad "$line"
done

# What --explain says.
models
cat >>gg.models <<'M'
sh step.sh --in=@in --out=@out
M
echo 'cat "$2" >"$4"' >step.sh
explained() { "$GG" infer --fresh --explain sh -c "$2" >"$work/.log" 2>&1; grep -qF -- "$1" "$work/.log" || { cat "$work/.log"; return 1; }; }
check "explain: which rule matched" explained 'gg.models:4: `sh step.sh` matched: --in reads a.txt, --out writes e1' 'sh step.sh --in a.txt --out e1'
check "explain: and what came of it" explained 'deferred as thunk' 'sh step.sh --in a.txt --out e1'
check "explain: an option that the pattern lacks" explained '--lang' 'sh step.sh --in a.txt --out e2 --lang de || true'
check "explain: no model" explained 'no model is for sh other.sh' 'echo : >other.sh; sh other.sh'
check "explain: a pipe that it reads" explained 'its standard input is a pipe' 'echo | sh step.sh --in a.txt --out e3'
check "explain: an input that is not there" explained 'nowhere' 'sh step.sh --in nowhere --out e4 || true'
check "explain: refused" explained 'outside the project' "sh step.sh --in a.txt --out $work/e5 || true"
check "explain: through a link" explained 'through a link' 'ln -sf e6 l; sh step.sh --in a.txt --out l'
plan
