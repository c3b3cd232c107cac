#!/bin/bash
# report.sh - gg report: the page of a run, in a real browser
. "$(dirname "$0")/lib.sh"
command -v chromium >/dev/null || skip 'needs chromium'
command -v jq >/dev/null || skip 'needs jq'

# browse PAGE[#HASH] [OPTION...]: what a browser makes of it, into page.html, and
# what it says into console.
browse()
{
	local page=$1

	shift
	HOME=$work timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$work/chromium" --window-size=1300,900 --enable-logging=stderr --v=0 \
		"$@" "file://$PWD/$page" >page.html 2>console
}
dom() { browse "$1" --dump-dom "${@:2}"; }
# A console line of the page itself, which names it.
quiet() { [ -s console ] && ! grep -E 'CONSOLE' console; }
drawn() { grep -q 'data-ms=' page.html && quiet; }
ready_ms() { grep -oE 'data-ms="[0-9]+"' page.html | grep -oE '[0-9]+'; }
rows() { grep -o 'id="table".*' page.html | grep -o '<tr[ >]' | tail -n +2 | wc -l; }
data() { sed -n 's/^<script type="application\/json" id="data">\(.*\)<\/script>$/\1/p' "$1"; }

project few
cat >gg.models <<'MODELS'
sh prep.sh @in @out
sh train.sh --seed=@ @in @out/
	mem	1G
sh vote.sh @out @in...
sh bad.sh @in @out
MODELS
echo 'sort "$1" >"$2"' >prep.sh
cat >train.sh <<'TRAIN'
mkdir -p "$3"
cat "$2" >"$3/weights"
awk -v seed="${1#*=}" 'BEGIN { printf "["; for (i = 1; i <= 20; i++)
	printf "%s{\"step\":%d,\"loss\":%g,\"accuracy\":%g}", (i == 1 ? "" : ","), i * 10, 1 / (i + seed % 7), 1 - 1 / (i + 1)
	print "]" }' >"$3/metrics.json"
TRAIN
echo 'out=$1; shift; cat "$@" >"$out"' >vote.sh
printf 'sleep 1\necho "</script><script>alert(1)</script>" >&2\nprintf "\\377\\033[31m oops\\n" >&2\nexit 3\n' >bad.sh
printf 'b\na\n' >data
evil='e<img src=x onerror=alert(1)><'
cat >ensemble.sh <<'RUN'
sh prep.sh data prepared
for i in $(seq 10); do sh train.sh --seed=$i prepared m$i; done
sh prep.sh prepared again
RUN
echo "sh vote.sh result prepared again; sh bad.sh result '$evil'" >>ensemble.sh
# Trainers have room with the worker only, and no other step takes longer than it.
printf 'local * cpu-hour 36\nconnect * cpu-hour 360\n' >gg.prices
"$GG" run -k --engine local:jobs=1,mem=512M --engine "connect:unix=$work/s,ticket=$work/ticket" sh ensemble.sh >run.log 2>&1 &
run=$!
until_true 60 test -s "$work/ticket"
"$GG" worker --connect "$work/ticket" --jobs 2 >worker.log 2>&1
wait $run
check "the run has 14 thunks, and one fails" grep -q '^forced 13, cached 0, failed 1' run.log
check "gg report writes a page of the last run" says report.html 0 "$GG" report
check "it is one file that names nothing elsewhere" sh -c '! grep -E "(src|href)=\"?(https?:)?//|@import|url\\(" report.html'
data report.html >data.json
check "its data is JSON" jq -es '.[0].thunks | length == 14' data.json
check "no tag of a log ends its script" sh -c '[ "$(grep -c "</script>" report.html)" = 2 ]'
dom report.html
check "a browser shows it without an error" drawn
check "within two seconds" test "$(ready_ms)" -lt 2000
echo "# 14 thunks: ready after $(ready_ms) ms"
check "14 rows" test "$(rows)" = 14
check "the failure is told" grep -q 'exit status 3' page.html
check "with what it printed, as text" grep -qF '&lt;/script&gt;&lt;script&gt;alert(1)' page.html
check "a file name is text too" sh -c 'grep -qF "e&lt;img" page.html && ! grep -qF "<img" page.html'
cost() { tr '\n' ' ' <page.html | grep -oE "<th scope=\"row\">$1[^<]*</th>(<td[^>]*>[^<]*</td>)*" | grep -oE '>\$0?[.0-9]*[1-9]'; }
check "what the machine itself has cost" cost local
check "and what workers have" cost connect
check "learning curves by their name" grep -q '<strong>accuracy</strong>' page.html
check "of all ten members" grep -q '10 members wrote metrics by step' page.html
check "the critical path ends in the failure" sh -c 'grep -o "<ol>.*</ol>" page.html | grep -q "vote.sh.*bad.sh"'
check "each column can be sorted by keyboard" test "$(grep -o '<th scope="col"[^>]*data-key[^>]*><button' page.html | wc -l)" = 10
check "it is used by keyboard alone, and a screen reader has names for all of it" \
	/usr/bin/python3 -B "$here/test/keyboard.py" report.html "$work/keyboard"
