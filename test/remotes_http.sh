#!/bin/bash
# The promises of remote.h over a real nginx: plain, with a password, and when it
# does not permit, is not there, or goes away.
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/nginx.sh"
. "$here/test/servers/contract.sh"
nginx_there || skip "nginx is not installed"
trap 'nginx_stop; chmod -R u+w "$work"; rm -rf "$work"' EXIT

nginx_start "$work/open" || skip "nginx does not start here"
check "nginx keeps the contract of remotes" contract http "http://127.0.0.1:$nginx_port/gg"
nginx_stop
unset nginx_port
nginx_start "$work/closed" ann 'se:cr et%'
check "so it does with a user and password in the URI" \
	contract http "http://ann:se%3Acr%20et%25@127.0.0.1:$nginx_port/gg"
export GG_HTTP_USER=ann GG_HTTP_PASSWORD='se:cr et%'
check "and with those of the environment" contract http "http://127.0.0.1:$nginx_port/gg"
unset GG_HTTP_USER GG_HTTP_PASSWORD
nginx_stop
plan
