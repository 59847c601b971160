# An echo server as the documentation of tornado.websocket shows it, with
# finwait's control contract (docs/contract.md). The library documents no way to
# cut a connection without a Close, so terminate is not among the commands.
import asyncio
import json
import os
import sys
from datetime import datetime, timezone

import tornado.web
import tornado.websocket

events = {}
handlers = set()


class Echo(tornado.websocket.WebSocketHandler):
    def initialize(self):
        token = self.get_query_argument("finwait", None)
        self.own = events.setdefault(token, []) if token else []

    def open(self):
        handlers.add(self)
        command = self.get_query_argument("finwait-open", None)
        if command:
            self.write_message("finwait:opened")
            self.obey(command)

    def on_message(self, message):
        if isinstance(message, str) and message.startswith("finwait:"):
            self.obey(message.removeprefix("finwait:"))
        else:
            try:
                self.write_message(message, binary=isinstance(message, bytes))
            except tornado.websocket.WebSocketClosedError:
                pass  # the server's own Close is sent already; uncaught, this would cut the connection

    def on_close(self):
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.own.append({"code": self.close_code, "reason": self.close_reason, "clean": None, "at": at})
        handlers.discard(self)

    def obey(self, line):
        try:
            match line.split(" "):
                case ["hello"]:
                    self.write_message("finwait:v1 close fill kick-all events")
                case ["close", *args]:
                    close(self, *args)
                case ["fill", n]:
                    for left in range(int(n), 0, -65536):
                        self.write_message("f" * min(left, 65536))
                case ["kick-all", *args]:
                    for handler in list(handlers):
                        close(handler, *args)
                case ["events", token]:
                    self.write_message(json.dumps(events.get(token, [])))
        except Exception as error:  # such as a connection that is gone
            print(repr(error), file=sys.stderr)


def close(handler, code=None, *reason):
    if code:
        handler.close(int(code), " ".join(reason))
    else:
        handler.close()


async def main():
    port = int(os.environ["PORT"])
    tornado.web.Application([(r"/.*", Echo)]).listen(port, "127.0.0.1")
    print(f"listening 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