check "every canvas says what it shows" sh -c '[ "$(grep -o "<canvas[^>]*>" page.html | grep -vc aria-label)" = 0 ]'
dom 'report.html#filter=train.sh+seed=7'
check "#filter= shows what has all the words" test "$(rows)" = 1
check "without an error" drawn
dom 'report.html#state=failed'
check "#state= what ended so" test "$(rows)" = 1
dom 'report.html#sort=-label'
check "#sort= sorts" sh -c 'grep -q "data-key=\"label\" aria-sort=\"descending\"" page.html'
thunk=$(jq -r '.thunks[] | select(.label | test("vote")) | .id' data.json)
dom "report.html#thunk=$thunk"
check "a thunk tells what it needs and what needs it" grep -q 'Needs:.*prep.sh.*Needed by:.*bad.sh' page.html
dom report.html --force-dark-mode --blink-settings=preferredColorScheme=0
check "dark is drawn as well" sh -c 'grep -q "data-ms" page.html'
browse report.html --no-pdf-header-footer --print-to-pdf=few.pdf
check "it prints" sh -c 'head -c 5 few.pdf | grep -q "%PDF-"'
check "again nothing is complained of" quiet
check "cached thunks are told from those that ran" sh -c '"$1" run -k sh ensemble.sh >/dev/null 2>&1; "$1" report -o - >second.html' - "$GG"
dom second.html
check "as a share" grep -qF '13 (93%)' page.html
sed 's/=\$i/=1$i/; s/ m\$i/ n$i/; /bad/d' ensemble.sh >more.sh
"$GG" run sh more.sh >run.log 2>&1
check "what was expected stands beside what it took" sh -c '"$1" report -o third.html' - "$GG"
dom third.html
check "of a run like one before" grep -qE '<section id="predicted"><.*' page.html
check "with both times" grep -qE 'wall time</th><td class="n">[0-9.]+ (ms|s|min)</td><td class="n">[0-9.]+ (ms|s|min)' page.html
check "a run that is not there" says "there is no run 1999" 2 "$GG" report 1999
check "one run at a time" says "takes one run" 2 "$GG" report last last

project many
printf 'fake work @ @out\nfake join @ @in @out\n' >gg.models
mkdir bin && printf '#!/bin/sh\n' >bin/fake && chmod +x bin/fake
cat >many.sh <<'RUN'
i=0
while [ $i -lt 5000 ]; do
	fake work $i o$i
	fake join $i o$i p$i
	i=$((i + 1))
done
RUN
PATH=$PWD/bin:$PATH "$GG" run --engine fake:cpus=64,delay=20 sh many.sh >run.log 2>&1
check "a run has 10,000 thunks" grep -q '^forced 10000,' run.log
check "it has a page" says many.html 0 "$GG" report -o many.html
dom many.html
check "of all of them" grep -q '10,000 of 10,000 thunks' page.html
check "without an error" drawn
check "usable within two seconds" test "$(ready_ms)" -lt 2000
echo "# 10,000 thunks: $(stat -c %s many.html) bytes, ready after $(ready_ms) ms"
dom 'many.html#filter=join+4999&sort=-seconds'
check "its filter finds one" grep -q '>1 of 10,000 thunks' page.html
check "and is as fast" test "$(ready_ms)" -lt 2000
browse many.html --print-to-pdf=many.pdf
check "it prints, too" sh -c 'head -c 5 many.pdf | grep -q "%PDF-"'
plan
