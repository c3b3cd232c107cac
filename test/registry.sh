#!/bin/bash
# registry.sh - images go to Debian's docker-registry: with and without a
# password, by token, by TLS, and after everything that can break on the way
. "$(dirname "$0")/lib.sh"

for tool in docker-registry skopeo htpasswd openssl; do
	command -v $tool >/dev/null || skip "needs $tool"
done
thunk=$BUILD/test/closure_thunk
[ -x "$thunk" ] || skip "needs $thunk"
export HOME=$work XDG_RUNTIME_DIR=$work
unset REGISTRY_AUTH_FILE DOCKER_CONFIG GG_REGISTRY_USER GG_REGISTRY_PASSWORD
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
pids=
trap 'kill $pids 2>/dev/null; umount "$work/small" 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

free_port()
{
	/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# registry DIR [LINE...]: one that keeps its blobs in DIR, with lines of YAML.
registry()
{
	local dir=$1

	shift
	mkdir -p "$dir"
	[ -n "$port" ] || port=$(free_port)
	{
		printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\n' "$dir"
		printf 'http:\n  addr: "127.0.0.1:%s"\n  secret: for-this-test\n' "$port"
		printf '%s\n' "$@"
	} >"$work/registry.yml"
	docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
	registry=$!
	pids="$pids $registry"
	until_true 60 eval '(: <>/dev/tcp/127.0.0.1/"$port")' && return
	cat "$work/registry.log"
	exit 1
}

# says_port PROGRAM ARG...: a program of the test that prints its port.
says_port()
{
	rm -f "$work/port"
	/usr/bin/python3 "$@" >"$work/port" 2>"$work/program.log" &
	started=$!
	pids="$pids $started"
	until_true 60 eval 'read -r said <"$work/port"' && return
	cat "$work/program.log"
	exit 1
}

end_registry() { kill -9 "$registry"; wait "$registry" 2>/dev/null; }

# The registry has the whole image under this name: skopeo checks each blob.
whole()
{
	rm -rf "$work/copy"
	skopeo copy -q --src-tls-verify=false "$@" "dir:$work/copy"
}

push() { "$GG" image "$t" --push "$@"; }

project p
mkdir -p closure/usr/lib/big closure/usr/lib/small
head -c 110000000 /dev/urandom >closure/usr/lib/big/data.bin
head -c 9000000 /dev/urandom >closure/usr/lib/small/data.bin
t=$("$thunk" .gg out.txt --tree closure -- /bin/true)

registry "$work/plain"
at=localhost:$port
check 'an image is pushed' push "$at/team/one:v1"
check 'it is whole there' whole "docker://$at/team/one:v1"
check 'what is there is not sent again' says 'data' 1 \
	sh -c '"$1" image "$2" --push "$3" 2>&1 | grep -v "there already\|stands" | grep "gg:" ||
		{ echo no data; exit 1; }' sh "$GG" "$t" "$at/team/one:v2"
check 'under another name it is taken over' says 'taken over' 0 push "$at/team/two"
check 'the tag is latest unless one is given' whole "docker://$at/team/two:latest"

# ---- half an upload
wait_upload() # DIR: until 20 MB of one have arrived
{
	until [ -n "$(find "$1" -path '*_uploads*' -name data -size +20M 2>/dev/null)" ]; do
		kill -0 $gg || return
		sleep 0.01
	done
}
# relay N [once]: a way to the registry that breaks at the Nth chunk.
relay()
{
	says_port "$here/test/relay.py" "${relay_port:-0}" "$port" "$@"
	relay=$started
	relay_port=$said
	through=localhost:$relay_port
}
end_registry
registry "$work/cut"
push "$at/cut/gg" >"$work/cut.log" 2>&1 &
gg=$!
check 'gg is killed while it uploads' wait_upload "$work/cut"
kill -9 $gg
wait $gg 2>/dev/null
check 'the next one ends what it began' push "$at/cut/gg"
check 'and what stands there is whole' whole "docker://$at/cut/gg"

relay 4
check 'a connection that is gone for good is an error' says "PATCH $through" 3 \
	push "$through/relay/gg"
wait "$relay" 2>/dev/null
relay 0
check 'the next one goes on where it stopped' says '50.3 MB were there: goes on' 0 \
	push "$through/relay/gg"
check 'and what stands there is whole' whole "docker://$through/relay/gg"
kill "$relay"
wait "$relay" 2>/dev/null
relay 6 once
check 'a connection that breaks once is made again' push "$through/other/gg"
check 'and what stands there is whole' whole "docker://$through/other/gg"
kill "$relay"

end_registry
registry "$work/dead"
push "$at/dead/gg" >"$work/dead.log" 2>&1 &
gg=$!
check 'the registry is killed during an upload' wait_upload "$work/dead"
end_registry
wait $gg
rc=$?
check 'which is an error' test $rc = 3
check 'that names the registry' grep -q "$at" "$work/dead.log"
registry "$work/dead"
check 'once it is back the image gets there' push "$at/dead/gg"
check 'and what stands there is whole' whole "docker://$at/dead/gg"

end_registry
rm -rf "$work/dead" "$work/cut"
check 'a registry that is down is named' says 'is the server running' 3 push "$at/team/one"
registry "$work/dead"
check 'a registry that has forgotten an upload gets all of it' push "$at/dead/gg"
check 'and what stands there is whole' whole "docker://$at/dead/gg"
end_registry

if mkdir "$work/small" && mount -t tmpfs -o size=40m none "$work/small" 2>/dev/null; then
	registry "$work/small/r"
	check 'a full registry says so' says 'full' 3 push "$at/team/one"
	end_registry
	umount "$work/small"
else
	echo "# no tmpfs can be mounted: a full registry is not tried"
fi

# ---- passwords
htpasswd -Bbc "$work/htpasswd" ann 'pass:word "1"' 2>/dev/null
registry "$work/locked" 'auth: { htpasswd: { realm: here, path: '"$work/htpasswd"' } }'
auth() # USER:PASSWORD
{
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$at" "$(printf %s "$1" | base64 -w0)"
}
check 'without a password it says how to give one' says 'podman login' 3 push "$at/a/b"
mkdir -p "$work/.docker"
auth 'ann:wrong-secret' >"$work/.docker/config.json"
check 'a wrong password is told' says 'not accepted' 3 push "$at/a/b"
check 'and not shown' sh -c '! grep -q "wrong-secret\|$(printf ann:wrong-secret | base64)" "$1"' \
	sh "$work/.log"
auth 'ann:pass:word "1"' >"$work/auth.json"
check 'the right one of a file is taken' push "$at/a/b" --authfile "$work/auth.json"
export GG_REGISTRY_USER=ann GG_REGISTRY_PASSWORD='pass:word "1"'
check 'that of the environment too' push "$at/a/c"
unset GG_REGISTRY_USER GG_REGISTRY_PASSWORD
echo '{"auths": [}' >"$work/.docker/config.json"
check 'a damaged file is named with line and column' \
	says "config.json:1:12:" 2 push "$at/a/b"
rm "$work/.docker/config.json"
check 'an absent file too' says 'no-such-file' 3 push "$at/a/b" --authfile "$work/no-such-file"
check 'what was pushed is whole' whole --src-creds 'ann:pass:word "1"' "docker://$at/a/c"
end_registry

# ---- tokens
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	2>/dev/null
says_port "$here/test/token_server.py" "$work" ann secret-7
token_port=$said
registry "$work/token" 'auth:' '  token:' "    realm: http://localhost:$token_port/token" \
	'    service: registry' '    issuer: test' "    rootcertbundle: $work/cert.pem"
auth 'ann:secret-7' >"$work/auth.json"
check 'a token is fetched where the registry says' push "$at/t/one" --authfile "$work/auth.json"
check 'for each name that is pushed to' push "$at/t/two" --authfile "$work/auth.json"
auth 'ann:secret-8' >"$work/auth.json"
check 'a wrong password is told' says 'not accepted' 3 \
	push "$at/t/one" --authfile "$work/auth.json"
check 'and not shown' sh -c '! grep -q secret-8 "$1"' sh "$work/.log"
end_registry

# ---- TLS
registry "$work/tls" "  tls: { certificate: $work/cert.pem, key: $work/key.pem }"
check 'a certificate that nobody vouches for is refused' says 'not trusted' 3 push "$at/s/one"
check 'its authority can be named' push "$at/s/one" --ca-file "$work/cert.pem"
check 'or checks left out' push "$at/s/two" --tls-verify=false
check 'what stands there is whole' whole "docker://$at/s/one:latest"
end_registry

# ---- names
check 'a name without a registry is refused' says 'names no registry' 2 push one
check 'so is one in capitals' says 'lower-case' 2 push "$at/One"
check 'and a tag that is none' says 'is no tag' 2 push "$at/one:a/b"
check 'and a password in the name' says 'is no registry' 2 push "ann:pw@$at/one"
plan
