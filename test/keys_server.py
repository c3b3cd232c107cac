#!/usr/bin/python3
"""The endpoints for AWS keys as ECS, EKS and EC2 (IMDSv2) document them, for t_aws.

keys_server.py: prints its port, serves until standard input ends.  The path says
what is given: /good, /soon?s=N (keys that end in N seconds), /ended, /odd,
/flaky?n=N (503 for the first N), /role?token=T (403 without it), /count.  Below
/latest, /none/latest and /odd/latest: a machine with a role, one with none, and
one that says odd things.
"""
import datetime
import http.server
import json
import sys
import threading
import urllib.parse

asked = {}


def keys(seconds, n):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return json.dumps({"RoleArn": "arn:aws:iam::1:role/x", "AccessKeyId": f"ASIA{n}",
                       "SecretAccessKey": f"hidden{n}", "Token": f"session{n}",
                       "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        if not self.path.endswith("/latest/api/token"):
            self.answer(404, "")
        elif self.headers["X-aws-ec2-metadata-token-ttl-seconds"] != "21600":
            self.answer(400, "")
        else:
            asked[self.path] = asked.get(self.path, 0) + 1
            self.answer(200, "TOKEN==")

    def machine(self):
        where = "/latest/meta-data/iam/security-credentials/"
        n = asked[self.path] = asked.get(self.path, 0) + 1
        if self.headers["X-aws-ec2-metadata-token"] != "TOKEN==":
            self.answer(401, "")
        elif self.path == where:
            self.answer(200, "my-role")
        elif self.path == where + "my-role":
            self.answer(200, keys(3600, n))
        elif self.path == "/odd" + where:
            self.answer(200, "../../x?y")
        else:
            self.answer(404, "")

    def do_GET(self):
        if "/latest/" in self.path and not self.path.startswith("/count"):
            self.machine()
            return
        url = urllib.parse.urlsplit(self.path)
        q = dict(urllib.parse.parse_qsl(url.query))
        n = asked[self.path] = asked.get(self.path, 0) + 1
        if url.path == "/soon":
            self.answer(200, keys(int(q["s"]), n))
        elif url.path == "/ended":
            self.answer(200, keys(-60, n))
        elif url.path == "/odd":
            self.answer(200, '{"AccessKeyId": "A"}')
        elif url.path == "/flaky" and n <= int(q["n"]):
            self.answer(503, '{"message": "later"}')
        elif url.path == "/role" and self.headers["Authorization"] != q["token"]:
            self.answer(403, '{"message": "no"}')
        elif url.path == "/count":
            self.answer(200, str(asked.get(q["of"], 0)))
        else:
            self.answer(200, keys(3600, n))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
