# An echo server as the documentation of aiohttp shows it, with finwait's control
# contract (docs/contract.md).
import asyncio
import json
import os
import sys
from datetime import datetime, timezone

from aiohttp import WSMsgType, web

OVER = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)

events = {}
sockets = set()
tasks = set()  # keeps a reference to what runs beside the handlers


def spawn(coroutine):
    task = asyncio.create_task(guard(coroutine))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def guard(coroutine):
    try:
        await coroutine
    except Exception as error:  # such as a connection that is gone
        print(repr(error), file=sys.stderr)


def close(ws, code=None, *reason):
    return ws.close(code=int(code), message=" ".join(reason).encode()) if code else ws.close()


async def fill(ws, n):
    for left in range(int(n), 0, -65536):
        await ws.send_str("f" * min(left, 65536))


async def obey(request, ws, line):
    match line.split(" "):
        case ["hello"]:
            await ws.send_str("finwait:v1 close terminate fill kick-all events")
        case ["close", *args]:
            await close(ws, *args)
        case ["terminate"]:
            request.transport.abort()  # the response has no such call, the request gives its transport
        case ["fill", n]:
            spawn(fill(ws, n))  # beside the handler, which reads on
        case ["kick-all", *args]:
            for socket in sockets:
                spawn(close(socket, *args))
        case ["events", token]:
            await ws.send_str(json.dumps(events.get(token, [])))


async def handler(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    own = events.setdefault(request.query["finwait"], []) if "finwait" in request.query else []
    sockets.add(ws)
    try:
        if "finwait-open" in request.query:
            await ws.send_str("finwait:opened")
            await guard(obey(request, ws, request.query["finwait-open"]))
        while (msg := await ws.receive()).type not in OVER:
            if msg.type == WSMsgType.TEXT and msg.data.startswith("finwait:"):
                await guard(obey(request, ws, msg.data.removeprefix("finwait:")))
            elif msg.type == WSMsgType.TEXT:
                await guard(ws.send_str(msg.data))
            elif msg.type == WSMsgType.BINARY:
                await guard(ws.send_bytes(msg.data))
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {"code": ws.close_code, "reason": None, "clean": None, "at": at}
        if msg.type == WSMsgType.CLOSE:
            event["reason"] = msg.extra
        if error := msg.data if msg.type == WSMsgType.ERROR else ws.exception():
            event["error"] = repr(error)
        own.append(event)
    finally:
        sockets.discard(ws)
    return ws


port = int(os.environ["PORT"])
app = web.Application()
app.add_routes([web.get("/{path:.*}", handler)])
web.run_app(app, host="127.0.0.1", port=port, print=lambda _: print(f"listening 127.0.0.1:{port}", flush=True))
