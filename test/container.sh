#!/bin/bash
# container.sh - steps in containers of a real podman: the same bytes as at home,
# images made of closures, refusals in words, and nothing left whatever is killed
. "$(dirname "$0")/lib.sh"

for tool in podman runc curl jq; do
	command -v $tool >/dev/null || skip "needs $tool"
done
server=$here/test/servers/podman.sh
own_gg
[ -x "$BUILD/gg-worker" ] && cp "$BUILD/gg-worker" "$work/gg-worker"
trap '"$server" "$work/p" stop; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
"$server" "$work/p" || skip 'podman cannot serve here'
socket=$work/p/s
export CONTAINERS_CONF=$work/p/containers.conf XDG_CACHE_HOME=$work/cache
pod() { podman --root "$work/p/root" --runroot "$work/p/run" "$@"; }
on() { echo "container:socket=$socket${1:+,$1}"; }

# The workers in containers of this podman.
workers()
{
	local p

	for p in $(pgrep -f 'connect /run/gg/ticket --name gg-'); do
		grep -qs "$work/p/root" "/proc/$p/mountinfo" && echo "$p"
	done
}
# Nothing of a worker is left: no container, no process, no mount.
nothing_runs()
{
	until_true 60 eval '[ -z "$(pod ps -aq)$(workers)" ] &&
		! grep -q "$work/p/root/overlay/.*/merged" /proc/mounts' && return
	pod ps -a
	workers
	grep "$work" /proc/mounts
	return 1
}
images() { pod images --noheading --format '{{.Repository}}:{{.Tag}}' "$@" | sort; }
n_images() { [ "$(images | grep -c gg-closures)" = "$1" ]; }

