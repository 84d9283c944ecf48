"""Somebody's server that webhooks are posted to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """Somebody's server, which answers with the statuses it is told to, 200 when there are no more."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        """Headers, in lower case and with `:path`, and body of each post."""
        self.statuses: list[int] = []
        self.answers = threading.Event()
        self.answers.set()
        """While it is not set nothing is answered."""
        self.told = threading.Semaphore(0)
        """Released with each post."""
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it wants to be posted to."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        said = {name.lower(): value for name, value in self.headers.items()} | {":path": self.path}
        self.server.heard.append((said, body))
        self.server.told.release()
        self.server.answers.wait()
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve with a receiver until the block ends."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
