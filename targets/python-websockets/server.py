# An echo server on the asyncio API of websockets, with finwait's control
# contract (docs/contract.md). The library documents no way to cut a connection
# without a Close, so terminate is not among the commands.
import asyncio
import json
import os
import signal
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

events = {}
tasks = set()  # keeps a reference to what runs beside the handlers


def spawn(coroutine):
    task = asyncio.create_task(guard(coroutine))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def guard(coroutine):
    try:
        await coroutine
    except Exception as error:  # such as a close code that the library refuses
        print(repr(error), file=sys.stderr)


def close(ws, code=None, *reason):
    return ws.close(int(code), " ".join(reason)) if code else ws.close()


async def fill(ws, n):
    for left in range(int(n), 0, -65536):
        await ws.send("f" * min(left, 65536))


async def obey(ws, line):
    match line.split(" "):
        case ["hello"]:
            await ws.send("finwait:v1 close fill kick-all events")
        case ["close", *args]:
            await close(ws, *args)
        case ["fill", n]:
            spawn(fill(ws, n))  # beside the handler, which reads on
        case ["kick-all", *args]:
            for connection in ws.server.connections:
                spawn(close(connection, *args))
        case ["events", token]:
            await ws.send(json.dumps(events.get(token, [])))


async def handler(ws):
    query = parse_qs(urlsplit(ws.request.path).query)
    own = events.setdefault(query["finwait"][0], []) if "finwait" in query else []
    try:
        if "finwait-open" in query:
            await ws.send("finwait:opened")
            await guard(obey(ws, query["finwait-open"][0]))
        while True:
            message = await ws.recv()
            if isinstance(message, str) and message.startswith("finwait:"):
                await guard(obey(ws, message.removeprefix("finwait:")))
            else:
                await ws.send(message)
    except ConnectionClosed as error:  # this is how the library tells that it is over
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (None, None)
        own.append({"code": code, "reason": reason, "clean": None, "error": f"{type(error).__name__}: {error}", "at": at})


async def main():
    port = int(os.environ["PORT"])
    async with serve(handler, "127.0.0.1", port) as server:
        print(f"listening 127.0.0.1:{port}", flush=True)
        # As the documentation stops a server: with 1001, and waiting for the handlers.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
        await server.wait_closed()


asyncio.run(main())
