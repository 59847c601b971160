# An echo server as the examples of Autobahn|Python (asyncio) show it, with
# finwait's control contract (docs/contract.md).
import asyncio
import json
import os
import sys
from datetime import datetime, timezone

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol

events = {}
connections = set()


class Echo(WebSocketServerProtocol):
    own = None  # until the connection is open: onClose also comes when the opening handshake failed

    def onConnect(self, request):
        self.params = request.params

    def onOpen(self):
        self.own = events.setdefault(self.params["finwait"][0], []) if "finwait" in self.params else []
        connections.add(self)
        if "finwait-open" in self.params:
            self.text("finwait:opened")
            self.obey(self.params["finwait-open"][0])

    def onMessage(self, payload, isBinary):
        if not isBinary and payload.startswith(b"finwait:"):
            self.obey(payload.decode().removeprefix("finwait:"))
        else:
            self.sendMessage(payload, isBinary)

    def onClose(self, wasClean, code, reason):
        if self.own is not None:
            at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self.own.append({"code": code, "reason": reason, "clean": wasClean, "at": at})
            connections.discard(self)

    def text(self, text):
        self.sendMessage(text.encode())

    def obey(self, line):
        try:
            match line.split(" "):
                case ["hello"]:
                    self.text("finwait:v1 close terminate fill kick-all events")
                case ["close", *args]:
                    close(self, *args)
                case ["terminate"]:
                    self.dropConnection(abort=True)
                case ["fill", n]:
                    for left in range(int(n), 0, -65536):
                        self.text("f" * min(left, 65536))
                case ["kick-all", *args]:
                    for connection in list(connections):
                        close(connection, *args)
                case ["events", token]:
                    self.text(json.dumps(events.get(token, [])))
        except Exception as error:  # such as a close code that the library refuses
            print(repr(error), file=sys.stderr)


def close(connection, code=None, *reason):
    if code:
        connection.sendClose(int(code), " ".join(reason))
    else:
        connection.sendClose()


async def main():
    port = int(os.environ["PORT"])
    factory = WebSocketServerFactory()
    factory.protocol = Echo
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port)
    print(f"listening 127.0.0.1:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main())
