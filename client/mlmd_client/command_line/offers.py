"""What the Tab key offers: names, versions, aliases and runs that the store has.

It is asked while somebody types: a server that does not answer within two seconds offers nothing, nothing is said of
what goes wrong, and no store is made where there is none.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import click
from mlmd_schemas.aliases import LATEST
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import collections_pb2
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.finding import MLMD, literal
from mlmd_client.names import MODELS_SCHEME
from mlmd_client.places import database_file
from mlmd_client.registry_pages import REGISTRY
from mlmd_client.service import Service
from mlmd_client.tokens import Token
from mlmd_client.transport import open_transport

LONGEST_SECONDS = 8.0
"""Beyond which even a store of this process is not waited for."""
_CALL_SECONDS = 2.0
_MOST = 100
Offer = Callable[[click.Context, click.Parameter, str], list[str]]
Asking = Callable[["Asker", str, click.Context], Iterable[str]]


class Asker:
    """A store that is asked once for each question, and not for long."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ask(self, path: str, request: Any) -> Any:
        """Make one call; raises CallError."""
        return self._service.once(path, request, timeout_seconds=_CALL_SECONDS)

    def nodes(self, noun: str, condition: str) -> list[Any]:
        """Return the newest nodes that a filter finds."""
        options = pb.ListOperationOptions(filter_query=condition, max_result_size=_MOST)
        options.order_by_field.CopyFrom(pb.ListOperationOptions.OrderByField(field="ID", is_asc=False))
        return list(
            getattr(self.ask(f"{MLMD}/Get{noun}", getattr(mlmd, f"Get{noun}Request")(options=options)), noun.lower())
        )


