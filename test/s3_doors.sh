#!/bin/bash
# S3 as it is found in the world: behind TLS, with the bucket in the host's name,
# sent to another region or address, and a store (OpenStack Swift) that has no
# conditional PUT and insists on its region.  Real radosgw, Swift and nginx.
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/contract.sh"
. "$here/test/servers/nginx.sh"
. "$here/test/servers/s3_doors.sh"
calls=$BUILD/test/remote_calls
trap 'stop; chmod -R u+w "$work"; rm -rf "$work"' EXIT

stop()
{
	nginx_stop
	kill $(cat "$work/s3/pids" "$work/swift/pids" 2>/dev/null) 2>/dev/null
	wait
}

# gg as somebody who has set these: NAME=VALUE... -- URI
check_as()
{
	local set=()

	while [ "$1" != -- ]; do set+=("$1"); shift; done
	env -u CURL_CA_BUNDLE -u SSL_CERT_FILE -u AWS_CA_BUNDLE "${set[@]}" \
		"$GG" remote check --remote "$2"
}

command -v openssl >/dev/null || skip 'needs openssl'
nginx_there || skip 'needs nginx'
"$here/test/servers/swift.sh" "$work/swift" eu-gg-1 >"$work/swift.start" 2>&1 &
swift=$!
"$here/test/servers/radosgw.sh" "$work/s3" >"$work/start" 2>&1 &&
	"$here/test/servers/radosgw.sh" "$work/s3" abroad >>"$work/start" 2>&1
rc=$?
wait $swift
swift_rc=$?
[ $rc = 77 ] && skip "$(tail -1 "$work/start")"
. "$work/s3/env"
export HOME=$work
doors_start "$work/doors" "$S3_ENDPOINT" >>"$work/start" 2>&1
check "the servers are there" [ $? = 0 ]

tls="s3://bucket/tls?endpoint=$door_tls"
for name in CURL_CA_BUNDLE SSL_CERT_FILE AWS_CA_BUNDLE; do
	check "S3 by TLS, its authority named by $name" check_as $name="$work/doors/ca.pem" -- "$tls"
done
check "a certificate of an authority that nobody has named: what to do is said" \
	says 'SSL_CERT_FILE' 3 check_as -- "$tls"
check "AWS_CA_BUNDLE counts for S3 before the authorities of all others" \
	check_as SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt AWS_CA_BUNDLE="$work/doors/ca.pem" -- "$tls"
check "a certificate for another name is refused, and that is said" \
	says 'matches target host name' 3 check_as SSL_CERT_FILE="$work/doors/ca.pem" -- \
	"s3://bucket?endpoint=$door_other"
check "a file of authorities that is not there is named as such" \
	says 'file of authorities cannot be read' 3 check_as SSL_CERT_FILE=/no/such/file -- "$tls"

export AWS_CA_BUNDLE=$work/doors/ca.pem
virtual="s3://bucket/some%20where?endpoint=$door_tls&style=virtual"
check "by TLS and with the bucket in the host's name, the contract is kept" contract s3 "$virtual"
check "the bucket was in the host's name" \
	grep -q '^bucket\.s3\.localhost /some where/.*many/7$' "$work/doors/asked"
check "50 MB go in parts and come back in parts that way" says whole 0 "$calls" "$virtual" large 52428800

abroad="s3://bucket/far?endpoint=$ABROAD_ENDPOINT"
check "who asks in another region is sent on (301), and goes there" contract s3 "$abroad"
check "once: all that follows goes there straight" \
	sh -c '"$1" "$2" many 1000 4096 >"$3" && [ "$(head -1 "$3" | cut -d" " -f1)" -lt 1100 ]' \
	- "$calls" "$abroad" "$work/many"
check "who is sent aside (307) each time goes there each time" \
	says all 0 "$calls" "s3://bucket/aside?endpoint=$door_aside" many 300 4096
check "with large objects, too" \
	says whole 0 "$calls" "s3://bucket/aside?endpoint=$door_aside" large 20000000
check "who came by TLS is not sent where there is none" \
	says 'another region' 1 "$calls" "s3://bucket?endpoint=$door_down" check
check "who is sent round in circles is told where to" \
	says "the server says it is at $door_round/bucket" 1 "$calls" "s3://bucket?endpoint=$door_round" check

if [ $swift_rc = 77 ]; then
	n_checks=$((n_checks + 1))
	echo "ok $n_checks - Swift # SKIP $(tail -1 "$work/swift.start")"
	plan
fi
check "Swift is there" [ $swift_rc = 0 ]
. "$work/swift/env"
swift="s3://bucket/some%20where?endpoint=$S3_ENDPOINT"
check "Swift says its region, which is learnt; it has no If-None-Match, and keeps the contract" \
	contract s3 "$swift"
check "Swift takes 40 MB in parts" says whole 0 "$calls" "$swift" large 41943040
check "nothing is wrong with Swift, says check" says 'fine' 0 check_as -- "$swift"
check "a secret that is not Swift's is told of" says 'secret key is wrong' 3 \
	check_as AWS_SECRET_ACCESS_KEY=not-it -- "$swift"
plan
