"""The pages that operators and their machines ask for: alive, ready, measured."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from mlmd_schemas.errors import StoreError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlmd_api.measurements import CONTENT_TYPE, Measurements

_LOG = logging.getLogger("mlmd.http")
_ANSWER_SECONDS = 5.0
"""How long a page waits for the database; those who ask wait about as long for the page."""


class Look:
    """A look at the database for all who ask at a moment: one that hangs holds one thread and not many.

    `ping` makes a round trip and raises StoreError.
    """

    def __init__(self, ping: Callable[[], None], executor: Executor) -> None:
        self._ping = ping
        self._executor = executor
        self._asked: asyncio.Future[None] | None = None

    async def trouble(self) -> str:
        """Return the sentence that says why calls cannot be answered, "" when they can."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(self._executor, self._ping))
        try:
            await asyncio.wait_for(asyncio.shield(self._asked), _ANSWER_SECONDS)
        except StoreError as error:
            return error.message
        except TimeoutError:
            return f"The database has not answered for {_ANSWER_SECONDS:g} seconds."
        except Exception:  # noqa: BLE001 - a defect is logged, and is no yes to whoever would send calls here
            _LOG.exception("whether calls can be answered could not be found out")
            return "Whether calls can be answered could not be found out; the server's log says why."
        return ""


class Probes:
    """`/healthz`, `/readyz`, `/metrics`."""

    def __init__(self, ping: Callable[[], None], measurements: Measurements, executor: Executor) -> None:
        """Take what makes a round trip to the database and raises StoreError, and the threads that it runs in."""
        self.look = Look(ping, executor)
        self._measurements = measurements
        self._executor = executor
        self.draining = False

    async def healthz(self, request: Request) -> Response:
        """Say that the process lives."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        """Say whether calls can be answered: the database is there and the process is not about to end."""
        if self.draining:
            return PlainTextResponse("draining: this process is about to end\n", 503)
        trouble = await self.look.trouble()
        return PlainTextResponse(f"{trouble}\n", 503) if trouble else PlainTextResponse("ready\n")

    async def metrics(self, request: Request) -> Response:
        """Return the counters of all workers."""
        page = await asyncio.get_running_loop().run_in_executor(self._executor, self._measurements.page)
        return Response(page, headers={"content-type": CONTENT_TYPE})