project p
python=$(readlink -f /usr/bin/python3)
v=${python##*python}
uses="python3-minimal python$v-minimal libpython$v-minimal libpython$v-stdlib libc6 zlib1g libexpat1"
cat >gg.models <<END
python3 step.py @in --of=@ --wait=@ -o=@out
	uses	$uses
python3 sum.py -o=@out @in...
	uses	$uses libjansson4
python3 device.py -o=@out
	uses	$uses
	gpus	1
python3 eat.py -o=@out
	uses	$uses
python3 half.py -o=@out
	uses	$uses
	cpus	0.5
sh fill.sh @in @out
	uses	dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10
END
cat >step.py <<'END'
import hashlib, os, sys, time
time.sleep(float(sys.argv[5]))
with open(sys.argv[7], "w") as f:
    data = open(sys.argv[1], "rb").read()
    f.write("%s %s %s\n" % (sys.argv[3], hashlib.sha256(data).hexdigest(), os.getcwd()))
END
cat >sum.py <<'END'
import sys
with open(sys.argv[2], "w") as f:
    for name in sys.argv[3:]:
        f.write(open(name).read())
END
cat >device.py <<'END'
import os, sys
with open(sys.argv[2], "w") as f:
    print(os.path.exists("/dev/gg-test0"), os.path.exists("/dev/gg-test1"), file=f)
END
cat >eat.py <<'END'
import sys
data = b"x" * (400 << 20)
open(sys.argv[2], "w").write("ate %d\n" % len(data))
END
cat >half.py <<'END'
import sys
open(sys.argv[2], "w").write("half\n")
END
# Nothing of it is large but what it writes, which is in memory there.
echo 'cat $1; head -c 300000000 /dev/zero | tr "\000" x >$2' >fill.sh
seq 1000 >small
head -c 300000 /dev/urandom >large
# script N WAIT: N steps of each input, and one of them all.
script()
{
	local i

	mkdir -p out
	for i in $(seq "$1"); do
		echo "python3 step.py small --of $i --wait $2 -o out/a$i"
		echo "python3 step.py large --of $i --wait $2 -o out/b$i"
	done
	echo "python3 sum.py -o all out/a* out/b*"
}
script 4 0 >s.sh
infer() { chmod -R u+w . ; rm -rf out all .gg; "$GG" init; mkdir out; "$GG" infer sh "${1:-s.sh}"; }
infer >"$work/.infer" 2>&1
check 'at home' counts 9 0 0 "$GG" force --engine local:jobs=2 all
cp all "$work/all"
infer >"$work/.infer" 2>&1
check 'in containers of the closures' counts 9 0 0 "$GG" force --engine "$(on workers=2)" all
check 'the same bytes, at the same path' cmp all "$work/all"
check 'of one image' n_images 1
check 'and nothing is left of them' nothing_runs
check 'nor here' nothing_temporary
check 'the store is right' store_is_right
infer >"$work/.infer" 2>&1
check 'again: the image is there' counts 9 0 0 "$GG" force --engine "$(on workers=1)" all
check 'still one' n_images 1
made=$(images | grep gg-closures)
infer >"$work/.infer" 2>&1
check 'an image by name' counts 9 0 0 "$GG" force --engine "$(on "workers=2,image=$made")" all
check 'whose digest is told' grep -qE "image $made is .*@?sha256:[0-9a-f]{64}" "$work/.log"
digest=$(pod image inspect "$made" | jq -r '.[0].RepoDigests[0]')
infer >"$work/.infer" 2>&1
check 'by its digest' counts 9 0 0 "$GG" force --engine "$(on "workers=2,image=$digest")" all
check 'the same bytes' cmp all "$work/all"
infer >"$work/.infer" 2>&1
check 'limits of cores and memory' \
	counts 9 0 0 "$GG" force --engine "$(on workers=2,cpus=1,mem=512M)" all
infer >"$work/.infer" 2>&1
check "through Docker's API" counts 9 0 0 "$GG" force --engine "$(on workers=2,api=docker)" all
check 'the same bytes' cmp all "$work/all"
check 'nothing is left' nothing_runs

# ---- a closure that is known only later
cat >late.sh <<'END'
python3 step.py small --of 1 --wait 0 -o out/a1
cat out/a1
python3 sum.py -o all out/a1
END
chmod -R u+w . ; rm -rf out all .gg; "$GG" init >/dev/null; mkdir out
pod rmi -f "$made" >/dev/null
check 'a step of another closure, while workers run: they make way' \
	counts 2 0 0 "$GG" run --engine "$(on workers=2,keep=1h)" sh late.sh
check 'with its bytes' cmp all out/a1
check 'nothing is left' nothing_runs

# ---- how long an idle one stays
# In earlier runs work came three seconds after the last had ended, or not at all.
if "$BUILD/test/warm_seed" .gg container 3 9; then
	echo 'python3 step.py small --of 9 --wait 0 -o out/a9
		cat out/a9
		n=0; until [ -e gone ] || [ $((n += 1)) = 2000 ]; do sleep 0.05; done' >pause.sh
	"$GG" run --engine "$(on workers=1)" sh pause.sh >"$work/.pause" 2>&1 &
	gg=$!
	up() { [ -n "$(pod ps -q)" ]; }
	check 'a container does the work' until_true 60 grep -q '^9 ' "$work/.pause"
	check 'and goes when the time has passed after which work used to come, long before a minute' \
		until_true 40 eval '! up'
	touch gone
	check 'the run goes on without it' wait $gg
fi

# ---- a base of somebody's, into which the worker is put
# The image that holds the most closures.
fullest()
{
	local i

	for i in $(images | grep gg-closures); do
		echo "$(pod image inspect "$i" | jq -r '.[0].Labels["gg.closures"]' | wc -w) $i"
	done | sort -n | tail -1 | cut -d' ' -f2
}
if [ -x "$work/gg-worker" ]; then
	plain=$(pod create "$(fullest)")
	mkdir "$work/base"
	pod export "$plain" | tar -C "$work/base" -x --exclude opt/gg
	pod rm "$plain" >/dev/null
	tar -C "$work/base" -c . | pod import -q - localhost/base:1 >/dev/null
	infer >"$work/.infer" 2>&1
	check 'an image without gg' counts 9 0 0 "$GG" force --engine "$(on workers=2,base=localhost/base:1)" all
	check 'the same bytes' cmp all "$work/all"
fi

# ---- memory
echo 'python3 eat.py -o eaten' >e.sh
rm -f eaten
infer e.sh >"$work/.infer" 2>&1
check 'a step for which there is too little memory says so' \
	says 'killed for lack of memory' 1 "$GG" force --engine "$(on workers=1,mem=128M)" eaten
check 'and runs where there is more' counts 1 0 0 "$GG" force \
	--engine "$(on workers=1,mem=128M)" --engine local:jobs=1 eaten
check 'it ate' grep -qx 'ate 419430400' eaten
echo 'sh fill.sh small full' >f.sh
infer f.sh >"$work/.infer" 2>&1
check 'so it is for one whose output has no room: its worker lives' \
	says 'killed for lack of memory' 1 "$GG" force --engine "$(on workers=1,mem=128M)" full
check 'and was never lost' eval '! grep -h lost-worker .gg/runs/*.jsonl'

# ---- files are in memory there, of which disk= is a part
printf 'python3 scratch.py -o=@out\n\tuses\t%s\n\tdisk\t20M\n' "$uses" >>gg.models
sed 's/half/scratch/' half.py >scratch.py
echo 'python3 scratch.py -o scratch' >d.sh
infer d.sh >"$work/.infer" 2>&1
check 'a step that wants disk is told what to say' \
	says 'disk= says how much of mem= is' 1 "$GG" force --engine "$(on workers=1,mem=128M)" scratch
check 'and runs where that is said' counts 1 0 0 "$GG" force \
	--engine "$(on workers=1,mem=128M,disk=32M)" scratch

# ---- a part of a core
# The limit of a container, in cores.
cores() # ID
{
	local pid=$(pod inspect "$1" | jq '.[0].State.Pid') at

	at=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	awk '{ print $1 / $2 }' "/sys/fs/cgroup$at/cpu.max" 2>/dev/null && return
	at=/sys/fs/cgroup/cpu$(sed -nE 's/^[0-9]+:([a-z]+,)*cpu(,[a-z]+)*://p' "/proc/$pid/cgroup")
	echo "$(cat "$at/cpu.cfs_quota_us")" "$(cat "$at/cpu.cfs_period_us")" | awk '{ print $1 / $2 }'
}
echo 'python3 half.py -o half' >c.sh
infer c.sh >"$work/.infer" 2>&1
"$GG" force --engine "$(on workers=1,cpus=0.5)" half >"$work/.half" 2>&1
check 'half a core is enough for a step that says so' grep -q 'forced 1, cached 0, failed 0' "$work/.half"
check 'and too little for one that wants a whole one' eval '
	infer e.sh >"$work/.infer" 2>&1
	says "more than one worker has" 1 "$GG" force --engine "$(on workers=1,cpus=0.5)" eaten'

# ---- refusals
refuses() { infer >"$work/.infer" 2>&1; says "$1" "${3:-3}" "$GG" force --engine "$2" all; }
check 'no socket' refuses 'system service' "container:socket=$work/nobody"
check 'no image' refuses 'localhost:1/no/such' "$(on image=localhost:1/no/such:1)" 1
check 'no image of that digest' refuses 'image localhost/gg-closures@sha256' \
	"$(on "image=localhost/gg-closures@sha256:$(printf '0%.0s' $(seq 64))")" 1
check 'no digest' refuses 'NAME@sha256' "$(on 'image=a b')" 1
check 'a word that is none' refuses 'does not know "wrokers"' "$(on wrokers=2)" 2
check 'no device' refuses 'CDI' "$(on device=gg.test/none=7)" 1
check 'too few devices' refuses '4 devices' "$(on workers=4,gpus=1,device=gg.test/gpu=0)" 2
check 'an image that is no worker' eval '
	printf x >"$work/x" && tar -C "$work" -c x | pod import -q - localhost/none:1 >/dev/null &&
	refuses "container" "$(on image=localhost/none:1)" 1'
check 'the next engine takes what this one cannot' eval '
	infer >"$work/.infer" 2>&1
	counts 9 0 0 "$GG" force --engine "$(on image=localhost/none:1)" --engine local all'
check 'nothing is left' nothing_runs

# ---- devices
cdi=/var/run/cdi
if [ "$(id -u)" = 0 ] && mkdir -p $cdi 2>/dev/null; then
	name=gg-test-$$
	{
		printf '{ "cdiVersion": "0.5.0", "kind": "%s/gpu", "devices": [' $name.test
		for i in 0 1; do
			[ $i = 0 ] || printf ,
			printf '{ "name": "%d", "containerEdits": { "deviceNodes": [ { "path":
				"/dev/gg-test%d", "type": "c", "hostPath": "/dev/null", "major": 1,
				"minor": 3 } ] } }' $i $i
		done
		printf '] }\n'
	} >$cdi/$name.json
	echo 'python3 device.py -o device' >d.sh
	device=device=$name.test/gpu=0
	infer d.sh >"$work/.infer" 2>&1
	check 'a step that wants a device has none at home' \
		says 'it can never run' 1 "$GG" force --engine local device
	check 'a worker with a device' counts 1 0 0 "$GG" force --engine "$(on "workers=1,gpus=1,$device")" device
	check 'has this one and no other' grep -qx 'True False' device
	infer d.sh >"$work/.infer" 2>&1
	check 'a step that wants all of it does not fit into half' \
		says 'more than one worker has' 1 "$GG" force --engine "$(on "workers=2,gpus=0.5,$device")" device
	sed -i 's/gpus	1/gpus	0.5/' gg.models
	infer d.sh >"$work/.infer" 2>&1
	check 'halves of one' counts 1 0 0 "$GG" force --engine "$(on "workers=2,min=2,gpus=0.5,$device")" device
	check 'are of the same one' grep -qx 'True False' device
	rm -f $cdi/$name.json
	rmdir $cdi 2>/dev/null
