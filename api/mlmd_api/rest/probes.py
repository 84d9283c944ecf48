"""The pages that operators and their machines ask for: alive, ready, measured."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from mlmd_schemas.errors import StoreError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlmd_api.measurements import CONTENT_TYPE, Measurements


class Probes:
    """`/healthz`, `/readyz`, `/metrics`. `ping` makes a round trip to the database and raises StoreError."""

    def __init__(self, ping: Callable[[], None], measurements: Measurements, executor: Executor) -> None:
        self._ping = ping
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
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._ping)
        except StoreError as error:
            return PlainTextResponse(f"{error.message}\n", 503)
        return PlainTextResponse("ready\n")

    async def metrics(self, request: Request) -> Response:
        """Return the counters of all workers."""
        page = await asyncio.get_running_loop().run_in_executor(self._executor, self._measurements.page)
        return Response(page, headers={"content-type": CONTENT_TYPE})
