#!/bin/bash
# Redis, real: the contract of remotes with TLS and without, passwords and rights,
# keys that end, a memory that is full, a server that goes away or is none.
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/contract.sh"
calls=$BUILD/test/remote_calls
trap 'stop; chmod -R u+w "$work"; rm -rf "$work"' EXIT

stop()
{
	[ -e "$work/redis/pids" ] && kill $(cat "$work/redis/pids") 2>/dev/null
	wait
}

as() { env "$@"; }
cli() { REDISCLI_AUTH=$GG_REDIS_PASSWORD redis-cli -p "$REDIS_PORT" "$@"; }
told() { "$@"; } >>"$work/said" 2>&1

"$here/test/servers/redis.sh" "$work/redis" >"$work/start" 2>&1
case $? in
0) ;;
*) skip "$(tail -1 "$work/start")" ;;
esac
. "$work/redis/env"
uri=redis://127.0.0.1:$REDIS_PORT tls="rediss://localhost:$REDIS_TLS_PORT"

check "Redis keeps the contract of remotes" contract redis "$uri/2?prefix=a*b"
check "so it does with TLS" contract rediss "$tls?cacert=$REDIS_CA"
check "and by its address" says 'nothing is wrong' 0 "$calls" \
	"rediss://127.0.0.1:$REDIS_TLS_PORT?cacert=$REDIS_CA" check
check "forcing fetches what steps need from it before they take room" \
	forcing "$uri/3?prefix={}:"
check "a certificate of nobody known is refused" says 'not trusted' 1 "$calls" "$tls" check
check "TLS where there is none is told of" says 'does the server speak TLS on this' 1 timeout 200 "$calls" \
	"rediss://localhost:$REDIS_PORT?cacert=$REDIS_CA" check
check "none where there is TLS is told of" says 'if it wants TLS, write rediss://' 1 timeout 200 "$calls" \
	"redis://localhost:$REDIS_TLS_PORT" check
check "a password in the URI is as good" as -u GG_REDIS_PASSWORD "$calls" \
	"redis://:$GG_REDIS_PASSWORD@127.0.0.1:$REDIS_PORT" check
check "no password is told of" says 'GG_REDIS_PASSWORD' 1 as -u GG_REDIS_PASSWORD "$calls" "$uri" check
told as GG_REDIS_PASSWORD=wrong-secret "$calls" "$uri" check
told "$calls" "redis://nobody:wrong-secret@127.0.0.1:$REDIS_PORT" check
check "a wrong password is told of" grep -q 'the user or the password is wrong' "$work/said"
"$calls" "$uri" put cas/small yes
check "a user who may only read reads" as GG_REDIS_USER=reader "$calls" "$uri" get cas/small
check "and is told that it may not write" says 'may not do that' 1 \
	as GG_REDIS_USER=reader "$calls" "$uri" check
check "a database that is not there is told of" says 'such a database' 1 "$calls" "$uri/999" check

"$calls" "$uri?ttl=3s" put cas/passing yes
check "keys end when it was said" eval '
	"$calls" "$uri" get cas/passing && until_true 60 eval "! \"$calls\" \"$uri\" get cas/passing"'
check "20,000 values there and back" says all 0 "$calls" "$uri" many 20000 4096

cli config set maxmemory 1mb >/dev/null
check "a memory that is full is told of" says 'memory is full (maxmemory)' 1 "$calls" "$uri" many 10 4096
cli config set maxmemory 0 >/dev/null
cli flushall >/dev/null

# Away for five seconds, with two hundred calls under way.
"$calls" "$uri" many 20000 4096 >"$work/many" 2>&1 &
many=$!
# Who has never been answered does not wait so long.
until_true 60 eval '[ "$(cli dbsize)" -gt 200 ] || ! kill -0 $many'
kill -9 "$(cat "$work/redis/pids")"
sleep 5
"$here/test/servers/redis.sh" "$work/redis" again
wait $many; rc=$?
check "a server killed for five seconds: nothing is lost that it had taken" \
	sh -c 'cat "$1"; tail -1 "$1" | grep -q all && [ $2 = 0 ]' - "$work/many" $rc
check "nobody there is told of in seconds" says 'is the server running' 1 \
	timeout 200 "$calls" redis://127.0.0.1:1 check
check "nothing that was said holds a password" \
	sh -c '! grep -e "$GG_REDIS_PASSWORD" -e wrong-secret "$1"' - "$work/said"
plan
