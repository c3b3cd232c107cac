#!/bin/bash
# gg force --hermetic: a closure is all that a thunk sees of the machine
. "$(dirname "$0")/lib.sh"

unshare -rm true 2>/dev/null || skip "needs mount namespaces"
[ -x /usr/bin/python3 ] || skip "needs Debian's python3"
own_gg
project p

python='libc6 zlib1g libexpat1 python3-minimal python3.11-minimal libpython3.11-minimal libpython3.11-stdlib'
[ -e /usr/lib/python3.11/json ] || skip "needs python3.11 of Debian 12"
shell='dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10'
cat >gg.models <<EOF
python3 count.py --in=@in --out=@out
	uses	$python
sh see.sh --out=@out
	uses	$shell
sh lacks.sh --out=@out
	uses	dash libc6
python3 lacks.py --out=@out
	uses	libc6 zlib1g libexpat1 python3-minimal python3.11-minimal libpython3.11-minimal
sh plain.sh --out=@out
EOF
cat >count.py <<'EOF'
import json, sys, os, random
i, o = (a.split("=")[1] for a in sys.argv[1:])
json.dump({"n": len(open(i).read()), "cwd": os.getcwd(), "runtime": os.environ["GG_RUNTIME"]},
          open(o, "w"))
EOF
cat >see.sh <<'EOF'
{ ls /; ls /usr/bin | wc -l; ls -d /etc/debian_version /root /home /work /sys; } >"${1#--out=}" 2>/dev/null
true
EOF
cat >lacks.sh <<'EOF'
cat /etc/hosts >"${1#--out=}"
EOF
cat >lacks.py <<'EOF'
import sys, sqlite3
open(sys.argv[1][6:], "w").write("made")
EOF
echo 'echo >"${1#--out=}"' >plain.sh
echo some data >data

"$GG" infer sh -c 'python3 count.py --in=data --out=n.json; sh see.sh --out=seen
sh lacks.sh --out=hosts; python3 lacks.py --out=made; sh plain.sh --out=plain' >/dev/null

check "a step runs with its closure as its root" counts 1 0 0 "$GG" force --hermetic n.json
check "at the project's own path" grep -q "\"cwd\": \"$PWD\"" n.json
check "under the name of that closure" grep -q '"runtime": "closure [0-9a-f]\{64\}"' n.json
check "it sees no more" counts 1 0 0 "$GG" force --hermetic seen
check "no folder of the machine, nor a file of it" \
	sh -c '! grep -qE "^/|^(work|root|home|sys|boot|mnt)$" seen'
check "but what is a step's own" sh -c 'for d in dev proc tmp usr etc; do grep -qx $d seen || exit; done'
check "a program that the closure lacks is not there" \
	says "exit status 127" 1 "$GG" force --hermetic hosts
check "nor is a module" says "No module named 'sqlite3'" 1 "$GG" force --hermetic made
check "both are there without --hermetic" counts 2 0 0 "$GG" force hosts made
check "a step without a closure is refused, with the reason" \
	says "has no closure and cannot run with --hermetic" 1 "$GG" force --hermetic plain
check "and made without it" counts 1 0 0 "$GG" force plain
check "what was made in nothing but the closure is known everywhere" \
	counts 0 5 0 "$GG" force
check "gg verify runs in it as well" says "same 1" 0 "$GG" verify --hermetic n.json
check "nothing temporary is left" nothing_temporary
check "nor a process" none_left

# --- the folder is kept between runs, and gc removes it with its closure
"$GG" force --hermetic >/dev/null
root=$(echo .gg/roots/"$("$GG" show n.json | sed -n 's/^runtime closure //p')")
stamp() { stat -c %i "$root"; }
was=$(stamp)
echo other data >data
check "another input" counts 1 0 0 "$GG" run --hermetic python3 count.py --in=data --out=n.json
check "finds the folder as it was" [ "$(stamp)" = "$was" ]
"$GG" gc >/dev/null
check "gc keeps the folder of a closure that is needed" [ -d "$root" ]
touch "$root/usr/bin/python3.11"
echo third data >data
check "one that somebody changed" counts 1 0 0 "$GG" run --hermetic python3 count.py --in=data --out=n.json
check "is made anew" [ "$(stamp)" != "$was" ]
echo 'sh plain.sh --out=@out' >gg.models
rm -f n.json seen hosts made
"$GG" infer sh -c 'for f in n.json seen hosts made; do sh plain.sh --out=$f; done' >/dev/null
"$GG" gc --keep-runs 0 >/dev/null
check "gc removes folders that are not needed" \
	sh -c '! find .gg/roots -mindepth 1 -maxdepth 1 -type d ! -name files | grep .'
check "and their files" sh -c '! find .gg/roots/files -type f | grep .'

# --- an ordinary user, and where no mounts are permitted
as_user()
{
	(
	chmod 755 "$work"
	mkdir "$work/u" && chown 65534:65534 "$work/u" && cd "$work/u" || exit
	user="setpriv --reuid=65534 --regid=65534 --clear-groups"
	[ "$(id -u)" = 0 ] || user=
	$user "$GG" init
	printf 'sh see.sh --out=@out\n\tuses\t%s\n' "$shell" >gg.models
	cp ../p/see.sh .
	$user "$GG" run --hermetic sh see.sh --out=seen && grep -qx usr seen && ! grep -qx root seen
	)
}
check "it works for an ordinary user" as_user
not_permitted()
{
	unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_mnt_namespaces
		cd "$1"; "$2" init; cp ../p/see.sh .; printf "sh see.sh --out=@out\n\tuses\t$3\n" >gg.models
		"$2" run --hermetic sh see.sh --out=seen' - "$work/n" "$GG" "$shell" >"$work/.log" 2>&1
	cat "$work/.log"
	grep -q "hermetic needs mounts of its own" "$work/.log"
}
mkdir "$work/n"
check "where mounts are not permitted it says so, and runs nothing" not_permitted

# --- what people train with: no cache of libraries is there, and none is needed
forest()
{
	cd "$work/p" || return
	printf 'python3 forest.py @out\n\tuses\t%s\n\tuses\t%s\n' "$python" \
		"python3-sklearn python3-sklearn-lib python3-numpy python3-scipy python3-joblib
		python3-threadpoolctl python3-decorator libgfortran5 libgomp1 libgcc-s1 libstdc++6
		libquadmath0 libopenblas0-pthread liblbfgsb0 libffi8 libbz2-1.0 liblzma5 libssl3
		libcrypt1 libuuid1 libmpdec3 dash" | sed 's/^\t\t/\tuses\t/' >gg.models
	printf '\tuses\t/usr/lib/x86_64-linux-gnu/%s\n' libblas.so.3 liblapack.so.3 \
		libopenblas.so.0 >>gg.models
	cat >forest.py <<-'EOF'
	import sys
	import numpy as np
	from sklearn.ensemble import RandomForestClassifier
	X = np.arange(2000.).reshape(200, 10)
	y = np.arange(200) % 2
	m = RandomForestClassifier(20, n_jobs=2, random_state=0).fit(X, y)
	np.save(sys.argv[1], m.predict_proba(X))
	EOF
	/usr/bin/python3 forest.py plain.npy
	"$GG" run --hermetic /usr/bin/python3 forest.py forest.npy && cmp plain.npy forest.npy
}
if /usr/bin/python3 -c 'import sklearn' 2>/dev/null && command -v apt-cache >/dev/null; then
	check "scikit-learn works in it, to the same bytes as without" forest
fi
plan
