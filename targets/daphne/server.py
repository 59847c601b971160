import os

from daphne.server import Server

from app import app

port = int(os.environ["PORT"])
Server(
    app,
    endpoints=[f"tcp:port={port}:interface=127.0.0.1"],
    ready_callable=lambda: print(f"listening 127.0.0.1:{port}", flush=True),
).run()
