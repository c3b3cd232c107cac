#!/usr/bin/python3
"""runtime_api.py DIR [MOST] - the AWS Lambda Runtime API, for image.sh, runtime_api.sh

AWS publishes this interface (2018-06-01) but no server that could be had here.
Each file of DIR/events is an event, in order of name; what is posted for it is
kept as DIR/answers/NAME.response or NAME.error.  After the last one `next`
waits without end, as on Lambda.  More bytes than MOST are refused with 413, and
kept as NAME.refused.  Prints its port.
"""
import http.server
import os
import sys
import threading
import time

where = sys.argv[1]
most = int(sys.argv[2]) if len(sys.argv) > 2 else 6 << 20
events = sorted(os.listdir(where + "/events"))
os.makedirs(where + "/answers", exist_ok=True)
root = "/2018-06-01/runtime/invocation/"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path != root + "next":
            self.say(404, b"")
            return
        while not events:
            time.sleep(1)
        name = events.pop(0)
        with open(where + "/events/" + name, "rb") as f:
            body = f.read()
        deadline = int((time.time() + 30) * 1000)
        self.say(200, body, [("Lambda-Runtime-Aws-Request-Id", name),
                             ("Lambda-Runtime-Deadline-Ms", str(deadline)),
                             ("Content-Type", "application/json")])

    def do_POST(self):
        name, what = self.path[len(root):].split("/")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = where + "/answers/" + name + "." + (what if len(body) <= most else "refused")
        with open(path + ".part", "wb") as f:
            f.write(body)
        os.rename(path + ".part", path)
        if len(body) > most:
            self.say(413, b'{"errorType":"RequestEntityTooLarge"}')
        else:
            self.say(202, b'{"status":"OK"}')


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Event().wait()
