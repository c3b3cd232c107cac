#!/bin/bash
# learn_gaps.sh - what projects hold besides scripts: environments, settings
. "$(dirname "$0")/lib.sh"

export PATH=/usr/bin:$PATH
unset PYTHONDONTWRITEBYTECODE

# What the script leaves without gg, at the same place: some files name it.
plainly()
{
	./sweep.sh >/dev/null 2>&1 || { echo "Bail out! the script fails without gg"; exit 1; }
	mv out "$work/$1"
}

# ---- an environment of the project's own

environment()
{
	local site=.venv/lib/python3*/site-packages

	cd "$work" && chmod -R u+w env 2>/dev/null
	rm -rf env && mkdir env && cd env || exit
	python3 -m venv --without-pip .venv 2>/dev/null || skip "no python3-venv"
	# shellcheck disable=SC2086
	site=$(echo $site)
	mkdir -p "$site/tiny" vendor
	echo "$PWD/vendor" >"$site/vendor.pth"
	echo 'bias = 5' >vendor/bias.py
	cat >"$site/tiny/__init__.py" <<'P'
import argparse, json, random, sys
def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seed', type=int)
    p.add_argument('--out')
    a = p.parse_args()
    import bias
    scale = 1
    if a.seed == 3:
        from .rare import scale
    v = [random.Random(a.seed).random() * scale + bias.bias]
    json.dump({'v': v, 'prefix': sys.prefix, 'base': sys.base_prefix}, open(a.out, 'w'))
P
	echo 'scale = 2' >"$site/tiny/rare.py"
	echo 'from tiny import main; main()' | tee train.py >"$site/tiny/__main__.py"
	printf '#!%s\nfrom tiny import main\nmain()\n' "$PWD/.venv/bin/python" >.venv/bin/tiny
	chmod +x .venv/bin/tiny
	cat >sweep.sh <<'S'
#!/bin/bash
. .venv/bin/activate
mkdir -p out
for s in 1 2 3; do tiny --seed $s --out out/c$s.json || exit; done
for s in 1 2 3; do python train.py --seed $s --out out/p$s.json || exit; done
for s in 1 2 3; do .venv/bin/python3 -m tiny --seed $s --out out/m$s.json || exit; done
S
	chmod +x sweep.sh
}

not_of_place()
{
	"$GG" show "$1" >"$work/.shown" && grep -q '^arg train.py' "$work/.shown" &&
		! grep -E '^env (VIRTUAL_ENV|PATH|PS1)' "$work/.shown"
}

environment
plainly env.plain
find . -name __pycache__ -exec rm -r {} +
check "environment: of its script, its python and its module one command each runs" \
	counts 6 3 0 "$GG" run ./sweep.sh
check "environment: all is as without gg, a module that no traced run imported too" \
	diff -r "$work/env.plain" out
check "environment: what Python compiled meanwhile changes no step" \
	counts 0 9 0 "$GG" run --fresh ./sweep.sh
check "environment: that it was activated is no part of a step" \
	not_of_place out/p2.json
check "environment: the packages are its inputs" \
	grep -q '^in tree .*/site-packages/tiny$' <("$GG" show out/p2.json)
check "environment: its steps run with their closure alone, too" \
	says "same 3, differ 0, failed 0" 0 "$GG" verify --hermetic out/c2.json out/p2.json out/m3.json
echo 'bias = 6' >vendor/bias.py
check "environment: a module that a .pth file leads to has changed: all again" \
	counts 9 0 0 "$GG" run --fresh ./sweep.sh
echo 'scale = 3' >.venv/lib/python3*/site-packages/tiny/rare.py
check "environment: so has one of a package: all again, as without gg" \
	counts 9 0 0 "$GG" run --fresh ./sweep.sh
mv out "$work/env.ours"
plainly env.second
check "environment: and as without gg" diff -r "$work/env.second" "$work/env.ours"

plan