def offered(asking: Asking) -> Offer:
    """Return what click calls to complete a word: what is asked begins with it, or there is nothing."""

    def offer(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        found: list[str] = []

        def look() -> None:
            try:
                found.extend(_looked(asking, context, incomplete))
            except Exception:  # noqa: BLE001 - whatever it is, somebody is typing
                return

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(LONGEST_SECONDS)
        return list(dict.fromkeys(one for one in found if one.startswith(incomplete)))

    return offer


def _looked(asking: Asking, context: click.Context, incomplete: str) -> list[str]:
    told = context.find_root().params
    server = told.get("server") or None
    file = database_file(server)
    if file is not None and not file.is_file():
        return []
    transport = open_transport(server, token=Token.chosen(told.get("token") or ""))
    try:
        return list(asking(Asker(Service(transport)), incomplete, context))
    finally:
        transport.close()


def _pattern(beginning: str, before: str = "") -> str:
    escaped = beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return literal(f"{before}{escaped}%")


def _collections(asker: Asker, beginning: str) -> list[tuple[str, str]]:
    """Return type and name of what has versions and begins so."""
    condition = f"type = 'mlmd.Collection' AND name LIKE {_pattern(beginning, '%/')}"
    parts = [context.name.partition("/") for context in asker.nodes("Contexts", condition)]
    return [(kind, name) for kind, _, name in parts if name.startswith(beginning)]


def _typed(asker: Asker, beginning: str) -> list[tuple[str, str]]:
    """Return type and name of what has versions and begins so with its type before it."""
    if "/" not in beginning:
        return []
    condition = f"type = 'mlmd.Collection' AND name LIKE {_pattern(beginning)}"
    parts = [context.name.partition("/") for context in asker.nodes("Contexts", condition)]
    return [(kind, name) for kind, _, name in parts]


def _names(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    typed = [f"{kind}/{name}" for kind, name in _typed(asker, incomplete)]
    return sorted([*(name for _, name in _collections(asker, incomplete)), *typed])


def _of_versions(asker: Asker, name: str) -> list[str]:
    """Return every way to name a version of a name: by alias, then by number, the newest first."""
    aliases, numbers = [LATEST], []
    for kind, found in [*_collections(asker, name), *_typed(asker, name)]:
        if name in (found, f"{kind}/{found}"):
            request = collections_pb2.ListVersionsRequest(type_name=kind, name=found, page_size=_MOST)
            for version in asker.ask("/mlmd.v1.Collections/ListVersions", request).versions:
                aliases += version.aliases
                numbers.append(str(version.number))
    return [f"{name}@{one}" for one in (*aliases, *numbers)]


def _runs(asker: Asker, incomplete: str) -> list[str]:
    condition = f"type = 'mlmd.Run' AND name LIKE {_pattern(incomplete)}"
    return [execution.name for execution in asker.nodes("Executions", condition)]


def _steps(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    """Return experiments, and once one is written its steps."""
    if "/" in incomplete:
        return sorted(name.rpartition("/")[0] for name in _runs(asker, incomplete))
    condition = f"type = 'mlmd.Experiment' AND name LIKE {_pattern(incomplete)}"
    return sorted(found.name for found in asker.nodes("Contexts", condition))


def _uris(asker: Asker, incomplete: str) -> list[str]:
    name, at, _ = incomplete.removeprefix(MODELS_SCHEME).partition("@")
    request = v1.ListModelsRequest(prefix=name.replace("%2F", "/"), page_size=_MOST)
    models = asker.ask(f"{REGISTRY}/ListModels", request).models
    if not at:
        return [f"{MODELS_SCHEME}{quote(model.name, safe='')}" for model in models]
    return [
        f"{MODELS_SCHEME}{quote(model.name, safe='')}@{alias}"
        for model in models
        for alias in (*sorted(model.aliases), LATEST)
    ]


def _subjects(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    """Return what WHAT may be: versions, runs, URIs of registered models."""
    if incomplete.startswith(MODELS_SCHEME):
        return _uris(asker, incomplete)
    name, at, _ = incomplete.rpartition("@")
    if at:
        return _of_versions(asker, name)
    return [*_names(asker, incomplete, context), *_runs(asker, incomplete)]


def _models(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    request = v1.ListModelsRequest(prefix=incomplete, include_archived=True, page_size=_MOST)
    return [model.name for model in asker.ask(f"{REGISTRY}/ListModels", request).models]


def _resolved(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    """Return URIs of registered models, which may be written without their scheme."""
    if incomplete and MODELS_SCHEME.startswith(incomplete):
        return [MODELS_SCHEME, *(one.removeprefix(MODELS_SCHEME) for one in _uris(asker, incomplete))]
    found = _uris(asker, incomplete)
    return found if incomplete.startswith(MODELS_SCHEME) else [one.removeprefix(MODELS_SCHEME) for one in found]


def _aliases(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    request = v1.GetModelRequest(model=context.params.get("model") or "")
    return sorted(asker.ask(f"{REGISTRY}/GetModel", request).model.aliases)


def _model_versions(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    """Return names of a model's versions, the newest first; after an `@` its aliases."""
    if incomplete.startswith("@"):
        return [f"@{alias}" for alias in (*_aliases(asker, incomplete, context), LATEST)]
    model = context.params.get("model") or ""
    request = v1.ListModelVersionsRequest(model=model, include_archived=True, page_size=_MOST)
    return [version.name for version in asker.ask(f"{REGISTRY}/ListModelVersions", request).versions]


def _deployed(field: str) -> Asking:
    def asking(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
        answer = asker.ask(f"{REGISTRY}/ListDeployments", v1.ListDeploymentsRequest(page_size=_MOST))
        return sorted(getattr(one, field) for one in answer.deployments)

    return asking


def _webhooks(asker: Asker, incomplete: str, context: click.Context) -> list[str]:
    answer = asker.ask(f"{REGISTRY}/ListWebhooks", v1.ListWebhooksRequest(page_size=_MOST))
    return [str(one.id) for one in answer.webhooks]


NAMES, STEPS, SUBJECTS = offered(_names), offered(_steps), offered(_subjects)
MODELS, ALIASES, MODEL_VERSIONS = offered(_models), offered(_aliases), offered(_model_versions)
URIS, WEBHOOKS = offered(_resolved), offered(_webhooks)
ENVIRONMENTS, SERVICES = offered(_deployed("environment")), offered(_deployed("service"))
