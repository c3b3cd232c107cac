#!/usr/bin/python3
"""http_server.py DIR - Python's own HTTP server on three doors, for t_http.c

Prints one line once it listens: the port of http, that of https.  The third
door is the socket DIR/socket.  DIR gets a certificate, by openssl.  The path
says what the server does, its mistakes included.
"""
import http.server
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0
    lock = threading.Lock()

    def setup(self):
        super().setup()
        with Handler.lock:
            Handler.connections += 1

    def log_message(self, *args):
        pass

    def address_string(self):
        return "client"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def echo(self):
        said = self.body()
        lines = [self.command, self.path, self.headers.get("X-Word", "-"),
                 self.headers.get("Content-Length", "none"),
                 self.headers.get("Expect", "-"),
                 self.headers.get("Content-Type", "-")]
        self.answer(200, "\n".join(lines).encode() + b"\n" + said,
                    [("X-Twice", "one"), ("X-Twice", "two")])

    def count(self):
        self.answer(200, str(Handler.connections).encode())

    def big(self):
        n = int(self.path.split("=")[1])
        self.answer(200, bytes(i * 31 % 251 for i in range(1000)) * (n // 1000))

    def error(self):
        self.body()
        self.answer(503, b"<Error>slow down</Error>", [("Retry-After", "3")])

    def half(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 5000)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def nothing(self):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def slow(self):
        time.sleep(float(self.path.split("=")[1]))
        self.answer(200, b"at last")

    def stall(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"x")
        self.wfile.flush()
        time.sleep(5)
        self.close_connection = True

    def away(self):
        self.answer(302, b"", [("Location", "/echo")])

    def again(self):
        self.answer(302, b"", [("Location", "/again")])

    def headers_without_end(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            for i in range(100000):
                self.wfile.write(b"X-%d: %s\r\n" % (i, b"y" * 90))
        except OSError:
            pass
        self.close_connection = True

    def nonsense(self):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    doors = {"/echo": echo, "/count": count, "/big": big, "/error": error,
             "/half": half, "/nothing": nothing, "/slow": slow, "/stall": stall,
             "/away": away, "/again": again, "/headers": headers_without_end,
             "/nonsense": nonsense}

    def serve(self):
        door = Handler.doors.get(self.path.split("?")[0])
        if door:
            door(self)
        else:
            self.echo()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "unix", 0


def main():
    where = sys.argv[1]
    key, cert = os.path.join(where, "key.pem"), os.path.join(where, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    plain = Server(("127.0.0.1", 0), Handler)
    tls = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    tls.socket = context.wrap_socket(tls.socket, server_side=True)
    door = UnixServer(os.path.join(where, "socket"), Handler)
    for server in plain, tls, door:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(plain.server_port, tls.server_port, flush=True)
    sys.stdin.read()


main()