fi

# ---- what is killed
script 6 0.5 >slow.sh
# begin WORDS N: force in the background, until N containers are there and a step runs.
begin()
{
	infer slow.sh >"$work/.infer" 2>&1
	"$GG" force --engine "$(on "$1")" all >"$work/.begun" 2>&1 &
	gg=$!
	until_true 60 eval "[ \"\$(workers | wc -l)\" -ge $2 ]"
	until_true 60 pgrep -f 'step[.]py .* --wait 0[.]5'
}
ended() { wait $gg; [ $? = "$1" ] || { cat "$work/.begun"; return 1; }; }
infer slow.sh >"$work/.infer" 2>&1
"$GG" force -q -j2 --engine local all >/dev/null 2>&1
cp all "$work/slow"

begin workers=2 2
pod kill "$(pod ps -q | head -1)" >/dev/null 2>&1
check 'a container is killed: its steps run again' ended 0
check 'the same bytes' cmp all "$work/slow"
check 'nothing is left' nothing_runs

begin workers=1,cpus=1.5 1
one=$(pod ps -q)
pod pause "$one" >/dev/null
check 'a part of a core is its limit' eval '[ "$(cores "$one")" = 1.5 ]'
pod unpause "$one" >/dev/null
pod kill "$one" >/dev/null 2>&1
check 'the only one is killed: another is made' ended 0
check 'the same bytes' cmp all "$work/slow"

