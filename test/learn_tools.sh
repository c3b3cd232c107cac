#!/bin/bash
# learn_tools.sh - trainers that are compiled programs
. "$(dirname "$0")/trainers/lib.sh"
for tool in xgboost svm-train liblinear-train fasttext; do
	command -v "$tool" >/dev/null || skip "there is no $tool"
done

learns xgboost 4 3 's/ 0.3 / 0.4 /' 2
learns svm 4 6 's/ 2 8/ 4 8/' 2
learns liblinear 4 2 's/ 1 10/ 2 10/' 2
learns fasttext 4 2 's/0.5 1.0/0.7 1.0/' 2
plan
