"""Under which names people know models, and what serves them.

A model has names as a version of collections, and as a kf.ModelVersion of a kf.RegisteredModel, to which it, or the
kf.ModelArtifact with its URI, is attributed. Services say which version they serve, or serve the newest of a model.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.registry import MODEL_VERSION
from mlmd_schemas.tables.v10 import (
    ARTIFACT,
    ATTRIBUTION,
    CONTEXT,
    CONTEXT_PROPERTY,
    EXECUTION_PROPERTY,
    PARENT_CONTEXT,
    TYPE,
    Kind,
)

from mlmd_lineage.plain_values import clean
from mlmd_lineage.versions import versions_of

VERSION, SERVICE, SERVING, ARTIFACT_TYPE = "kf.ModelVersion", "kf.InferenceService", "kf.ServeModel", "kf.ModelArtifact"

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_TYPES = sa.select(TYPE.c.name, TYPE.c.id).where(TYPE.c.name.in_((VERSION, SERVICE, SERVING, ARTIFACT_TYPE)))
_VERSIONS = (
    sa.select(ATTRIBUTION.c.artifact_id, ATTRIBUTION.c.context_id)
    .join(CONTEXT, CONTEXT.c.id == ATTRIBUTION.c.context_id)
    .where(ATTRIBUTION.c.artifact_id.in_(_IDS), CONTEXT.c.type_id.in_(sa.bindparam("types", expanding=True)))
)
_SAME_URI = (
    sa.select(ARTIFACT.c.id, ARTIFACT.c.uri)
    .where(ARTIFACT.c.uri.in_(_IDS), ARTIFACT.c.type_id.in_(sa.bindparam("types", expanding=True)))
)  # fmt: skip
_PARENTS = sa.select(PARENT_CONTEXT.c.context_id, PARENT_CONTEXT.c.parent_context_id).where(
    PARENT_CONTEXT.c.context_id.in_(_IDS)
)
_NEWEST = (
    sa.select(PARENT_CONTEXT.c.parent_context_id, sa.func.max(PARENT_CONTEXT.c.context_id))
    .join(CONTEXT, CONTEXT.c.id == PARENT_CONTEXT.c.context_id)
    .where(PARENT_CONTEXT.c.parent_context_id.in_(_IDS), CONTEXT.c.type_id.in_(sa.bindparam("types", expanding=True)))
    .group_by(PARENT_CONTEXT.c.parent_context_id)
)


_NUMBERS = sa.select(MODEL_VERSION.c.version_id, MODEL_VERSION.c.model_id, MODEL_VERSION.c.number).where(
    MODEL_VERSION.c.version_id.in_(_IDS)
)


def _pointing(table: sa.Table, owner: str) -> sa.Select[Any]:
    prop = table.c
    return sa.select(prop[owner]).where(
        prop.name == sa.bindparam("property"), prop.is_custom_property.in_((0, 1)), prop.int_value.in_(_IDS)
    )


_SERVICES = _pointing(CONTEXT_PROPERTY, "context_id")
_SERVINGS = _pointing(EXECUTION_PROPERTY, "execution_id")


@dataclass(slots=True)
class _Registry:
    """What Kubeflow's registry says of some artifacts."""

    versions: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """By artifact, the contexts of its versions."""
    models_by_uri: set[int] = field(default_factory=set)
    """Artifacts whose URI a kf.ModelArtifact of a version has."""
    models: dict[int, int] = field(default_factory=dict)
    """By version, its registered model."""
    numbers: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By version that this store's registry made, its model and its number there."""
    aliases: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    """By model and number."""
    contexts: dict[int, pb.Context] = field(default_factory=dict)
    deployments: dict[int, list[v1.ModelDeployment]] = field(default_factory=lambda: defaultdict(list))
    """By version."""


def models_among(
    tx: Transaction, artifacts: Mapping[int, str], by_type: Collection[int]
) -> dict[int, list[v1.ModelRegistration]]:
    """Return the models among these artifacts, each with its URI or "", and their names, collections first.

    `by_type` are models by their type; others are those that a kf.ModelVersion has for its model. What is only noted
    with a version, its data for example, is none. The number of statements does not depend on that of artifacts.
    """
    registry = _read_registry(tx, artifacts)
    found: dict[int, list[v1.ModelRegistration]] = {one: [] for one in (*by_type, *registry.models_by_uri)}
    numbers = set(registry.numbers.values())
    for artifact_id, versions in versions_of(tx, found).items():
        for version in versions:
            aliases = [*version.aliases, *(["latest"] if version.is_latest else [])]
            if (version.context_id, version.number) in numbers:
                registry.aliases[version.context_id, version.number] = aliases
                continue
            found[artifact_id].append(
                v1.ModelRegistration(
                    model=version.name,
                    version=str(version.number),
                    aliases=aliases,
                    context_id=version.context_id,
                )
            )
    for artifact_id in found:
        contexts = registry.versions.get(artifact_id, ())
        found[artifact_id] += [_registration(registry, context_id) for context_id in sorted(contexts)]
    return found


