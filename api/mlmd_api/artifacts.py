"""The services of the artifact store on every wire: each call runs on the artifact store of its caller's tenant."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from google.protobuf.message import Message
from mlmd_schemas.caller import Caller

from mlmd_api.errands import Errands
from mlmd_api.methods import Method, StreamMethod

if TYPE_CHECKING:
    from mlmd_artifact_store.calls import ArtifactCall, ArtifactStream
    from mlmd_artifact_store.requests import Requests


class TenantArtifacts:
    """The artifact stores of all tenants, each put together when its first caller comes.

    What has to do with their bytes is done by `errands`.
    """

    def __init__(self, open_tenant: "Callable[[str], Requests]", errands: Errands | None = None) -> None:
        self.errands = errands or Errands()
        self._open = open_tenant
        self._opened: dict[str, Requests] = {}
        self._lock = threading.Lock()

    def of(self, tenant: str) -> "Requests":
        """Return the tenant's artifact store; raises what opening its database or its bytes raises."""
        found = self._opened.get(tenant)
        if found is None:
            opened = self._open(tenant)
            with self._lock:
                found = self._opened.setdefault(tenant, opened)
        return found


def artifact_methods(calls: "Iterable[ArtifactCall]", tenants: TenantArtifacts) -> list[Method]:
    """Return the methods of the artifact store."""
    return [
        Method(
            call.service,
            call.name,
            call.request,
            call.response,
            call.role,
            partial(_run_errand if call.needs_bytes else _run, tenants, call),
            call.largest_bytes,
            call.instead,
            call.needs_bytes,
        )
        for call in calls
    ]


def artifact_streams(streams: "Iterable[ArtifactStream]", tenants: TenantArtifacts) -> list[StreamMethod]:
    """Return the streaming methods of the artifact store."""
    return [
        StreamMethod(it.service, it.name, it.request, it.response, it.role, partial(_stream, tenants, it))
        for it in streams
    ]


def _stream(tenants: TenantArtifacts, stream: "ArtifactStream", caller: Caller, request: Message) -> Iterator[Message]:
    messages = tenants.errands.done(lambda: stream.run(tenants.of(caller.tenant), caller, request))
    while (message := tenants.errands.done(partial(next, messages, None))) is not None:
        yield message


def _run_errand(tenants: TenantArtifacts, call: "ArtifactCall", caller: Caller, request: Message) -> Message:
    return tenants.errands.done(partial(_run, tenants, call, caller, request))


def _run(tenants: TenantArtifacts, call: "ArtifactCall", caller: Caller, request: Message) -> Message:
    return call.run(tenants.of(caller.tenant), caller, request)
