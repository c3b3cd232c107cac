#!/bin/bash
# redis.sh DIR - a Redis server on this host with a password and TLS, all of it in
# DIR and on loopback
#
# Afterwards DIR/env says where it is (to be sourced): REDIS_PORT without TLS,
# REDIS_TLS_PORT with it, its authority DIR/ca.pem, the password in
# GG_REDIS_PASSWORD, and a user `reader` of that password who may only read.  The
# process id is in DIR/pids.  `redis.sh DIR again` starts it anew.  Exit status
# 77: it is not installed.
set -eu
dir=${1:?DIR}
for tool in redis-server redis-cli openssl; do
	command -v $tool >/dev/null || { echo "needs $tool" >&2; exit 77; }
done

if [ "${2:-}" != again ]; then
	mkdir -p "$dir"
	read -r plain tls < <(/usr/bin/python3 -c 'import socket
held = [socket.socket() for _ in range(2)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
	password=$(openssl rand -hex 16)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-keyout "$dir/key.pem" -out "$dir/ca.pem" 2>"$dir/openssl"
	cat >"$dir/env" <<-END
	export REDIS_PORT=$plain REDIS_TLS_PORT=$tls REDIS_CA=$dir/ca.pem
	export GG_REDIS_PASSWORD=$password
	END
	cat >"$dir/conf" <<-END
	bind 127.0.0.1
	port $plain
	tls-port $tls
	tls-cert-file $dir/ca.pem
	tls-key-file $dir/key.pem
	tls-ca-cert-file $dir/ca.pem
	tls-auth-clients no
	dir $dir
	save ""
	appendonly yes
	appendfsync always
	logfile $dir/log
	requirepass $password
	user reader on >$password ~* -@all +@read +@connection
	END
	chmod 600 "$dir/conf" "$dir/env"
fi
. "$dir/env"
redis-server "$dir/conf" >"$dir/out" 2>&1 </dev/null &
echo $! >"$dir/pids"
for i in $(seq 600); do
	REDISCLI_AUTH=$GG_REDIS_PASSWORD redis-cli -p "$REDIS_PORT" ping 2>/dev/null |
		grep -q PONG && exit 0
	sleep 0.1
done
echo "redis-server does not answer" >&2
exit 1
