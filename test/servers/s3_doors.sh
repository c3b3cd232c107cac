# s3_doors.sh - an nginx of one's own in front of an S3 server: by TLS, and as one
# that sends elsewhere
#
# Sourced by tests, after nginx.sh.  doors_start DIR ENDPOINT makes an authority and
# certificates for s3.localhost and below in DIR and sets
#	door_tls        https://s3.localhost:..., which passes all on
#	door_other      the same with a certificate for another name
#	door_aside      answers 307 and the endpoint, each time
#	door_down       https, answers 301 and the endpoint without TLS
#	door_round      answers 301 and its own address
# Hosts and paths that door_tls was asked for are in DIR/asked.

doors_certificates() # DIR
{
	local dir=$1 name

	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj /CN=gg-test-authority -keyout "$dir/ca.key" -out "$dir/ca.pem" || return 1
	for name in s3.localhost elsewhere.localhost; do
		printf 'subjectAltName=DNS:%s,DNS:*.%s\n' $name $name >"$dir/names"
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$name \
			-keyout "$dir/$name.key" -out "$dir/$name.csr" &&
		openssl x509 -req -days 2 -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
			-CAcreateserial -extfile "$dir/names" -out "$dir/$name.pem" || return 1
	done
}

doors_servers() # DIR ENDPOINT PORT...
{
	local dir=$1 to=$2

	pass="proxy_pass $to; proxy_http_version 1.1; proxy_set_header Host \$http_host;
		proxy_request_buffering off;"
	cat <<-END
	log_format asked '\$host \$uri';
	server {
		listen 127.0.0.1:$3 ssl http2;
		ssl_certificate $dir/s3.localhost.pem;
		ssl_certificate_key $dir/s3.localhost.key;
		access_log $dir/asked asked;
		location / { $pass }
	}
	server {
		listen 127.0.0.1:$4 ssl;
		ssl_certificate $dir/elsewhere.localhost.pem;
		ssl_certificate_key $dir/elsewhere.localhost.key;
		location / { $pass }
	}
	server {
		listen 127.0.0.1:$5;
		location / { return 307 $to\$request_uri; }
	}
	server {
		listen 127.0.0.1:$6 ssl;
		ssl_certificate $dir/s3.localhost.pem;
		ssl_certificate_key $dir/s3.localhost.key;
		location / { return 301 $to\$request_uri; }
	}
	server {
		listen 127.0.0.1:$7;
		location / { return 301 http://127.0.0.1:$7\$request_uri; }
	}
	END
}

doors_start() # DIR ENDPOINT
{
	local dir=$1 ports

	mkdir -p "$dir/tmp"
	doors_certificates "$dir" >"$dir/certificates" 2>&1 || return 1
	ports=$(for i in 1 2 3 4 5; do free_port; done)
	doors_servers "$dir" "$2" $ports | nginx_config "$dir" >"$dir/nginx.conf"
	set -- "$dir" $ports
	door_tls=https://s3.localhost:$2 door_other=https://s3.localhost:$3
	door_aside=http://127.0.0.1:$4 door_down=https://s3.localhost:$5
	door_round=http://127.0.0.1:$6
	nginx_run "$dir" $6
}
