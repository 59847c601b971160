import asyncio
import os
import socket

from hypercorn.asyncio import serve
from hypercorn.config import Config

from app import app

# Bound here (bind = fd://NUMBER, Hypercorn's documentation, "Binds"), because
# Hypercorn has no hook that tells when it listens.
sock = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as Hypercorn sets on its own sockets (config.py)
print(f"listening 127.0.0.1:{sock.getsockname()[1]}", flush=True)

config = Config()
config.bind = [f"fd://{sock.fileno()}"]
asyncio.run(serve(app, config))
