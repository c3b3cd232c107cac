# nginx.sh - an nginx of one's own, as a cache that gg can use
#
# Sourced by tests.  nginx_start DIR [USER PASSWORD] serves DIR/www by WebDAV on a
# free port of 127.0.0.1: nginx_port, nginx_pid.  The test's own trap has to call
# nginx_stop.

nginx_pid=

nginx_there()
{
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]
}

free_port()
{
	/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# The text of a configuration, around what standard input says of servers.
nginx_config() # DIR
{
	local dir=$1

	cat <<-END
	daemon off;
	user $(id -un) $(id -gn);
	worker_processes 1;
	pid $dir/pid;
	error_log $dir/error.log;
	events { worker_connections 512; }
	http {
		access_log off;
		default_type application/octet-stream;
		client_body_temp_path $dir/tmp;
		proxy_temp_path $dir/tmp;
		fastcgi_temp_path $dir/tmp;
		uwsgi_temp_path $dir/tmp;
		scgi_temp_path $dir/tmp;
		keepalive_requests 100000;
		client_max_body_size 0;
		$(cat)
	}
	END
}

nginx_cache() # DIR USER PASSWORD
{
	local dir=$1 auth=

	if [ -n "$2" ]; then
		printf '%s:%s\n' "$2" "$(printf %s "$3" | openssl passwd -apr1 -stdin)" >"$dir/users"
		auth="auth_basic gg; auth_basic_user_file $dir/users;"
	fi
	cat <<-END
	server {
		listen 127.0.0.1:$nginx_port;
		root $dir/www;
		location / {
			$auth
			dav_methods PUT DELETE;
			create_full_put_path on;
		}
		location /readonly/ {
			alias $dir/www/;
		}
	}
	END
}

# Start one with DIR/nginx.conf, and wait until it listens at PORT.
nginx_run() # DIR PORT
{
	local dir=$1 i

	PATH=$PATH:/usr/sbin nginx -e "$dir/error.log" -c "$dir/nginx.conf" -p "$dir" \
		>"$dir/out" 2>&1 &
	nginx_pid=$!
	for i in $(seq 600); do
		(exec 3<>/dev/tcp/127.0.0.1/$2) 2>/dev/null && return 0
		sleep 0.05
	done
	cat "$dir/out" "$dir/error.log"
	return 1
}

nginx_start()
{
	local dir=$1

	mkdir -p "$dir/www" "$dir/tmp"
	nginx_port=${nginx_port:-$(free_port)}
	nginx_cache "$dir" "${2:-}" "${3:-}" | nginx_config "$dir" >"$dir/nginx.conf"
	nginx_run "$dir" "$nginx_port"
}

nginx_stop()
{
	[ -n "$nginx_pid" ] || return 0
	kill "$nginx_pid" 2>/dev/null
	wait "$nginx_pid" 2>/dev/null
	nginx_pid=
}
