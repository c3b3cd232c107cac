#!/usr/bin/python3
"""relay.py PORT TO N [once] - a way to port TO of this machine that breaks

For registry.sh: connections to PORT (0: any; it is printed) are carried on
until a client begins its Nth PATCH request, of which nothing is carried.  Then
all connections are cut and the program ends; with "once" only that
connection is cut, and all else goes on.  N of 0 never comes.
"""
import os
import socket
import sys
import threading

port, to, limit = (int(a) for a in sys.argv[1:4])
once = sys.argv[4:] == ["once"]
seen = 0
lock = threading.Lock()


def carry(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    for s in source, sink:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Watched:
    """A client's socket, read up to the request that is not to pass."""

    def __init__(self, client):
        self.client = client

    def recv(self, n):
        global seen
        data = self.client.recv(n)
        if data.startswith(b"PATCH "):
            with lock:
                seen += 1
                if seen == limit and not once:
                    os._exit(0)
                if seen == limit:
                    return b""
        return data

    def shutdown(self, how):
        self.client.shutdown(how)


def serve(client):
    server = socket.create_connection(("127.0.0.1", to))
    threading.Thread(target=carry, args=(server, client), daemon=True).start()
    carry(Watched(client), server)


door = socket.create_server(("127.0.0.1", port), backlog=64)
print(door.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
