#!/bin/bash
# radosgw.sh DIR [PORT] - Ceph's S3 server on this host, its objects in memory, all
# of it in DIR and on loopback
#
# Afterwards DIR/env says where it is and with which keys (to be sourced), and the
# process ids are in DIR/pids, the S3 server's own in DIR/rgw.pid; `radosgw.sh DIR
# again [OFFSET [OPTION...]]` starts only that one anew, with a clock that is off
# (+20m) by faketime, with options of its own.  `radosgw.sh DIR abroad` starts one
# of another region (eu-gg-1), which knows the bucket only as one of the first
# server's region, and puts its ABROAD_ENDPOINT into DIR/env.  There is a bucket
# called bucket.  Keys: a full one, one that may only read.
# Exit status 77: Ceph is not installed.
set -eu
dir=${1:?DIR} port=${2:-}
PATH=$PATH:/usr/sbin
for tool in ceph-mon ceph-osd radosgw radosgw-admin ceph curl; do
	command -v $tool >/dev/null || { echo "needs $tool" >&2; exit 77; }
done

until_true() # SECONDS COMMAND...
{
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "never came true: $*" >&2; return 1; }
		sleep 0.1
	done
}

free_port()
{
	/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

gateway() # [OFFSET [OPTION...]]
{
	local offset=${1:-}

	shift || true
	. "$dir/env"
	# faketime stays in front of what it runs: the id is that of the server.
	FAKETIME_DONT_FAKE_MONOTONIC=1 ${offset:+faketime -f "$offset"} \
		bash -c 'echo $$ >"$0/rgw.pid"; echo $$ >>"$0/pids"; exec "$@"' "$dir" \
		radosgw -c "$dir/ceph.conf" -n client.gw -f "$@" \
		>>"$dir/log/gw.out" 2>&1 </dev/null &
	until_true 120 curl -fs -o /dev/null "$S3_ENDPOINT/"
}

admin="timeout 200 radosgw-admin -c $dir/ceph.conf -n client.gw"

# What the realm says of buckets, zones and users is the business of radosgw-admin.
abroad()
{
	local at=$(free_port) there="--rgw-realm=gg --rgw-zonegroup=eu --rgw-zone=eu" bucket key

	. "$dir/env"
	bucket=$($admin metadata list bucket.instance | grep -o '"bucket:[^"]*"' | tr -d '"')
	for key in "bucket.instance:$bucket" bucket:bucket; do
		$admin metadata get "$key" >"$dir/run/${key%%:*}"
	done
	{
		$admin realm create --rgw-realm=gg
		$admin zonegroup create --master --rgw-realm=gg --rgw-zonegroup=eu --api-name=eu-gg-1
		$admin zone create --master $there
		$admin zonegroup modify --master=false --rgw-realm=gg --rgw-zonegroup=default \
			--endpoints="$S3_ENDPOINT"
		$admin zone modify --rgw-realm=gg --rgw-zonegroup=default --rgw-zone=default
		$admin $there period update --commit
		$admin $there user create --uid=gg --display-name=gg \
			--access-key="$AWS_ACCESS_KEY_ID" --secret="$AWS_SECRET_ACCESS_KEY"
		for key in "bucket.instance:$bucket" bucket:bucket; do
			$admin $there metadata put "$key" <"$dir/run/${key%%:*}"
		done
	} >"$dir/log/abroad.out" 2>&1
	radosgw -c "$dir/ceph.conf" -n client.gw -f ${there//-rgw-/-rgw_} \
		--rgw_frontends="beast endpoint=127.0.0.1:$at" >>"$dir/log/abroad.out" 2>&1 </dev/null &
	echo $! >>"$dir/pids"
	echo "export ABROAD_ENDPOINT=http://127.0.0.1:$at" >>"$dir/env"
	until_true 120 curl -fs -o /dev/null "http://127.0.0.1:$at/"
}

if [ "$port" = abroad ]; then
	abroad
	exit
fi
if [ "$port" = again ]; then
	gateway "${@:3}"
	exit
fi

mkdir -p "$dir"/{mon,osd,gw,log,run}
chmod 755 "$dir"
: >"$dir/pids"
port=${port:-$(free_port)} mon=$(free_port) id=$(cat /proc/sys/kernel/random/uuid)
cat >"$dir/env" <<END
export S3_ENDPOINT=http://127.0.0.1:$port
export AWS_ACCESS_KEY_ID=GGTESTKEY AWS_SECRET_ACCESS_KEY=gg-test-secret-0123456789
export READER_KEY_ID=GGREADERKEY READER_SECRET=gg-reader-secret-0123456789
END
# One of each, nothing kept twice, nothing asked of cephx: it is for tests.
cat >"$dir/ceph.conf" <<END
[global]
fsid = $id
mon host = [v2:127.0.0.1:$mon]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
log file = $dir/log/\$name.log
admin socket = $dir/run/\$name.\$pid.asok
run dir = $dir/run
crash dir = $dir/run
pid file = $dir/run/\$name.pid
debug none = 0/0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
[mon]
mon data = $dir/mon
paxos propose interval = 0.05
paxos min wait = 0.01
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd max object name len = 256
osd max object namespace len = 64
osd class load list = *
osd class default list = *
[client.gw]
ms mon client mode = crc
rgw data = $dir/gw
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw dns name = s3.localhost
rgw thread pool size = 32
rgw enable ops log = false
rgw enable usage log = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw run sync thread = false
rgw dynamic resharding = false
rgw enable apis = s3, sts, iam, admin
debug rgw = 0/0
rgw sts key = 0123456789abcdef
rgw s3 auth use sts = true
END
conf="-c $dir/ceph.conf"

monmaptool --create --fsid "$id" --addv a "[v2:127.0.0.1:$mon]" "$dir/monmap" >/dev/null
ceph-mon $conf -i a --mkfs --monmap "$dir/monmap" >"$dir/log/mkfs.out" 2>&1
ceph-mon $conf -i a -f >"$dir/log/mon.out" 2>&1 </dev/null &
echo $! >>"$dir/pids"
until_true 120 timeout 30 ceph $conf --connect-timeout 25 mon stat
osd=$(ceph $conf osd new "$id")
ceph-osd $conf -i "$osd" --mkfs --osd-uuid "$id" >>"$dir/log/mkfs.out" 2>&1
ceph $conf osd crush add "$osd" 1.0 host=localhost root=default >/dev/null 2>&1 || true
ceph-osd $conf -i "$osd" -f >"$dir/log/osd.out" 2>&1 </dev/null &
echo $! >>"$dir/pids"
. "$dir/env"
until_true 120 $admin user create --uid=gg --display-name=gg --access-key="$AWS_ACCESS_KEY_ID" \
	--secret="$AWS_SECRET_ACCESS_KEY"
$admin subuser create --uid=gg --subuser=gg:reader --access=read --key-type=s3 \
	--access-key="$READER_KEY_ID" --secret="$READER_SECRET" >/dev/null 2>&1
$admin caps add --uid=gg --caps='user-policy=*' >/dev/null 2>&1
gateway
"$(dirname "$0")/s3_request.py" PUT "$S3_ENDPOINT/bucket" >"$dir/log/bucket.out"
# A session token is for who may ask for one.
SERVICE=iam "$(dirname "$0")/s3_request.py" POST "$S3_ENDPOINT/" "Action=PutUserPolicy&\
PolicyName=session&UserName=gg&Version=2010-05-08&PolicyDocument=%7B%22Version%22%3A%222012-10-17\
%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22sts%3A%2A%22%2C\
%22Resource%22%3A%22%2A%22%7D%5D%7D" >>"$dir/log/bucket.out"