begin workers=2 2
# Not while gg makes a container of it: podman then takes the layers from below that.
kill -STOP $gg
slow_image=$(pod image inspect "$(pod ps --format '{{.Image}}' | head -1)" | jq -r '.[0].RepoTags[0]')
pod rm -f -t 0 $(pod ps -q) >/dev/null 2>&1
pod rmi -f "$slow_image" >/dev/null 2>&1
kill -CONT $gg
check 'the image is removed, and its containers with it: it is made again' ended 0
check 'the same bytes' cmp all "$work/slow"
check 'nothing is left' nothing_runs

infer slow.sh >"$work/.infer" 2>&1
pod rmi -f "$slow_image" >/dev/null 2>&1
"$GG" force --engine "$(on workers=2)" all >"$work/.begun" 2>&1 &
gg=$!
until_true 60 pgrep -f "^$work/gg _pack"
kill -9 "$(cat "$work/p/pid")"
sleep 1
"$server" "$work/p"
check 'podman ends while an image is made: it is made once podman is back' ended 0
check 'the same bytes' cmp all "$work/slow"

begin workers=2 2
kill -9 "$(cat "$work/p/pid")"
check 'podman itself is killed: workers go on' ended 0
check 'the same bytes' cmp all "$work/slow"
check 'nothing is left' nothing_runs
"$server" "$work/p"

