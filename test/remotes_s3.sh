#!/bin/bash
# S3 over a real radosgw: the contract of remotes, large objects, and all that
# can be wrong: secret, clock, bucket, rights, an old session, a server that is
# busy, or goes away.
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/contract.sh"
calls=$BUILD/test/remote_calls
trap 'stop; chmod -R u+w "$work"; rm -rf "$work"' EXIT

stop()
{
	[ -e "$work/s3/pids" ] && kill $(cat "$work/s3/pids") 2>/dev/null
	wait
}

# again [OFFSET [OPTION...]]: the same server, with its data, anew.
again()
{
	kill "$(cat "$work/s3/rgw.pid")" && until_true 60 eval '! kill -0 "$(cat "$work/s3/rgw.pid")"'
	"$here/test/servers/radosgw.sh" "$work/s3" again "$@"
}

no_uploads_left()
{
	"$here/test/servers/s3_request.py" GET "$S3_ENDPOINT/bucket?uploads=" >"$work/uploads" &&
		! grep -o "<UploadId>.*</UploadId>" "$work/uploads"
}

# As somebody else: NAME=VALUE... COMMAND...
as() { env "$@"; }

# A session that ends; its keys are in $work/session, in the words of env(1).
session()
{
	SERVICE=sts "$here/test/servers/s3_request.py" POST "$S3_ENDPOINT/" \
		'Action=GetSessionToken&DurationSeconds=900&Version=2011-06-15' >"$work/sts"
	sed 's/.*<AccessKeyId>\(.*\)<\/AccessKeyId>.*<SecretAccessKey>\(.*\)<\/SecretAccessKey>.*<SessionToken>\(.*\)<\/SessionToken>.*/AWS_ACCESS_KEY_ID=\1\nAWS_SECRET_ACCESS_KEY=\2\nAWS_SESSION_TOKEN=\3/' \
		"$work/sts" >"$work/session"
	grep -q '^AWS_SESSION_TOKEN=.' "$work/session"
}

# What was said holds none of the secrets.
silent()
{
	! grep -F -e "$AWS_SECRET_ACCESS_KEY" -e "$(sed -n 's/^AWS_SESSION_TOKEN=//p' "$work/session")" \
		-e "$(sed -n 's/^AWS_SECRET_ACCESS_KEY=//p' "$work/session")" -- "$work/said"
}

"$here/test/servers/radosgw.sh" "$work/s3" >"$work/start" 2>&1
case $? in
0) ;;
77) skip "$(tail -1 "$work/start")" ;;
*) skip "radosgw does not start here: $(tail -1 "$work/start")" ;;
esac
. "$work/s3/env"
uri="s3://bucket/some%20where?endpoint=$S3_ENDPOINT"
session || skip "radosgw gives no session"
export HOME=$work

check "radosgw keeps the contract of remotes" contract s3 "$uri" "s3://bucket?endpoint=$S3_ENDPOINT"
check "100 MB go in parts and come back in parts" says whole 0 "$calls" "$uri" large 104857600
check "an object of just one part too many comes back too" says whole 0 "$calls" "$uri" large 16777217
check "forcing fetches what steps need from it before they take room" \
	forcing "s3://bucket/{}?endpoint=$S3_ENDPOINT"
check "nothing is wrong, says check" says 'nothing is wrong' 0 "$calls" "$uri" check

# What writers that were killed have left, begun by another hand.
request() { "$here/test/servers/s3_request.py" "$1" "$S3_ENDPOINT/bucket$2"; }
n_uploads() { request GET '?uploads=' | grep -o '<UploadId>' | wc -l; }
hex=$(echo x | sha256sum | cut -c1-64)
for key in "some%20where/cas/$hex" some%20where/theirs "elsewhere/cas/$hex"; do
	request POST "/$key?uploads=" >/dev/null
done
gc() { "$GG" remote gc --remote "$uri" "$@"; }
check "what killed ones left half done is seen" \
	says 'would remove 1 uploads that were begun and never ended' 0 gc -n --grace 0
check "within the grace period it stays" eval 'gc && [ "$(n_uploads)" = 3 ]'
check "then it goes, and what others have begun there stays" \
	eval 'gc --grace 0 && [ "$(n_uploads)" = 2 ] && ! request GET "?uploads=" | grep "some where/cas/"'
request GET '?uploads=' | sed 's/<Upload>/\n&/g; s/$/\n/' |
	sed -n 's/^.*<Key>\(.*\)<\/Key>.*<UploadId>\(.*\)<\/UploadId>.*/\1?uploadId=\2/p' |
	sed 's/some where/some%20where/' >"$work/theirs"
while read -r key; do request DELETE "/$key" >/dev/null; done <"$work/theirs"

check "a bucket that is not there is named" \
	says 'there is no such bucket' 1 "$calls" "s3://nowhere?endpoint=$S3_ENDPOINT" check
"$calls" "$uri" put cas/small yes
reader="AWS_ACCESS_KEY_ID=$READER_KEY_ID AWS_SECRET_ACCESS_KEY=$READER_SECRET"
check "a key that may only read reads" as $reader "$calls" "$uri" get cas/small
check "and is told that it may not write" \
	says 'writing an object' 1 as $reader "$calls" "$uri" check
