"""Calls of the registry, and what they answer as rows."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.calls import CallError
from mlmd_client.command_line.session import Session
from mlmd_client.failures import NotFound, refused
from mlmd_client.resolved_model import state_of
from mlmd_client.tables import moment


def number_of(session: Session, model: str, version: str) -> str:
    """Return a version as requests take it: a name or number as it is, for @ALIAS the number it points at now.

    @7 is the number, which no alias can be.
    """
    if not version.startswith("@"):
        return version
    if version[1:].isdecimal():
        return version[1:]
    asked = v1.GetModelVersionRequest(model=model, alias=version[1:])
    try:
        return str(session.store.service.read(asked, v1.GetModelVersionResponse).version.number)
    except CallError as error:  # which tells of the alias, where this one is typed as a version
        error.message = error.message.replace("alias: ", "version: ", 1)
        raise


def in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts for the eye; programs get aliases and tags as they are.

    >>> in_words({"model": "churn", "aliases": {"champion": 3}, "tags": {"tier": "1"}})
    {'model': 'churn', 'aliases': ['champion@3'], 'tags': ['tier=1']}
    """
    told = dict(facts)
    for name, sign in (("aliases", "@"), ("tags", "=")):
        if isinstance(told.get(name), Mapping):
            told[name] = [f"{key}{sign}{value}" for key, value in told[name].items()]
    return told


@contextmanager
def in_order(session: Session, verb: str, model: str, alias: str, version: str) -> Iterator[None]:
    """Ask, where a model, an alias and a version are not what they are typed as, whether their order was another."""
    if alias.isdecimal() and not version.isdecimal():
        raise refused(
            f"alias: {alias!r} is a number, and numbers name versions; the alias comes before the version: "
            f"{_typed(verb, model, version, alias)}."
        )
    try:
        yield
    except NotFound as error:
        missing = error.facts.get("mlmd-missing")
        number = re.split("[@:/]", version)[-1]
        if missing == "model" and alias != model and alias in session.store.models:
            error.message = (
                f"{error.message.rstrip('.')}; the model comes first: {_typed(verb, alias, model, version)}."
            )
        elif missing == "version" and number != version and number:
            told = number if number.isdecimal() else f"@{number}"
            error.message = (
                f"{error.message.rstrip('.')}; a version of a model is a name, a number or @ALIAS: "
                f"{_typed(verb, model, alias, told)}."
            )
        raise


def _typed(verb: str, *words: str) -> str:
    return f"`mlmd models {verb} {shlex.join(words)}`"


def version_row(version: v1.ModelVersion) -> dict[str, Any]:
    """Return a model version as a row."""
    return {
        "model": version.model,
        "number": version.number,
        "name": version.name,
        "aliases": list(version.aliases),
        "state": state_of(version.state),
        "author": version.author,
        "created": moment(version.create_ms),
        "format": " ".join(part for part in (version.format.name, version.format.version) if part),
        "uri": version.uri,
        "artifact": version.artifact_id,
    }
