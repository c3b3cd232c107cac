#!/bin/bash
# swift.sh DIR [REGION] - OpenStack Swift with its S3 interface on this host: an S3
# store that knows no conditional PUT and insists on its region; all of it in DIR
# and on loopback
#
# Afterwards DIR/env says where it is and with which keys (to be sourced), and the
# process ids are in DIR/pids.  There is a bucket called bucket.  Exit status 77:
# Swift is not installed.
set -eu
dir=${1:?DIR} region=${2:-us-east-1}
PATH=$PATH:/usr/sbin
for tool in swift-proxy-server swift-account-server swift-container-server \
	swift-object-server memcached curl; do
	command -v $tool >/dev/null || { echo "needs $tool" >&2; exit 77; }
done
grep -qs '^swift_hash_path_suffix' /etc/swift/swift.conf ||
	{ echo 'needs a swift_hash_path_suffix in /etc/swift/swift.conf' >&2; exit 77; }

mkdir -p "$dir"/{conf,disks/one,log}
: >"$dir/pids"
read -r proxy cache account container object < <(/usr/bin/python3 -c 'import socket
held = [socket.socket() for _ in range(5)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')

serve() # NAME COMMAND...
{
	local name=$1

	shift
	"$@" >"$dir/log/$name" 2>&1 </dev/null &
	echo $! >>"$dir/pids"
}

# The rings first: a server looks for its own when it starts.
cd "$dir/conf"
/usr/bin/python3 - account=$account container=$container object=$object <<'END'
import sys
from swift.common.ring import RingBuilder

for kind, port in (word.split("=") for word in sys.argv[1:]):
    ring = RingBuilder(4, 1, 1)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port),
                  "device": "one", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(f"{kind}.ring.gz")
END
for kind in account container object; do
	cat >$kind.conf <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${!kind}
user = $(id -un)
swift_dir = $dir/conf
devices = $dir/disks
mount_check = false
disable_fallocate = true
workers = 0
log_level = ERROR
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
END
done
cat >proxy.conf <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $proxy
user = $(id -un)
swift_dir = $dir/conf
workers = 0
log_level = ERROR
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$cache
[filter:s3api]
use = egg:swift#s3api
location = $region
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_gg_tester = gg-test-secret .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
END
for filter in catch_errors gatekeeper listing_formats bulk copy slo dlo symlink; do
	printf '[filter:%s]\nuse = egg:swift#%s\n' $filter $filter >>proxy.conf
done
cd - >/dev/null
serve memcached memcached -u "$(id -un)" -l 127.0.0.1 -p "$cache" -m 64
for kind in account container object; do
	serve $kind swift-$kind-server "$dir/conf/$kind.conf"
done
serve proxy swift-proxy-server "$dir/conf/proxy.conf"
cat >"$dir/env" <<END
export S3_ENDPOINT=http://127.0.0.1:$proxy
export AWS_ACCESS_KEY_ID=gg:tester AWS_SECRET_ACCESS_KEY=gg-test-secret
END
. "$dir/env"
# The proxy answers before those behind it do.
for i in $(seq 600); do
	AWS_REGION=$region "$(dirname "$0")/s3_request.py" PUT "$S3_ENDPOINT/bucket" \
		>"$dir/log/bucket" 2>&1 && break
	kill -0 "$(tail -1 "$dir/pids")" 2>/dev/null || { tail -3 "$dir/log/proxy" >&2; exit 1; }
	sleep 0.2
done
curl -fs -o /dev/null "$S3_ENDPOINT/info"