check "no keys at all: told where they were looked for" \
	says '.aws/credentials' 1 as -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY "$calls" "$uri" check
check "a port where nobody answers is told of in seconds" \
	says 'is the server running' 1 timeout 200 "$calls" "s3://bucket?endpoint=http://127.0.0.1:1" check
check "a session's keys work" as $(cat "$work/session") "$calls" "$uri" put cas/session yes

# With sessions it says the same of all that is wrong with keys.
again '' --rgw_s3_auth_use_sts=false
{
	as AWS_SECRET_ACCESS_KEY=not-it "$calls" "$uri" check
	as AWS_ACCESS_KEY_ID=NOBODY "$calls" "$uri" check
} >"$work/said" 2>&1
check "a wrong secret is told from an unknown key" \
	sh -c 'grep -q "secret key is wrong" "$1" && grep -q "nobody there knows the access key" "$1"' - "$work/said"

# More at once than it takes: it says 503.
again '' --rgw_max_concurrent_requests=4
check "a server that says 503 gets everything in the end" \
	says all 0 "$calls" "$uri" many 3000 4096
check "it did say so" sh -c '[ "$(head -1 "$1" | cut -d" " -f1)" -gt 3000 ]' - "$work/.log"
again ''

# A project with one value of 64 MiB that no compression makes smaller.
big()
{
	rm -rf "${work:?}/$1"
	project "$1"
	printf 'sh fill.sh @out\n' >gg.models
	printf 'openssl enc -aes-128-ctr -nosalt -pbkdf2 -pass pass:x </dev/zero 2>/dev/null |
		head -c 67108864 >"$1"\n' >fill.sh
	"$GG" infer sh fill.sh big >/dev/null 2>&1
}
uri_of_big="s3://bucket/push?endpoint=$S3_ENDPOINT"
"$GG" key new >/dev/null 2>&1
big sender
"$GG" force >/dev/null 2>&1
sum=$(sha256sum <big)

# Away for five seconds and the time that it takes to start, with two hundred calls under way, a large one, and a push.
"$calls" "$uri" many 15000 4096 >"$work/many" 2>&1 &
many=$!
"$calls" "$uri" large 209715200 >"$work/large" 2>&1 &
large=$!
# Who has never been answered does not wait so long.
until_true 100 eval 'request GET "?uploads=&prefix=some%20where/cas/large" | grep "<UploadId>" || ! kill -0 $large'
"$GG" push --remote "$uri_of_big" >"$work/push" 2>&1 &
push=$!
# In the middle of it, if it takes that long.
while kill -0 $push 2>/dev/null && ! request GET '?uploads=&prefix=push/' | grep -q '<UploadId>'; do
	:
done
kill -9 "$(cat "$work/s3/rgw.pid")"
sleep 5
"$here/test/servers/radosgw.sh" "$work/s3" again
wait $many; many_rc=$?
wait $large; large_rc=$?
wait $push; push_rc=$?
check "a server killed for some seconds: nothing is lost" \
	sh -c 'cat "$1"; tail -1 "$1" | grep -q all && [ $2 = 0 ]' - "$work/many" $many_rc
check "nor is any part of a large object" \
	sh -c 'cat "$1"; tail -1 "$1" | grep -q whole && [ $2 = 0 ]' - "$work/large" $large_rc
check "gg push of 64 MiB waits for the server, and says that all is there" \
	sh -c 'cat "$1"; grep -q "^1 results, 1 new objects" "$1" && [ $2 = 0 ]' - "$work/push" $push_rc
check "no upload is left half done" no_uploads_left
big receiver
"$GG" pull --remote "$uri_of_big" >"$work/pull" 2>&1 &
pull=$!
begun=$(du -sk .gg | cut -f1)
while kill -0 $pull 2>/dev/null && [ "$(du -sk .gg | cut -f1)" -lt $((begun + 1000)) ]; do
	:
done
kill -9 "$(cat "$work/s3/rgw.pid")"
sleep 2
"$here/test/servers/radosgw.sh" "$work/s3" again
wait $pull; pull_rc=$?
check "gg pull of it does, too" \
	sh -c 'cat "$1"; grep -q "1 outputs placed" "$1" && [ $2 = 0 ]' - "$work/pull" $pull_rc
check "the same bytes are there" [ "$(sha256sum <big)" = "$sum" ]
cd "$work"

# The server's clock is twenty minutes ahead, which ends the session too.
again +20m
check "a clock that is wrong is put right by the server's" "$calls" "$uri" put cas/clock yes
check "with many at once, each is asked twice at most" says all 0 "$calls" "$uri" many 500 4096
check "check tells of it" says 'clock is' 1 "$calls" "$uri" check
as $(cat "$work/session") "$calls" "$uri" check >"$work/said" 2>&1
check "a session that has ended is told of" sh -c 'cat "$1"; grep -qE "session|keys" "$1"' - "$work/said"
check "nothing that was said holds a secret" silent
plan
