"""What the Tab key offers: names, versions, aliases and runs that the store has.

It is asked while somebody types: a server that does not answer within two seconds offers nothing, nothing is said of
what goes wrong, and no store is made where there is none. A SQLite file is read without opening the store, which would
take ten times as long as Python takes to start.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import quote

import click
from mlmd_schemas.aliases import LATEST

from mlmd_client.names import MODELS_SCHEME
from mlmd_client.places import database_file

LONGEST_SECONDS = 8.0
"""Beyond which even a store of this process is not waited for."""
CALL_SECONDS = 2.0
MOST = 100
"""Names that an answer has at most."""
Offer = Callable[[click.Context, click.Parameter, str], list[str]]


class Names(Protocol):
    """What has names in a store, at most `MOST` of a kind."""

    def collections(self, beginning: str) -> list[tuple[str, str]]:
        """Return type and name of what has versions, where the name begins so."""
        ...

    def typed_collections(self, beginning: str) -> list[tuple[str, str]]:
        """Return type and name of what has versions, where `TYPE/NAME` begins so."""
        ...

    def versions(self, type_name: str, name: str) -> list[tuple[int, list[str]]]:
        """Return numbers with aliases, the newest first."""
        ...

    def runs(self, beginning: str) -> list[str]:
        """Return names of runs, the newest first."""
        ...

    def experiments(self, beginning: str) -> list[str]:
        """Return names of experiments, the newest first."""
        ...

    def models(self, beginning: str, *, archived: bool) -> list[tuple[str, list[str]]]:
        """Return names of registered models with their aliases, in order."""
        ...

    def model_versions(self, model: str) -> list[str]:
        """Return names of a registered model's versions, the newest first."""
        ...

    def deployments(self) -> list[tuple[str, str]]:
        """Return environments and services of deployments."""
        ...

    def webhooks(self) -> list[int]:
        """Return ids."""
        ...


Asking = Callable[[Names, str, click.Context], Iterable[str]]


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
    with _opened(told.get("server") or None, told.get("token") or "") as names:
        return [] if names is None else list(asking(names, incomplete, context))


@contextmanager
def _opened(server: str | None, token: str) -> Iterator[Names | None]:
    """Yield the names of a store; None where a folder has none."""
    file = database_file(server)
    if file is not None:
        from mlmd_client.transport import call_entry_point

        yield call_entry_point("names", file) if file.is_file() else None
        return
    from mlmd_client.command_line.served_names import ServedNames
    from mlmd_client.service import Service
    from mlmd_client.tokens import Token
    from mlmd_client.transport import open_transport

    transport = open_transport(server, token=Token.chosen(token))
    try:
        yield ServedNames(Service(transport), CALL_SECONDS, MOST)
    finally:
        transport.close()


def _typed(names: Names, beginning: str) -> list[tuple[str, str]]:
    return names.typed_collections(beginning) if "/" in beginning else []


def _names(names: Names, incomplete: str, context: click.Context) -> list[str]:
    typed = [f"{kind}/{name}" for kind, name in _typed(names, incomplete)]
    return sorted([*(name for _, name in names.collections(incomplete)), *typed])


def _of_versions(names: Names, name: str) -> list[str]:
    """Return every way to name a version of a name: by alias, then by number, the newest first."""
    aliases, numbers = [LATEST], []
    for kind, found in [*names.collections(name), *_typed(names, name)]:
        if name in (found, f"{kind}/{found}"):
            for number, of_it in names.versions(kind, found):
                aliases += of_it
                numbers.append(str(number))
    return [f"{name}@{one}" for one in (*aliases, *numbers)]


def _steps(names: Names, incomplete: str, context: click.Context) -> list[str]:
    """Return experiments, and once one is written its steps."""
    if "/" in incomplete:
        return sorted(name.rpartition("/")[0] for name in names.runs(incomplete))
    return sorted(names.experiments(incomplete))


def _uris(names: Names, incomplete: str) -> list[str]:
    beginning, at, _ = incomplete.removeprefix(MODELS_SCHEME).partition("@")
    models = names.models(beginning.replace("%2F", "/"), archived=False)
    if not at:
        return [f"{MODELS_SCHEME}{quote(name, safe='')}" for name, _ in models]
    return [
        f"{MODELS_SCHEME}{quote(name, safe='')}@{alias}" for name, aliases in models for alias in (*aliases, LATEST)
    ]


def _subjects(names: Names, incomplete: str, context: click.Context) -> list[str]:
    """Return what WHAT may be: versions, runs, URIs of registered models."""
    if incomplete.startswith(MODELS_SCHEME):
        return _uris(names, incomplete)
    name, at, _ = incomplete.rpartition("@")
    if at:
        return _of_versions(names, name)
    return [*_names(names, incomplete, context), *names.runs(incomplete)]


def _models(names: Names, incomplete: str, context: click.Context) -> list[str]:
    return [name for name, _ in names.models(incomplete, archived=True)]


def _resolved(names: Names, incomplete: str, context: click.Context) -> list[str]:
    """Return URIs of registered models, which may be written without their scheme."""
    if incomplete and MODELS_SCHEME.startswith(incomplete):
        return [MODELS_SCHEME, *(one.removeprefix(MODELS_SCHEME) for one in _uris(names, incomplete))]
    found = _uris(names, incomplete)
    return found if incomplete.startswith(MODELS_SCHEME) else [one.removeprefix(MODELS_SCHEME) for one in found]


def _aliases(names: Names, incomplete: str, context: click.Context) -> list[str]:
    model = context.params.get("model") or ""
    return next((aliases for name, aliases in names.models(model, archived=True) if name == model), [])


def _model_versions(names: Names, incomplete: str, context: click.Context) -> list[str]:
    """Return names of a model's versions, the newest first; after an `@` its aliases."""
    if incomplete.startswith("@"):
        return [f"@{alias}" for alias in (*_aliases(names, incomplete, context), LATEST)]
    return names.model_versions(context.params.get("model") or "")


def _environments(names: Names, incomplete: str, context: click.Context) -> list[str]:
    return sorted(environment for environment, _ in names.deployments())


def _services(names: Names, incomplete: str, context: click.Context) -> list[str]:
    return sorted(service for _, service in names.deployments())


def _webhooks(names: Names, incomplete: str, context: click.Context) -> list[str]:
    return [str(number) for number in names.webhooks()]


NAMES, STEPS, SUBJECTS = offered(_names), offered(_steps), offered(_subjects)
MODELS, ALIASES, MODEL_VERSIONS = offered(_models), offered(_aliases), offered(_model_versions)
URIS, WEBHOOKS = offered(_resolved), offered(_webhooks)
ENVIRONMENTS, SERVICES = offered(_environments), offered(_services)
