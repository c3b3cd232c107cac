#!/bin/bash
# lambda.sh DIR WORKER [FAULTS] - serverless-offline in DIR, whose functions are
# the real worker that the command WORKER starts
#
# What npm installs is kept in BUILD/lambda-npm.  Afterwards DIR/pid is its
# process, DIR/port where the Invoke API is.  FAULTS is a folder: see
# lambda/handler.js; GG_ROLE_KEY_ID and GG_ROLE_SECRET are keys for workers;
# GG_LAMBDA_HOST is where it listens (127.0.0.1).  Exit status 77: there is no node, or
# npm gets nothing.
set -u
dir=${1:?DIR} worker=${2:?WORKER} faults=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
kept=${BUILD:?BUILD}/lambda-npm

install()
{
	command -v node >/dev/null && command -v npm >/dev/null || { echo "no node or no npm here"; exit 77; }
	cmp -s "$here/lambda/package.json" "$kept/done" && return
	mkdir -p "$kept"
	(
		flock 9
		cmp -s "$here/lambda/package.json" "$kept/done" && exit
		# Where npm gets nothing each test would wait for it anew.
		[ -z "$(find "$kept" -maxdepth 1 -name failed -mmin -30)" ] || exit
		cp "$here/lambda/package.json" "$kept/package.json"
		touch "$kept/failed"
		cd "$kept" && timeout 300 npm install --no-audit --no-fund --no-package-lock \
			--ignore-scripts >npm.log 2>&1 && cp package.json done && rm -f failed
	) 9>"$kept/lock"
	[ -e "$kept/done" ] || { echo "npm cannot install serverless-offline: $(tail -1 "$kept/npm.log")"; exit 77; }
}

free_port()
{
	/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

install
mkdir -p "$dir/service"
cp "$here"/lambda/{serverless.yml,handler.js} "$dir/service"
cp "$here/lambda/package.json" "$dir/service"
ln -sfn "$kept/node_modules" "$dir/service/node_modules"
cd "$dir/service" || exit 1
port=$(free_port)
export GG_WORKER=$worker GG_FAULTS=$faults GG_LAMBDA_PORT=$port GG_HTTP_PORT
export GG_LAMBDA_HOST=${GG_LAMBDA_HOST:-127.0.0.1}
GG_HTTP_PORT=$(free_port)
export SLS_TELEMETRY_DISABLED=1 SLS_NOTIFICATIONS_MODE=off SLS_TRACKING_DISABLED=1 CI=1
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x HOME=$dir
# Newer node refuses what this serverless requires of itself.
export NODE_OPTIONS=
[ "$(node -p "process.features.require_module || false")" = true ] &&
	NODE_OPTIONS=--no-experimental-require-module
node node_modules/serverless/bin/serverless.js offline start --stage dev \
	>"$dir/log" 2>&1 </dev/null &
echo $! >"$dir/pid"
for _ in $(seq 1800); do
	curl -s -o /dev/null "http://$GG_LAMBDA_HOST:$port/" && { echo "$port" >"$dir/port"; exit 0; }
	kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
	sleep 0.1
done
tail -5 "$dir/log"
exit 1
