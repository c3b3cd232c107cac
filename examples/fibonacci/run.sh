#!/bin/sh
# The N-th Fibonacci number, 30 unless told otherwise.
set -e
sh fib.sh "${1:-30}" >result.txt
cat result.txt