begin workers=2 2
kill -9 $gg
wait $gg 2>/dev/null
check 'gg is killed: its workers end by themselves, and their containers' nothing_runs
check "and the processes" eval "! left_over | grep -v \"system service\" | grep ."
check 'what was done is kept' "$GG" force -q -j2 --engine local all
check 'the same bytes' cmp all "$work/slow"
check 'nothing is left here' nothing_temporary

# A worker that cannot notice: the next gg removes it.
begin workers=1 1
pod pause "$(pod ps -q)" >/dev/null
kill -9 $gg
wait $gg 2>/dev/null
check 'gg gc removes what a killed gg has left' says 'removed 1 containers' 0 "$GG" gc
check 'nothing is left' nothing_runs

# ---- images that nobody uses any more
n_all=$(images | grep -c gg-closures)
stamps() { find "$work/cache/gg/images" -type f; }
# Named as gg names its own, but made by other hands.
theirs=localhost/gg-closures:$(printf 'a%.0s' $(seq 32))
pod tag localhost/none:1 "$theirs"
check 'within the grace period gg gc leaves images' eval '
	says removed 0 "$GG" gc && [ "$(images | grep -c gg-closures)" = $((n_all + 1)) ]'
check 'their last uses are in the cache of the user' \
	[ -z "$(images | sed -n 's/.*gg-closures://p' | grep -vxFf <(stamps | sed 's/.*\///') | grep -vx 'a*')" ]
stamps | xargs touch -d '8 days ago'
mkdir "$work/q" && cp gg.models ./*.py small large s.sh "$work/q" && cd "$work/q"
infer >"$work/.infer" 2>&1
check 'another project uses one' counts 9 0 0 "$GG" force --engine "$(on workers=1)" all
cp all all.q
used=localhost/gg-closures:$(stamps | xargs -I@ find @ -mmin -60 | sed 's/.*\///')
# Of the others a container is made from one, and one has another name too.
set -- $(images | grep gg-closures | grep -vxF -e "$theirs" -e "$used")
held=$(pod create "$1")
pod tag "$2" localhost/mine:1
check 'gg gc -n says how many would go' \
	says "would remove $((n_all - 1)) images" 0 "$GG" gc -n
check 'gg gc removes those that nobody has used for a week' \
	says "removed $((n_all - 2)) images" 0 "$GG" gc
check 'but neither what was used, nor what a container is made from, nor what is not its own' \
	[ "$(images | grep gg-closures)" = "$(printf '%s\n' "$used" "$1" "$theirs" | sort)" ]
check 'what has another name keeps that' pod image exists localhost/mine:1
pod rm "$held" >/dev/null
check '--grace says how long ago the last use has to be' \
	says 'removed 2 images' 0 "$GG" gc --grace 0
check 'none is left but theirs' [ "$(images | grep gg-closures)" = "$theirs" ]
infer >"$work/.infer" 2>&1
check 'what is needed again is made again' counts 9 0 0 "$GG" force --engine "$(on workers=1)" all
check 'with the same bytes' cmp all all.q
plan
