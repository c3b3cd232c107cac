#!/usr/bin/python3
"""token_server.py DIR USER PASSWORD - gives tokens as docker-registry wants them

For registry.sh: the registry itself checks the tokens, which are JSON web
tokens signed by openssl with DIR/key.pem; DIR/cert.pem says who that is.
Prints its port.
"""
import base64
import http.server
import json
import os
import subprocess
import sys
import time
import urllib.parse

where, user, password = sys.argv[1:4]
key, cert = os.path.join(where, "key.pem"), os.path.join(where, "cert.pem")


def letters(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(scope):
    with open(cert) as f:
        der = "".join(line.strip() for line in f if "-----" not in line)
    access = []
    for one in scope.split():
        kind, name, actions = one.split(":")
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
    body = {"iss": "test", "sub": user, "aud": "registry", "nbf": now - 60, "iat": now,
            "exp": now + 300, "jti": str(now),
            "access": access}
    text = letters(json.dumps(head).encode()) + "." + letters(json.dumps(body).encode())
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(),
                          capture_output=True, check=True)
    return text + "." + letters(done.stdout)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        said = self.headers.get("Authorization", "")
        wanted = "Basic " + base64.b64encode((user + ":" + password).encode()).decode()
        body = b"{}"
        if said == wanted and query.get("service") == ["registry"]:
            body = json.dumps({"token": token(query["scope"][0])}).encode()
            self.send_response(200)
        else:
            self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
