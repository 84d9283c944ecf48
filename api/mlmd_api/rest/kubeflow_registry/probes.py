"""`/readyz/isDirty` and `/readyz/health`: what Kubeflow's manifests and its own tools ask a registry."""

import json

from starlette.requests import Request
from starlette.responses import Response

from mlmd_api.rest.probes import Look


class RegistryProbes:
    """Both probes."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def is_dirty(self, request: Request) -> Response:
        """Say `false`: a schema that was half changed keeps this server from starting at all."""
        return Response("false", media_type="application/json")

    async def health(self, request: Request) -> Response:
        """Say whether the database answers."""
        trouble = await self._look.trouble()
        return _health(503, "fail", trouble) if trouble else _health(200, "pass", "the database answers")


def _health(status: int, word: str, sentence: str) -> Response:
    checks = {"database": {"status": word, "message": sentence}}
    return Response(json.dumps({"status": word, "checks": checks}), status, media_type="application/json")
