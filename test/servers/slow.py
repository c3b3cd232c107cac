#!/usr/bin/python3
"""slow.py HOST PORT DELAY_MS - a longer way to a server: listens on a port of loopback,
which it prints, and carries each byte so much later, both ways

SIGUSR1 cuts all connections and lets nobody in for five seconds.
"""
import asyncio
import signal
import sys
import time

host, port, delay = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) / 1000
CUT_S = 5
links = set()
closed_until = 0


async def carry(source, sink):
    queue = asyncio.Queue(64)

    async def late():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            if not data:
                break
            sink.write(data)
            await sink.drain()
        sink.close()

    task = asyncio.create_task(late())
    try:
        while data := await source.read(1 << 16):
            await queue.put((time.monotonic() + delay, data))
    except OSError:
        pass
    await queue.put((0, b""))
    await asyncio.gather(task, return_exceptions=True)


async def serve(reader, writer):
    if time.monotonic() < closed_until:
        writer.transport.abort()
        return
    try:
        there, to = await asyncio.open_connection(host, port)
    except OSError:
        writer.transport.abort()
        return
    links.add((writer, to))
    await asyncio.gather(carry(reader, to), carry(there, writer), return_exceptions=True)
    links.discard((writer, to))


def cut():
    global closed_until
    closed_until = time.monotonic() + CUT_S
    for pair in links:
        for w in pair:
            w.transport.abort()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cut)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
