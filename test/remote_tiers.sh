#!/bin/bash
# One force with a memory and an S3 store behind it: where values go by size and by who
# reads them, what is left when the memory is lost, and what else runs while the way
# there is long.  Real Redis and radosgw.
. "$(dirname "$0")/lib.sh"
servers=$here/test/servers
trap 'stop; chmod -R u+w "$work"; rm -rf "$work"' EXIT

stop()
{
	kill $(cat "$work/redis/pids" "$work/s3/pids" 2>/dev/null) $slow 2>/dev/null
	wait
}
slow=

"$servers/redis.sh" "$work/redis" >"$work/start" 2>&1 || skip "$(tail -1 "$work/start")"
"$servers/radosgw.sh" "$work/s3" >"$work/start" 2>&1 || skip "$(tail -1 "$work/start")"
. "$work/redis/env"
. "$work/s3/env"
export HOME=$work/home
unset XDG_CONFIG_HOME GG_KEY
mkdir -p "$HOME"
"$GG" key new >/dev/null 2>&1
export REDISCLI_AUTH=$GG_REDIS_PASSWORD
memory="redis://127.0.0.1:$REDIS_PORT?small=256K&ttl=1d" s3="s3://bucket/gg?endpoint=$S3_ENDPOINT"
export GG_REMOTE="$memory,$s3"

# Two chains, one of small values and one of large ones.
sample() # NAME
{
	rm -rf "${work:?}/$1"
	project "$1"
	printf 'sh step.sh @in @out\nsh end.sh @in @in @out\n' >gg.models
	printf 'sed "s/^/+/" "$1" >"$2"\n' >step.sh
	printf 'cat "$1" "$2" >"$3"\n' >end.sh
	cat >run.sh <<-'END'
	sh step.sh small.txt small1
	sh step.sh small1 small2
	sh step.sh large.txt large1
	sh step.sh large1 large2
	sh end.sh small2 large2 both
	END
	seq 20 >small.txt
	seq 100000 >large.txt
	"$GG" infer sh run.sh >/dev/null 2>&1
}

name_of() { sha256sum | cut -c1-64; }
in_memory() { redis-cli -p "$REDIS_PORT" --scan --pattern "*cas/$1" 2>/dev/null | grep -q .; }
in_s3() { "$servers/s3_request.py" GET "$S3_ENDPOINT/bucket?list-type=2&prefix=gg/cas/$1" | grep -q "<Key>"; }

sample one
small1=$(sed 's/^/+/' small.txt | name_of) small2=$(sed 's/^/++/' small.txt | name_of)
large1=$(sed 's/^/+/' large.txt | name_of) large2=$(sed 's/^/++/' large.txt | name_of)
check "a force with a memory before an S3 store" says "forced 3," 0 "$GG" force small2 large1
check "a small value that only other steps read is in the memory" in_memory "$small1"
check "and is not kept in S3" eval '! in_s3 $small1'
check "a small one that was wanted is in S3" in_s3 "$small2"
check "a large one is in S3" in_s3 "$large1"
check "and not in the memory" eval '! in_memory $large1'
"$GG" force >/dev/null 2>&1
check "a large one that was wanted is in S3" in_s3 "$large2"
want=$(cat both | name_of)
check "what is in the memory ends by itself" eval \
	'[ "$(redis-cli -p $REDIS_PORT ttl "$(redis-cli -p $REDIS_PORT --scan --pattern "*cas/$small1")")" -gt 1000 ]'
sample two
check "elsewhere nothing is run" says "forced 0, cached 5 (5 from remotes)" 0 "$GG" force
check "and the bytes are the same" [ "$(name_of <both)" = "$want" ]
redis-cli -p "$REDIS_PORT" flushall >/dev/null
sample two
check "when the memory has lost all, what was wanted is still there" \
	says "forced 0, cached 3 (3 from remotes)" 0 "$GG" force small2 large2 both
check "with the same bytes" [ "$(name_of <both)" = "$want" ]
check "and on its way through the memory was filled again" in_memory "$small2"
kill "$(cat "$work/redis/pids")"
sample two
check "without the memory, too" says "forced 0, cached 3 (3 from remotes)" 0 "$GG" force small2 large2 both
plan
