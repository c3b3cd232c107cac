#!/bin/bash
# image.sh - closures become images that podman and skopeo take, and in which
# gg worker gives the same bytes as gg force
. "$(dirname "$0")/lib.sh"

for tool in podman runc skopeo jq; do
	command -v $tool >/dev/null || skip "needs $tool"
done
request=$BUILD/test/worker_request
[ -x "$request" ] || skip "needs $request"
tag=gg-test-$$-$RANDOM:1
server=
trap 'podman rmi -f "$tag" >/dev/null 2>&1; rm -f "/var/run/cdi/${tag%:*}.json"; [ -n "$server" ] && kill "$server"
	chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

# Machines without cgroup v2 controllers need runc, and lower limits than the
# defaults; what is set already stays.
if [ -z "${CONTAINERS_CONF:-}" ]; then
	cat >"$work/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
		log_driver = "none"
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "none"
	END
	export CONTAINERS_CONF=$work/containers.conf
fi

project p
python=$(readlink -f /usr/bin/python3)
v=${python##*python}
cat >step.py <<'END'
import json, os, sys
data = sorted(json.load(open(sys.argv[1])))
print("seen:", sorted(os.listdir(".")))
with open(sys.argv[3], "w") as f:
    f.write("sum %d at %s\n" % (sum(data), os.environ["TZ"]))
END
cat >gg.models <<END
python3 step.py @in -o=@out
	uses	python3-minimal
	uses	python$v-minimal
	uses	libpython$v-minimal
	uses	libpython$v-stdlib
	uses	libc6
	uses	zlib1g
	uses	libexpat1
python3 plain.py -o=@out
END
# Another step with the same uses: the same closure, so the same image.
sed 's/step.py @in/device.py/; /plain/d' gg.models >>gg.models.more
cat gg.models.more >>gg.models
rm gg.models.more
cat >device.py <<'END'
import os, sys
with open(sys.argv[2], "w") as f:
    print(os.path.exists("/dev/gg-test0"), os.path.exists("/usr/lib/gg-driver.so"), file=f)
END
echo '[3, 1, 2]' >in.json
echo 'open("never", "w")' >plain.py
"$GG" infer sh -c 'python3 step.py in.json -o out.txt; python3 plain.py -o plain.txt
	python3 device.py -o device.txt' \
	>"$work/.infer" 2>&1
check 'an image is made of an output that was not forced' "$GG" image out.txt -o a.tar --tag "$tag"
check 'and again, the same' "$GG" image out.txt -o b.tar --tag "$tag"
check 'to the last byte' cmp a.tar b.tar
check 'with one thread too' taskset -c 0 "$GG" image out.txt -o b.tar --tag "$tag"
check 'to the last byte' cmp a.tar b.tar
check 'gzip is another image' "$GG" image out.txt -o gz.tar --compress=gzip
check 'what has no closure cannot be in one' says 'has a closure' 2 "$GG" image plain.txt -o no.tar
check 'a step of this machine beside is told of' says 'run on this machine only' 0 \
	"$GG" image . -o b.tar
check 'where to is asked for' says '--push' 2 "$GG" image out.txt
check 'a way to compress is checked' says 'zstd or gzip' 2 "$GG" image out.txt -o no.tar --compress=xz
check 'a folder that is not there is named' says 'no/such' 3 "$GG" image out.txt -o no/such/a.tar
check 'nothing is left of what failed' test ! -e no.tar

# ---- the layout
closure=$("$GG" image out.txt -o b.tar -q --json | jq -r '.closures[0]')
labels() { skopeo inspect "oci-archive:$1" | jq -r '.Labels["gg.closures"]'; }
check 'the label says which closure it satisfies' test "$(labels a.tar)" = "$closure"
check 'the index names the digest that gg says' test \
	"$("$GG" image out.txt -o b.tar -q --json | jq -r .digest)" = \
	"$(tar -xOf b.tar index.json | jq -r '.manifests[0].digest' | cut -d: -f2)"
check 'skopeo reads every blob of it' skopeo copy -q oci-archive:a.tar "dir:$work/dir"
check 'and of the gzip one' skopeo copy -q oci-archive:gz.tar "dir:$work/dirgz"
config() { skopeo inspect --config "oci-archive:$1" | jq -c "$2"; }
check 'both hold the same files' test \
	"$(config a.tar .rootfs)" = "$(config gz.tar .rootfs)"
check 'its entry point is the worker' test \
	"$(config a.tar .config.Entrypoint)" = '["/opt/gg/gg","worker"]'
check 'nothing in it says who, where or when' sh -c \
	'! tar -xOf a.tar index.json | grep -q "$(hostname)" &&
	test "$(tar -tvf a.tar | grep -vc 1970-01-01)" = 0'

# ---- podman
check 'podman takes it' podman load -q -i a.tar
step=$("$GG" show out.txt | grep -oE '[0-9a-f]{64}' | head -1)
"$request" .gg "$step" "$PWD" >"$work/request.json"
worker() { podman run --rm -i "$@" "$tag" --once - <"$work/request.json" >"$work/answer.json"; }
answer() { "$request" --read "$work/answer.json"; }
"$GG" force -q out.txt >"$work/.force" 2>&1
# What the worker gave for out.txt is what force put there.
same() { worker "$@" && answer >"$work/said" && answer | sed '1,/:$/d' | cmp - out.txt; }
check 'the worker in it gives the same bytes as gg force' same
check 'the step saw its inputs and nothing else' grep -q "seen: \['in.json', 'step.py'\]" "$work/said"
check 'with no powers, no network and a root that cannot be written' \
	same --read-only --cap-drop=all --security-opt=no-new-privileges --network=none
check 'as nobody in particular' same --user=12345:12345
check 'the programs of the closure run as they are' \
	podman run --rm --entrypoint /usr/bin/python3 "$tag" -c 'import json, zlib'
check 'gg in it uses its own libraries' podman run --rm --entrypoint /opt/gg/gg "$tag" --version

# ---- devices: nothing of a driver is in the image; CDI puts it there
cdi=/var/run/cdi
if [ "$(id -u)" = 0 ] && mkdir -p $cdi 2>/dev/null; then
	cat >"$cdi/${tag%:*}.json" <<-END
		{ "cdiVersion": "0.5.0", "kind": "gg.test/gpu", "devices": [ { "name": "0",
		  "containerEdits": { "deviceNodes": [ { "path": "/dev/gg-test0", "type": "c",
		      "hostPath": "/dev/null", "major": 1, "minor": 3 } ],
		    "mounts": [ { "hostPath": "$PWD/in.json", "options": [ "ro", "bind" ],
		      "containerPath": "/usr/lib/gg-driver.so" } ] } } ] }
	END
	device=$("$GG" show device.txt | grep -oE '[0-9a-f]{64}' | head -1)
	"$request" .gg "$device" "$PWD" >"$work/device.json"
	on() { podman run --rm -i "$@" "$tag" --once - <"$work/device.json" >"$work/answer.json"; }
	check 'the same image runs another step of its closure' on
	check 'which sees no device' sh -c '"$1" --read "$2" | grep -q "^False False"' \
		sh "$request" "$work/answer.json"
	check 'with a CDI device given' on --device gg.test/gpu=0
	check 'a step sees the device and its driver' \
		sh -c '"$1" --read "$2" | grep -q "^True True"' sh "$request" "$work/answer.json"
	rm -f "$cdi/${tag%:*}.json"
	rmdir $cdi 2>/dev/null
fi

# ---- what it refuses
other=$(echo "$closure" | tr 0-9a-f 1-9a-f0)
sed "s/$closure/$other/" "$work/request.json" >"$work/other.json"
once() { podman run --rm -i "$tag" --once - <"$1"; }
check 'a step of another closure is refused' sh -c \
	'podman run --rm -i "$1" --once - <"$2" | grep -q "make an image"' sh "$tag" "$work/other.json"
sed 's/"objects":{\("[0-9a-f]*":\)"[^"]*"/"objects":{\1"AAAA"/' "$work/request.json" >"$work/damaged.json"
check 'an object that was damaged on its way is refused' says 'damaged' 3 once "$work/damaged.json"
jq '.objects |= {}' "$work/request.json" >"$work/lacking.json"
check 'what lacks is told of' sh -c \
	'podman run --rm -i "$1" --once - <"$2" | grep -q lost-input' sh "$tag" "$work/lacking.json"
echo '{"gg":1,' >"$work/half.json"
check 'so is half a request, with its line' says 'message, line' 3 once "$work/half.json"
outside() { "$GG" worker --once "$1" >"$work/answer.json" && answer | sed '1,/:$/d' | cmp - out.txt; }
check 'outside an image it runs what this machine holds the closure of' outside "$work/request.json"
check 'and says so of another' sh -c '"$1" worker --once "$2" | grep -q "make an image"' \
	sh "$GG" "$work/other.json"

# ---- the Runtime API
mkdir "$work/events"
cp "$work/request.json" "$work/events/1"
cp "$work/half.json" "$work/events/2"
cp "$work/other.json" "$work/events/3"
cp "$work/request.json" "$work/events/4"
/usr/bin/python3 "$here/test/runtime_api.py" "$work" >"$work/port" &
server=$!
until_true 60 test -s "$work/port"
podman run --rm --network=host --env AWS_LAMBDA_RUNTIME_API="127.0.0.1:$(cat "$work/port")" \
	--cidfile "$work/cid" "$tag" >"$work/served" 2>&1 &
container=$!
until_true 60 test -e "$work/answers/4.response"
cp "$work/answers/1.response" "$work/answer.json"
check 'an event of the Runtime API is answered' sh -c '"$1" --read "$2" | sed "1,/:\$/d" | cmp - out.txt' \
	sh "$request" "$work/answer.json"
check 'a bad one by an error' grep -q 'gg.BadRequest' "$work/answers/2.error"
check 'a refused step by an answer' grep -q 'make an image' "$work/answers/3.response"
check 'and it goes on' test -s "$work/answers/4.response"
from=$(date +%s)
podman kill --signal TERM "$(cat "$work/cid")" >/dev/null 2>&1
wait $container
rc=$?
check 'asked to stop while it waits it ends at once, well' \
	test $rc = 0 -a $(($(date +%s) - from)) -lt 30
kill "$server"
server=
AWS_LAMBDA_RUNTIME_API=127.0.0.1:1 podman run --rm --env AWS_LAMBDA_RUNTIME_API "$tag" >"$work/.log" 2>&1
check 'an API that is down is named' grep -q 'is the server running' "$work/.log"

# ---- killed
"$GG" image out.txt -o killed.tar &
gg=$!
sleep 0.1
kill -9 $gg
wait $gg 2>/dev/null
check 'a gg that is killed leaves no part of an image' sh -c \
	'test -z "$(ls -A | grep -- "^.gg-")" && test ! -e killed.tar'
plan
