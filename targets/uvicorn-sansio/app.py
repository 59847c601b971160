# An echo server as a plain ASGI application, with finwait's control contract
# (docs/contract.md). The event is the websocket.disconnect message.
import asyncio
import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qs

events = {}
peers = set()  # the send callable of each open connection
tasks = set()  # keeps a reference to what runs beside the handlers


def spawn(coroutine):
    task = asyncio.create_task(guard(coroutine))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def guard(coroutine):
    try:
        await coroutine
    except Exception as error:  # such as a close code that the server refuses
        print(repr(error), file=sys.stderr)


def text(send, data):
    return send({"type": "websocket.send", "text": data})


def close(send, code=None, *reason):
    message = {"type": "websocket.close"}
    if code:
        message["code"] = int(code)
    if reason:
        message["reason"] = " ".join(reason)
    return send(message)


async def fill(send, n):
    for left in range(int(n), 0, -65536):
        await text(send, "f" * min(left, 65536))


async def obey(send, line):
    match line.split(" "):
        case ["hello"]:
            await text(send, "finwait:v1 close fill kick-all events")
        case ["close", *args]:
            spawn(close(send, *args))  # beside the handler, which goes on to receive()
        case ["fill", n]:
            spawn(fill(send, n))
        case ["kick-all", *args]:
            for peer in peers:
                spawn(close(peer, *args))
        case ["events", token]:
            await text(send, json.dumps(events.get(token, [])))


async def websocket(scope, receive, send):
    query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
    own = events.setdefault(query["finwait"], []) if "finwait" in query else []
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    peers.add(send)
    try:
        if "finwait-open" in query:
            await guard(text(send, "finwait:opened"))
            await guard(obey(send, query["finwait-open"]))
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("text")
            if data is not None and data.startswith("finwait:"):
                await guard(obey(send, data.removeprefix("finwait:")))
            elif data is not None:
                await guard(text(send, data))
            else:
                await guard(send({"type": "websocket.send", "bytes": message["bytes"]}))
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        own.append({"code": message.get("code"), "reason": message.get("reason"), "clean": None, "at": at})
    finally:
        peers.discard(send)


async def lifespan(receive, send):
    await receive()  # lifespan.startup
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await websocket(scope, receive, send)
    elif scope["type"] == "lifespan":
        await lifespan(receive, send)
