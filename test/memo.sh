#!/bin/bash
# memo.sh - a script is run again exactly when something that it saw has changed
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/seed" "$work/bin" && cd "$work/seed" || exit 1
cat >gg.models <<'M'
sh step.sh @in @out
sh tree.sh @in/ @out
sh maybe.sh @out
	optional	extra.txt
sh glob.sh @out
	also	parts/*.txt
sh bad.sh @in @out
sh env.sh @out
	env	FLAVOUR
M
echo 'cat "$1" >"$2"; [ -x "$1" ] && echo runs >>"$2"; true' >step.sh
echo 'find "$1" -type f | sort | xargs cat >"$2"' >tree.sh
echo 'cat extra.txt >"$1" 2>/dev/null || echo none >"$1"' >maybe.sh
echo 'cat parts/*.txt >"$1"' >glob.sh
echo 'echo "$FLAVOUR" >"$1"' >env.sh
echo exit 1 >bad.sh
echo hello >a.txt
mkdir -p parts data/deep/er
echo 1 >parts/1.txt
echo x >data/deep/er/x
ln -s a.txt link
export LOG=$work/log work

# Begin with that script in a new project, remembered.  The script says that it
# runs through a name that gg is not told of: a descriptor opened before.
begin()
{
	cd "$work" && rm -rf p && cp -a seed p && cd p && "$GG" init >/dev/null
	printf '%s\n' "$1" >s
	rm -f "$LOG"
	: >"$LOG"
	gg_run && gg_run && settled
}

gg_run()
{
	"$GG" run $learn --verbose bash -c '. ./s; echo ran >&9' 9>>"$LOG" </dev/null >"$work/.run" 2>&1
}

# Did the script run since the last look?
settled() { : >"$LOG"; gg_run; [ ! -s "$LOG" ] || { echo "ran again:"; cat "$work/.run"; return 1; }; }
runs() { : >"$LOG"; gg_run; [ -s "$LOG" ] || { echo "did not run:"; cat "$work/.run"; return 1; }; }
is() { [ "$(cat "$1")" = "$2" ] || { echo "$1:"; cat "$1"; return 1; }; }

# Running the script after all changes nothing: each thunk is known.
counts_fresh() { gg_run --fresh; grep -q '^forced 0, ' "$work/.run" || { cat "$work/.run"; return 1; }; }
# The step's thunk is made anew, without the script.
rebound() { : >"$LOG"; gg_run; grep -q 'only inputs have changed' "$work/.run" && [ ! -s "$LOG" ] ||
	{ echo "was not:"; cat "$work/.run"; return 1; }; }
again() { check "$1: the script runs again" runs; }
not_again() { check "$1: it does not" settled; }
remembered() { check "remembered: $1" begin "$2"; }

# Outside the project a folder is listed at the end, or before a write to it.
rm -rf "$work/outside"; mkdir -p "$work/outside/old"; echo 1 >"$work/outside/1"
sleep 0.1
remembered "a folder outside that is listed" 'ls -f "$work/outside" >/dev/null'
echo 2 >"$work/outside/2"
again "a file more in a folder outside"
rm "$work/outside/2"
again "a file less in a folder outside"
mv "$work/outside/1" "$work/outside/3"
again "a file renamed in a folder outside"
remembered "a folder outside listed, then a file made and removed there" \
	'ls -f "$work/outside" >/dev/null; : >"$work/outside/x"; rm "$work/outside/x"'
begin 'ls -f "$work/outside" >/dev/null; : >"$work/outside/y"' >/dev/null; rm "$work/outside/y"
grow() { gg_run && grep -q 'outside was looked at and then changed' "$work/.run"; }
check "a folder outside listed, then a file left there: not remembered" grow

remembered "a script whose steps are deferred" 'sh step.sh a.txt b; sh step.sh b c'
touch a.txt
not_again "an input touched"
cat a.txt >/dev/null
not_again "an input read"
echo z >unrelated
not_again "a new file that nobody looked for"
terminal() { TERM=other COLUMNS=33 LINES=5 SSH_TTY=/x settled; }
check "another terminal: it does not" terminal
echo '# more' >>gg.models
again "gg.models edited"
not_again "and the time after"
echo 'sh step.sh a.txt d' >>s
again "the script edited"
check "and its new step is made" is d hello
echo olleh >a.txt
check "an input edited: its steps are made anew, without the script" rebound
check "and what follows from it is made" is c olleh
check "the same thunks as the script would have given" counts_fresh
touch -r a.txt "$work/stamp"; echo hello >a.txt; touch -r "$work/stamp" a.txt
check "an input edited, its time kept: likewise" rebound
check "and what follows from it is made anew" is c hello
rm b
not_again "an output removed"
check "but it is made again" is b hello
echo mine >b
again "an output edited"
check "and is what the script would have made" is b hello
chmod +x a.txt
again "an input made executable"
check "and its step sees that" is b "hello
runs"
chmod -x a.txt
again "and made plain again"
check "its step sees that too" is b hello
rm c; mkdir c; echo mine >c/mine
: >"$LOG"; gg_run
check "a folder of somebody in place of an output is left alone" is c/mine mine
rm -r c; gg_run
check "and the output comes back once it is gone" is c hello
another() { FLAVOUR=new runs; }
check "an environment variable: the script runs again" another
args() { : >"$LOG"; "$GG" run bash -c '. ./s; echo ran >&9' x y 9>>"$LOG" </dev/null >/dev/null 2>&1; [ -s "$LOG" ]; }
check "an argument: the script runs again" args
below() { mkdir -p d2; : >"$LOG"; (cd d2; cp ../step.sh ../a.txt ../s .; "$GG" run bash -c '. ./s; echo ran >&9' 9>>"$LOG" </dev/null >/dev/null 2>&1); [ -s "$LOG" ]; }
check "another folder to start from: the script runs again" below
fresh() { : >"$LOG"; "$GG" run --fresh bash -c '. ./s; echo ran >&9' 9>>"$LOG" </dev/null >/dev/null 2>&1; [ -s "$LOG" ]; }
check "--fresh: the script runs again" fresh

remembered "what commands read that run for real" 'cat a.txt link >e; [ -f nowhere ] && cat nowhere >f; sh step.sh e g; true'
echo new >a.txt
again "a file that an eager command read"
check "and its output is new" is e "new
new"
check "and what a step made of that" is g "new
new"
echo there >nowhere
again "a file where the script looked in vain"
check "and it is used" is f there
rm nowhere; rm f
again "a file removed that was read"
check "and not used" test ! -e f
echo mine >e
again "an eager output edited"
check "it is what the script would have made" is e "new
new"
rm e
again "an eager output removed"
check "it comes back" is e "new
new"
cp a.txt other; ln -sfn other link
again "a link retargeted to a file of the same bytes"
touch a.txt
not_again "what was read touched"

remembered "what a link says" 'readlink link >e; sh step.sh a.txt b'
cp a.txt other; ln -sfn other link
again "the link retargeted"
check "and read anew" is e other
remembered "a folder by way of a link" 'mkdir -p v1 v2; echo 1 >v1/x; echo 2 >v2/x; [ -L cur ] || ln -s v1 cur; cat cur/x >e'
ln -sfn v2 cur
again "a link to a folder retargeted"
check "and read anew by that way" is e 2

for how in 'cd cur; cat x' 'cd cur/deep; cat ../x' 'realpath cur' 'readlink -f cur/x' 'python3 -c "import os; print(os.path.realpath(\"cur\"))"'; do
	remembered "a link on the way: $how" "mkdir -p v1/deep v2/deep; echo 1 >v1/x; echo 2 >v2/x; [ -L cur ] || ln -s v1 cur; ($how) >e"
	ln -sfn v2 cur
	again "that link retargeted"
	check "and followed anew" grep -q 2 e
done

remembered "a listed folder" 'for f in parts/*.txt; do cat "$f"; done >e; sh step.sh e g'
echo 2 >parts/2.txt
again "a new file where a pattern was expanded"
check "and it is there" is g "1
2"
rm parts/1.txt
again "one less"
check "and it is gone" is g 2
echo q >parts/note.md
again "one that the pattern does not take, since the folder was listed"

remembered "inputs of steps beyond their arguments" 'sh maybe.sh m; sh glob.sh g; sh env.sh v; sh tree.sh data t'
check "an optional one that is not there" is m none
echo here >extra.txt
again "an optional input appears"
check "and is used" is m here
echo 2 >parts/2.txt
again "a file appears that a model's pattern takes"
check "and is used too" is g "1
2"
echo y >data/deep/er/x
again "a file deep in a folder that is an input"
check "and is read" is t y
chmod +x data/deep/er/x
again "its mode"
mkdir data/new; echo z >data/new/z
again "a new folder there"
check "and read" is t "y
z"

tree_changes() { begin 'sh tree.sh data t; date +%N >data/stamp'; : >"$LOG"; gg_run; [ -s "$LOG" ]; }
check "a script that changes a folder that a step has read runs again" tree_changes

remembered "the mode of what a script tests" 'if [ -x tool ]; then ./tool; fi; echo "#!/bin/sh
echo tooled >e" >gen; cat gen >/dev/null; sh step.sh a.txt b' 
printf '#!/bin/sh\necho tooled >e\n' >tool
again "a program appears, not executable"
check "and is not run" test ! -e e
chmod +x tool
again "it is made executable"
check "and is run" is e tooled

cat >"$work/bin/maker" <<'E'
#!/bin/sh
echo one >"$1"
E
chmod +x "$work/bin/maker"; old=$PATH; PATH=$work/bin:$PATH
remembered "a program on PATH" 'maker e; sh step.sh e f'
sed -i s/one/two/ "$work/bin/maker"
again "a program on PATH changed"
check "and did its new work" is f two
mkdir "$work/bin0"; PATH=$work/bin0:$PATH
remembered "an earlier folder of PATH without it" 'maker e; sh step.sh e f'
sed s/two/three/ "$work/bin/maker" >"$work/bin0/maker"; chmod +x "$work/bin0/maker"
again "a program earlier on PATH"
check "did the work" is f three
cp /bin/sh "$work/bin0/sh"
again "the interpreter of a deferred step, earlier on PATH"
printf '#!/bin/sh\nexec /bin/dash "$@"\n' >"$work/bin0/sh"
again "that program changed"
rm -f "$work/bin0/sh"; PATH=$old

mkdir -p "$work/out"
remembered "files outside the project" "cat $work/out/x >e 2>/dev/null; sh step.sh $work/out/y f; true"
echo 1 >"$work/out/x"
again "a file outside the project appears"
check "and is read" is e 1
echo 2 >"$work/out/y"
again "an input of a step outside the project appears"
check "and the step reads it" is f 2
echo 3 >"$work/out/y"
again "it changes"
check "and is read anew" is f 3
shm=$(mktemp -d /dev/shm/gg-test.XXXXXX 2>/dev/null) && {
	echo 1 >"$shm/x"
	remembered "files in memory" "cat $shm/x >e; sh step.sh e f"
	echo 2 >"$shm/x"
	again "a file in /dev/shm changes"
	check "and is read" is f 2
	rm -r "$shm"
}

# Scripts that would do something else the next time run every time.
counts_up() { begin "$1"; gg_run; gg_run; local a; a=$(cat n); gg_run; [ "$(cat n)" = $((a + 1)) ]; }
check "a counter: read, write" counts_up 'x=$(cat n 2>/dev/null || echo 0); echo $((x + 1)) >n; sh step.sh n b'
check "a counter: another file renamed over it" counts_up 'x=$(cat n 2>/dev/null || echo 0); echo $((x + 1)) >n.new; mv n.new n'
check "a counter: lines added" counts_up 'echo x >>lines; wc -l <lines >n'
check "a counter: files in a folder" counts_up 'mkdir -p c; ls c | wc -l >n; touch c/$(cat n)' 
check "a counter: edited in place" counts_up '[ -e k ] || echo a >k; sed -i s/\$/a/ k; awk "{ print length }" k >n'
# A command that is learned from makes what it leaves; it does not count.
learn=--no-learn check "a counter: in Python, r+" counts_up 'python3 -c "
import os
f = open(\"n\", \"r+\") if os.path.exists(\"n\") else open(\"n\", \"w+\")
x = int(f.read() or 0); f.seek(0); f.write(str(x + 1))"'
check "a counter: by the size of a file" counts_up 'truncate -s +1 k; stat -c %s k >n'
check "a counter: by truncate without a look" counts_up 'dd if=/dev/zero bs=1 count=1 oflag=append conv=notrunc of=k 2>/dev/null; stat -c %s k >n'
check "a counter outside the project" counts_up "echo x >>$work/out/lines; wc -l <$work/out/lines >n"
check "a counter with steps between" counts_up 'x=$(cat n 2>/dev/null || echo 0); sh step.sh a.txt b; cat b >/dev/null; echo $((x + 1)) >n; sh step.sh n b'

talks() { begin 'exec 3<>/dev/tcp/127.0.0.1/9 || true; sh step.sh a.txt b'; : >"$LOG"; gg_run; [ -s "$LOG" ]; }
check "a script that speaks to the network runs again" talks
refused() { begin "sh step.sh a.txt $work/out/no; true"; : >"$LOG"; gg_run; [ -s "$LOG" ]; }
check "a script that had a command refused runs again" refused

# An edited input makes its steps anew without the script; not where a command
# that ran for real has read what they gave.
read_on() { begin 'sh step.sh a.txt b; cat b >c'; echo other >a.txt; gg_run; is c other; }
check "an input is edited, and what it makes was read by a real command" read_on

# What failed is not remembered.
fails() { begin 'sh step.sh a.txt b; echo ran >&9; exit 3'; : >"$LOG"; gg_run; [ -s "$LOG" ]; }
check "a script that ended with 3 runs again" fails
step_fails() { begin 'rm -f out; sh bad.sh a.txt b'; : >"$LOG"; gg_run; [ -s "$LOG" ]; }
check "a script whose step failed runs again" step_fails
unseen() { begin 'sh step.sh a.txt b; rm -f gone; ls gone 2>/dev/null; cp a.txt made; rm made'; }
check "files made and removed again are nothing to remember" unseen

# gg infer remembers too, and gg run may answer from that.
begin 'true' >/dev/null
printf 'sh step.sh a.txt b; sh step.sh b c; mv c d\n' >s
infer() { "$GG" infer --verbose bash -c '. ./s; echo ran >&9' 9>>"$LOG" </dev/null >"$work/.run" 2>&1; }
infer; infer; : >"$LOG"
check "gg infer: nothing changed, the script does not run" eval 'infer; [ ! -s "$LOG" ]'
check "gg run then makes what it left, without the script" eval 'gg_run; [ ! -s "$LOG" ] && is d hello && is b hello'
"$GG" infer --fresh bash -c '. ./s; echo ran >&9' 9>>"$LOG" </dev/null >/dev/null 2>&1
rm d; infer
check "gg infer: an output removed is there again, as it was or to be made" test -e d

# Answered from memory, the outputs are those that a run would leave.
remembered "renamed, moved and linked outputs" 'mkdir -p t; sh step.sh a.txt t/x; rm -rf final; mv t final; sh step.sh a.txt y; mv y z; ln -sf z l; sh step.sh a.txt w; rm w'
rm final/x z
gg_run
check "moved outputs come back where they were moved to" is final/x hello
check "renamed ones as well" is z hello
remembered "a command that runs for real and reads what a step made" \
	'sh step.sh a.txt b; tr a-z A-Z <b >upper'
echo another >a.txt
again "an input of that step edited"
check "and reads the new one" is upper ANOTHER
begin true >/dev/null
printf 'sh step.sh a.txt b; perl -e "utime 1, 1, q(b)"\n' >s
check "an output that the script dates anew is one of what is forced" \
	counts 1 0 0 "$GG" run --no-learn --fresh sh ./s
rm b
check "and of what is known" counts 0 1 0 "$GG" run --no-learn --fresh sh ./s
plan
