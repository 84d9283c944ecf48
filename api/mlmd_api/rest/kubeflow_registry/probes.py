"""`/readyz/isDirty` and `/readyz/health`: what Kubeflow's manifests and its own tools ask a registry."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor

from mlmd_schemas.errors import StoreError
from starlette.requests import Request
from starlette.responses import Response


class RegistryProbes:
    """Both probes; `ping` makes a round trip to the database and raises StoreError."""

    def __init__(self, ping: Callable[[], None], executor: Executor) -> None:
        self._ping = ping
        self._executor = executor

    async def is_dirty(self, request: Request) -> Response:
        """Say `false`: a schema that was half changed keeps this server from starting at all."""
        return Response("false", media_type="application/json")

    async def health(self, request: Request) -> Response:
        """Say whether the database answers."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._ping)
        except StoreError as error:
            return _health(503, "fail", error.message)
        return _health(200, "pass", "the database answers")


def _health(status: int, word: str, sentence: str) -> Response:
    checks = {"database": {"status": word, "message": sentence}}
    return Response(json.dumps({"status": word, "checks": checks}), status, media_type="application/json")
