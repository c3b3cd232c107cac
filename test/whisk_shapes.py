#!/usr/bin/python3
"""whisk_shapes.py DIR URL - answers in the shapes of OpenWhisk's published API

No OpenWhisk can be had here.  What an action gives comes from the real worker, which
serves /init and /run at URL as an action's container does; around it every request is held to the API's shape, and some
are answered 202, 429 or as failed activations.  DIR/log gets a line for each.
Prints its port.
"""
import base64
import http.server
import json
import re
import sys
import time
import urllib.parse
import urllib.request

where, container = sys.argv[1:]
auth = "Basic " + base64.b64encode(b"23bc46b1-71f6:123zO3xZCLrMN6v2").decode()
root = "/api/v1/namespaces/_/"
runs, polls, seen = {}, {}, set()
count = [0]


def activation(number, response):
    return {"activationId": "%032x" % number, "annotations": [{"key": "waitTime", "value": 3}] +
            ([{"key": "initTime", "value": 40}] if number == 1 else []),
            "duration": 12, "logs": [], "name": "gg", "namespace": "guest", "publish": False,
            "response": response, "subject": "guest", "version": "0.0.1"}


def run(body):
    said = {"value": json.loads(body), "namespace": "guest", "action_name": "/guest/gg",
            "activation_id": "7" * 32, "deadline": str(int((time.time() + 60) * 1000))}
    ask = urllib.request.Request(container + "/run", json.dumps(said).encode(),
                                 {"Content-Type": "application/json"})
    with urllib.request.urlopen(ask) as answer:
        return {"status": "success", "success": True, "result": json.load(answer)}


def failure(status, error):
    return {"status": status, "success": False, "result": {"error": error}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, text):
        with open(where + "/log", "a") as f:
            f.write(text + "\n")

    def say(self, status, answer):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def check(self, is_so, why):
        if not is_so:
            self.note("WRONG " + why)
        return is_so

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.partition("?")
        if self.headers["Authorization"] != auth:
            self.note("denied")
            self.say(401, {"code": "1", "error": "The supplied authentication is invalid"})
            return
        if path != root + "actions/gg":
            self.note("absent")
            self.say(404, {"code": "1", "error": "The requested resource does not exist."})
            return
        self.check(urllib.parse.parse_qs(query) == {"blocking": ["true"], "result": ["false"]},
                   "query " + query)
        self.check(self.headers["Content-Type"] == "application/json", "content type")
        self.check(isinstance(json.loads(body), dict), "the body is no object")
        self.check(len(body) <= 1 << 20, "the body is too large")
        count[0] += 1
        again = body in seen
        seen.add(body)
        # Each step fails once at most.
        kind = 2 if again else len(seen) % 6
        if kind == 2:
            self.note("202")
            runs["%032x" % count[0]] = (count[0], run(body))
            self.say(202, {"activationId": "%032x" % count[0]})
        elif kind == 3:
            self.note("429")
            self.say(429, {"code": "1", "error": "Too many concurrent requests in flight"})
        elif kind == 4:
            self.note("502")
            self.say(502, activation(count[0], failure(
                "action developer error", "The action did not initialize or exited unexpectedly")))
        elif kind == 5:
            self.note("time")
            self.say(502, activation(count[0], failure(
                "action developer error", "The action exceeded its time limits of 60 milliseconds.")))
        else:
            self.note("200")
            self.say(200, activation(count[0], run(body)))

    def do_GET(self):
        match = re.fullmatch(re.escape(root) + "activations/([0-9a-f]{32})", self.path)
        self.check(match and self.headers["Authorization"] == auth, "GET " + self.path)
        polls[self.path] = polls.get(self.path, 0) + 1
        if not match or match.group(1) not in runs or polls[self.path] < 3:
            self.note("404")
            self.say(404, {"code": "1", "error": "The requested resource does not exist."})
            return
        self.note("polled")
        self.say(200, activation(*runs[match.group(1)]))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
