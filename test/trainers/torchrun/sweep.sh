#!/bin/bash
# Two processes a member, gradients averaged between them.  Without the
# redirection torch 1.13 falls over an enumeration that Python 3.11 changed.
set -e
export OMP_NUM_THREADS=1
mkdir -p out
for seed in 1 2; do
	torchrun --standalone --nproc_per_node=2 --monitor_interval 1 --redirects 1 --tee 1 \
		ddp.py --seed $seed --out out/ddp-$seed.pt
done
