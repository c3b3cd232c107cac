#!/bin/bash
# learn_torch.sh - PyTorch: loaders with worker processes, torchrun
. "$(dirname "$0")/trainers/lib.sh"
python3 -c 'import torch' 2>/dev/null || skip 'python3 has no torch'
[ -d /usr/share/datasets/fashion-mnist ] || skip 'there is no dataset-fashion-mnist'

learns torch 2 2
sed -i 's/0.05 0.02 0.1/0.05 0.02 0.2/' sweep.sh
rm -r checkpoints/lr-0.1
check "torch: one learning rate changed: that member and the test" \
	counts 2 2 0 "$GG" run ./sweep.sh
learns torchrun 1 1
plan
