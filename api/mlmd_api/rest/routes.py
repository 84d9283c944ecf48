"""Which path of the HTTP listener is answered by what."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import Route

from mlmd_api.artifacts import TenantArtifacts
from mlmd_api.dispatch import Dispatcher
from mlmd_api.registry import TenantRegistries
from mlmd_api.rest.calls import Calls
from mlmd_api.rest.cors import Origins
from mlmd_api.rest.files import Files
from mlmd_api.rest.kubeflow_registry.endpoint import KubeflowRegistry
from mlmd_api.rest.kubeflow_registry.probes import RegistryProbes
from mlmd_api.rest.kubeflow_registry.routes import PREFIX
from mlmd_api.rest.probes import Probes
from mlmd_api.rest.registry import Resolving, Watching
from mlmd_api.rest.threads import Threads

if TYPE_CHECKING:
    from mlmd_api.graphql.engine import GraphqlEngine

PROBES = ("/healthz", "/readyz", "/metrics", "/readyz/isDirty", "/readyz/health")
"""What operators' machines ask, without a token."""
_EVERY_VERB = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
"""For what refuses verbs itself; a path of two parts would else be taken for a call."""


class _Digits(StringConvertor):
    """A number in a path, however long: Starlette's own fails where Python refuses to read it."""

    regex = "[0-9]+"


register_url_convertor("digits", _Digits())


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What the listener answers beside calls and probes; what is None has no route."""

    artifacts: TenantArtifacts | None = None
    """The files of artifacts."""
    graphql: "GraphqlEngine | None" = None
    kubeflow: Dispatcher | None = None
    """Kubeflow's registry REST API."""
    registries: TenantRegistries | None = None
    """Models resolved with ETags and watched as server-sent events."""


CALLS_ALONE = Surfaces()


def routes(
    dispatcher: Dispatcher,
    surfaces: Surfaces,
    probes: Probes,
    threads: Threads,
    origins: Origins,
) -> list[Route]:
    """Return the routes of the listener; the one of calls takes any path of two parts and so comes last."""
    return [
        Route("/healthz", probes.healthz),
        Route("/readyz", probes.readyz),
        Route("/metrics", probes.metrics),
        *_files(dispatcher, surfaces.artifacts, threads),
        *_graphql(dispatcher, surfaces.graphql, threads),
        *_kubeflow(surfaces.kubeflow, probes, threads, origins),
        *_registry(dispatcher, surfaces.registries, threads),
        Route("/{service}/{method}", Calls(dispatcher, threads)),
    ]


def _files(dispatcher: Dispatcher, artifacts: TenantArtifacts | None, threads: Threads) -> Iterator[Route]:
    if artifacts is not None:
        files = Files(dispatcher, artifacts, threads.places)
        yield Route("/artifacts/{artifact_id:digits}/files/{path:path}", files.answer, methods=["GET", "HEAD", "PUT"])


def _graphql(dispatcher: Dispatcher, graphql: "GraphqlEngine | None", threads: Threads) -> Iterator[Route]:
    if graphql is not None:
        from mlmd_api.graphql.endpoint import PATH, GraphqlEndpoint

        yield Route(PATH, GraphqlEndpoint(dispatcher, graphql, threads.reads, threads.writes))


def _kubeflow(kubeflow: Dispatcher | None, probes: Probes, threads: Threads, origins: Origins) -> Iterator[Route]:
    if kubeflow is not None:
        registry = KubeflowRegistry(kubeflow, threads.reads, threads.writes, origins)
        registry_probes = RegistryProbes(probes.look)
        yield Route(f"{PREFIX}/{{path:path}}", registry.answer, methods=_EVERY_VERB)
        yield Route("/readyz/isDirty", registry_probes.is_dirty)
        yield Route("/readyz/health", registry_probes.health)


def _registry(dispatcher: Dispatcher, registries: TenantRegistries | None, threads: Threads) -> Iterator[Route]:
    if registries is not None:
        resolving = Resolving(dispatcher, registries, threads.reads)
        yield Route("/registry/resolve", resolving.answer, methods=_EVERY_VERB)
        yield Route("/registry/watch", Watching(dispatcher, threads.streams))