def _registration(registry: _Registry, version_id: int) -> v1.ModelRegistration:
    version = registry.contexts.get(version_id, pb.Context())
    model = registry.contexts.get(registry.models.get(version_id, 0), pb.Context())
    return v1.ModelRegistration(
        model=clean(model.name) or _text(version, "model_name"),
        version=_own_name(version.name),
        aliases=registry.aliases.get(registry.numbers.get(version_id, (0, 0)), ()),
        context_id=version_id,
        state=_text(version, "state"),
        deployments=registry.deployments[version_id],
    )


def _read_registry(tx: Transaction, artifacts: Mapping[int, str]) -> _Registry:
    registry = _Registry()
    types: dict[str, list[int]] = defaultdict(list)
    for name, type_id in tx.rows(_TYPES):
        types[name].append(type_id)
    if not types[VERSION] or not artifacts:
        return registry
    holders = _holders(tx, artifacts, types[ARTIFACT_TYPE])
    for holder, context_id in tx.rows_in(_VERSIONS, holders, types=types[VERSION]):
        for artifact_id in holders[holder]:
            registry.versions[artifact_id].add(context_id)
        registry.models_by_uri |= holders[holder] - {holder}
    versions = {context_id for contexts in registry.versions.values() for context_id in contexts}
    registry.contexts = {context.id: context for context in nodes_by_id(tx, Kind.CONTEXT, versions)}
    for version_id, context in registry.contexts.items():
        registry.models[version_id] = _integer(context, "registered_model_id")
    registry.models |= dict(tx.rows_in(_PARENTS, versions))
    registry.numbers = {version: (model, number) for version, model, number in tx.rows_in(_NUMBERS, versions)}
    models = nodes_by_id(tx, Kind.CONTEXT, set(registry.models.values()))
    registry.contexts |= {context.id: context for context in models}
    _read_services(tx, registry, versions, types)
    return registry


def _holders(tx: Transaction, artifacts: Mapping[int, str], type_ids: Collection[int]) -> dict[int, set[int]]:
    """Return the artifacts by what may be attributed for them: themselves, and kf.ModelArtifacts of their URI."""
    holders: dict[int, set[int]] = {artifact_id: {artifact_id} for artifact_id in artifacts}
    by_uri: dict[str, set[int]] = defaultdict(set)
    for artifact_id, uri in artifacts.items():
        if uri:
            by_uri[tx.text.encode(uri)].add(artifact_id)
    if type_ids and by_uri:
        for holder, uri in tx.rows_in(_SAME_URI, by_uri, types=type_ids):
            holders.setdefault(holder, set()).update(by_uri.get(uri, ()))
    return holders


def _read_services(tx: Transaction, registry: _Registry, versions: set[int], types: Mapping[str, list[int]]) -> None:
    """Add what serves the versions: inference services and single servings."""
    models = {model_id for model_id in registry.models.values() if model_id}
    newest = dict(tx.rows_in(_NEWEST, models, types=types[VERSION]))
    ids = {row[0] for row in tx.rows_in(_SERVICES, versions, property="model_version_id")}
    ids |= {row[0] for row in tx.rows_in(_SERVICES, models, property="registered_model_id")}
    services = [c for c in nodes_by_id(tx, Kind.CONTEXT, ids) if c.type_id in types[SERVICE]]
    environments = {_integer(service, "serving_environment_id") for service in services} - {0}
    names = {context.id: clean(context.name) for context in nodes_by_id(tx, Kind.CONTEXT, environments)}
    for service in services:
        served = _integer(service, "model_version_id") or newest.get(_integer(service, "registered_model_id"), 0)
        registry.deployments[served].append(
            v1.ModelDeployment(
                context_id=service.id,
                name=_own_name(service.name),
                state=_text(service, "desired_state"),
                environment=names.get(_integer(service, "serving_environment_id"), ""),
            )
        )
    ids = {row[0] for row in tx.rows_in(_SERVINGS, versions, property="model_version_id")}
    for serving in nodes_by_id(tx, Kind.EXECUTION, ids):
        if serving.type_id in types[SERVING]:
            registry.deployments[_integer(serving, "model_version_id")].append(
                v1.ModelDeployment(
                    execution_id=serving.id,
                    name=_own_name(serving.name),
                    state=pb.Execution.State.Name(serving.last_known_state),
                )
            )


def _own_name(stored: str) -> str:
    """Return a name as its owner gave it: the registry puts the parent's id before it."""
    parent, colon, name = clean(stored).partition(":")
    return name if colon else parent


def _values(node: Any, name: str) -> Iterable[pb.Value]:
    return (values[name] for values in (node.properties, node.custom_properties) if name in values)


def _integer(node: Any, name: str) -> int:
    return next((value.int_value for value in _values(node, name) if value.HasField("int_value")), 0)


def _text(node: Any, name: str) -> str:
    return next((clean(value.string_value) for value in _values(node, name) if value.HasField("string_value")), "")
