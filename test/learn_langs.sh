#!/bin/bash
# learn_langs.sh - trainers in R, Perl, JavaScript and shell
. "$(dirname "$0")/trainers/lib.sh"
for tool in Rscript perl node; do
	command -v "$tool" >/dev/null || skip "there is no $tool"
done

learns rscript 2 2 's/0.1 1 10/0.1 2 10/;s/ridge-1.rds/ridge-2.rds/' 2
learns perl 2 3
check "perl: a line more in the corpus" eval '
	echo "__label__sport goal" >>corpus.txt; counts 5 0 0 "$GG" run ./sweep.sh'
learns node 2 1 's/1 2 3/1 2 4/' 1
check "node: a module that all of them need" eval '
	sed -i "s/1664525/22695477/" lib/random.js; counts 3 0 0 "$GG" run ./sweep.sh'
learns shell 3 1
check "shell: what the script sources is read" eval '
	sed -i "s/1.25/-2/" target.sh; says "failed 0," 0 "$GG" run ./sweep.sh && ! cmp best.txt ../shell.plain/best.txt'

# R tells what it starts where it keeps its own temporary files.
project started
echo 'a <- commandArgs(TRUE); cat(as.integer(a[1]) * 2, "\n", file = a[2])' >fit.R
echo 'for (s in 1:3) stopifnot(system2("Rscript", c("fit.R", s, paste0(s, ".txt"))) == 0)' >driver.R
check "R starts its steps: learned" counts 2 1 0 "$GG" run Rscript driver.R
check "and they are the same ones when another R does" counts 0 3 0 "$GG" run --fresh Rscript driver.R
check "and where Rscript prints into a pipe" eval '
	says "forced 1, cached 0" 0 "$GG" run sh -c "Rscript fit.R 7 7.txt | cat" && [ "$(cat 7.txt)" = "14 " ]'
plan
