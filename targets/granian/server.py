import os
import socket
import threading
import time

from granian import Granian

port = int(os.environ["PORT"])
server = Granian("app:app", address="127.0.0.1", port=port, interface="asgi", log_level="warning")


def wait_for_worker():
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.02)
    print(f"listening 127.0.0.1:{port}", flush=True)


@server.on_startup
def started():  # in the main process; the worker that it spawns next binds the socket
    threading.Thread(target=wait_for_worker, daemon=True).start()


if __name__ == "__main__":
    server.serve()
