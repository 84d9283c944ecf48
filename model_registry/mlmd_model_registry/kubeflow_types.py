"""The types of Kubeflow Model Registry, as its servers declare them on MLMD (docs/registry.md has the mapping)."""

from collections.abc import Mapping
from typing import Any

from mlmd_metadata_store.kept_facts import ARCHIVED as ARCHIVED
from mlmd_metadata_store.kept_facts import MODEL_ARTIFACT as MODEL_ARTIFACT
from mlmd_metadata_store.kept_facts import MODEL_VERSION as MODEL_VERSION
from mlmd_metadata_store.kept_facts import REGISTERED_MODEL as REGISTERED_MODEL
from mlmd_metadata_store.served_versions import INFERENCE_SERVICE as INFERENCE_SERVICE
from mlmd_metadata_store.served_versions import SERVE_MODEL as SERVE_MODEL
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_plans import Evolution
from mlmd_metadata_store.type_writes import put_types
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

SERVING_ENVIRONMENT = "kf.ServingEnvironment"
PREFIX = "kf."
"""What the names of these types begin with, and those of no type of a run."""

LIVE = "LIVE"
"""The property `state` of what is in use, and what it means when it is absent."""

_MODEL_TEXTS = (
    "description", "owner", "state", "readme", "maturity", "provider", "logo", "license", "license_link",
    "library_name",
)  # fmt: skip
_ARTIFACT_TEXTS = (
    "description", "model_format_name", "model_format_version", "storage_key", "storage_path", "service_account_name",
    "model_source_kind", "model_source_class", "model_source_group", "model_source_id", "model_source_name",
)  # fmt: skip


def _texts(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, pb.STRING)


_TYPES: Mapping[str, tuple[Kind, Mapping[str, int]]] = {
    REGISTERED_MODEL: (Kind.CONTEXT, _texts(*_MODEL_TEXTS) | {"language": pb.STRUCT, "tasks": pb.STRUCT}),
    MODEL_VERSION: (
        Kind.CONTEXT,
        _texts("description", "author", "state", "model_name", "version") | {"registered_model_id": pb.INT},
    ),
    MODEL_ARTIFACT: (Kind.ARTIFACT, _texts(*_ARTIFACT_TEXTS)),
    SERVING_ENVIRONMENT: (Kind.CONTEXT, _texts("description")),
    INFERENCE_SERVICE: (
        Kind.CONTEXT,
        _texts("description", "runtime", "desired_state")
        | {"registered_model_id": pb.INT, "model_version_id": pb.INT, "serving_environment_id": pb.INT},
    ),
    SERVE_MODEL: (Kind.EXECUTION, _texts("description") | {"model_version_id": pb.INT}),
}
_MESSAGES: Mapping[Kind, type[Any]] = {
    Kind.ARTIFACT: pb.ArtifactType,
    Kind.EXECUTION: pb.ExecutionType,
    Kind.CONTEXT: pb.ContextType,
}


def put_kubeflow_types(tx: Transaction, *names: str) -> list[int]:
    """Return the ids of these types, which are made or widened when they are not there or lack a property."""
    given = []
    for name in names:
        kind, properties = _TYPES[name]
        given.append((kind, _MESSAGES[kind](name=name, properties=properties)))
    return put_types(tx, given, Evolution(can_add_fields=True, can_omit_fields=True))
