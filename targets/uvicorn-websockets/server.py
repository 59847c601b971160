import os

import uvicorn

from app import app


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(f"listening 127.0.0.1:{self.config.port}", flush=True)


config = uvicorn.Config(app, host="127.0.0.1", port=int(os.environ["PORT"]), ws="websockets", log_level="warning")
Server(config).run()
