"""A real browser: Debian's Chromium without a window, driven over WebDriver, and pages of any origin for it to be on.

Every name below `.example` is this machine for it, so that a page can be of any site, and the site's name can lead to
our server as after DNS rebinding.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.services.missing import HINT
from tests.services.ports import free_port

_READY_SECONDS = 60.0
_SCRIPT_SECONDS = 60.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root, and in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
)


def absence() -> str | None:
    """Return the sentence that says what is missing, None when the browser can be started."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"Chromium is not installed (no {program}): {HINT}"
    return None


class Browser:
    """One browser with one tab; a script that a page runs returns what JSON can say."""

    def __init__(self) -> None:
        """Start it; raises RuntimeError when it does not come."""
        self._folder = tempfile.mkdtemp(prefix="browser")
        port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}", "--log-level=WARNING"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self._folder, start_new_session=True,
        )  # fmt: skip
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=2 * _SCRIPT_SECONDS, trust_env=False)
        try:
            self._session = self._began()
        except BaseException:
            self.close()
            raise

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of an async function in the page and return what it returns; raises RuntimeError if it throws.

        The body has the `arguments`; what it may await has a minute.
        """
        body = f"return (async function () {{ {script} }}).apply(null, arguments)"
        return self._ask("POST", "/execute/sync", {"script": body, "args": list(arguments)})

    def close(self) -> None:
        """End the browser and everything that it started."""
        self._http.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._driver.pid, signal.SIGKILL)
        self._driver.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _began(self) -> str:
        until = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            if self._driver.poll() is not None or time.monotonic() > until:
                raise RuntimeError("chromedriver did not become ready.")
            time.sleep(0.02)
        profile = f"--user-data-dir={self._folder}/profile"
        options = {"binary": shutil.which("chromium"), "args": [*_FLAGS, profile]}
        wanted = {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": round(_SCRIPT_SECONDS * 1000)},
        }  # fmt: skip
        told = self._answer("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        return f"/session/{told['sessionId']}"

    def _is_ready(self) -> bool:
        try:
            return bool(self._http.get("/status").json()["value"]["ready"])
        except httpx.TransportError:
            return False

    def _ask(self, verb: str, path: str, said: dict[str, object]) -> Any:
        return self._answer(verb, self._session + path, said)

    def _answer(self, verb: str, path: str, said: dict[str, object]) -> Any:
        answer = self._http.request(verb, path, json=said)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value


class Pages(ThreadingHTTPServer):
    """A site: an empty page at every path, whatever name the site is called by."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)

    def at(self, name: str) -> str:
        """Return the origin of the page under this name."""
        return f"http://{name}:{self.server_address[1]}"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><meta charset=utf-8><title>page</title>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving_pages() -> Iterator[Pages]:
    """Serve pages until the block ends."""
    pages = Pages()
    thread = threading.Thread(target=pages.serve_forever, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        pages.shutdown()
        pages.server_close()
        thread.join()
