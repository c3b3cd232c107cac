#!/bin/bash
# learn_random.sh - trainers that are not deterministic are said to be so
. "$(dirname "$0")/trainers/lib.sh"

sweep() { { echo '#!/bin/sh'; echo 'set -e'; cat; } >sweep.sh; chmod +x sweep.sh; }

project random
cat >train.py <<'END'
import json, os, sys
weights = list(os.urandom(8)) if "--noise" in sys.argv else list(range(8))
with open(sys.argv[1], "w") as f:
    json.dump({"format": 1, "weights": weights}, f)
END
cat >clock.py <<'END'
import sys, time
with open(sys.argv[1], "w") as f:
    f.write(f"trained at {time.time_ns()}\n")
END
sweep <<'END'
python3 train.py same1.json
python3 train.py same2.json
python3 train.py noisy1.json --noise
python3 train.py noisy2.json --noise
python3 clock.py clock1.txt
python3 clock.py clock2.txt
END
check "noisy trainers are learned as others are" counts 3 3 0 "$GG" run ./sweep.sh
check "gg verify: a deterministic one gives the same twice" "$GG" verify same2.json
check "gg verify names the output that differs" says noisy2.json 1 "$GG" verify noisy2.json
# {"format": 1, "weights": [ comes before the first random byte.
check "and where it begins to" eval '
	at=$(grep -oE "(byte|offset) [0-9]+" "$work/.log" | grep -oE "[0-9]+" | head -1)
	[ "$at" -ge 25 ] && [ "$at" -le 30 ]'
check "gg verify finds a clock" says clock2.txt 1 "$GG" verify clock2.txt
check "a traced one can be verified too" says clock1.txt 1 "$GG" verify clock1.txt
check "what it looks like is said" says "this looks like a time" 1 "$GG" verify clock1.txt
if command -v fasttext >/dev/null; then
	project fasttext
	cp "$here/test/trainers/fasttext/corpus.awk" .
	sweep <<-'END'
	awk -f corpus.awk -v seed=1 -v n=3000 >train.txt
	for lr in 0.1 0.5; do
		fasttext supervised -input train.txt -output ft-$lr -lr $lr -dim 20 -epoch 20 -thread 4 -verbose 0
	done
	END
	check "fasttext with threads is learned" says "failed 0," 0 "$GG" run ./sweep.sh
	check "and found not to be deterministic" says ft-0.5.bin 1 "$GG" verify ft-0.5.bin
fi
plan
